//! Placeholder of the ghost owner's module.

use std::collections::BTreeMap;

use serde::Serialize;

/// What was seen how often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
}
