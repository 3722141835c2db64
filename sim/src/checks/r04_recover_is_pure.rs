//! R4 (invariants.md section 5): recovery depends on the bytes alone: twice the same bytes give the
//! same state, and what the observer derived step by step from synced bytes is what a recovery
//! from those bytes gives.

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;

/// Judges two views of what should be the same bytes.
pub fn check(what: &str, one: &Durable, other: &Durable) -> Verdict {
    ensure(one == other, || format!("{what}: {one:?} against {other:?}"))
}

#[cfg(test)]
mod tests {
    use zabrus_core::Position;

    use super::*;
    use crate::ghost::durable::testing::sound;

    #[test]
    fn two_recoveries_that_differ_are_seen() {
        let one = sound(1, 1, Position::EMPTY);
        assert!(check("two recoveries", &one, &one).is_ok());
        assert!(check("two recoveries", &one, &sound(1, 2, Position::EMPTY)).is_err());
    }
}
