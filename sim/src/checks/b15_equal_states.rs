//! B15 (invariants.md section 4): the same committed history gives the same state on every server, which
//! is the state of the model.

use zabrus_core::service::Tree;
use zabrus_core::{Bytes, Position, Zxid};

use super::{Verdict, ensure};

/// Judges the digest of a server's state at `applied` against the model's.
pub fn check(applied: Position, digest: u64, expected: u64) -> Verdict {
    ensure(digest == expected, || {
        format!("its state at {applied} has digest {digest:016x}, the model's is {expected:016x}")
    })
}

/// Judges the digest that a transaction says of the state after it. One that changes nothing may leave
/// it out.
pub fn claimed(zxid: Zxid, claimed: Option<u64>, before: u64, after: u64) -> Verdict {
    ensure(claimed.map_or(before, |digest| digest) == after, || {
        format!("after {zxid} the state has digest {after:016x}, but {zxid} says {claimed:016x?}")
    })
}

/// Judges a whole tree node by node, and its digest against its nodes (N13).
pub fn nodes<'a>(tree: &Tree, expected: impl Iterator<Item = (&'a str, &'a (Bytes, u32))>) -> Verdict {
    let mut count = 0;
    for (path, (data, version)) in expected {
        count += 1;
        ensure(tree.get(path) == Some((data, *version)), || {
            format!("its node {path} is {:?}, the model's is {:?}", tree.get(path), (data, version))
        })?;
    }
    ensure(tree.len() == count, || format!("it has {} nodes, the model {count}", tree.len()))?;
    ensure(tree.digest() == tree.recomputed_digest(), || "its digest is not that of its nodes".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_an_extra_node_is_seen() {
        let node = (Bytes::default(), 0);
        assert!(nodes(&Tree::default(), [].into_iter()).is_ok());
        assert!(nodes(&Tree::default(), [("/a", &node)].into_iter()).is_err());
    }

    #[test]
    fn another_state_than_the_models_is_seen() {
        assert!(check(Position::EMPTY, 1, 1).is_ok());
        assert!(check(Position::EMPTY, 1, 2).is_err());
    }
}
