//! How many watches each change of a znode fires here: ZooKeeper's `node_created_watch_count` and its kin.

use crate::figures::Tally;

/// Where the type of the event stands in a notification, after the header.
const TYPE_AT: usize = 16;

/// The names of the metrics, by the type of the event.
pub(crate) const NAMES: [&str; 4] = [
    "node_created_watch_count",
    "node_deleted_watch_count",
    "node_changed_watch_count",
    "node_children_watch_count",
];

/// Notifications of one change are equal byte by byte and leave one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fired {
    /// The last notification, and how many clients got it so far.
    last: Vec<u8>,
    count: u64,
    done: [Tally; 4],
}

impl Fired {
    /// A notification leaves; `frame` is without its length.
    pub(super) fn notified(&mut self, frame: &[u8]) {
        if self.last != frame {
            self.done = self.tallies();
            self.count = 0;
            self.last.clear();
            self.last.extend_from_slice(frame);
        }
        self.count += 1;
    }

    /// In the order of [`NAMES`].
    pub(crate) fn tallies(&self) -> [Tally; 4] {
        let mut all = self.done;
        // 1 to 4: created, deleted, changed, children.
        let event = self.last.get(TYPE_AT..).and_then(<[u8]>::first_chunk).copied().map(u32::from_be_bytes);
        if let Some(tally) = event.and_then(|event| all.get_mut((event as usize).wrapping_sub(1))) {
            tally.record(self.count);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use zabrus_core::wire::{EventType, KeeperState, WatcherEvent, reply, xid};

    use super::*;

    #[test]
    fn clients_that_hear_of_the_same_change_are_counted_together() {
        let mut fired = Fired::default();
        let mut notified = |zxid: i64, event: EventType, path: &str, clients: usize| {
            let event = WatcherEvent {
                event: event as i32,
                state: KeeperState::SyncConnected as i32,
                path: path.into(),
            };
            (0..clients).for_each(|_| fired.notified(&reply(xid::NOTIFICATION, zxid, &event)[4..]));
        };
        notified(1, EventType::NodeCreated, "/a", 3);
        notified(2, EventType::NodeDataChanged, "/a", 2);
        notified(3, EventType::NodeDataChanged, "/a", 5);
        notified(3, EventType::NodeDataChanged, "/b", 1);
        notified(4, EventType::NodeChildrenChanged, "/", 4);
        let [created, deleted, changed, children] = fired.tallies();
        assert_eq!((created.count, created.sum), (1, 3));
        assert_eq!(deleted, Tally::default());
        assert_eq!((changed.count, changed.sum, changed.min, changed.max), (3, 8, 1, 5));
        assert_eq!((children.count, children.sum), (1, 4), "the last one counts too");
        assert_eq!(fired.tallies()[3].sum, 4, "looking changes nothing");
    }
}
