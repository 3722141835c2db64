//! What happened in each epoch: who leads, who promised, who acknowledged.

use std::collections::BTreeMap;

use zabrus_core::message::LinkIncarnation;
use zabrus_core::storage::Epochs;
use zabrus_core::{Epoch, Position, ServerId, Zxid};

use super::quorums::{Quorums, Servers};

/// A counted ACKEPOCH, with what its sender said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The sender.
    pub server: ServerId,
    /// Its epochs and its standing, as the message names them.
    pub epochs: Epochs,
    /// The end of its log.
    pub last: Position,
}

/// One epoch.
#[derive(Clone, Debug, Default)]
pub struct EpochRecord {
    /// Its only leader (E6), from LEADERINFO on.
    pub leader: Option<ServerId>,
    /// Who promised it, and to whom.
    pub promises: BTreeMap<ServerId, (ServerId, Promise)>,
    /// The history that it starts with, once established.
    pub initial: Option<Position>,
    /// The end of the history that NEWLEADER named on each link.
    pub sent_ends: BTreeMap<(ServerId, LinkIncarnation), Position>,
    /// Who acknowledged NEWLEADER.
    pub ready: Servers,
    /// The highest acknowledgement of each.
    pub acknowledged: BTreeMap<ServerId, Zxid>,
    /// What its leader takes for committed.
    pub committed: Zxid,
}

/// All epochs.
#[derive(Clone, Debug, Default)]
pub struct EpochLedger {
    epochs: BTreeMap<Epoch, EpochRecord>,
    established: Option<(Epoch, Position)>,
}

impl EpochLedger {
    /// What is known of an epoch.
    #[must_use]
    pub fn get(&self, epoch: Epoch) -> Option<&EpochRecord> {
        self.epochs.get(&epoch)
    }

    /// The record of an epoch, made if it is new.
    pub fn record(&mut self, epoch: Epoch) -> &mut EpochRecord {
        self.epochs.entry(epoch).or_default()
    }

    /// Who leads an epoch.
    #[must_use]
    pub fn leader(&self, epoch: Epoch) -> Option<ServerId> {
        self.get(epoch)?.leader
    }

    /// The initial history of an epoch.
    #[must_use]
    pub fn initial(&self, epoch: Epoch) -> Option<Position> {
        self.get(epoch)?.initial
    }

    /// Takes note that an epoch is established. False if it was before.
    pub fn establish(&mut self, epoch: Epoch, initial: Position) -> bool {
        let record = self.record(epoch);
        if record.initial.is_some() {
            return false;
        }
        record.initial = Some(initial);
        if self.established.is_none_or(|(latest, _)| latest < epoch) {
            self.established = Some((epoch, initial));
        }
        true
    }

    /// The highest established epoch and its initial history.
    #[must_use]
    pub fn established(&self) -> Option<(Epoch, Position)> {
        self.established
    }

    /// How many epochs were established.
    #[must_use]
    pub fn established_count(&self) -> usize {
        self.epochs.values().filter(|record| record.initial.is_some()).count()
    }
}

impl EpochRecord {
    /// The voters whose acknowledgements cover `zxid`.
    #[must_use]
    pub fn holders(&self, quorums: &Quorums, zxid: Zxid) -> Servers {
        let covering = self.acknowledged.iter().filter(|(_, acknowledged)| **acknowledged >= zxid);
        covering.fold(0, |set, (id, _)| set | quorums.bit(*id))
    }
}
