//! Taking the history of the leader (zab.md section 5.2).

use alloc::boxed::Box;

use super::{Learner, Stage};
use crate::event::{Departure, Event};
use crate::identity::{Epoch, Position, Zxid};
use crate::message::Message;
use crate::mutated;
use crate::replica::Step;
use crate::replica::server::{Installing, Server};
use crate::storage::{Epochs, Standing};

impl Learner {
    pub(super) fn on_diff(&mut self, server: &mut Server, base: Position, end: Zxid) -> Step {
        #[cfg(feature = "mutants")]
        if mutated!(M17) {
            server.planted.claimed_last = Some(end);
        }
        let _ = end;
        if base != server.storage.last() {
            return Err(Departure::HistoryMismatch);
        }
        self.enter(server, Stage::Synchronizing);
        Ok(())
    }

    pub(super) fn on_trunc(&mut self, server: &mut Server, to: Position) -> Step {
        // What is applied was committed: no leader may cut it (invariants.md Y8).
        if to.zxid < server.applied.zxid || server.storage.position_at(to.zxid) != Some(to) {
            return Err(Departure::HistoryMismatch);
        }
        let removed = server.storage.entries_after(to.zxid).len() as u64;
        server.emit(Event::Truncated { to, removed });
        server.truncate(to.zxid);
        self.stage = Stage::Truncating;
        Ok(())
    }

    pub(super) fn on_snap(&mut self, server: &mut Server, label: Position) -> Step {
        // As with TRUNC: what is applied was committed, and stays (invariants.md Y8).
        if label.zxid < server.applied.zxid || Some(label.zxid.epoch()) > self.epoch {
            return Err(Departure::HistoryMismatch);
        }
        server.storage.begin_install(label);
        server.installing = Installing::Collecting(Box::default());
        self.stage = Stage::Receiving { label, next: 0 };
        Ok(())
    }

    pub(super) fn on_chunk(
        &mut self,
        server: &mut Server,
        label: Position,
        index: u64,
        bytes: crate::identity::Bytes,
        last: bool,
    ) -> Step {
        if server.installing.add(&bytes, last).is_err() {
            server.emit(Event::LinkBroken { peer: self.leader, reason: "an unreadable snapshot" });
            return Err(Departure::ProtocolError);
        }
        server.storage.install_chunk(index, bytes, last);
        self.stage = if last { Stage::Installing } else { Stage::Receiving { label, next: index + 1 } };
        #[cfg(feature = "mutants")]
        if mutated!(M14) {
            server.planted.claimed_last = Some(label.zxid);
        }
        Ok(())
    }

    /// zab.md section 5.2: history, then current epoch, then the acknowledgement.
    pub(super) fn on_new_leader(&mut self, server: &mut Server, end: Position) -> Step {
        // R10: the history must be the leader's, not just as long.
        if server.storage.position_at(end.zxid) != Some(end) {
            return Err(Departure::HistoryMismatch);
        }
        let Some(epoch) = self.epoch else { return Err(Departure::ProtocolError) };
        if mutated!(M01) {
            self.send(server, Message::AckNewLeader { epoch });
        }
        #[cfg(feature = "mutants")]
        {
            let last = server.storage.last().zxid;
            server.planted.cleared = (last > end.zxid && mutated!(M05)).then_some((end.zxid, last));
        }
        if mutated!(M37) {
            return self.accept(server);
        }
        self.save_current_epoch(server, epoch);
        if mutated!(M02) {
            return self.accept(server);
        }
        self.enter(server, Stage::Accepting);
        Ok(())
    }

    pub(super) fn save_current_epoch(&mut self, server: &mut Server, epoch: Epoch) {
        let epochs = server.storage.epochs();
        let standing = match epochs.standing {
            Standing::Blank => Standing::Blank, // Until UPTODATE.
            _ => Standing::Sound,
        };
        let accepted_leader =
            if epochs.accepted_epoch == epoch { epochs.accepted_leader } else { Some(self.leader) };
        server.storage.save_epochs(Epochs {
            accepted_epoch: epoch,
            accepted_leader,
            current_epoch: epoch,
            standing,
            ..epochs
        });
    }

    /// History and current epoch are durable.
    pub(super) fn accept(&mut self, server: &mut Server) -> Step {
        let Some(epoch) = self.epoch else { return Err(Departure::ProtocolError) };
        let last = server.storage.last();
        let pending = server.storage.entries_after(server.committed).len() as u64;
        server.emit(Event::NewLeaderAcknowledged { epoch, last, pending });
        if !mutated!(M01) {
            self.send(server, Message::AckNewLeader { epoch });
        }
        self.stage = Stage::Accepted;
        self.acknowledge(server);
        self.unblock(server, Stage::Accepted)
    }

    pub(super) fn on_up_to_date(&mut self, server: &mut Server, committed: Zxid) -> Step {
        self.on_commit(server, if mutated!(M07) { server.storage.last().zxid } else { committed })?;
        let epochs = server.storage.epochs();
        if let (true, Some(epoch)) = (mutated!(M37), self.epoch) {
            self.save_current_epoch(server, epoch);
        } else if epochs.standing == Standing::Blank {
            // A quorum without this server serves: what it forgot no longer matters.
            server.storage.save_epochs(Epochs { standing: Standing::Sound, ..epochs });
        }
        self.enter(server, Stage::Broadcast);
        #[cfg(feature = "mutants")]
        for request in core::mem::take(&mut server.planted.forwarded) {
            if mutated!(M127) {
                self.send_request(server, &request);
            }
        }
        Ok(())
    }
}
