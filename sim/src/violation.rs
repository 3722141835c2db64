//! A broken rule.

use serde::Serialize;
use zabrus_core::{Instant, ServerId};

/// A broken rule, for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The rule's name, such as `R1`.
    pub rule: &'static str,
    /// Where the rule is written down.
    pub citation: &'static str,
    /// What went wrong, in one sentence.
    pub sentence: String,
    /// The server on which it was seen.
    pub server: Option<ServerId>,
    /// When.
    pub time: Instant,
}
