//! Whose durable bytes may be damaged.
//!
//! Damage to a quorum of disks is beyond any protocol, in every run, liveness expected or not.
//! And one disk that is damaged twice could lose a record and the only witness that there was
//! one; so each disk is damaged once, until it is replaced by an empty one, whose emptiness is
//! always seen.

use std::collections::BTreeSet;

use zabrus_core::ServerId;
use zabrus_core::quorum::Ensemble;

use crate::fault::{Fault, FaultKind};

#[derive(Clone, Debug)]
pub(super) struct Budget {
    ensemble: Ensemble,
    /// Servers whose disks were ever damaged.
    damaged: BTreeSet<ServerId>,
    /// Servers whose disks hold damaged bytes.
    spoilt: BTreeSet<ServerId>,
    swapped: Option<(ServerId, ServerId)>,
}

impl Budget {
    pub(super) const fn new(ensemble: Ensemble) -> Self {
        Self { ensemble, damaged: BTreeSet::new(), spoilt: BTreeSet::new(), swapped: None }
    }

    pub(super) const fn swapped(&self) -> Option<(ServerId, ServerId)> {
        self.swapped
    }

    /// Whether the disk of `server` may suffer this kind of fault.
    pub(super) fn allows(&self, kind: FaultKind, server: ServerId) -> bool {
        if kind == FaultKind::SwapDisks {
            // A damaged disk may have forgotten whose it is.
            return self.swapped.is_none() && !self.damaged.contains(&server);
        }
        if !kind.damages() {
            return true;
        }
        let is_swapped = self.swapped.is_some_and(|(one, other)| server == one || server == other);
        let twice = kind != FaultKind::Wipe && self.spoilt.contains(&server);
        let untouched =
            self.ensemble.voters().filter(|id| *id != server && !self.damaged.contains(id)).collect();
        !is_swapped && !twice && (!self.ensemble.is_voter(server) || self.ensemble.is_quorum(&untouched))
    }

    pub(super) fn note(&mut self, fault: &Fault) {
        match fault {
            Fault::Wipe(server) => {
                self.damaged.insert(*server);
                self.spoilt.remove(server);
            }
            Fault::Disk { server, fault } if fault.kind().is_some_and(FaultKind::damages) => {
                self.damaged.insert(*server);
                self.spoilt.insert(*server);
            }
            Fault::SwapDisks(one, other) => {
                self.swapped = if self.swapped.is_none() { Some((*one, *other)) } else { None };
            }
            _ => {}
        }
    }
}
