//! N12 (invariants.md section 6): the sessions and their timeouts are the same on all servers, those of the
//! model (ZOOKEEPER-2926, -3144); N13: what is derived from the state equals a fresh count.

use zabrus_core::state::State;
use zabrus_core::wire::SessionId;

use super::{Verdict, ensure};

/// Judges the sessions of a server.
pub fn check(state: &State, expected: impl Iterator<Item = (SessionId, i32)>) -> Verdict {
    let (own, expected): (Vec<_>, Vec<_>) = (state.sessions().collect(), expected.collect());
    ensure(own == expected, || format!("it has the sessions {own:?}, the model {expected:?}"))
}

/// N13: judges what a server keeps beside its nodes.
pub fn derived(state: &State) -> Verdict {
    ensure(state.is_consistent(), || "what it keeps beside its nodes is not what they say".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_too_many_or_too_few_is_seen() {
        let state = State::default();
        assert!(check(&state, [].into_iter()).is_ok());
        assert!(check(&state, [(SessionId(1), 5)].into_iter()).is_err());
        assert!(derived(&state).is_ok());
    }
}
