//! E4 (invariants.md section 2): a server that knows nothing of its past neither votes nor promises
//! (ZOOKEEPER-2325).

use zabrus_core::storage::Standing;

use super::{Verdict, ensure};

/// Judges a vote or a counted promise of a server with this durable standing.
pub fn check(what: &str, standing: Standing) -> Verdict {
    ensure(standing != Standing::Blank, || format!("it sends {what}, although its data are gone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_blank_server_must_not_vote() {
        assert!(check("a vote", Standing::Blank).is_err());
        assert!(check("a vote", Standing::Sound).is_ok());
    }
}
