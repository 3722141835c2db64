//! The watches that a client has armed. They live in the server's connection, so the client arms them
//! again on a new one (client.md section 9).

use std::collections::BTreeSet;

use zabrus_core::jute;
use zabrus_core::wire::{OpCode, SetWatches, SetWatches2};

use super::event::Kind;

/// A batch of paths to arm again has at most about this many bytes, as in ZooKeeper (client.md section 3.5).
const BATCH_BYTES: usize = 128 << 10;

/// What a watch waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// For the data of a node to change, once.
    Data,
    /// For a node to be created, once.
    Exist,
    /// For the children to change, once.
    Child,
    /// For anything at the node.
    Persistent,
    /// For anything at the node or below.
    Recursive,
}

const ALL: [Waits; 5] = [Waits::Child, Waits::Data, Waits::Exist, Waits::Persistent, Waits::Recursive];

/// Which watches at a path are meant, with the numbers of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum WatcherType {
    /// On the children.
    Children = 1,
    /// On the data, or on the existence.
    Data = 2,
    /// All.
    Any = 3,
    /// The persistent one.
    Persistent = 4,
    /// The persistent recursive one.
    PersistentRecursive = 5,
}

impl WatcherType {
    fn means(self, waits: Waits) -> bool {
        match self {
            Self::Children => waits == Waits::Child,
            Self::Data => matches!(waits, Waits::Data | Waits::Exist),
            Self::Any => true,
            Self::Persistent => waits == Waits::Persistent,
            Self::PersistentRecursive => waits == Waits::Recursive,
        }
    }
}

/// Paths on the wire, by what is waited for.
#[derive(Debug, Default)]
pub(super) struct Watches {
    paths: [BTreeSet<String>; 5],
}

impl Watches {
    fn of(&mut self, waits: Waits) -> &mut BTreeSet<String> {
        &mut self.paths[waits as usize]
    }

    pub(super) fn arm(&mut self, waits: Waits, path: String) {
        self.of(waits).insert(path);
    }

    /// An event came; whether anybody waits for it. Those that wait once wait no more.
    pub(super) fn fired(&mut self, kind: Kind, path: &str) -> bool {
        let once: &[Waits] = match kind {
            Kind::NodeCreated | Kind::NodeDataChanged => &[Waits::Data, Waits::Exist],
            Kind::NodeDeleted => &[Waits::Data, Waits::Exist, Waits::Child],
            Kind::NodeChildrenChanged => &[Waits::Child],
            _ => &[],
        };
        let fired = once.iter().fold(false, |fired, waits| self.of(*waits).remove(path) | fired);
        let recursive = self.of(Waits::Recursive);
        let above = kind != Kind::NodeChildrenChanged
            && std::iter::successors(Some(path), |path| zabrus_core::state::path::parent(path))
                .any(|path| recursive.contains(path));
        fired || above || self.of(Waits::Persistent).contains(path)
    }

    /// Whether there is such a watch.
    pub(super) fn has(&mut self, which: WatcherType, path: &str) -> bool {
        ALL.into_iter().any(|waits| which.means(waits) && self.of(waits).contains(path))
    }

    /// Takes watches away; what is to be told of it.
    pub(super) fn remove(&mut self, which: WatcherType, path: &str) -> Vec<Kind> {
        let mut removed = Vec::new();
        for waits in ALL.into_iter().filter(|waits| which.means(*waits)) {
            let kind = match waits {
                Waits::Child => Kind::ChildWatchRemoved,
                Waits::Data | Waits::Exist => Kind::DataWatchRemoved,
                Waits::Persistent | Waits::Recursive => Kind::PersistentWatchRemoved,
            };
            if self.of(waits).remove(path) && !removed.contains(&kind) {
                removed.push(kind);
            }
        }
        removed
    }

    /// The requests that arm all of them again for somebody who has seen everything up to `zxid`. Without
    /// persistent watches it is the older operation, which all servers know.
    pub(super) fn rearm(&self, zxid: i64) -> Vec<(OpCode, Vec<u8>)> {
        let mut batches = Vec::new();
        let mut batch = SetWatches2::default();
        let mut bytes = 0;
        let all = [Waits::Data, Waits::Exist, Waits::Child, Waits::Persistent, Waits::Recursive];
        for (waits, path) in
            all.into_iter().flat_map(|waits| self.paths[waits as usize].iter().map(move |path| (waits, path)))
        {
            let list = match waits {
                Waits::Data => &mut batch.standard.data,
                Waits::Exist => &mut batch.standard.exist,
                Waits::Child => &mut batch.standard.child,
                Waits::Persistent => &mut batch.persistent,
                Waits::Recursive => &mut batch.recursive,
            };
            list.push(path.clone());
            bytes += path.len() + 4;
            if bytes > BATCH_BYTES {
                batches.push(std::mem::take(&mut batch));
                bytes = 0;
            }
        }
        if bytes > 0 {
            batches.push(batch);
        }
        let encode = |mut batch: SetWatches2| {
            batch.standard.relative_zxid = zxid;
            if batch.persistent.is_empty() && batch.recursive.is_empty() {
                (OpCode::SetWatches, jute::encode::<SetWatches>(&batch.standard))
            } else {
                (OpCode::SetWatches2, jute::encode(&batch))
            }
        };
        batches.into_iter().map(encode).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_fires_once_and_a_persistent_one_always() {
        let mut watches = Watches::default();
        watches.arm(Waits::Data, "/a".into());
        watches.arm(Waits::Recursive, "/r".into());
        assert!(!watches.fired(Kind::NodeChildrenChanged, "/a"));
        assert!(watches.fired(Kind::NodeDataChanged, "/a"));
        assert!(!watches.fired(Kind::NodeDataChanged, "/a"));
        for _ in 0..2 {
            assert!(watches.fired(Kind::NodeCreated, "/r/x/y"));
            assert!(!watches.fired(Kind::NodeChildrenChanged, "/r"), "recursive watches hear of nodes only");
            assert!(!watches.fired(Kind::NodeCreated, "/rx"));
        }
    }

    #[test]
    fn what_is_removed_is_told_by_kind() {
        let mut watches = Watches::default();
        for waits in ALL {
            watches.arm(waits, "/a".into());
        }
        assert!(watches.has(WatcherType::Data, "/a") && !watches.has(WatcherType::Any, "/b"));
        assert_eq!(watches.remove(WatcherType::Data, "/a"), [Kind::DataWatchRemoved]);
        assert_eq!(
            watches.remove(WatcherType::Any, "/a"),
            [Kind::ChildWatchRemoved, Kind::PersistentWatchRemoved]
        );
        assert!(!watches.has(WatcherType::Any, "/a"));
    }

    #[test]
    fn old_watches_need_only_the_old_operation() {
        let mut watches = Watches::default();
        assert_eq!(watches.rearm(7), []);
        watches.arm(Waits::Child, "/c".into());
        let standard = SetWatches { relative_zxid: 7, child: vec!["/c".into()], ..SetWatches::default() };
        assert_eq!(watches.rearm(7), [(OpCode::SetWatches, jute::encode(&standard))]);
        watches.arm(Waits::Persistent, "/p".into());
        let both = SetWatches2 { standard, persistent: vec!["/p".into()], recursive: Vec::new() };
        assert_eq!(watches.rearm(7), [(OpCode::SetWatches2, jute::encode(&both))]);
    }

    #[test]
    fn many_watches_are_armed_again_in_batches() {
        let mut watches = Watches::default();
        for number in 0..3_000 {
            watches.arm(Waits::Data, format!("/{number:0>100}"));
        }
        let batches = watches.rearm(1);
        assert_eq!(batches.len(), 3);
        let count = |bytes: &[u8]| jute::decode::<SetWatches>(bytes).expect("a record").data.len();
        assert_eq!(batches.iter().map(|(_, bytes)| count(bytes)).sum::<usize>(), 3_000);
    }
}
