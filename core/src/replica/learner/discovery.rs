//! The promise of a learner (zab.md section 4.3).

use super::{Learner, Stage};
use crate::event::Departure;
use crate::identity::Epoch;
use crate::message::Message;
use crate::mutated;
use crate::replica::Step;
use crate::replica::server::Server;
use crate::storage::Epochs;

impl Learner {
    /// zab.md section 4.3.
    pub(super) fn on_leader_info(&mut self, server: &mut Server, epoch: Epoch) -> Step {
        if self.stage != Stage::Introduced {
            // A second LEADERINFO of the same epoch says nothing new.
            return if self.epoch == Some(epoch) { Ok(()) } else { Err(Departure::ProtocolError) };
        }
        let epochs = server.storage.epochs();
        if epoch < epochs.accepted_epoch {
            return Err(Departure::EpochTooOld);
        }
        self.epoch = Some(epoch);
        if !server.may_promise() {
            // It is not counted, so it promises nothing: its accepted epoch follows NEWLEADER.
            self.acknowledge_epoch(server, None);
            return Ok(());
        }
        if epoch > epochs.accepted_epoch {
            let accepted_leader = Some(self.leader);
            server.storage.save_epochs(Epochs { accepted_epoch: epoch, accepted_leader, ..epochs });
            self.enter(server, Stage::Promising);
            return Ok(());
        }
        // The same epoch again: a promise to the same leader is repeated (R2), one to another
        // leader is never given twice (invariants.md E7).
        let repeated = epochs.accepted_leader == Some(self.leader);
        let promise = (repeated || mutated!(M42)).then_some(epochs.current_epoch);
        self.acknowledge_epoch(server, promise);
        Ok(())
    }

    pub(super) fn acknowledge_epoch(&mut self, server: &mut Server, current_epoch: Option<Epoch>) {
        let Some(epoch) = self.epoch else { return };
        let last = server.claimed_last();
        let standing = server.storage.epochs().standing;
        let ends = server.epoch_ends();
        self.send(server, Message::AckEpoch { epoch, current_epoch, last, ends, standing });
        self.enter(server, Stage::Promised);
    }
}
