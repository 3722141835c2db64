//! W7 (invariants.md section 7): whoever arms watches again is told at once of what has changed since, of
//! nothing else, and the rest is armed (ZOOKEEPER-1412, -1667, -3145, -3125).

use zabrus_core::Zxid;

use super::{Verdict, ensure};

/// Events that were caught up, as type and path, against those that the state at `zxid` asks for.
pub fn check(zxid: Zxid, mut caught_up: Vec<(i32, String)>, mut expected: Vec<(i32, String)>) -> Verdict {
    caught_up.sort_unstable();
    expected.sort_unstable();
    ensure(caught_up == expected, || {
        format!("watches armed again at {zxid} were told {caught_up:?}, but {expected:?} has happened")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_a_wrong_event_is_seen() {
        let events = |events: &[(i32, &str)]| {
            events.iter().map(|(event, path)| (*event, (*path).to_owned())).collect::<Vec<_>>()
        };
        let expected = || events(&[(2, "/a"), (3, "/b")]);
        assert!(check(Zxid(1), events(&[(3, "/b"), (2, "/a")]), expected()).is_ok());
        assert!(check(Zxid(1), events(&[(2, "/a")]), expected()).is_err());
        assert!(check(Zxid(1), events(&[(2, "/a"), (1, "/b")]), expected()).is_err());
    }
}
