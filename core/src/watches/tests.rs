use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use proptest::prelude::*;

use super::*;
use EventType::{NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted};
use WatchKind::{Child, Data, Persistent, Recursive};

const KINDS: [WatchKind; 4] = [Data, Child, Persistent, Recursive];
const EVENTS: [EventType; 4] = [NodeCreated, NodeDeleted, NodeDataChanged, NodeChildrenChanged];

fn told(watches: &mut Watches, event: EventType, path: &str) -> Vec<u64> {
    let mut told = Vec::new();
    watches.trigger(event, path, &mut |client| told.push(client.0));
    told
}

/// The table of client.md section 9.3 for a watch on the path itself: what it hears, and whether
/// it is gone then.
#[test]
fn each_kind_hears_what_the_table_says() {
    let table = [
        (Data, [true, true, true, false]),
        (Child, [false, true, false, true]),
        (Persistent, [true, true, true, true]),
        (Recursive, [true, true, true, false]),
    ];
    for (kind, expected) in table {
        for (event, hears) in EVENTS.into_iter().zip(expected) {
            let mut watches = Watches::default();
            watches.add(ClientId(7), "/a", kind);
            let once = matches!(kind, Data | Child);
            assert_eq!(told(&mut watches, event, "/a"), if hears { vec![7] } else { vec![] });
            assert_eq!(watches.contains(ClientId(7), "/a", Some(kind)), !(hears && once));
        }
    }
}

#[test]
fn only_a_recursive_watch_hears_of_what_is_below_it() {
    let mut watches = Watches::default();
    for (client, path) in ["/", "/a", "/a/b", "/a/b/c", "/a/bb", "/b"].into_iter().enumerate() {
        watches.add(ClientId(client as u64), path, Recursive);
    }
    for kind in [Data, Child, Persistent] {
        watches.add(ClientId(100), "/a", kind);
        watches.add(ClientId(100), "/", kind);
    }
    for event in [NodeCreated, NodeDataChanged, NodeDeleted] {
        assert_eq!(told(&mut watches, event, "/a/b"), [0, 1, 2]);
    }
    assert_eq!(told(&mut watches, NodeChildrenChanged, "/a/b"), []);
}

#[test]
fn recursive_watches_on_several_levels_are_one_event_per_client() {
    let mut watches = Watches::default();
    for path in ["/", "/a", "/a/b"] {
        watches.add(ClientId(1), path, Recursive);
    }
    watches.add(ClientId(1), "/a/b", Data);
    watches.add(ClientId(1), "/a/b", Persistent);
    assert_eq!(told(&mut watches, NodeDataChanged, "/a/b"), [1]);
    assert!(!watches.contains(ClientId(1), "/a/b", Some(Data)));
}

#[test]
fn a_deletion_is_told_once_to_a_client_with_data_and_child_watches_and_uses_up_both() {
    let mut watches = Watches::default();
    watches.add(ClientId(1), "/a", Data);
    watches.add(ClientId(1), "/a", Child);
    assert_eq!(told(&mut watches, NodeDeleted, "/a"), [1]);
    assert_eq!(told(&mut watches, NodeDeleted, "/a"), []);
    assert_eq!(watches.count(), 0);
}

#[test]
fn the_same_watch_twice_is_one_and_kinds_stand_side_by_side() {
    let mut watches = Watches::default();
    for kind in [Data, Data, Child, Persistent, Recursive] {
        watches.add(ClientId(1), "/a", kind);
    }
    // Apache counts one entry in each of its two tables.
    assert_eq!(watches.count(), 2);
    assert!(watches.remove(ClientId(1), "/a", Some(Persistent)));
    assert!(!watches.remove(ClientId(1), "/a", Some(Persistent)));
    for kind in [Data, Child, Recursive] {
        assert!(watches.contains(ClientId(1), "/a", Some(kind)));
    }
    assert!(watches.remove(ClientId(1), "/a", None));
    assert!(!watches.contains(ClientId(1), "/a", None));
}

#[test]
fn a_client_that_is_gone_hears_nothing_and_leaves_nothing_behind() {
    let mut watches = Watches::default();
    for n in 0..100 {
        watches.add(ClientId(1), &format!("/a/{n}"), KINDS[n % 4]);
        watches.add(ClientId(2), &format!("/a/{n}"), Data);
    }
    watches.remove_client(ClientId(1));
    watches.remove_client(ClientId(3));
    assert_eq!(told(&mut watches, NodeDeleted, "/a/3"), [2]);
    watches.remove_client(ClientId(2));
    assert_eq!(watches.count(), 0);
    assert!(watches.paths.is_empty() && watches.path_slots.is_empty() && watches.clients.is_empty());
}

#[test]
fn the_figures_leave_out_child_watches() {
    let mut watches = Watches::default();
    watches.add(ClientId(1), "/a", Child);
    watches.add(ClientId(1), "/b", Persistent);
    watches.add(ClientId(2), "/b", Recursive);
    watches.add(ClientId(2), "/c", Data);
    assert_eq!(watches.figures(), WatchFigures { clients: 2, paths: 2, watches: 3 });
    assert_eq!(watches.count(), 5);
    let listed: Vec<_> = watches.data_watches().collect();
    assert_eq!(listed, [("/b", ClientId(1)), ("/b", ClientId(2)), ("/c", ClientId(2))]);
}

/// Apache's two tables, as plainly as possible. The flag says whether the watch stays.
#[derive(Default)]
struct Model {
    data: BTreeSet<(String, u64, WatchKind)>,
    child: BTreeSet<(String, u64, WatchKind)>,
}

impl Model {
    fn add(&mut self, client: u64, path: &str, kind: WatchKind) {
        let entry = (String::from(path), client, kind);
        if kind != Child {
            self.data.insert(entry.clone());
        }
        if matches!(kind, Child | Persistent) {
            self.child.insert(entry);
        }
    }

    fn retain(&mut self, keep: impl Fn(&(String, u64, WatchKind)) -> bool) -> bool {
        let before = self.data.len() + self.child.len();
        self.data.retain(&keep);
        self.child.retain(&keep);
        before != self.data.len() + self.child.len()
    }

    fn fire(table: &mut BTreeSet<(String, u64, WatchKind)>, path: &str) -> BTreeSet<u64> {
        let is_above =
            |above: &str| above == "/" || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
        let hears =
            |(at, _, kind): &(String, u64, WatchKind)| at == path || (*kind == Recursive && is_above(at));
        let told = table.iter().filter(|entry| hears(entry)).map(|entry| entry.1).collect();
        table.retain(|(at, _, kind)| at != path || matches!(kind, Persistent | Recursive));
        told
    }

    fn trigger(&mut self, event: EventType, path: &str) -> BTreeSet<u64> {
        match event {
            NodeCreated | NodeDataChanged => Self::fire(&mut self.data, path),
            NodeChildrenChanged => Self::fire(&mut self.child, path),
            NodeDeleted => {
                let told = Self::fire(&mut self.data, path);
                &told | &Self::fire(&mut self.child, path)
            }
        }
    }

    /// Counted per table, path and client, whatever the kinds.
    fn entries(table: &BTreeSet<(String, u64, WatchKind)>) -> BTreeSet<(&str, u64)> {
        table.iter().map(|(path, client, _)| (path.as_str(), *client)).collect()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(u64, &'static str, WatchKind),
    Remove(u64, &'static str, Option<WatchKind>),
    RemoveClient(u64),
    Trigger(EventType, &'static str),
}

fn step() -> impl Strategy<Value = Step> {
    let path = || prop::sample::select(&["/", "/a", "/a/b", "/a/b/c", "/ab", "/c"][..]);
    let kind = || prop::sample::select(&KINDS[..]);
    prop_oneof![
        6 => (0..4_u64, path(), kind()).prop_map(|(client, path, kind)| Step::Add(client, path, kind)),
        2 => (0..4_u64, path(), prop::option::of(kind()))
            .prop_map(|(client, path, kind)| Step::Remove(client, path, kind)),
        1 => (0..4_u64).prop_map(Step::RemoveClient),
        6 => (prop::sample::select(&EVENTS[..]), path()).prop_map(|(event, path)| Step::Trigger(event, path)),
    ]
}

proptest! {
    #[test]
    fn watches_behave_as_two_plain_tables(steps in prop::collection::vec(step(), 1..80)) {
        let (mut watches, mut model) = (Watches::default(), Model::default());
        for step in steps {
            match step {
                Step::Add(client, path, kind) => {
                    watches.add(ClientId(client), path, kind);
                    model.add(client, path, kind);
                }
                Step::Remove(client, path, kind) => {
                    let concerns = |entry: &(String, u64, WatchKind)| {
                        entry.0 == path && entry.1 == client && kind.is_none_or(|kind| kind == entry.2)
                    };
                    let present = watches.contains(ClientId(client), path, kind);
                    let removed = watches.remove(ClientId(client), path, kind);
                    prop_assert_eq!(removed, model.retain(|entry| !concerns(entry)));
                    prop_assert_eq!(present, removed);
                }
                Step::RemoveClient(client) => {
                    watches.remove_client(ClientId(client));
                    model.retain(|entry| entry.1 != client);
                }
                Step::Trigger(event, path) => {
                    let mut heard = told(&mut watches, event, path);
                    heard.sort_unstable();
                    prop_assert_eq!(heard, model.trigger(event, path).into_iter().collect::<Vec<_>>());
                }
            }
            // N13: the counters are those of the tables.
            let (data, child) = (Model::entries(&model.data), Model::entries(&model.child));
            prop_assert_eq!(watches.count(), data.len() + child.len());
            let expected = WatchFigures {
                clients: data.iter().map(|entry| entry.1).collect::<BTreeSet<_>>().len(),
                paths: data.iter().map(|entry| entry.0).collect::<BTreeSet<_>>().len(),
                watches: data.len(),
            };
            prop_assert_eq!(watches.figures(), expected);
            let mut listed = BTreeMap::new();
            for (path, client) in watches.data_watches() {
                prop_assert!(listed.insert((path, client.0), ()).is_none());
            }
            prop_assert_eq!(listed.into_keys().collect::<BTreeSet<_>>(), data);
        }
    }
}
