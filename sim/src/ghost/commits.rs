//! How the committed history grows, and what servers deliver of it.

use std::collections::BTreeSet;

use zabrus_core::event::{Phase, Role};
use zabrus_core::replica::Status;
use zabrus_core::wire::Transaction;
use zabrus_core::{Duration, Epoch, Position, ServerId, Zxid};

use super::court::Court;
use super::history::Broken;
use super::server::ServerFacts;
use super::{Checked, Ghost};
use crate::checks::{
    Rule, b04_primary_order, b06_primary_integrity, b07_prefix_consistency, b08_commit_justification,
    b10_follower_commit, b15_equal_states, r01_recoverability, r02_durable_quorum, y07_serving_quorum,
};
use crate::counters::Mark;

impl Ghost {
    /// Takes note of what a server takes for committed and has delivered.
    pub(super) fn progress(&mut self, server: ServerId, status: &Status) -> Checked {
        let facts = self.facts(server);
        let before = facts.status;
        let learns = matches!(status.role, Role::Following | Role::Observing);
        if let Some(epoch) = status.epoch.filter(|_| learns || status.serving) {
            facts.life.epoch = Some(epoch);
            facts.followed = facts.followed.max(epoch);
        }
        if let (Role::Leading, Phase::Broadcast, Some(epoch)) = (status.role, status.phase, status.epoch)
            && self.epochs.record(epoch).committed < status.committed
        {
            self.leader_committed(server, epoch, status.committed)?;
        }
        if before.is_none_or(|before| before.applied != status.applied) {
            self.delivered(server, status)?;
        }
        Ok(())
    }

    /// A leader decided, or says, that everything up to `zxid` is committed.
    pub(super) fn leader_committed(&mut self, leader: ServerId, epoch: Epoch, zxid: Zxid) -> Checked {
        if zxid <= self.epochs.record(epoch).committed {
            return Ok(());
        }
        self.epochs.record(epoch).committed = zxid;
        let Some(upto) = self.history.position(zxid) else {
            let sentence = format!("it takes {zxid} for committed, which nobody ever stored");
            return self.judge(Rule::B1, leader, Err(sentence));
        };
        if zxid <= self.history.committed().zxid {
            let verdict = b07_prefix_consistency::delivered(&self.history, upto);
            return self.judge(Rule::B7, leader, verdict);
        }
        self.ready_to_serve(leader, epoch)?;
        let facts = &self.servers[&leader];
        let own = facts.durable.holds(&self.history, upto) || facts.excused(upto);
        let deciding = self.configs.deciding(&self.history, leader, upto);
        let holders = self.epochs.record(epoch).holders(&deciding, zxid);
        let verdict = b08_commit_justification::check(&deciding, leader, zxid, holders, own);
        self.judge(Rule::B8, leader, verdict)?;
        self.extend(leader, epoch, upto)?;
        self.count_commit(epoch);
        self.survives(leader)
    }

    /// Y7: the leader of `epoch` serves or commits.
    pub(super) fn ready_to_serve(&mut self, leader: ServerId, epoch: Epoch) -> Checked {
        let record = self.epochs.record(epoch);
        let (ready, initial) = (record.ready, record.initial);
        let facts = &self.servers[&leader];
        let own = initial.is_some_and(|initial| {
            let holds = facts.durable.holds(&self.history, initial);
            holds && facts.durable.epochs.current_epoch == epoch || facts.excused(initial)
        });
        let verdict = y07_serving_quorum::check(&facts.counts.before, epoch, leader, ready, own);
        self.judge(Rule::Y7, leader, verdict)
    }

    /// Makes everything up to `upto` part of the committed history.
    fn extend(&mut self, leader: ServerId, epoch: Epoch, upto: Position) -> Checked {
        let path = match self.history.path(upto) {
            Ok(path) => path,
            Err(Broken::Unknown(zxid)) => {
                let sentence =
                    format!("it takes {upto} for committed, above {zxid}, which nobody ever stored");
                return self.judge(Rule::B1, leader, Err(sentence));
            }
            Err(Broken::Diverged(fork)) => {
                let sentence = b07_prefix_consistency::diverged(&self.history, upto, fork);
                return self.judge(Rule::B7, leader, Err(sentence));
            }
        };
        for next in path {
            let initial = self.epochs.initial(next.zxid.epoch());
            let verdict = b04_primary_order::check(self.history.committed(), next, initial);
            self.judge(Rule::B4, leader, verdict)?;
            self.reconfig_decided(leader, epoch, next)?;
            if let Some((epoch, initial)) = self.epochs.established() {
                let verdict = b06_primary_integrity::check(&self.history, next, epoch, initial);
                self.judge(Rule::B6, leader, verdict)?;
            }
            self.history.commit(next);
            self.configs.commit(next.zxid);
            self.count_reconfig(leader, epoch, next.zxid);
            self.counters.saw(Mark::Commits);
            self.execute(leader, next)?;
        }
        Ok(())
    }

    /// Advances the model and the clients' ledger by one committed transaction.
    fn execute(&mut self, leader: ServerId, next: Position) -> Checked {
        let zxid = next.zxid;
        let payload = self.history.known(zxid).expect("a committed transaction was seen").payload.clone();
        let Ok(transaction) = Transaction::decode(&payload) else {
            return self.judge(Rule::B1, leader, Err(format!("the bytes of {zxid} are no transaction")));
        };
        if transaction.zxid != zxid {
            let sentence = format!("{zxid} calls itself {}", transaction.zxid);
            return self.judge(Rule::B11, leader, Err(sentence));
        }
        let well_since = self.liveness.well_since(self.now).filter(|_| self.hopeful);
        let Self { ledger, recipes, model, counters, now, servers, .. } = self;
        let life = &servers[&leader].life;
        let silence = |session| {
            let begin = life.serves_since.unwrap_or_default();
            let (heard, longest) =
                life.heard_sessions.get(&session).copied().unwrap_or((begin, Duration::ZERO));
            (now.since(heard).max(longest), now.since(begin))
        };
        let follows = |facts: &&ServerFacts| {
            facts.status.is_some_and(|status| status.serving && status.leader == Some(leader))
        };
        // A server that was wiped says on its link that it may have forgotten a promise. It serves when a quorum without
        // it has confirmed the leader, but the leader does not count it until it comes again (ZOOKEEPER-2325): an
        // announcement that needs it would wait as long, so that is refused (-13) instead.
        let counts = |facts: &&ServerFacts| facts.life.links.get(&leader).is_none_or(|link| !link.forgetful);
        let serving = servers.values().filter(|_| well_since.is_some()).filter(counts).filter(follows);
        let serving = serving.map(|facts| facts.config.id).collect();
        let mut court = Court { counters, now: *now, server: Some(leader), well_since, serving };
        ledger.committed(&transaction, model, silence, &mut court)?;
        recipes.committed(*now, zxid, model);
        Ok(())
    }

    /// A quorum of an ensemble that rules, or may come to, is on damaged disks. The plan damages no quorum, but
    /// voters may be taken out afterwards: seed 1108, where two of four were left.
    #[must_use]
    pub fn is_beyond_protocols(&self) -> bool {
        let harmed = self.servers.iter().filter(|(_, facts)| facts.harmed);
        let harmed: BTreeSet<ServerId> = harmed.map(|(id, _)| *id).collect();
        !harmed.is_empty() && self.configs.open().iter().any(|ensemble| ensemble.is_quorum(&harmed))
    }

    /// R1 and R2, after a commit or a change of any disk.
    pub(super) fn survives(&mut self, server: ServerId) -> Checked {
        if self.is_beyond_protocols() {
            return Ok(());
        }
        let durable: Vec<_> = self.servers.values().map(|facts| &facts.durable).collect();
        let first = *self.servers.keys().next().expect("a world has servers");
        let deciding = self.configs.deciding(&self.history, first, self.history.committed());
        let held = r02_durable_quorum::check(&deciding, &self.history, &durable);
        let rules = self.present().ensemble.version;
        // Who may lead counts what is in its log, or what others told it.
        let lacks = |facts: &ServerFacts| !facts.durable.holds(&self.history, self.history.committed());
        let mut leaders = self.servers.iter().enumerate().filter(|(_, (_, facts))| lacks(facts));
        let recoverable = leaders.try_for_each(|(place, (id, facts))| {
            let own = self.configs.quorums(&self.history, *id, facts.durable.last);
            r01_recoverability::check(&own, &self.history, &durable, place)?;
            let newest = self.configs.last(&self.history, facts.durable.last).0;
            let newer = self.configs.teachable().rev().take_while(|config| config.ensemble.version >= rules);
            newer
                .filter(|config| config.ensemble.version > newest)
                .map(|config| &config.quorums)
                .try_for_each(|taught| r01_recoverability::check(taught, &self.history, &durable, place))
        });
        self.judge(Rule::R2, server, held)?;
        self.judge(Rule::R1, server, recoverable)
    }

    /// B8 for a reconfig among others that are committed at once: it needs a quorum of both ensembles.
    fn reconfig_decided(&mut self, leader: ServerId, epoch: Epoch, at: Position) -> Checked {
        if self.configs.get(leader, at.zxid).is_none() {
            return Ok(());
        }
        let deciding = self.configs.deciding(&self.history, leader, at);
        let facts = &self.servers[&leader];
        let own = facts.durable.holds(&self.history, at) || facts.excused(at);
        let holders = self.epochs.record(epoch).holders(&deciding, at.zxid);
        let verdict = b08_commit_justification::check(&deciding, leader, at.zxid, holders, own);
        self.judge(Rule::B8, leader, verdict)
    }

    fn delivered(&mut self, server: ServerId, status: &Status) -> Checked {
        let applied = status.applied;
        // What a server knows to be committed it has from its last leader, or recovered it.
        let (epoch, committed) = match self.servers[&server].life.epoch {
            Some(epoch) => (epoch, self.epochs.record(epoch).committed),
            None => (Epoch(0), self.history.committed().zxid),
        };
        self.judge(Rule::B10, server, b10_follower_commit::check(epoch, applied.zxid, committed))?;
        let verdict = b07_prefix_consistency::delivered(&self.history, applied);
        self.judge(Rule::B7, server, verdict)?;
        let index = self.history.committed_index(applied).unwrap_or(0);
        let verdict = b15_equal_states::check(applied, status.state_digest, self.model.digest_at(index));
        self.judge(Rule::B15, server, verdict)
    }

    fn count_reconfig(&mut self, leader: ServerId, epoch: Epoch, zxid: Zxid) {
        let Some(config) = self.configs.get(leader, zxid) else { return };
        let voters = config.quorums.names(config.quorums.voters());
        let verb = if config.is_next { "are to vote" } else { "vote" };
        self.news = Some(format!("{zxid} is committed: {voters} {verb} from now on"));
        if config.is_next {
            return;
        }
        let Some(before) = self.configs.get(leader, config.before).filter(|before| before.is_next) else {
            return;
        };
        let old = self.configs.get(leader, before.before).map_or(0, |old| old.quorums.voters());
        let replaced = old & config.quorums.voters() == 0;
        let (removed, finished) = (!config.quorums.is_voter(leader), config.before.epoch() != zxid.epoch());
        self.counters.saw(Mark::VotersChanged);
        for (mark, seen) in [
            (Mark::VotersReplaced, replaced),
            (Mark::LeadersRemoved, removed && epoch == zxid.epoch()),
            (Mark::AnnouncementsFinished, finished),
        ] {
            self.counters.saw_times(mark, u64::from(seen));
        }
        self.liveness.disturbed(self.now);
    }

    fn count_commit(&mut self, epoch: Epoch) {
        let statuses = || self.servers.values().filter_map(|facts| facts.status);
        let deposed =
            statuses().any(|s| s.role == Role::Leading && s.serving && s.epoch.is_some_and(|e| e < epoch));
        let snapshot = self.servers.values().any(|facts| facts.life.links.values().any(|link| link.snapshot));
        if deposed {
            self.counters.saw(Mark::DeposedLeaderServing);
        }
        if snapshot {
            self.counters.saw(Mark::SnapWithCommits);
        }
    }
}
