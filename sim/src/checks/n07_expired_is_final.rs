//! N7 (invariants.md section 6): a client that was told that its session is gone can rely on it: nobody gets
//! the session any more, nothing more is done for it, and it ends if it has not.

use zabrus_core::wire::SessionId;
use zabrus_core::{Instant, Zxid};

use super::{Verdict, ensure};

/// A session was given to a connection that was opened at `opened`; a client was told at `gone` that
/// there is no such session.
pub fn given(session: SessionId, gone: Option<Instant>, opened: Instant) -> Verdict {
    ensure(gone.is_none_or(|gone| opened <= gone), || {
        format!("session {session} was given out again, after its client was told that it is gone")
    })
}

/// Something was done for a session that was asked at `asked`.
pub fn done(session: SessionId, gone: Option<Instant>, asked: Instant, zxid: Zxid) -> Verdict {
    ensure(gone.is_none_or(|gone| asked <= gone), || {
        format!("{zxid} was done for session {session}, after its client was told that it is gone")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_comes_back_is_seen() {
        let (gone, session) = (Some(Instant(5)), SessionId(1));
        assert!(given(session, None, Instant(6)).is_ok() && given(session, gone, Instant(5)).is_ok());
        assert!(given(session, gone, Instant(6)).is_err());
        assert!(done(session, None, Instant(6), Zxid(1)).is_ok());
        assert!(done(session, gone, Instant(5), Zxid(1)).is_ok());
        assert!(done(session, gone, Instant(6), Zxid(1)).is_err());
    }
}
