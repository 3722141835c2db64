//! The observer: sees every input, output and durable byte from outside, keeps the ghost state of
//! invariants.md section 1, and evaluates every rule at the earliest moment at which it can be
//! false. No replica can see it.
//!
//! The world calls, in this order: [`Ghost::clock`] before everything else of one moment;
//! [`Ghost::recovered`] and [`Ghost::booted`] at a start; [`Ghost::input`] before a replica takes an
//! input, [`Ghost::output`] for each output before it takes effect, [`Ghost::stepped`] after the
//! drain; [`Ghost::durable`] after a sync took effect on the disk, successful or not;
//! [`Ghost::crashed`] when a process ended, after its disk lost what it lost; [`Ghost::damaged`] when a
//! fault was injected into a disk.

pub mod configs;
pub mod durable;
pub mod epochs;
pub mod history;
pub mod ledger;
pub mod model;
pub mod quorums;
pub mod recipes;

mod commits;
pub mod court;
mod disk;
mod pace;
mod sends;
mod server;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use zabrus_core::config::Config;
use zabrus_core::io::ClientId;
use zabrus_core::message::Vote;
use zabrus_core::state::State;
use zabrus_core::watches::Watches;
use zabrus_core::wire::SessionId;
use zabrus_core::{Duration, Instant, Position, ServerId};

use crate::checks::{
    Rule, Verdict, b15_equal_states, n03_ephemeral_owners, n06_eventual_expiry, n12_equal_sessions,
    v07_minority_leader, w01_events, w10_true_stats,
};
use crate::clients::{Act, Received};
use crate::counters::{Counters, Mark};
use crate::liveness::{Liveness, ServerView};
use crate::schedule::Index;
use crate::settings::Settings;
use crate::violation::Violation;
use configs::Configs;
use court::Court;
use durable::Durable;
use epochs::EpochLedger;
use history::History;
use ledger::Ledger;
use model::Model;
use recipes::Recipes;
use server::ServerFacts;
pub(crate) use steps::counted;

/// What a hook comes to.
pub type Checked = Result<(), Violation>;

/// The observer of one world. A clone goes on with a fork of the world, which is then judged by
/// what its parent committed (R3).
#[derive(Clone, Debug)]
pub struct Ghost {
    now: Instant,
    configs: Configs,
    servers: BTreeMap<ServerId, ServerFacts>,
    history: History,
    epochs: EpochLedger,
    model: Model,
    ledger: Ledger,
    recipes: Recipes,
    /// Which votes servers sent for themselves (E2).
    candidates: BTreeSet<Vote>,
    liveness: Liveness,
    /// [`Settings::liveness_expected`].
    hopeful: bool,
    counters: Counters,
    /// Who votes since the last change, until somebody asks.
    news: Option<String>,
}

impl Ghost {
    /// An observer of a world with these settings.
    ///
    /// # Panics
    /// If there is no server.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let config = |id| (id, settings.config(id, true));
        let configs: BTreeMap<ServerId, Config> = settings.servers().map(config).collect();
        let files = configs.iter().map(|(id, config)| (*id, config.ensemble.clone())).collect();
        let files = Configs::new(files);
        let facts =
            |(id, config): (ServerId, Config)| (id, ServerFacts::new(config, &files.present(id).quorums));
        let servers: BTreeMap<ServerId, ServerFacts> = configs.into_iter().map(facts).collect();
        let config = servers.values().next().expect("a world has servers").config.clone();
        Self {
            now: Instant(0),
            configs: files,
            liveness: Liveness::new(&config),
            hopeful: settings.liveness_expected,
            servers,
            history: History::default(),
            epochs: EpochLedger::default(),
            model: Model::new(config.service.clone()),
            ledger: Ledger::default(),
            recipes: Recipes::new(settings.load.recipe),
            candidates: BTreeSet::new(),
            counters: Counters::default(),
            news: None,
        }
    }

    /// Everything until the next call happens at this time.
    pub fn clock(&mut self, now: Instant) {
        self.now = now;
    }

    /// What was seen so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The counts, for whoever injects faults.
    pub fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// Who belongs to the ensemble after everything that is committed.
    #[must_use]
    pub fn present(&self) -> &configs::Config {
        let first = self.servers.keys().next().expect("a world has servers");
        self.configs.present(*first)
    }

    /// Which ensembles there were and may be.
    #[must_use]
    pub fn configs(&self) -> &Configs {
        &self.configs
    }

    /// Who votes by now, if that has just changed.
    pub fn take_news(&mut self) -> Option<String> {
        self.news.take()
    }

    /// All transactions, and the committed history.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// What a server's recovery would give if it lost power now.
    #[must_use]
    pub fn durable_state(&self, server: ServerId) -> &Durable {
        &self.servers[&server].durable
    }

    /// A client did something; `server` is where a connection that it opened goes.
    ///
    /// # Errors
    /// The rule that this breaks.
    pub fn client_acted(&mut self, act: &Act, server: impl FnOnce(Index) -> ServerId) -> Checked {
        let Self { ledger, recipes, model, counters, now, .. } = self;
        match act {
            Act::Opened { id, server: index, address, hello } => {
                ledger.opened(*now, server(*index), *id, *address, hello);
            }
            Act::Sent { id, header, body } => ledger.sent(*now, *id, *header, body),
            Act::Left { id } => ledger.closed(*now, *id),
            Act::Abandoned { id } => ledger.left(*id),
            Act::Noted { player, note } => {
                let mut court = Court::new(counters, *now, None);
                recipes.noted(*player, note, model, &mut court)?;
            }
        }
        Ok(())
    }

    /// A client got something.
    ///
    /// # Errors
    /// The rule that this breaks.
    pub fn client_received(&mut self, server: ServerId, client: ClientId, received: &Received) -> Checked {
        let Self { ledger, model, history, counters, now, .. } = self;
        let mut court = Court::new(counters, *now, Some(server));
        ledger.received(client, received, model, history.committed().zxid, &mut court)
    }

    /// No fault happens from now on.
    pub fn healed(&mut self, now: Instant) {
        self.liveness.healed(now);
    }

    /// Whether everything became well after the last fault, if that is `expected` at all.
    ///
    /// # Errors
    /// The liveness rule that is broken, and how.
    pub fn quiesced(&mut self, expected: bool, views: &[ServerView]) -> Result<(), (Rule, String)> {
        let mark = match expected {
            false => Mark::LivenessUnexpected,
            true if self.liveness.can_judge(self.now) => Mark::LivenessJudged,
            true => Mark::LivenessUnclear,
        };
        self.counters.saw(mark);
        if mark != Mark::LivenessJudged {
            return Ok(());
        }
        let waiting = self.ledger.longest_waiting();
        // Who was left out need not come back.
        let present = self.present();
        let is_member = |view: &&ServerView| present.ensemble.members.contains_key(&view.id);
        let views: Vec<ServerView> = views.iter().filter(is_member).cloned().collect();
        for (rule, verdict) in self.liveness.judge(self.now, &present.quorums, &views, waiting) {
            self.counters.checked(rule);
            verdict.map_err(|sentence| (rule, sentence))?;
        }
        Ok(())
    }

    /// B15, N3, N12, N13 and W10 in full, at the end of a run: a server that has everything committed has
    /// exactly the sessions and the nodes of the model, and what it keeps beside them is right.
    ///
    /// # Errors
    /// If its state is another one.
    pub fn ended(&mut self, server: ServerId, applied: Position, state: &State) -> Checked {
        self.judge(Rule::N3, server, n03_ephemeral_owners::check(state))?;
        self.judge(Rule::N13, server, n12_equal_sessions::derived(state))?;
        if applied != self.history.committed() {
            return Ok(());
        }
        let verdict = n12_equal_sessions::check(state, self.model.sessions());
        self.judge(Rule::N12, server, verdict)?;
        let verdict = w10_true_stats::check(state, self.model.subtree("/", applied.zxid));
        self.judge(Rule::W10, server, verdict)?;
        let told = &self.servers[&server].config.service.ensemble_text;
        if applied == Position::EMPTY && *told != self.model.settings().ensemble_text {
            // A joiner shows what its own operator wrote, as long as there is nothing else.
            return Ok(());
        }
        let verdict = b15_equal_states::nodes(state, self.model.subtree("/", applied.zxid));
        self.judge(Rule::B15, server, verdict)
    }

    /// N6 and N7, some time after the last fault: sessions that no client keeps have ended.
    ///
    /// # Errors
    /// If one goes on for ever.
    pub fn sessions_ended(&mut self, kept: impl Iterator<Item = SessionId>) -> Result<(), (Rule, String)> {
        let Some(disturbed) = self.liveness.last_disturbance().filter(|_| self.liveness.can_judge(self.now))
        else {
            return Ok(());
        };
        let kept: BTreeSet<SessionId> = kept.collect();
        let well_since = disturbed + self.liveness.recovery();
        let end = self.history.committed().zxid;
        for (rule, verdict) in self.recipes.ended(self.now, well_since, &kept, &self.model, end) {
            self.counters.checked(rule);
            verdict.map_err(|sentence| (rule, sentence))?;
        }
        let tick = self.servers.values().next().expect("a world has servers").config.tick_time;
        for (session, life) in self.model.lives().filter(|(session, _)| !kept.contains(session)) {
            let silent = self.ledger.last_touched(session);
            let verdict = match life.closed {
                Some(_) => Ok(()),
                None => n06_eventual_expiry::check(session, life.timeout, tick, silent, disturbed, self.now),
            };
            let rule = if self.ledger.is_told_gone(session) { Rule::N7 } else { Rule::N6 };
            self.counters.checked(rule);
            verdict.map_err(|sentence| (rule, sentence))?;
        }
        Ok(())
    }

    /// W6 at the end of a run: no server holds a watch of a connection that is closed.
    ///
    /// # Errors
    /// If one does.
    pub fn watched(&mut self, server: ServerId, watches: &Watches) -> Checked {
        let old = |id: &ClientId| {
            let closed = self.ledger.closed_at(*id);
            closed.is_some_and(|at| self.now.since(at) > Duration::from_seconds(10))
        };
        let dead = watches.data_watches().map(|(_, id)| id).find(old);
        self.judge(Rule::W6, server, w01_events::held(dead))
    }

    /// V7, for a serving leader that nothing could reach for so long from enough others to be a quorum.
    ///
    /// # Errors
    /// If it should have stepped down.
    pub fn cut_off(&mut self, server: ServerId, span: Duration) -> Checked {
        let verdict = v07_minority_leader::check(&self.servers[&server].config, span);
        self.judge(Rule::V7, server, verdict)
    }

    /// R3, as a fork of the world came out.
    ///
    /// # Errors
    /// If something committed was lost in it.
    pub fn forked(&mut self, verdict: Verdict) -> Checked {
        judge(&mut self.counters, self.now, Rule::R3, None, verdict)
    }

    /// Counts one evaluation of a rule, and makes a violation of a failed one.
    fn judge(&mut self, rule: Rule, server: ServerId, verdict: Verdict) -> Checked {
        judge(&mut self.counters, self.now, rule, Some(server), verdict)
    }

    fn facts(&mut self, server: ServerId) -> &mut ServerFacts {
        self.servers.get_mut(&server).expect("the world has only the servers of its ensemble")
    }
}

fn judge(
    counters: &mut Counters,
    now: Instant,
    rule: Rule,
    server: Option<ServerId>,
    verdict: Verdict,
) -> Checked {
    counters.checked(rule);
    verdict.map_err(|sentence| {
        let sentence = match server {
            Some(id) => format!("server {id}: {sentence}"),
            None => sentence,
        };
        Violation { rule: rule.name(), citation: rule.citation(), sentence, server, time: now }
    })
}
