//! Proposing and committing (zab.md section 6).

use alloc::vec;
use alloc::vec::Vec;

use super::{Leader, Stage};
use crate::event::{Departure, Event};
use crate::identity::{Bytes, ServerId, Zxid};
use crate::message::Message;
use crate::mutated;
use crate::prepare::WriteRequest;
use crate::replica::Step;
use crate::replica::handler::Handler;
use crate::replica::server::Server;
use crate::replica::sessions::Owner;
use crate::time::{Duration, Instant};
use crate::wire::{Change, ErrorCode, OpCode, Origin, Reconfig, SessionId};

impl Leader {
    /// Turns a client's write into a transaction and proposes it (zab.md section 6).
    pub(in crate::replica) fn propose(&mut self, server: &mut Server, request: &WriteRequest) -> Step {
        let Stage::Broadcast(broadcast) = &mut self.stage else { return Ok(()) };
        if let Some(held) = &mut broadcast.held {
            held.push(request.clone());
            return Ok(());
        }
        // Its own server knows who owns a local session.
        let refused = if request.op == OpCode::CreateSession.code() || request.local {
            None
        } else {
            broadcast.sessions.check(request.session, Owner::from(request.origin)).err()
        };
        self.order(server, request, refused)
    }

    /// Orders a write of the leader's own: nobody waits for it.
    fn propose_own(&mut self, server: &mut Server, session: SessionId, op: OpCode, body: Bytes) -> Step {
        let origin = Origin { server: server.id(), boot: server.boot, client: 0, number: 0 };
        let (op, identities) = (op.code(), Vec::new());
        self.order(
            server,
            &WriteRequest { origin, session, local: false, cxid: 0, op, body, identities },
            None,
        )
    }

    fn order(&mut self, server: &mut Server, request: &WriteRequest, refused: Option<ErrorCode>) -> Step {
        let now = server.time();
        let Stage::Broadcast(broadcast) = &mut self.stage else { return Ok(()) };
        let previous = server.storage.last().zxid;
        let counter = if previous.epoch() == self.epoch { previous.counter() } else { 0 };
        // R14, ZOOKEEPER-1277.
        if counter >= server.config.counter_limit && !mutated!(M72) {
            return Err(Departure::Rollover);
        }
        let zxid = Zxid::new(self.epoch, counter + 1);
        let wall = server.now.wall_millis.cast_signed();
        if request.op == OpCode::Reconfig.code() {
            let in_sync = |(_, learner): &(&ServerId, &Handler)| learner.welcomed && learner.has_memory();
            let in_sync = self.learners.iter().filter(in_sync).map(|(peer, _)| *peer);
            broadcast.preparer.in_sync = in_sync.chain([server.id()]).collect();
        }
        let transaction = broadcast.preparer.prepare(&server.state, request, refused, zxid, wall);
        match &transaction.change {
            Change::CreateSession { timeout } => {
                let owner = Some(Owner::from(request.origin));
                broadcast.sessions.add(now, transaction.session, *timeout, owner);
            }
            Change::CloseSession { .. } if request.origin.client == 0 || !mutated!(M99) => {
                broadcast.sessions.close(transaction.session);
            }
            Change::NextMembers { .. } => broadcast.held = Some(vec![request.clone()]),
            _ => {}
        }
        let is_swept = matches!(transaction.change, Change::Delete { op: OpCode::DeleteContainer, .. });
        if is_swept && mutated!(M104) {
            server.state.apply(&transaction, &mut |_| {});
            return Ok(());
        }
        if matches!(transaction.change, Change::CreateSession { .. }) && mutated!(M102) {
            server.state.apply(&transaction, &mut |_| {});
        }
        let payload: Bytes = Bytes::from(transaction.encode());
        server.append(zxid, payload.clone(), &transaction.change);
        if matches!(transaction.change, Change::NextMembers { .. }) {
            self.promote(server, previous);
        }
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

    /// Learners that observed and have a vote from now on are sent everything in flight, up to `last`; so far
    /// they were sent what is committed.
    fn promote(&mut self, server: &mut Server, last: Zxid) {
        let epoch = self.epoch;
        for (peer, handler) in &mut self.learners {
            if !handler.observer || !server.ensembles().is_voter(*peer) {
                continue;
            }
            handler.observer = false;
            // The others will be sent everything first.
            if handler.is_forwarding() {
                handler.send_entries(server, epoch, server.committed, last);
            }
        }
    }

    /// Starts the clock of every learner that owes an acknowledgement (zab.md section 8).
    pub(super) fn watch_acknowledgements(&mut self, server: &Server) {
        let last = server.storage.last().zxid;
        let due = server.time() + server.ticks(server.config.sync_limit);
        for (peer, handler) in &mut self.learners {
            if !server.ensembles().is_voter(*peer)
                || !handler.welcomed
                || handler.acknowledged >= last
                || last.epoch() != self.epoch
            {
                handler.acknowledgement_due = Instant::NEVER;
            } else if handler.acknowledgement_due == Instant::NEVER {
                (handler.acknowledgement_awaited, handler.acknowledgement_due) = (last, due);
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
            if handler.observer {
                handler.send_entries(server, epoch, committed, best);
            } else {
                handler.send(server, Message::Commit { epoch, zxid: best });
            }
        }
    }

    /// The state caught up.
    pub(in crate::replica) fn delivered(&mut self, server: &mut Server) -> Step {
        if let Stage::Broadcast(broadcast) = &mut self.stage {
            broadcast.preparer.applied(server.applied.zxid);
            broadcast.sessions.forget_closed(|session| server.state.session_timeout(session).is_some());
        }
        self.answer_questions(server);
        self.finish_reconfig(server)?;
        // What came last has left already, and the new voters can do without it.
        let may_lead =
            server.ensembles().may_lead(server.id()) || server.members.is_changing() || mutated!(M85);
        if self.serving() && !may_lead { Err(Departure::Removed) } else { Ok(()) }
    }

    /// What was announced is committed by old and new voters: now they change, and the writes that waited go on.
    /// If an earlier leader announced it, or the session that asked has ended, nobody waits for it.
    fn finish_reconfig(&mut self, server: &mut Server) -> Step {
        let Stage::Broadcast(broadcast) = &mut self.stage else { return Ok(()) };
        if !broadcast.preparer.has_no_reconfig() || server.state.next_members().is_none() {
            return Ok(());
        }
        let mut held = broadcast.held.take().unwrap_or_default().into_iter();
        if let Some(request) = held.next() {
            self.propose(server, &request)?;
        }
        if !server.members.is_changing() {
            self.reconfigure(server)?;
        }
        held.try_for_each(|request| self.propose(server, &request))
    }

    /// Sessions of which somebody heard.
    pub(super) fn touch(&mut self, server: &Server, touched: &[SessionId]) {
        if let Stage::Broadcast(broadcast) = &mut self.stage {
            for session in touched {
                broadcast.sessions.touch(server.time(), *session);
            }
        }
    }

    /// It begins to serve, or the members are others from now on.
    pub(in crate::replica) fn on_members(&mut self, server: &mut Server) -> Step {
        self.install_members(server)?;
        self.finish_reconfig(server)
    }

    /// The first leader with reconfig makes what its operator wrote the first members in the state, so that
    /// they have a version; followers serve already (ZOOKEEPER-1783).
    fn install_members(&mut self, server: &mut Server) -> Step {
        let Stage::Broadcast(broadcast) = &mut self.stage else { return Ok(()) };
        if !core::mem::take(&mut broadcast.installs_members) {
            return Ok(());
        }
        self.reconfigure(server)
    }

    /// Makes the announced members the present ones. If none are, the present ones get a version.
    fn reconfigure(&mut self, server: &mut Server) -> Step {
        let body = crate::jute::encode(&Reconfig { version: -1, ..Reconfig::default() });
        self.propose_own(server, SessionId(0), OpCode::Reconfig, Bytes::from(body))
    }

    /// Ends the sessions of which nobody has heard for their timeout (client.md section 17.2).
    pub(super) fn expire(&mut self, server: &mut Server) -> Step {
        if !self.serving() {
            return Ok(());
        }
        let touched = server.clients.take_touched();
        self.touch(server, &touched);
        let Stage::Broadcast(broadcast) = &mut self.stage else { return Ok(()) };
        let expired = broadcast.sessions.expired(server.time());
        broadcast.expired += expired.len() as u64;
        for session in expired {
            let timeout = server.state.session_timeout(session).unwrap_or_default();
            server.emit(Event::SessionExpired { session, timeout });
            self.propose_own(server, session, OpCode::CloseSession, Bytes::default())?;
        }
        Ok(())
    }

    /// Removes containers that are empty and nodes past their time (client.md section 12).
    pub(super) fn sweep(&mut self, server: &mut Server) -> Step {
        let now = server.time();
        let Stage::Broadcast(broadcast) = &mut self.stage else { return Ok(()) };
        if broadcast.next_sweep > now {
            return Ok(());
        }
        let settings = &server.config.service;
        broadcast.next_sweep = now + Duration::from_millis(settings.sweep_interval.max(1));
        let most = u64::from(settings.sweeps_per_minute).saturating_mul(settings.sweep_interval) / 60_000;
        let wall = server.now.wall_millis.cast_signed();
        let paths = server.state.sweepable(wall, settings.container_never_used);
        let paths: Vec<_> = paths.take(usize::try_from(most.max(1)).unwrap_or(usize::MAX)).collect();
        for path in paths {
            let body = Bytes::from(crate::jute::encode(&path));
            self.propose_own(server, SessionId(0), OpCode::DeleteContainer, body)?;
        }
        Ok(())
    }
}
