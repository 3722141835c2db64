//! Placeholder of the ghost owner's module.

use serde::Serialize;
use zabrus_core::{Instant, ServerId};

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Its name.
    pub rule: &'static str,
    /// Where it is written.
    pub citation: &'static str,
    /// What happened, for a person.
    pub sentence: String,
    /// Where.
    pub server: Option<ServerId>,
    /// When.
    pub time: Instant,
}
