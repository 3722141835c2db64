//! What servers say: each output is judged before it takes effect.

use zabrus_core::event::{Departure, Event, Phase, Role, SyncAction};
use zabrus_core::io::Output;
use zabrus_core::message::{Frame, LinkIncarnation, Message, Notification, SenderState, Vote};
use zabrus_core::replica::Status;
use zabrus_core::storage::{Epochs, Standing};
use zabrus_core::{Bytes, Epoch, Position, Replica, ServerId, Zxid};

use super::epochs::Promise;
use super::{Checked, Ghost};
use crate::checks::{
    Rule, b09_ack_truth, b11_zxid_discipline, b14_leader_silence, e02_vote_honesty, e03_justified_decision,
    e04_no_blank_voter, e05_no_foreign_voter, e06_unique_leader, e07_one_promise, e08_promise_quorum,
    e09_epoch_freshness, e12_elected_best, l_clients, r10_no_ack_after_error, y01_persist_before_send,
    y02_leader_most_recent, y03_initial_history, y04_newleader_ack_truth, y06_process_consistency,
    y10_sync_continuity, y12_stale_input, y13_no_ack_inversion,
};
use crate::counters::Mark;
use zabrus_core::config::ElectionAlgorithm;

impl Ghost {
    /// A replica wants something done.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn output(&mut self, server: ServerId, output: &Output, replica: &Replica) -> Checked {
        self.counts(server, replica);
        let facts = self.facts(server);
        facts.shows(replica.storage().epochs());
        let life = &facts.life;
        if life.foreign {
            let verdict = y12_stale_input::output(output, life.leading.is_some());
            self.judge(Rule::Y12, server, verdict)?;
        }
        let committed = replica.status().committed;
        if self.servers[&server].harmed && self.history.position(committed).is_none() {
            self.learn_memory(server, replica, committed)?;
        }
        match output {
            Output::Send { frame: Frame::Vote { notification, .. }, .. } => {
                // Members of whom it tells may be nowhere but in its memory.
                let logged = replica.status().logged.zxid;
                if self.history.position(logged).is_none() {
                    self.learn_memory(server, replica, logged)?;
                }
                self.vote(server, notification)
            }
            Output::Send { peer, frame: Frame::Open { link } | Frame::Accept { link, .. }, .. } => {
                self.facts(server).life.open.insert(*peer, *link);
                Ok(())
            }
            Output::Send { peer, frame: Frame::Reset { link }, .. } => {
                let open = &mut self.facts(server).life.open;
                if open.get(peer) == Some(link) {
                    open.remove(peer);
                }
                Ok(())
            }
            Output::Send { peer, frame: Frame::Data { link, message, .. }, .. } => {
                if let Message::Commit { .. }
                | Message::Inform { .. }
                | Message::UpToDate { .. }
                | Message::Ping { .. } = message
                {
                    self.progress(server, &replica.status())?;
                }
                self.message(server, *peer, *link, message)
            }
            Output::ClientFrame { .. } => self.progress(server, &replica.status()),
            Output::Members(members) => self.kept_members(server, &members.ensemble),
            Output::Disk(operation) => self.asked_of_disk(server, operation),
            Output::Event(event) => {
                if matches!(event, Event::EpochEstablished { .. }) && self.servers[&server].harmed {
                    self.learn_memory(server, replica, replica.status().logged.zxid)?;
                }
                self.event(server, event, &replica.status())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn vote(&mut self, server: ServerId, notification: &Notification) -> Checked {
        let (Some(vote), SenderState::Looking) = (notification.vote, notification.state) else {
            return Ok(());
        };
        let facts = &self.servers[&server];
        let (durable, standing) = (facts.durable, facts.known_epochs().standing);
        self.judge(Rule::E4, server, e04_no_blank_voter::check("a vote", standing))?;
        // It may have learned of another ensemble behind its vote.
        let counts = &self.servers[&server].counts;
        let verdict = e05_no_foreign_voter::check(&counts.quorums, server, vote)
            .or_else(|_| e05_no_foreign_voter::check(&counts.before, server, vote))
            .or_else(|error| if self.hears_of_voters(server, vote) { Ok(()) } else { Err(error) });
        self.judge(Rule::E5, server, verdict)?;
        if !self.servers[&server].excused(durable.last) {
            // A settled leader's vote names its own epoch (zab.md section 1.8).
            let refreshed = self.epochs.leader(vote.peer_epoch) == Some(vote.leader);
            let known = refreshed || self.candidates.contains(&vote);
            self.judge(Rule::E2, server, e02_vote_honesty::check(server, vote, &durable, known))?;
        }
        if vote.leader == server {
            self.candidates.insert(vote);
        }
        Ok(())
    }

    /// Whether other voters are announced in some log, among whom this vote is no foreign one: a server that heard of
    /// them votes, too.
    fn hears_of_voters(&self, server: ServerId, vote: Vote) -> bool {
        let own = self.servers[&server].durable.last.zxid;
        let announced = self.configs.announced_since(own);
        let counts = &self.servers[&server].counts.quorums;
        announced
            .map(|config| counts.and(&config.quorums))
            .any(|q| e05_no_foreign_voter::check(&q, server, vote).is_ok())
    }

    pub(super) fn message(
        &mut self,
        server: ServerId,
        peer: ServerId,
        link: LinkIncarnation,
        message: &Message,
    ) -> Checked {
        let failed = self.servers[&server].life.disk_failed;
        self.judge(Rule::R10, server, r10_no_ack_after_error::silence(message, failed))?;
        if let Some(epoch) = message.epoch().filter(|_| b14_leader_silence::is_of_a_leader(message)) {
            let leading = self.servers[&server].life.leading;
            self.judge(Rule::B14, server, b14_leader_silence::check(epoch, leading))?;
        }
        match message {
            Message::LeaderInfo { epoch } => {
                self.persisted(server, "LEADERINFO", *epoch, server)?;
                self.promise(*epoch, server, server)
            }
            Message::AckEpoch { epoch, current_epoch, last, standing, .. } => {
                self.facts(server).link(peer, link).forgetful = *standing == Standing::Blank;
                let Some(current_epoch) = *current_epoch else {
                    self.counters.saw(Mark::EpochsWithoutPromise);
                    return Ok(());
                };
                self.persisted(server, "ACKEPOCH", *epoch, peer)?;
                let accepted = self.servers[&server].durable.epochs;
                let epochs = Epochs { current_epoch, standing: *standing, ..accepted };
                self.ack_epoch(*epoch, peer, Promise { server, epochs, last: *last })
            }
            Message::Diff { base: position, .. } | Message::Trunc { to: position, .. } => {
                self.facts(server).link(peer, link).sent = position.zxid;
                Ok(())
            }
            Message::Snap { epoch, label } => {
                let facts = self.facts(server).link(peer, link);
                (facts.sent, facts.snapshot) = (label.zxid, true);
                self.leader_committed(server, *epoch, label.zxid)
            }
            Message::SnapChunk { last, .. } => {
                self.facts(server).link(peer, link).snapshot = !last;
                Ok(())
            }
            Message::Proposal { epoch, previous, zxid, payload }
            | Message::Inform { epoch, previous, zxid, payload } => {
                self.proposed(server, *epoch, *previous, *zxid, payload)?;
                let sent = self.facts(server).link(peer, link).sent;
                let verdict = y10_sync_continuity::transaction(&self.history, sent, *previous, *zxid);
                self.facts(server).link(peer, link).sent = sent.max(*zxid);
                self.judge(Rule::Y10, server, verdict)
            }
            Message::NewLeader { epoch, end } => {
                let sent = self.facts(server).link(peer, link).sent;
                let initial = self.epochs.initial(*epoch);
                let verdict = y10_sync_continuity::new_leader(&self.history, initial, sent, *end);
                self.judge(Rule::Y10, server, verdict)?;
                self.epochs.record(*epoch).sent_ends.insert((peer, link), *end);
                Ok(())
            }
            Message::Commit { epoch, zxid } => self.leader_committed(server, *epoch, *zxid),
            Message::Ping { epoch, committed, .. } if self.servers[&server].life.leading.is_some() => {
                self.leader_committed(server, *epoch, *committed)
            }
            Message::UpToDate { epoch, committed } => {
                self.facts(server).life.pace.welcomed(peer, link);
                self.leader_committed(server, *epoch, *committed)
            }
            Message::Sync { number, committed, .. } if self.servers[&server].life.leading.is_some() => {
                let Some(proposed) = self.facts(server).life.syncs.remove(&(peer, *number)) else {
                    return Ok(());
                };
                self.judge(Rule::L8, server, l_clients::flushed(*committed, proposed))
            }
            Message::AckNewLeader { epoch } => self.ack_new_leader(server, peer, link, *epoch),
            Message::Ack { epoch, zxid } => self.ack(server, peer, link, *epoch, *zxid),
            _ => Ok(()),
        }
    }

    fn persisted(&mut self, server: ServerId, message: &str, epoch: Epoch, leader: ServerId) -> Checked {
        let facts = &self.servers[&server];
        if facts.harmed && facts.durable.epochs.standing != Standing::Sound {
            return Ok(());
        }
        let verdict = y01_persist_before_send::check(message, epoch, leader, &facts.durable);
        self.judge(Rule::Y1, server, verdict)
    }

    /// A server promises `epoch` to `leader`, which may be itself.
    fn promise(&mut self, epoch: Epoch, server: ServerId, leader: ServerId) -> Checked {
        let durable = self.servers[&server].durable;
        let promise = Promise { server, epochs: durable.epochs, last: durable.last };
        let earlier = self.epochs.record(epoch).promises.insert(server, (leader, promise));
        let earlier = earlier.map(|(leader, _)| leader);
        if earlier == Some(leader) {
            self.counters.saw(Mark::PromisesRepeated);
        }
        if self.servers[&server].harmed {
            // Its disk may have lost what it promised; E6 and E8 see what comes of it.
            return Ok(());
        }
        self.judge(Rule::E7, server, e07_one_promise::check(epoch, earlier, leader))?;
        let highest = self.servers[&server].promised;
        self.judge(Rule::E9, server, e09_epoch_freshness::check(epoch, highest))?;
        self.facts(server).promised = epoch;
        Ok(())
    }

    fn ack_epoch(&mut self, epoch: Epoch, leader: ServerId, promise: Promise) -> Checked {
        let server = promise.server;
        let facts = &self.servers[&server];
        let (durable, excused) = (facts.durable, facts.excused(promise.last));
        let standing = facts.known_epochs().standing;
        self.judge(Rule::E4, server, e04_no_blank_voter::check("a promise", standing))?;
        if !excused {
            let verdict = y01_persist_before_send::position(&promise, &durable);
            self.judge(Rule::Y1, server, verdict)?;
        }
        self.promise(epoch, server, leader)?;
        self.epochs.record(epoch).promises.insert(server, (leader, promise));
        Ok(())
    }

    fn proposed(
        &mut self,
        server: ServerId,
        epoch: Epoch,
        previous: Zxid,
        zxid: Zxid,
        payload: &Bytes,
    ) -> Checked {
        if zxid.epoch() == epoch {
            let initial = self.epochs.initial(epoch);
            let limit = self.servers[&server].config.counter_limit;
            self.judge(Rule::B11, server, b11_zxid_discipline::check(previous, zxid, initial, limit))?;
        }
        let Some(before) = self.history.position(previous) else {
            let sentence = format!("it sends {zxid} after {previous}, which nobody ever stored");
            return self.judge(Rule::B1, server, Err(sentence));
        };
        let at = before.extend(zxid, payload);
        let new = match self.history.learn(before, at, || payload.clone()) {
            Ok(new) => new,
            Err(sentence) => return self.judge(Rule::B11, server, Err(sentence)),
        };
        if new {
            self.reconfigured(server, before, at)?;
        }
        if new && zxid.epoch() != epoch {
            let sentence = format!("in epoch {epoch} it sends {zxid}, which no leader ever proposed");
            return self.judge(Rule::B1, server, Err(sentence));
        }
        Ok(())
    }

    fn ack_new_leader(
        &mut self,
        server: ServerId,
        peer: ServerId,
        link: LinkIncarnation,
        epoch: Epoch,
    ) -> Checked {
        self.facts(server).link(peer, link).acknowledged = true;
        let bit = self.present().quorums.bit(server);
        let record = self.epochs.record(epoch);
        let end = record.sent_ends.get(&(server, link)).copied();
        let needed: Vec<Position> = record.initial.into_iter().chain(end).collect();
        record.ready |= bit;
        let end = needed.iter().max_by_key(|position| position.zxid).copied().unwrap_or_default();
        let highest = record.acknowledged.entry(server).or_default();
        *highest = end.zxid.max(*highest);
        let initial = record.initial;
        let facts = self.facts(server);
        facts.owed = end;
        let (durable, excused) = (facts.durable, facts.excused(end));
        if !excused {
            let verdict = y04_newleader_ack_truth::check(&self.history, epoch, &needed, &durable);
            self.judge(Rule::Y4, server, verdict)?;
        }
        if end.zxid > initial.unwrap_or_default().zxid {
            self.counters.saw(Mark::NewLeaderWithHistory);
        }
        let Some(initial) = initial else { return Ok(()) };
        let verdict = y06_process_consistency::check(&self.history, epoch, initial, durable.last);
        self.judge(Rule::Y9, server, verdict)
    }

    fn ack(
        &mut self,
        server: ServerId,
        peer: ServerId,
        link: LinkIncarnation,
        epoch: Epoch,
        zxid: Zxid,
    ) -> Checked {
        let acknowledged = self.facts(server).link(peer, link).acknowledged;
        self.judge(Rule::Y13, server, y13_no_ack_inversion::check(epoch, zxid, acknowledged))?;
        let position = self.history.position(zxid);
        let facts = &self.servers[&server];
        if !facts.excused(position.unwrap_or_default()) {
            let verdict = b09_ack_truth::check(&self.history, epoch, zxid, position, &facts.durable);
            self.judge(Rule::B9, server, verdict)?;
        }
        if let Some(position) = position {
            self.facts(server).owed = position;
        }
        let highest = self.epochs.record(epoch).acknowledged.entry(server).or_default();
        *highest = zxid.max(*highest);
        Ok(())
    }

    fn event(&mut self, server: ServerId, event: &Event, status: &Status) -> Checked {
        self.count(event);
        match event {
            Event::RoleChanged { role, phase, epoch, .. } => {
                let others =
                    self.servers.iter().any(|(id, facts)| *id != server && facts.role() == Role::Leading);
                let life = &mut self.facts(server).life;
                let was_leading = life.leading.is_some();
                // In discovery the leader's epoch may still rise.
                let epoch = epoch.filter(|_| *phase != Phase::Discovery);
                life.leading = (*role == Role::Leading).then_some(epoch);
                if !was_leading && *role == Role::Leading && others {
                    self.counters.saw(Mark::TwoLeaders);
                }
            }
            Event::Left { role, why } => {
                let learns = matches!(role, Role::Following | Role::Observing);
                let trusted = !self.servers.values().any(|facts| facts.harmed);
                if learns && trusted && self.servers[&server].config.link_checks {
                    self.judge(Rule::Y12, server, y12_stale_input::refused(*why))?;
                }
                let life = &mut self.facts(server).life;
                life.leading = None;
                life.open.clear();
                if *why == Departure::Rollover {
                    self.liveness.disturbed(self.now);
                }
            }
            Event::Decided { leader, round, through_settled, .. } => {
                if self.ledger.has_readers(server) {
                    self.counters.saw(Mark::ReadOnlyEnds);
                }
                self.decided(server, *leader, *round, *through_settled)?;
            }
            Event::EpochEstablished { epoch, initial, .. } => {
                self.facts(server).life.leading = Some(Some(*epoch));
                self.established(server, *epoch, *initial)?;
            }
            Event::Committed { upto } => {
                // A leader may commit and step down in one step: its status says only the latter.
                if let Some(Some(epoch)) = self.servers[&server].life.leading {
                    self.leader_committed(server, epoch, upto.zxid)?;
                }
                self.progress(server, status)?;
            }
            Event::Delivered { .. } => self.progress(server, status)?,
            Event::SnapshotSaved { label } => {
                self.facts(server).whole_snapshots.insert(label.zxid);
            }
            _ => {}
        }
        Ok(())
    }

    fn decided(&mut self, server: ServerId, leader: ServerId, round: u64, through_settled: bool) -> Checked {
        let facts = &self.servers[&server];
        if facts.config.election == ElectionAlgorithm::External {
            return Ok(());
        }
        let heard = &facts.life.heard;
        if facts.counts.versions.len() > 1 {
            self.counters.saw(Mark::DecisionsOfTwo);
        }
        if !e12_elected_best::holds(leader, heard) {
            self.counters.saw(Mark::ElectedNotBest);
        }
        let decision = e03_justified_decision::Decision { leader, round, through_settled };
        let verdict = e03_justified_decision::check(&facts.counts.quorums, server, decision, heard);
        self.judge(Rule::E3, server, verdict)
    }

    /// E6: `server` leads `epoch` from now on.
    pub(super) fn leads(&mut self, server: ServerId, epoch: Epoch) -> Checked {
        let earlier = self.epochs.record(epoch).leader;
        self.epochs.record(epoch).leader = earlier.or(Some(server));
        self.judge(Rule::E6, server, e06_unique_leader::check(epoch, earlier, server))
    }

    pub(super) fn established(&mut self, server: ServerId, epoch: Epoch, initial: Position) -> Checked {
        self.leads(server, epoch)?;
        let promised: Vec<Promise> = {
            let promises = self.epochs.record(epoch).promises.values();
            promises
                .filter(|(leader, promise)| *leader == server && promise.server != server)
                .map(|(_, p)| *p)
                .collect()
        };
        let quorums = self.servers[&server].counts.quorums.clone();
        if self.servers[&server].counts.versions.len() > 1 {
            self.counters.saw(Mark::EpochsOfTwo);
        }
        let set = promised.iter().fold(0, |set, promise| set | quorums.bit(promise.server));
        let verdict = e08_promise_quorum::check(&quorums, epoch, server, set);
        self.judge(Rule::E8, server, verdict)?;
        let facts = &self.servers[&server];
        let current = facts.known_epochs().current_epoch;
        let current = if current == epoch { facts.earlier_epoch } else { current };
        let verdict = y02_leader_most_recent::check(&quorums, server, (current, initial.zxid), &promised);
        self.judge(Rule::Y2, server, verdict)?;
        self.judge(Rule::Y3, server, y03_initial_history::check(&self.history, epoch, initial))?;
        if self.epochs.establish(epoch, initial) {
            self.counters.saw(Mark::Epochs);
        }
        self.all_reach_their_epoch(epoch)
    }

    fn count(&mut self, event: &Event) {
        let mark = match event {
            Event::Decided { through_settled, round_moved_back, .. } => {
                if *through_settled {
                    self.counters.saw(Mark::DecisionsThroughSettled);
                }
                if *round_moved_back {
                    self.counters.saw(Mark::RoundsBack);
                }
                Mark::Decisions
            }
            Event::EpochEstablished { uncommitted: 1.., .. } => Mark::EpochsWithTail,
            Event::SyncChosen { row, action, outstanding, .. } => {
                let rows = [Mark::SyncRow1, Mark::SyncRow2, Mark::SyncRow3, Mark::SyncRow4, Mark::SyncRow5];
                if let Some(mark) = rows.get(usize::from(*row) - 1) {
                    self.counters.saw(*mark);
                }
                if *outstanding > 0 {
                    self.counters.saw(Mark::SyncWithOutstanding);
                }
                match action {
                    SyncAction::Diff => Mark::SyncDiff,
                    SyncAction::Trunc => Mark::SyncTrunc,
                    SyncAction::TruncDiff => Mark::SyncTruncDiff,
                    SyncAction::Snap => Mark::SyncSnap,
                }
            }
            Event::SyncPaused { .. } => Mark::SyncPaused,
            Event::Truncated { removed: 1.., .. } => Mark::Truncations,
            Event::SnapshotInstalled { .. } => Mark::Installs,
            Event::SnapshotSaved { .. } => Mark::Snapshots,
            Event::NewLeaderAcknowledged { pending: 1.., .. } => Mark::NewLeaderWithPending,
            Event::CommitAheadOfDisk { .. } => Mark::CommitAheadOfDisk,
            Event::StaleFrame { .. } => Mark::StaleFrames,
            Event::LinkBroken { .. } => Mark::LinksBroken,
            Event::DiskFailed { .. } => Mark::DiskFailures,
            Event::ReadOnly { .. } => Mark::ReadOnlyServers,
            Event::Left { why: Departure::FollowerMoreRecent, .. } => Mark::FollowerMoreRecent,
            Event::Left { why: Departure::Rollover, .. } => Mark::Rollovers,
            Event::Left { why: Departure::QuorumLost, .. } => Mark::QuorumsLost,
            _ => return,
        };
        self.counters.saw(mark);
    }
}
