//! B15 (invariants.md section 4): the same committed history gives the same state on every server, which
//! is the state of the model.

use std::sync::Arc;

use zabrus_core::state::State;
use zabrus_core::wire::Stat;
use zabrus_core::{Position, Zxid};

use super::{Verdict, ensure};
use crate::ghost::model::Node;

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

/// Judges a whole tree node by node.
pub fn nodes<'a>(state: &State, expected: impl Iterator<Item = (&'a str, &'a Arc<Node>)>) -> Verdict {
    let mut count = 0;
    for (path, node) in expected {
        count += 1;
        let own = state.node(path);
        let same = own.is_some_and(|own| {
            let fields = |stat: &Stat| Stat { data_length: 0, ..*stat };
            let (stat, stored) = (own.stat(), own.stored());
            fields(&stat) == fields(&node.stat())
                && stored.ephemeral_owner == node.owner
                && *own.acl() == *node.acl
                // The server keeps usage itself.
                && (path.starts_with("/zookeeper/quota") || own.data() == node.data)
        });
        ensure(same, || {
            format!("its node {path} is {:?}, the model's is {node:?}", own.map(|own| own.stat()))
        })?;
    }
    let own = state.node_count();
    ensure(own == count, || format!("it has {own} nodes, the model {count}"))
}

#[cfg(test)]
mod tests {
    use zabrus_core::Duration;
    use zabrus_core::config::ServiceSettings;

    use super::*;
    use crate::ghost::model::Model;

    #[test]
    fn a_missing_a_changed_or_an_extra_node_is_seen() {
        let model = Model::new(ServiceSettings::new(Duration::from_millis(2_000)));
        let state = State::default();
        let all = || model.subtree("/", Zxid::ZERO);
        assert!(nodes(&state, all()).is_ok());
        assert!(nodes(&state, all().skip(1)).is_err());
        let other = Arc::new(Node { version: 1, ..Node::clone(model.now("/").unwrap()) });
        let changed = all().map(|(path, node)| (path, if path == "/" { &other } else { node }));
        assert!(nodes(&state, changed).is_err());
        assert!(nodes(&state, all().chain([("/a", &other)])).is_err());
    }

    #[test]
    fn another_state_than_the_models_is_seen() {
        assert!(check(Position::EMPTY, 1, 1).is_ok());
        assert!(check(Position::EMPTY, 1, 2).is_err());
        assert!(claimed(Zxid(1), None, 5, 5).is_ok() && claimed(Zxid(1), Some(6), 5, 6).is_ok());
        assert!(claimed(Zxid(1), None, 5, 6).is_err() && claimed(Zxid(1), Some(5), 5, 6).is_err());
    }
}
