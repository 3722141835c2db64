//! What the observer remembers of one server.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zabrus_core::config::Config;
use zabrus_core::event::Role;
use zabrus_core::message::{LinkIncarnation, Notification, Vote};
use zabrus_core::replica::Status;
use zabrus_core::storage::{Epochs, FileName, FileOperation, OperationId, Standing};
use zabrus_core::wire::SessionId;
use zabrus_core::{Duration, Epoch, Instant, Position, ServerId, Zxid};

use super::durable::Durable;
use super::pace::Pace;
use super::quorums::Quorums;
use crate::checks::Rule;

/// One end of a link between a learner and its leader, as its messages show it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkFacts {
    pub(super) link: LinkIncarnation,
    /// The last transaction that the leader sent on it, or the base from which it sends.
    pub(super) sent: Zxid,
    /// The learner has acknowledged NEWLEADER on it.
    pub(super) acknowledged: bool,
    /// A snapshot is on its way.
    pub(super) snapshot: bool,
    /// The learner said that it does not know what it promised.
    pub(super) forgetful: bool,
}

/// How far a growing log segment was followed.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    pub(super) file: Option<FileName>,
    pub(super) offset: u64,
}

/// Changes of a disk that a sync may make durable beyond appended records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Structural {
    /// A log was cut or rewritten.
    pub(super) cut: bool,
    /// Files were removed.
    pub(super) removed: bool,
    /// Files were created or renamed.
    pub(super) named: bool,
}

/// One server.
#[derive(Clone, Debug)]
pub(super) struct ServerFacts {
    pub(super) config: Config,
    pub(super) durable: Durable,
    /// The current epoch before the last one, as far as this server can know it: the rank with which
    /// a leader was compared.
    pub(super) earlier_epoch: Epoch,
    /// An injected fault has destroyed something on this disk, so that it may lack what it
    /// acknowledged, if it says so.
    pub(super) harmed: bool,
    /// The end of what this server acknowledged to a leader.
    pub(super) owed: Position,
    /// What was cut from its log durably.
    pub(super) removed: Vec<Position>,
    /// The highest epoch that it learned or served in. Without a promise its accepted epoch follows
    /// only with NEWLEADER.
    pub(super) followed: Epoch,
    /// The highest epoch that it promised or led.
    pub(super) promised: Epoch,
    pub(super) tail: Tail,
    pub(super) structural: Structural,
    /// The labels of the snapshots that were whole when it started, or when it wrote them.
    pub(super) whole_snapshots: BTreeSet<Zxid>,
    /// Disk operations that matter to the durable shadow, asked for and not yet carried out.
    pub(super) asked: VecDeque<FileOperation>,
    /// The replica's state after its last step, `None` while it is down.
    pub(super) status: Option<Status>,
    /// What it counts, as it says itself.
    pub(super) counts: Counts,
    pub(super) life: Life,
}

/// The ensembles that a server counts.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) quorums: Quorums,
    /// The same before its last input, by which it decided to commit.
    pub(super) before: Quorums,
    pub(super) versions: Vec<u64>,
    /// Its log, when it was last judged by that.
    pub(super) seen: Option<Position>,
}

/// What ends with the process.
#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    /// The incarnation of its storage, from its first operation.
    pub(super) storage: Option<u64>,
    /// What it takes for its durable epochs, as of its last output.
    pub(super) epochs: Option<Epochs>,
    /// Operations in flight, and whether their failure ends what this server may promise.
    pub(super) operations: VecDeque<(OperationId, bool)>,
    pub(super) disk_failed: bool,
    /// The next step must have no effect, by this rule.
    pub(super) no_effect: Option<Rule>,
    /// Nor may it say or leave anything because of its input.
    pub(super) foreign: bool,
    /// The epoch it leads, as its events say, if it leads.
    pub(super) leading: Option<Option<Epoch>>,
    /// The last epoch that it served or learned in.
    pub(super) epoch: Option<Epoch>,
    /// Its storage is repaired: it has had a role.
    pub(super) repaired: bool,
    /// The links that it asked for or granted, by peer.
    pub(super) open: BTreeMap<ServerId, LinkIncarnation>,
    /// The last frame of each link that came in its turn, by peer.
    pub(super) arrived: BTreeMap<ServerId, (LinkIncarnation, u64)>,
    /// Notifications received since it last decided.
    pub(super) heard: Vec<(ServerId, Notification)>,
    /// Round and vote of the present look, and how it moved between equal votes.
    pub(super) look: Option<(u64, Option<Vote>)>,
    pub(super) links: BTreeMap<ServerId, LinkFacts>,
    /// Since when it serves as a leader.
    pub(super) serves_since: Option<Instant>,
    /// Where its log ended when a learner's `sync` came, by the learner's number for it.
    pub(super) syncs: BTreeMap<(ServerId, u64), Zxid>,
    /// When it last heard of each session as the leader, and the longest silence before (N5).
    pub(super) heard_sessions: BTreeMap<SessionId, (Instant, Duration)>,
    /// What followers owe it, as long as it leads.
    pub(super) pace: Pace,
    pub(super) steps: u64,
}

impl ServerFacts {
    pub(super) fn new(config: Config, quorums: &Quorums) -> Self {
        let mut durable = Durable::nothing(config.id);
        if config.empty_is_expected {
            (durable.usable, durable.epochs.standing) = (true, Standing::Sound);
        }
        Self {
            durable,
            config,
            earlier_epoch: Epoch(0),
            harmed: false,
            owed: Position::EMPTY,
            removed: Vec::new(),
            followed: Epoch(0),
            promised: Epoch(0),
            tail: Tail::default(),
            structural: Structural::default(),
            whole_snapshots: BTreeSet::new(),
            asked: VecDeque::new(),
            status: None,
            counts: Counts {
                quorums: quorums.clone(),
                before: quorums.clone(),
                versions: vec![0],
                seen: None,
            },
            life: Life::default(),
        }
    }

    /// Its role, `Halted` while it is down.
    pub(super) fn role(&self) -> Role {
        self.status.as_ref().map_or(Role::Halted, |status| status.role)
    }

    /// The facts of the link to `peer`; a new incarnation starts anew.
    pub(super) fn link(&mut self, peer: ServerId, link: LinkIncarnation) -> &mut LinkFacts {
        let fresh =
            LinkFacts { link, sent: Zxid::ZERO, acknowledged: false, snapshot: false, forgetful: false };
        let facts = self.life.links.entry(peer).or_insert(fresh);
        if facts.link != link {
            *facts = fresh;
        }
        facts
    }

    /// Whether a sync of `file` can only have made more records at its end durable.
    pub(super) fn follows(&self, file: &FileName) -> bool {
        !self.structural.cut && self.tail.file.as_ref() == Some(file)
    }

    /// The replica shows what it takes for its durable epochs.
    pub(super) fn shows(&mut self, epochs: Epochs) {
        let before = self.known_epochs().current_epoch;
        if self.harmed && before < epochs.current_epoch {
            self.earlier_epoch = before;
        }
        self.life.epochs = Some(epochs);
    }

    /// What this server can know of its epochs: of damage that happens under it, nothing.
    pub(super) fn known_epochs(&self) -> Epochs {
        self.life.epochs.filter(|_| self.harmed).unwrap_or(self.durable.epochs)
    }

    /// Whether a lie of its disk excuses that it lacks `position`.
    pub(super) fn excused(&self, position: Position) -> bool {
        self.harmed && self.durable.admits_lacking(position.zxid)
    }
}
