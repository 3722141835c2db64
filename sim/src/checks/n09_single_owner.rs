//! N9 (invariants.md section 6): once a newer connection of a session has written, an older one cannot
//! (the mutants M109 and M110).

use zabrus_core::io::ClientId;
use zabrus_core::wire::SessionId;
use zabrus_core::{ServerId, Zxid};

use super::{Verdict, ensure};

/// Connection `client` writes for the session; `superseded` if another has written after it.
pub fn check(session: SessionId, client: ClientId, zxid: Zxid, superseded: bool) -> Verdict {
    ensure(!superseded, || {
        format!("{zxid} of session {session} is of connection {}, which was replaced before", client.0)
    })
}

/// Connection `client` is told that the session has moved; `rivals` others may have asked the leader for it
/// later.
pub fn moved(session: SessionId, client: ClientId, rivals: usize) -> Verdict {
    ensure(rivals > 0, || {
        format!("session {session} has moved from connection {}, but nobody took it", client.0)
    })
}

/// A server gave a session to a connection; if it is a local one, only its home can.
pub fn at_home(session: SessionId, home: Option<ServerId>, server: ServerId) -> Verdict {
    ensure(home.is_none_or(|home| home == server), || {
        format!("session {session}, which only {home:?} knows, was given out by server {server}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_of_a_connection_that_was_replaced_is_seen() {
        assert!(check(SessionId(1), ClientId(1), Zxid(1), false).is_ok());
        assert!(check(SessionId(1), ClientId(1), Zxid(1), true).is_err());
        assert!(at_home(SessionId(1), None, ServerId(2)).is_ok());
        assert!(at_home(SessionId(1), Some(ServerId(2)), ServerId(2)).is_ok());
        assert!(at_home(SessionId(1), Some(ServerId(1)), ServerId(2)).is_err());
        assert!(moved(SessionId(1), ClientId(1), 1).is_ok());
        assert!(moved(SessionId(1), ClientId(1), 0).is_err());
    }
}
