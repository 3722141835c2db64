//! W10 (invariants.md section 7): what watches are armed again by is true on every server, also after a
//! recovery: mzxid, pzxid and cversion of each node are the model's (ZOOKEEPER-3125, -3249, -3145, -1046).

use std::sync::Arc;

use zabrus_core::state::State;

use super::{Verdict, ensure};
use crate::ghost::model::Node;

/// Judges the tree of a server. A node that is missing is a matter of B15.
pub fn check<'a>(state: &State, mut expected: impl Iterator<Item = (&'a str, &'a Arc<Node>)>) -> Verdict {
    expected.try_for_each(|(path, node)| {
        let Some(own) = state.node(path).map(|node| node.stat()) else { return Ok(()) };
        let told = (own.mzxid, own.pzxid, own.cversion);
        let true_ones = (node.stat().mzxid, node.stat().pzxid, node.stat().cversion);
        ensure(told == true_ones, || {
            format!("its node {path} has mzxid, pzxid and cversion {told:x?}, the model's are {true_ones:x?}")
        })
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::config::ServiceSettings;
    use zabrus_core::{Duration, Zxid};

    use super::*;
    use crate::ghost::model::Model;

    #[test]
    fn each_of_mzxid_pzxid_and_cversion_must_be_the_models() {
        let model = Model::new(ServiceSettings::new(Duration::from_millis(2_000)));
        let state = State::default();
        let root = Node::clone(model.now("/").expect("it is always there"));
        let judged = |node: Node| check(&state, [("/", &Arc::new(node))].into_iter());
        assert!(check(&state, model.subtree("/", Zxid::ZERO)).is_ok());
        assert!(judged(Node { version: 1, ..root.clone() }).is_ok());
        assert!(judged(Node { mzxid: 1, ..root.clone() }).is_err());
        assert!(judged(Node { pzxid: 1, ..root.clone() }).is_err());
        assert!(judged(Node { cversion: 1, ..root }).is_err());
    }
}
