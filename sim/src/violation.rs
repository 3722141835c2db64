//! What a broken rule looks like.

use std::fmt;

use serde::Serialize;
use zabrus_core::{Instant, ServerId};

/// A rule of `invariants.md` that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The rule, as `R1`.
    pub rule: &'static str,
    /// Where the rule is written, and the bugs that it is known to see.
    pub citation: &'static str,
    /// What happened, in one sentence for a person.
    pub sentence: String,
    /// The server that broke the rule, if it was one.
    pub server: Option<ServerId>,
    /// When, in the world's time.
    pub time: Instant,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {} ({})", self.rule, self.time, self.sentence, self.citation)
    }
}

impl std::error::Error for Violation {}
