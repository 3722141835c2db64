//! N3 (invariants.md section 6): every ephemeral node belongs to a session that lives (ZOOKEEPER-1367,
//! -2355, -3144, -5010).

use zabrus_core::state::State;
use zabrus_core::wire::SessionId;

use super::{Verdict, ensure};

/// Judges the state of a server.
pub fn check(state: &State) -> Verdict {
    let orphan = state.owners().find(|owner| state.session_timeout(*owner).is_none());
    owned(orphan)
}

fn owned(orphan: Option<SessionId>) -> Verdict {
    ensure(orphan.is_none(), || format!("it has nodes of session {orphan:?}, which does not exist"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_no_session_are_seen() {
        assert!(check(&State::default()).is_ok());
        assert!(owned(Some(SessionId(5))).is_err());
    }
}
