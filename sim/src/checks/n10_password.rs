//! N10 (invariants.md section 6): who attaches to a session has its password; and, of N7, a session is never
//! exchanged for another without a word (the mutant M108; ClickHouse 116690).

use zabrus_core::wire::{ConnectRequest, ConnectResponse, PASSWORD_BYTES, SessionId};

use super::{Verdict, ensure};

/// A handshake for an existing session and its answer; `password` is what was given out with it.
pub fn check(
    hello: &ConnectRequest,
    response: &ConnectResponse,
    password: Option<[u8; PASSWORD_BYTES]>,
) -> Verdict {
    if response.timeout <= 0 {
        return gone(response);
    }
    ensure(hello.session == SessionId(0) || hello.session == response.session, || {
        format!("a client asked for session {} and got {}", hello.session, response.session)
    })?;
    let shown = hello.password.as_deref();
    let known = hello.session == SessionId(0) || password.is_some_and(|password| shown == Some(&password));
    ensure(known, || format!("somebody without its password got session {}", response.session))?;
    ensure(password.is_none_or(|password| password == response.password), || {
        format!("session {} has two passwords", response.session)
    })
}

/// A session is gone: nothing may be left of it in the answer, or clients take it for alive
/// (client.md section 25).
fn gone(response: &ConnectResponse) -> Verdict {
    let nothing = response.session == SessionId(0) && response.password == [0; PASSWORD_BYTES];
    ensure(nothing && response.timeout == 0, || format!("a session that is gone is answered by {response:?}"))
}

#[cfg(test)]
mod tests {
    use zabrus_core::Bytes;

    use super::*;

    #[test]
    fn a_session_for_nothing_or_another_one_is_seen() {
        let hello = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: 1,
            session: SessionId(5),
            password: Some(Bytes::from([1; PASSWORD_BYTES])),
            read_only: None,
        };
        let password = [1; PASSWORD_BYTES];
        let response = ConnectResponse { timeout: 1, session: SessionId(5), password, read_only: None };
        assert!(check(&hello, &response, Some(password)).is_ok());
        let forged = ConnectRequest { password: None, ..hello.clone() };
        assert!(check(&forged, &response, Some(password)).is_err());
        let another = ConnectResponse { session: SessionId(6), ..response };
        assert!(check(&hello, &another, Some(password)).is_err());
        assert!(check(&hello, &ConnectResponse::gone(None), Some(password)).is_ok());
        let half_gone = ConnectResponse { timeout: 0, ..response };
        assert!(check(&hello, &half_gone, Some(password)).is_err());
    }
}
