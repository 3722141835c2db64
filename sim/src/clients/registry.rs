//! The watches that a client believes to have, so that it can arm them again on another server as
//! the Java client does (client.md section 9.5).

use std::collections::BTreeSet;

use zabrus_core::wire::{ErrorCode, EventType, SetWatches, SetWatches2};

/// A kind of watch, as a client asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    /// Of `exists`: there may be no node.
    Exist,
    Child,
    Persistent,
    Recursive,
}

/// What a client wants to hear of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Registry {
    data: BTreeSet<String>,
    exist: BTreeSet<String>,
    child: BTreeSet<String>,
    persistent: BTreeSet<String>,
    recursive: BTreeSet<String>,
}

impl Registry {
    /// A request with a watch was answered with this code.
    pub(super) fn answered(&mut self, kind: Kind, path: String, err: i32) {
        let set = match kind {
            Kind::Exist if err == ErrorCode::NoNode.code() => &mut self.exist,
            _ if err != 0 => return,
            Kind::Data | Kind::Exist => &mut self.data,
            Kind::Child => &mut self.child,
            Kind::Persistent => &mut self.persistent,
            Kind::Recursive => &mut self.recursive,
        };
        set.insert(path);
    }

    /// An event came: what fires once is over.
    pub(super) fn fired(&mut self, event: i32, path: &str) {
        if event != EventType::NodeChildrenChanged as i32 {
            self.data.remove(path);
            self.exist.remove(path);
        }
        if event == EventType::NodeDeleted as i32 || event == EventType::NodeChildrenChanged as i32 {
            self.child.remove(path);
        }
    }

    /// Watches of all kinds at a path were taken away.
    pub(super) fn removed(&mut self, path: &str) {
        for set in
            [&mut self.data, &mut self.exist, &mut self.child, &mut self.persistent, &mut self.recursive]
        {
            set.remove(path);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What arms all of them again; those that fire once may fire at once.
    pub(super) fn rearm(&self, relative_zxid: i64) -> SetWatches2 {
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect();
        SetWatches2 {
            standard: SetWatches {
                relative_zxid,
                data: list(&self.data),
                exist: list(&self.exist),
                child: list(&self.child),
            },
            persistent: list(&self.persistent),
            recursive: list(&self.recursive),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_armed_and_has_not_fired_is_armed_again() {
        let mut registry = Registry::default();
        let missing = ErrorCode::NoNode.code();
        for (kind, path, err) in [
            (Kind::Data, "/a", 0),
            (Kind::Data, "/none", missing),
            (Kind::Exist, "/b", missing),
            (Kind::Child, "/a", 0),
            (Kind::Persistent, "/p", 0),
            (Kind::Recursive, "/r", 0),
        ] {
            registry.answered(kind, path.into(), err);
        }
        registry.fired(EventType::NodeDataChanged as i32, "/a");
        registry.fired(EventType::NodeDataChanged as i32, "/p");
        let list = |path: &str| vec![path.to_owned()];
        let standard = SetWatches { relative_zxid: 5, data: vec![], exist: list("/b"), child: list("/a") };
        let expected = SetWatches2 { standard, persistent: list("/p"), recursive: list("/r") };
        assert_eq!(registry.rearm(5), expected);
        registry.fired(EventType::NodeCreated as i32, "/b");
        registry.fired(EventType::NodeDeleted as i32, "/a");
        registry.removed("/p");
        registry.removed("/r");
        assert!(registry.is_empty());
    }
}
