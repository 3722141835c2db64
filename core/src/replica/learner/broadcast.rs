//! Proposals, commits, and what the clients of a learner ask of the leader (zab.md section 6).

use super::{Learner, Stage};
use crate::event::{Departure, Event};
use crate::identity::Zxid;
use crate::io::ClientId;
use crate::message::Message;
use crate::mutated;
use crate::prepare::WriteRequest;
use crate::replica::Step;
use crate::replica::server::Server;
use crate::storage::segment::follows;
use crate::wire::{SessionId, Transaction};

impl Learner {
    pub(super) fn on_proposal(
        &mut self,
        server: &mut Server,
        previous: Zxid,
        zxid: Zxid,
        payload: crate::identity::Bytes,
    ) -> Step {
        let last = server.storage.last().zxid;
        if zxid <= last && !server.config.link_checks {
            return Ok(()); // Only without the link layer: a duplicate.
        }
        // R4; and no leader has transactions of a later epoch than its own.
        let continues = (previous == last && follows(last, zxid)) || mutated!(M71);
        if !continues || Some(zxid.epoch()) > self.epoch {
            return Err(Departure::HistoryMismatch);
        }
        // What is logged must be applied one day: now is the last time to refuse it.
        let transaction = Transaction::decode(&payload);
        let Some(transaction) = transaction.ok().filter(|transaction| transaction.zxid == zxid) else {
            server.emit(Event::LinkBroken { peer: self.leader, reason: "an unreadable transaction" });
            return Err(Departure::ProtocolError);
        };
        server.append(zxid, payload, &transaction.change);
        #[cfg(feature = "mutants")]
        if let crate::wire::Change::Reconfig { data } = &transaction.change
            && let Some(members) = crate::membership::Membership::from_bytes(data)
            && mutated!(M83)
        {
            server.adopt(members);
        }
        #[cfg(feature = "mutants")]
        if self.stage == Stage::Synchronizing && mutated!(M11) {
            server.planted.window_holes.insert(zxid);
        }
        if self.stage == Stage::Broadcast && mutated!(M65) {
            self.acknowledged = zxid;
            let epoch = zxid.epoch();
            self.send(server, Message::Ack { epoch, zxid });
        }
        if zxid <= self.committed {
            server.learn_commit(self.committed);
        }
        Ok(())
    }

    pub(super) fn on_commit(&mut self, server: &mut Server, zxid: Zxid) -> Step {
        #[cfg(feature = "mutants")]
        if matches!(self.stage, Stage::Accepted | Stage::Broadcast)
            && server.planted.is_cleared(zxid, server.committed)
        {
            return Err(Departure::ProtocolError); // M05: it finds nothing to commit.
        }
        self.committed = self.committed.max(zxid);
        server.learn_commit(self.committed);
        Ok(())
    }

    /// Acknowledges what is durable of the running epoch, after NEWLEADER (ZOOKEEPER-4685).
    pub(super) fn acknowledge(&mut self, server: &mut Server) {
        let Some(epoch) = self.epoch else { return };
        let zxid = if mutated!(M04) { server.storage.last().zxid } else { server.storage.durable() };
        let early = self.stage == Stage::Synchronizing && mutated!(M06);
        let may = early || matches!(self.stage, Stage::Accepted | Stage::Broadcast);
        if may && !self.observer && zxid.epoch() == epoch && zxid > self.acknowledged {
            self.acknowledged = zxid;
            self.send(server, Message::Ack { epoch, zxid });
        }
    }

    /// Passes a write on to the leader, which executes it once (R13).
    pub(in crate::replica) fn forward(&mut self, server: &mut Server, request: &WriteRequest) {
        #[cfg(feature = "mutants")]
        if mutated!(M128) {
            match self.held.take() {
                None => self.held = Some(request.clone()),
                Some(held) => {
                    self.send_request(server, request);
                    self.send_request(server, &held);
                }
            }
            return;
        }
        self.send_request(server, request);
    }

    pub(super) fn send_request(&mut self, server: &mut Server, request: &WriteRequest) {
        let Some(epoch) = self.epoch else { return };
        #[cfg(feature = "mutants")]
        server.planted.forwarded.push(request.clone());
        self.requests += 1;
        let payload = alloc::sync::Arc::from(crate::codec::encode(request));
        self.send(server, Message::Request { epoch, number: self.requests, payload });
    }

    /// Asks the leader whether the session of a client lives.
    pub(in crate::replica) fn attach(
        &mut self,
        server: &mut Server,
        client: ClientId,
        session: SessionId,
        timeout: i32,
    ) {
        let Some(epoch) = self.epoch else { return };
        self.send(server, Message::Revalidate { epoch, client, session, timeout, lives: None });
    }

    /// Asks the leader to confirm that this server will be up to date.
    pub(in crate::replica) fn sync(&mut self, server: &mut Server, number: u64) {
        let Some(epoch) = self.epoch else { return };
        self.send(server, Message::Sync { epoch, number, committed: Zxid::ZERO });
    }
}
