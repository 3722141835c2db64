//! Bringing a quorum, then everybody else, to the leader's history (zab.md section 5).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::confirm::Asker;
use super::{Broadcast, Leader, Stage};
use crate::event::Event;
use crate::identity::{Position, ServerId};
use crate::message::Message;
use crate::mutated;
use crate::prepare::Preparer;
use crate::replica::handler::Stage as LearnerStage;
use crate::replica::server::Server;
use crate::replica::sessions::Sessions;
use crate::storage::Standing;
use crate::time::Duration;

impl Leader {
    /// The end of the history that a learner must have before it may serve.
    pub(super) fn end(&self, server: &Server) -> Position {
        match &self.stage {
            Stage::Synchronizing { initial } => *initial,
            _ => server.storage.position_at(server.committed).unwrap_or(server.applied),
        }
    }

    pub(super) fn synchronize(&mut self, server: &mut Server, peer: ServerId) {
        let end = self.end(server);
        let epoch = self.epoch;
        let token = server.next_read();
        if let Some(handler) = self.learners.get_mut(&peer) {
            handler.synchronize(server, epoch, end, token);
        }
        self.pin(server);
        self.watch_acknowledgements(server);
    }

    /// Memory keeps what learners are still to be sent.
    pub(super) fn pin(&self, server: &mut Server) {
        let base = server.storage.base().zxid;
        server.pinned = self.learners.values().filter_map(|learner| learner.pin(base)).min();
    }

    pub(super) fn on_accepted(&mut self, server: &mut Server, peer: ServerId) {
        match &self.stage {
            Stage::Synchronizing { initial } => {
                // The own history is durable since before the vote (R1).
                let initial = *initial;
                if self.is_quorum(server, |learner| learner.accepted && learner.is_counted()) {
                    self.serve(server, initial);
                }
            }
            Stage::Broadcast(_) => self.welcome(server, peer),
            _ => {}
        }
    }

    /// zab.md section 5.3: a quorum has the initial history, so it is committed.
    pub(super) fn serve(&mut self, server: &mut Server, initial: Position) {
        server.learn_commit(initial.zxid);
        server.emit(Event::Committed { upto: initial });
        let (now, tick) = (server.time(), server.config.tick_time);
        let new_sessions = |server: &Server| Sessions::new(now, tick, server.state.sessions());
        let early = mutated!(M101).then(|| new_sessions(server));
        // What is prepared from now on, and the sessions, begin with all of it.
        server.deliver();
        let preparer = Preparer::new(server.config.service.clone());
        #[cfg(feature = "mutants")]
        let preparer = server.planted.speculative.take().unwrap_or(preparer);
        let broadcast = Box::new(Broadcast {
            preparer,
            sessions: early.unwrap_or_else(|| new_sessions(server)),
            questions: VecDeque::new(),
            next_sweep: now + Duration::from_millis(server.config.service.sweep_interval),
            installs_members: server.config.service.reconfig_enabled
                && !server.config.service.ensemble_text.is_empty()
                && server.state.membership().is_none(),
            held: None,
            expired: 0,
        });
        self.enter(server, Stage::Broadcast(broadcast));
        let peers: Vec<ServerId> = self.learners.keys().copied().collect();
        for peer in peers {
            self.welcome(server, peer);
        }
        // Perhaps it has to install the members, or to end a change of them.
        server.members_changed = true;
    }

    pub(super) fn welcome(&mut self, server: &mut Server, peer: ServerId) {
        let Some(handler) = self.learners.get(&peer) else { return };
        if !handler.accepted || handler.welcomed {
            return;
        }
        if handler.promise.is_some_and(|promise| promise.standing == Standing::Blank) {
            let link = handler.link.incarnation;
            self.ask(server, Asker::Blank(peer, link));
        } else {
            self.let_in(server, peer);
        }
    }

    pub(super) fn let_in(&mut self, server: &mut Server, peer: ServerId) {
        let (epoch, committed) = (self.epoch, server.committed);
        let sync_limit = server.ticks(server.config.sync_limit);
        if let Some(handler) = self.learners.get_mut(&peer) {
            handler.welcomed = true;
            handler.silence = server.time() + sync_limit;
            handler.send(server, Message::UpToDate { epoch, committed });
        }
    }

    pub(super) fn established(&mut self, server: &mut Server) {
        let initial = server.storage.last();
        let uncommitted = server.storage.entries_after(server.committed).len() as u64;
        server.emit(Event::EpochEstablished { epoch: self.epoch, initial, uncommitted });
        self.enter(server, Stage::Synchronizing { initial });
        let peers: Vec<ServerId> = self
            .learners
            .iter()
            .filter(|(_, learner)| matches!(learner.stage, LearnerStage::Positioned))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in peers {
            self.synchronize(server, peer);
        }
        if self.is_quorum(server, |learner| learner.accepted && learner.is_counted()) {
            self.serve(server, initial); // A quorum of one.
        }
    }
}
