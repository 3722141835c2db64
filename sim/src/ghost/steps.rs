//! What servers are: their state before and after each input.

use zabrus_core::config::ElectionAlgorithm;
use zabrus_core::event::{Phase, Role};
use zabrus_core::io::Input;
use zabrus_core::message::{Frame, Message};
use zabrus_core::quorum::Ensemble;
use zabrus_core::replica::Status;
use zabrus_core::wire::{OpCode, SessionId};
use zabrus_core::{Duration, Instant, Position, Replica, ServerId, Zxid};

use super::configs::Config;
use super::pace::Pace;
use super::quorums::Quorums;
use super::server::{Life, ServerFacts};
use super::{Checked, Ghost};
use crate::checks::{
    Rule, b13_monotone_commit, e01_vote_monotonicity, m01_members, r10_no_ack_after_error, v12_late_follower,
    y06_process_consistency, y11_window_continuity, y12_stale_input, y14_memory_equals_disk,
};
use crate::counters::Mark;

/// Every so many steps of a server its whole window in memory is looked at (Y11).
const WINDOW_EVERY: u64 = 4096;

impl Ghost {
    /// A replica was made from what was recovered.
    ///
    /// # Errors
    /// The rule that its state breaks.
    pub fn booted(&mut self, server: ServerId, replica: &Replica) -> Checked {
        self.counters.saw(Mark::Boots);
        self.liveness.disturbed(self.now);
        self.counts(server, replica);
        let facts = self.facts(server);
        (facts.life, facts.status, facts.counts.seen) = (Life::default(), None, None);
        self.step(server, &replica.status())
    }

    /// Its process is gone.
    pub(super) fn down(&mut self, server: ServerId) {
        self.lost(server);
        let facts = self.facts(server);
        (facts.life, facts.status) = (Life::default(), None);
        self.liveness.changed(self.now, server);
    }

    /// A replica is about to take an input.
    pub fn input(&mut self, server: ServerId, input: &Input) {
        if !self.disk_answered(server, input) {
            self.counters.saw(Mark::StaleCompletions);
            let life = &mut self.facts(server).life;
            (life.no_effect, life.foreign) = (Some(Rule::R8), true);
            return;
        }
        if let Input::ClientFrame { client, .. } = input {
            self.ledger.touched(self.now, *client);
            if let Some(session) = self.ledger.session_of(*client) {
                self.heard_of(server, [session]);
            }
        }
        let Input::Frame { peer, bytes, .. } = input else { return };
        let Ok(frame) = Frame::decode(bytes) else { return };
        let ServerFacts { life, status, config, .. } = self.facts(server);
        match frame {
            Frame::Vote { notification, .. } => life.heard.push((*peer, notification)),
            Frame::Data { link, message, sequence, .. } => {
                let sessions = evidence(&message);
                let own = status.and_then(|status| status.epoch);
                life.foreign = life.open.get(peer) != Some(&link);
                let another = own.is_some() && message.epoch().is_some_and(|epoch| Some(epoch) != own);
                let mut is_next = false;
                if !life.foreign {
                    let arrived = life.arrived.entry(*peer).or_insert((link, 0));
                    if arrived.0 != link {
                        *arrived = (link, 0);
                    }
                    // A frame behind a gap breaks the link, and says nothing.
                    is_next = sequence == arrived.1 + 1 || !config.link_checks;
                    if is_next {
                        arrived.1 = sequence;
                    }
                }
                if life.foreign || another {
                    life.no_effect = Some(Rule::Y12);
                } else if is_next {
                    if let Message::Ack { zxid, .. } = message {
                        life.pace.acknowledged(*peer, link, zxid);
                    }
                    if let Message::Sync { number, .. } = message {
                        let end = status.map_or(Zxid::ZERO, |status| status.logged.zxid);
                        life.syncs.entry((*peer, number)).or_insert(end);
                    }
                    self.heard_of(server, sessions);
                }
            }
            _ => {}
        }
    }

    /// Whether an input is of another link, epoch or life, so that it must have no effect.
    #[must_use]
    pub fn is_stale(&self, server: ServerId, input: &Input) -> bool {
        let ServerFacts { life, status, .. } = &self.servers[&server];
        match input {
            Input::Disk(done) => life.storage.is_some_and(|storage| storage != done.id.incarnation),
            Input::Frame { peer, bytes, .. } => match Frame::decode(bytes) {
                Ok(Frame::Data { link, message, .. }) => {
                    let own = status.and_then(|status| status.epoch);
                    let another = own.is_some() && message.epoch().is_some_and(|epoch| Some(epoch) != own);
                    life.open.get(peer) != Some(&link) || another
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// A leader gets a sign of life of sessions, now.
    fn heard_of(&mut self, server: ServerId, sessions: impl IntoIterator<Item = SessionId>) {
        let now = self.now;
        let life = &mut self.facts(server).life;
        let Some(begin) = life.serves_since else { return };
        for session in sessions {
            let (heard, longest) = life.heard_sessions.entry(session).or_insert((begin, Duration::ZERO));
            (*heard, *longest) = (now, now.since(*heard).max(*longest));
        }
    }

    /// A replica has taken an input, and all its outputs were seen; `own` is the time by its own clock.
    ///
    /// # Errors
    /// The rule that its state breaks.
    pub fn stepped(&mut self, server: ServerId, own: Instant, replica: &Replica) -> Checked {
        self.step(server, &replica.status())?;
        self.keeps_pace(server, own, &replica.status())?;
        self.counts(server, replica);
        self.members(server, &replica.status(), &counted(replica))?;
        let facts = self.facts(server);
        facts.life.steps += 1;
        if facts.life.steps.is_multiple_of(WINDOW_EVERY) {
            let (storage, applied) = (replica.storage(), replica.status().applied);
            let base = storage.base();
            let entries = storage.entries_after(base.zxid);
            let verdict = y11_window_continuity::check(&self.history, base, entries, applied);
            self.judge(Rule::Y11, server, verdict)?;
        }
        Ok(())
    }

    /// V12, if this server leads.
    fn keeps_pace(&mut self, server: ServerId, own: Instant, status: &Status) -> Checked {
        let ServerFacts { life, config, counts, .. } = self.facts(server);
        if status.role != Role::Leading || !status.serving {
            life.pace = Pace::default();
            return Ok(());
        }
        let (open, quorums) = (&life.open, &counts.quorums);
        // It pings twice per tick.
        let longest = Duration(config.tick_time.0 / 4 * 3);
        let follows = |peer, link| open.get(&peer) == Some(&link);
        life.pace.step(own, longest, status.logged.zxid, follows, |peer| quorums.is_voter(peer));
        for (follower, acknowledged, due) in life.pace.due(v12_late_follower::limit(config)) {
            self.judge(Rule::V12, server, v12_late_follower::check(follower, acknowledged, due))?;
        }
        Ok(())
    }

    /// Takes note of what a server counts.
    pub(super) fn counts(&mut self, server: ServerId, replica: &Replica) {
        let counted = counted(replica);
        let facts = self.facts(server);
        if counted.iter().map(|ensemble| ensemble.version).eq(facts.counts.versions.iter().copied()) {
            return;
        }
        let servers = self.configs.servers().clone();
        let alone = counted.iter().map(|ensemble| Quorums::among(&servers, ensemble));
        let counts = &mut self.facts(server).counts;
        counts.quorums = alone.reduce(|one, other| one.and(&other)).expect("at least one counts");
        counts.versions = counted.iter().map(|ensemble| ensemble.version).collect();
        counts.seen = None;
    }

    /// M1, for the ensembles that a server counts.
    pub(super) fn members(&mut self, server: ServerId, status: &Status, counted: &[&Ensemble]) -> Checked {
        let seen = Some(status.logged);
        let counts = &mut self.facts(server).counts;
        counts.before = counts.quorums.clone();
        // A snapshot that is being installed counts when it is installed; until then the server asks for no quorum,
        // and if its disk fails meanwhile, it asks for nothing any more.
        let installs = status.phase == Phase::Synchronization && status.role != Role::Leading;
        if installs || matches!(status.role, Role::Settling | Role::Halted) {
            return Ok(());
        }
        // A disk that lies may hide from the observer what its server believes to have.
        if counts.seen == seen || self.history.position(status.logged.zxid) != Some(status.logged) {
            return Ok(());
        }
        self.facts(server).counts.seen = seen;
        let log: Vec<&Ensemble> = self
            .configs
            .counted(&self.history, server, status.logged)
            .into_iter()
            .map(|c| &c.ensemble)
            .collect();
        let is_told = |config: &&Config| config.ensemble.version == counted[0].version;
        let taught = self.configs.teachable().find(is_told).map(|config| &config.ensemble);
        let verdict = m01_members::counted(counted, &log, taught);
        if counted != log {
            self.counters.saw(Mark::EnsemblesTaught);
        }
        self.judge(Rule::M1, server, verdict)
    }

    /// M1, for the members that a server gives its operator to keep.
    pub(super) fn kept_members(&mut self, server: ServerId, members: &Ensemble) -> Checked {
        let reconfig = Zxid(members.version);
        let committed = self.configs.get(server, reconfig).filter(|_| self.configs.is_committed(reconfig));
        let verdict = m01_members::kept(members, committed.map(|config| &config.ensemble));
        self.judge(Rule::M1, server, verdict)
    }

    /// A transaction was seen for the first time: perhaps a reconfig.
    pub(super) fn reconfigured(&mut self, server: ServerId, previous: Position, at: Position) -> Checked {
        if !self.model.settings().reconfig_enabled {
            return Ok(());
        }
        let verdict = self.configs.learn(&self.history, previous, at);
        self.judge(Rule::M1, server, verdict)
    }

    pub(super) fn step(&mut self, server: ServerId, status: &Status) -> Checked {
        let facts = self.facts(server);
        let before = facts.status;
        facts.life.foreign = false;
        if let (Some(rule), Some(before)) = (facts.life.no_effect.take(), &before) {
            self.judge(rule, server, y12_stale_input::check(before, status))?;
        }
        if before.as_ref() == Some(status) {
            return Ok(());
        }
        let facts = self.facts(server);
        facts.life.repaired |= !matches!(status.role, Role::Settling | Role::Halted);
        let verdict = b13_monotone_commit::check(before.as_ref(), status, facts.life.repaired);
        self.judge(Rule::B13, server, verdict)?;
        self.progress(server, status)?;
        self.leading(server, before.as_ref(), status)?;
        self.learning(server, before.as_ref(), status)?;
        self.looking(server, before.as_ref(), status)?;
        let claims = |status: &Status| (status.durable, status.epochs);
        if before.is_none_or(|before| claims(&before) != claims(status)) {
            let facts = &self.servers[&server];
            if !facts.harmed {
                // What recovery concluded is made durable before anything is built on it.
                let epochs = if facts.life.repaired { status.epochs } else { facts.durable.epochs };
                let verdict = r10_no_ack_after_error::claim(status.durable, &epochs, &facts.durable);
                self.judge(Rule::R10, server, verdict)?;
            }
        }
        let shape = |status: &Status| (status.role, status.phase, status.serving, status.leader);
        if before.is_none_or(|before| shape(&before) != shape(status)) {
            self.liveness.changed(self.now, server);
        }
        self.facts(server).status = Some(*status);
        Ok(())
    }

    fn leading(&mut self, server: ServerId, before: Option<&Status>, status: &Status) -> Checked {
        let (Role::Leading, Some(epoch)) = (status.role, status.epoch) else {
            self.lost(server);
            return Ok(());
        };
        let phase = |status: &Status| (status.phase, status.epoch);
        let entered = before.is_none_or(|before| phase(before) != phase(status));
        if entered && matches!(status.phase, Phase::Synchronization | Phase::Broadcast) {
            self.leads(server, epoch)?;
        }
        if status.serving && before.is_none_or(|before| !before.serving) {
            let now = self.now;
            self.facts(server).life.serves_since = Some(now);
            self.ready_to_serve(server, epoch)?;
        }
        Ok(())
    }

    /// A server does not lead, or not any more.
    fn lost(&mut self, server: ServerId) {
        let life = &mut self.facts(server).life;
        if life.serves_since.take().is_none() {
            return;
        }
        life.heard_sessions.clear();
        for (op, mark) in [
            (OpCode::Sync, Mark::LeaderLostWithSyncs),
            (OpCode::CreateSession, Mark::LeaderLostWithSessions),
            (OpCode::CloseSession, Mark::LeaderLostWithClosing),
        ] {
            if self.ledger.waits_for(op) {
                self.counters.saw(mark);
            }
        }
    }

    fn learning(&mut self, server: ServerId, before: Option<&Status>, status: &Status) -> Checked {
        let (Role::Following | Role::Observing, Some(epoch)) = (status.role, status.epoch) else {
            return Ok(());
        };
        let seen = |status: &Status| (status.epochs.current_epoch, status.logged);
        let changed = before.is_none_or(|before| seen(before) != seen(status));
        let Some(initial) = self.epochs.initial(epoch) else { return Ok(()) };
        if !changed || status.epochs.current_epoch != epoch {
            return Ok(());
        }
        let verdict = y06_process_consistency::check(&self.history, epoch, initial, status.logged);
        self.judge(Rule::Y6, server, verdict)
    }

    fn looking(&mut self, server: ServerId, before: Option<&Status>, status: &Status) -> Checked {
        let was_looking = before.is_some_and(|before| before.role == Role::Looking);
        if status.role != Role::Looking {
            if was_looking {
                let life = &mut self.facts(server).life;
                life.heard.clear();
                life.look = None;
            }
            return Ok(());
        }
        let facts = &self.servers[&server];
        if facts.config.election == ElectionAlgorithm::Fast {
            let same_round = facts.life.look.filter(|(round, ..)| *round == status.round);
            let verdict = e01_vote_monotonicity::check(same_round.and_then(|(_, vote)| vote), status.vote);
            self.facts(server).life.look = Some((status.round, status.vote));
            self.judge(Rule::E1, server, verdict)?;
        }
        let facts = &self.servers[&server];
        if was_looking || facts.excused(status.logged) {
            return Ok(());
        }
        let durable = facts.durable;
        self.judge(Rule::R7, server, y14_memory_equals_disk::log(status, &durable))?;
        let verdict = y14_memory_equals_disk::state(&self.history, status.applied, &durable);
        self.judge(Rule::Y14, server, verdict)
    }
}

/// The ensembles whose quorums a server asks for.
pub(crate) fn counted(replica: &Replica) -> Vec<&Ensemble> {
    replica.ensembles().iter().collect()
}

/// The sessions that a learner's message touches: those named with a ping, or one whose client came
/// back. A write that is passed on does not, as in ZooKeeper (client.md section 17.2).
fn evidence(message: &Message) -> Vec<SessionId> {
    match message {
        Message::Ping { touched, .. } => touched.clone(),
        Message::Revalidate { session, lives: None, .. } => vec![*session],
        _ => Vec::new(),
    }
}
