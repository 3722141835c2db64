//! Whoever judges: counts each evaluation, and makes a violation of a failed one.

use std::collections::BTreeSet;

use zabrus_core::{Instant, ServerId};

use super::Checked;
use crate::checks::{Rule, Verdict};
use crate::counters::{Counters, Mark};

/// For checks about one server at one moment.
pub struct Court<'a> {
    /// What was seen so far.
    pub counters: &'a mut Counters,
    /// The moment.
    pub now: Instant,
    /// The server, if it is about one.
    pub server: Option<ServerId>,
    /// Since when everything must be well, if it must.
    pub well_since: Option<Instant>,
    /// Then: who serves with the leader that it is about.
    pub serving: BTreeSet<ServerId>,
}

impl<'a> Court<'a> {
    /// Whoever judges while nothing need be well.
    pub fn new(counters: &'a mut Counters, now: Instant, server: Option<ServerId>) -> Self {
        Self { counters, now, server, well_since: None, serving: BTreeSet::new() }
    }

    /// Something is counted.
    pub fn saw(&mut self, mark: Mark) {
        self.counters.saw(mark);
    }

    /// A rule was evaluated.
    ///
    /// # Errors
    /// If it is broken.
    pub fn judge(&mut self, rule: Rule, verdict: Verdict) -> Checked {
        super::judge(self.counters, self.now, rule, self.server, verdict)
    }
}
