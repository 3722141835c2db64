//! Proposing and committing (zab.md section 6).

use super::{Leader, Stage};
use crate::event::{Departure, Event};
use crate::identity::{Bytes, Zxid};
use crate::message::Message;
use crate::mutated;
use crate::replica::Step;
use crate::replica::handler::Handler;
use crate::replica::server::Server;
use crate::service::Write;
use crate::time::Instant;

impl Leader {
    /// Turns a change into a transaction and proposes it (zab.md section 6).
    pub(in crate::replica) fn propose(&mut self, server: &mut Server, write: Write) -> Step {
        let Stage::Broadcast(broadcast) = &mut self.stage else { return Ok(()) };
        let previous = server.storage.last().zxid;
        let counter = if previous.epoch() == self.epoch { previous.counter() } else { 0 };
        // R14, ZOOKEEPER-1277.
        if counter >= server.config.counter_limit {
            return Err(Departure::Rollover);
        }
        let zxid = Zxid::new(self.epoch, counter + 1);
        let transaction = broadcast.preparer.prepare(&server.tree, write, zxid, server.now.wall_millis);
        let payload: Bytes = Bytes::from(transaction.encode());
        server.storage.append(zxid, payload.clone());
        let epoch = self.epoch;
        let receives = |learner: &&mut Handler| {
            learner.is_forwarding() && !learner.observer && (learner.accepted || !mutated!(M28))
        };
        for handler in self.learners.values_mut().filter(receives) {
            handler.send(server, Message::Proposal { epoch, previous, zxid, payload: payload.clone() });
        }
        self.watch_acknowledgements(server);
        Ok(())
    }

    /// Starts the clock of every learner that owes an acknowledgement (zab.md section 8).
    pub(super) fn watch_acknowledgements(&mut self, server: &Server) {
        let last = server.storage.last().zxid;
        let due = server.time() + server.ticks(server.config.sync_limit);
        for handler in self.learners.values_mut() {
            if handler.observer
                || !handler.welcomed
                || handler.acknowledged >= last
                || last.epoch() != self.epoch
            {
                handler.acknowledgement_due = Instant::NEVER;
            } else if handler.acknowledgement_due == Instant::NEVER {
                handler.acknowledgement_due = due;
            }
        }
    }

    /// Commits what a quorum has made durable, this server included (R5).
    pub(super) fn advance(&mut self, server: &mut Server) {
        if !self.serving() {
            return;
        }
        let own = if mutated!(M66) { server.storage.last().zxid } else { server.storage.durable() };
        let committed = server.committed;
        let mut best = committed;
        let acknowledged = self.learners.values().map(|learner| learner.acknowledged);
        for candidate in acknowledged.chain([own]) {
            // Every transaction before a candidate is covered by the same acknowledgements.
            let candidate = candidate.min(own);
            let covers =
                |zxid: Zxid| if mutated!(M67) { zxid.0 + 1 >= candidate.0 } else { zxid >= candidate };
            if candidate > best
                && candidate.epoch() == self.epoch
                && self.is_quorum(server, |learner| learner.is_counted() && covers(learner.acknowledged))
            {
                best = candidate;
            }
        }
        let Some(upto) = (best > committed).then(|| server.storage.position_at(best)).flatten() else {
            return;
        };
        server.learn_commit(best);
        server.emit(Event::Committed { upto });
        let epoch = self.epoch;
        for handler in self.learners.values_mut().filter(|learner| learner.is_forwarding()) {
            if !handler.observer {
                handler.send(server, Message::Commit { epoch, zxid: best });
                continue;
            }
            let mut previous = committed;
            for entry in server.storage.entries_after(committed) {
                let (zxid, payload) = (entry.position.zxid, entry.payload.clone());
                if zxid > best {
                    break;
                }
                handler.link.send(&mut server.outputs, Message::Inform { epoch, previous, zxid, payload });
                previous = zxid;
            }
        }
    }

    /// The state caught up.
    pub(in crate::replica) fn delivered(&mut self, server: &mut Server) {
        if let Stage::Broadcast(broadcast) = &mut self.stage {
            broadcast.preparer.applied(server.applied.zxid);
        }
        self.answer_questions(server);
    }
}
