//! W1 to W6 and W9 (invariants.md section 7): a connection hears of exactly what its watches see, in the
//! order of the transactions, each before anything that shows its effect.

use zabrus_core::Zxid;
use zabrus_core::io::ClientId;

use super::{Rule, Verdict, ensure};

/// What the model says of an event that a client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was the next to come.
    Expected,
    /// Another had to come before.
    TooEarly,
    /// Nothing that is watched was changed so; the node is watched in some way.
    WrongKind,
    /// The watch that it is for has fired before.
    Again,
    /// Nothing there is watched.
    Ghost,
}

/// An event came.
pub fn event(heard: Heard, words: &str) -> (Rule, Verdict) {
    match heard {
        Heard::Expected => (Rule::W1, Ok(())),
        Heard::TooEarly => (Rule::W2, Err(format!("{words} came, but another event before it is missing"))),
        Heard::WrongKind => (Rule::W1, Err(format!("{words} came, but nothing watches for that"))),
        Heard::Again => (Rule::W5, Err(format!("{words} came, but its watch has fired before"))),
        Heard::Ghost => (Rule::W6, Err(format!("{words} came, but nothing there is watched"))),
    }
}

/// W4: an event of `zxid` came after an answer at `seen`.
pub fn order(seen: Zxid, zxid: Zxid, words: &str) -> Verdict {
    ensure(zxid > seen, || format!("{words} came after an answer at {seen}"))
}

/// W6: a server holds a watch of a connection that was closed before.
pub fn held(dead: Option<ClientId>) -> Verdict {
    ensure(dead.is_none(), || {
        format!("it holds a watch of connection {}, which is closed", dead.unwrap_or(ClientId(0)).0)
    })
}

/// W3: an answer at `zxid` came, and an event of a transaction up to that is missing.
pub fn before_data(zxid: Zxid, missing: Option<&str>) -> Verdict {
    ensure(missing.is_none(), || format!("an answer at {zxid} came before {}", missing.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_event_is_seen_under_its_rule() {
        let broken = |heard| event(heard, "an event").1.is_err().then_some(event(heard, "an event").0);
        assert_eq!(broken(Heard::Expected), None);
        assert_eq!(broken(Heard::TooEarly), Some(Rule::W2));
        assert_eq!(broken(Heard::WrongKind), Some(Rule::W1));
        assert_eq!(broken(Heard::Again), Some(Rule::W5));
        assert_eq!(broken(Heard::Ghost), Some(Rule::W6));
        assert!(order(Zxid(1), Zxid(2), "").is_ok() && order(Zxid(2), Zxid(2), "").is_err());
        assert!(held(None).is_ok() && held(Some(ClientId(1))).is_err());
        assert!(before_data(Zxid(1), None).is_ok() && before_data(Zxid(1), Some("an event")).is_err());
    }
}
