//! Establishing an epoch (zab.md section 4).

use alloc::vec::Vec;

use super::{Leader, Stage};
use crate::event::Departure;
use crate::identity::{Epoch, ServerId};
use crate::message::Message;
use crate::mutated;
use crate::replica::Step;
use crate::replica::handler::{Handler, Promise, Stage as LearnerStage};
use crate::replica::server::Server;
use crate::storage::{Epochs, Standing};

impl Leader {
    /// Whether a promise counts. A server that may have acknowledged more than it has counts
    /// behind a leader that has at least as much, or, if a write was only torn, when every voter
    /// was asked and nobody has more.
    pub(super) fn is_promise_counted(&self, server: &Server, promise: &Promise) -> bool {
        let Some(current_epoch) = promise.current_epoch else { return false };
        let reached = |zxid| (current_epoch, zxid) <= self.rank;
        match promise.standing {
            Standing::Sound => true,
            Standing::Torn(zxid) => reached(zxid) || self.has_asked_everybody(server),
            Standing::Damaged(zxid) => reached(zxid),
            Standing::Blank => false,
        }
    }

    /// Whether every voter promised, and none that may lead has more. What was committed is on a quorum
    /// by weight, so one of weight 0 proves nothing about it.
    pub(super) fn has_asked_everybody(&self, server: &Server) -> bool {
        server.ensembles().voters().all(|voter| {
            voter == server.id()
                || self.learners.get(&voter).is_some_and(|learner| {
                    let rank = learner.promise.and_then(|promise| promise.rank());
                    let may_lead = server.ensembles().may_lead(voter) || mutated!(Z02);
                    rank.is_some_and(|rank| rank <= self.rank || !may_lead)
                })
        })
    }

    /// zab.md section 4.2.
    pub(super) fn on_learner_info(&mut self, server: &mut Server, peer: ServerId, accepted: Epoch) -> Step {
        let voter = server.ensembles().is_voter(peer);
        match self.stage {
            Stage::Gathering => {
                if voter && accepted >= self.epoch {
                    self.epoch = accepted.next().ok_or(Departure::Rollover)?;
                }
                self.gather(server);
            }
            // Frozen. A voter that promised a later epoch could never join: make room for an
            // epoch that it can promise.
            _ if voter && accepted > self.epoch => return Err(Departure::EpochTooOld),
            Stage::Promising => {}
            _ => self.offer(server, peer),
        }
        Ok(())
    }

    /// Freezes the epoch when a quorum has introduced itself.
    pub(in crate::replica) fn gather(&mut self, server: &mut Server) {
        if !self.is_quorum(server, |learner| !matches!(learner.stage, LearnerStage::Opened)) {
            return;
        }
        let epochs = server.storage.epochs();
        let accepted_leader = Some(server.id());
        // ZOOKEEPER-1291: durable before anybody hears of it.
        server.storage.save_epochs(Epochs { accepted_epoch: self.epoch, accepted_leader, ..epochs });
        self.enter(server, Stage::Promising);
        if mutated!(M36) {
            self.offer_all(server);
        }
    }

    pub(super) fn offer(&mut self, server: &mut Server, peer: ServerId) {
        let epoch = self.epoch;
        if let Some(handler) = self.learners.get_mut(&peer)
            && matches!(handler.stage, LearnerStage::Introduced)
        {
            handler.stage = LearnerStage::Offered;
            handler.send(server, Message::LeaderInfo { epoch });
        }
    }

    pub(super) fn offer_all(&mut self, server: &mut Server) {
        let peers: Vec<ServerId> = self.learners.keys().copied().collect();
        for peer in peers {
            self.offer(server, peer);
        }
    }

    /// zab.md section 4.4.
    pub(super) fn on_promise(&mut self, server: &mut Server, peer: ServerId) -> Step {
        match self.stage {
            Stage::Promising | Stage::Offering => {
                let Some(Handler { promise: Some(promise), .. }) = self.learners.get(&peer) else {
                    return Ok(());
                };
                // Whoever may not lead, without a vote or with weight 0, is no better leader: what it
                // has more than this leader is in no quorum, and is cut.
                let may_lead = server.ensembles().may_lead(peer) || mutated!(Z03);
                if promise.rank().is_some_and(|rank| rank > self.rank) && may_lead && !mutated!(M47) {
                    return Err(Departure::FollowerMoreRecent);
                }
                self.establish(server);
            }
            Stage::Synchronizing { .. } | Stage::Broadcast(_) => self.synchronize(server, peer),
            Stage::Gathering | Stage::Establishing => {}
        }
        Ok(())
    }

    /// Establishes the epoch when a quorum has promised it.
    pub(super) fn establish(&mut self, server: &mut Server) {
        if !matches!(self.stage, Stage::Offering) {
            return;
        }
        let counted = |learner: &Handler| {
            learner.promise.is_some_and(|promise| self.is_promise_counted(server, &promise)) || mutated!(M38)
        };
        let own = match server.storage.epochs().standing {
            Standing::Sound => true,
            Standing::Torn(_) => self.has_asked_everybody(server),
            Standing::Damaged(_) | Standing::Blank => false,
        };
        if own && self.is_quorum(server, counted) {
            let epochs = server.storage.epochs();
            server.storage.save_epochs(Epochs {
                current_epoch: self.epoch,
                standing: Standing::Sound,
                ..epochs
            });
            self.enter(server, Stage::Establishing);
        }
    }
}
