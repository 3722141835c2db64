//! N4 (invariants.md section 6): the end of a session names exactly its ephemeral nodes.

use std::collections::BTreeSet;

use zabrus_core::wire::SessionId;

use super::{Verdict, ensure};

/// A closeSession lists `listed`; the session has `owned`.
pub fn check(session: SessionId, listed: &[String], owned: &[String]) -> Verdict {
    let set = |paths: &[String]| paths.iter().cloned().collect::<BTreeSet<_>>();
    ensure(listed.len() == owned.len() && set(listed) == set(owned), || {
        format!("the end of session {session} removes {listed:?}, but it has {owned:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_too_many_or_too_few_is_seen() {
        let paths = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        let check = |listed: &[&str], owned: &[&str]| check(SessionId(1), &paths(listed), &paths(owned));
        assert!(check(&["/b", "/a"], &["/a", "/b"]).is_ok());
        assert!(check(&["/a"], &["/a", "/b"]).is_err());
        assert!(check(&["/a", "/a"], &["/a", "/b"]).is_err());
    }
}
