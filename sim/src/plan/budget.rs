//! Whom faults may hit that harm what is on disks.
//!
//! - Damage to a quorum of disks is beyond any protocol, in every run, liveness expected or not.
//! - One disk that is damaged twice could lose a record and the only witness that there was one;
//!   so each disk is damaged once, until it is replaced by an empty one, whose emptiness is always
//!   seen.
//! - A server that lost power while it wrote cannot tell a write that never was durable from one
//!   that is gone, so it is in doubt about its own past until others help it. Where liveness is
//!   expected, servers in doubt never meet damage such that too few others are left to help.

use std::collections::BTreeSet;

use zabrus_core::ServerId;

use super::Observation;
use crate::fault::{DiskFault, Fault, FaultKind};

type Servers = BTreeSet<ServerId>;

#[derive(Clone, Debug)]
pub(super) struct Budget {
    liveness_expected: bool,
    /// Their disks were ever damaged.
    damaged: Servers,
    /// Their disks hold damaged bytes.
    spoilt: Servers,
    /// These have not met their damage yet: they did not lose power since.
    unaware: Servers,
    /// Their disks fail or are about to.
    failing: Servers,
    /// A fault of damage or doubt hit them, and they were not seen in good order since.
    shaken: Servers,
    swapped: Option<(ServerId, ServerId)>,
}

impl Budget {
    pub(super) const fn new(liveness_expected: bool) -> Self {
        Self {
            liveness_expected,
            damaged: Servers::new(),
            spoilt: Servers::new(),
            unaware: Servers::new(),
            failing: Servers::new(),
            shaken: Servers::new(),
            swapped: None,
        }
    }

    pub(super) const fn swapped(&self) -> Option<(ServerId, ServerId)> {
        self.swapped
    }

    /// Whether these servers may suffer this kind of fault together.
    pub(super) fn allows(&self, kind: FaultKind, hit: &Servers, observation: &Observation) -> bool {
        let is_swapped = |id: &ServerId| self.swapped.is_some_and(|(one, other)| *id == one || *id == other);
        if kind == FaultKind::SwapDisks
            && (self.swapped.is_some() || hit.iter().any(|id| self.damaged.contains(id)))
        {
            // A damaged disk may have forgotten whose it is.
            return false;
        }
        if kind.damages() {
            let twice = kind != FaultKind::Wipe && hit.iter().any(|id| self.spoilt.contains(id));
            let sound = |id: &ServerId| !hit.contains(id) && !self.damaged.contains(id);
            if twice || hit.iter().any(is_swapped) || !is_quorum_without(hit, sound, observation) {
                return false;
            }
        }
        if !self.liveness_expected || !(kind.damages() || kind.leaves_doubt()) {
            return true;
        }
        let well = |id: &ServerId| {
            !hit.contains(id)
                && !self.shaken.contains(id)
                && observation.servers.get(id).is_some_and(|server| server.is_sound)
        };
        let nobody_is_hurt = self.shaken.is_disjoint(&self.damaged);
        (!kind.damages() && nobody_is_hurt) || is_quorum_without(hit, well, observation)
    }

    /// Forgets what is over.
    pub(super) fn observe(&mut self, observation: &Observation) {
        let Self { shaken, unaware, failing, .. } = self;
        shaken.retain(|id| unaware.contains(id) || failing.contains(id) || !observation.servers[id].is_sound);
    }

    pub(super) fn note(&mut self, fault: &Fault) {
        match fault {
            Fault::Wipe(server) => {
                self.damaged.insert(*server);
                self.shaken.insert(*server);
                self.spoilt.remove(server);
                self.unaware.remove(server);
            }
            Fault::PowerLoss(servers) => {
                self.shaken.extend(servers);
                self.unaware.retain(|id| !servers.contains(id));
            }
            Fault::Disk { server, fault: DiskFault::Repair } => {
                self.failing.remove(server);
            }
            Fault::Disk { server, fault } => {
                let Some(kind) = fault.kind() else { return };
                if kind.damages() {
                    for set in [&mut self.damaged, &mut self.spoilt, &mut self.unaware, &mut self.shaken] {
                        set.insert(*server);
                    }
                } else if kind.leaves_doubt() {
                    self.failing.insert(*server);
                    self.shaken.insert(*server);
                }
            }
            Fault::SwapDisks(one, other) => {
                self.swapped = if self.swapped.is_none() { Some((*one, *other)) } else { None };
            }
            _ => {}
        }
    }
}

/// Whether of each ensemble the voters that `remain` are a quorum, or none of those `hit` is a voter.
fn is_quorum_without(hit: &Servers, remain: impl Fn(&ServerId) -> bool, observation: &Observation) -> bool {
    observation.ensembles.iter().all(|ensemble| {
        let no_voter = !hit.iter().any(|id| ensemble.is_voter(*id));
        no_voter || ensemble.is_quorum(&ensemble.voters().filter(&remain).collect())
    })
}
