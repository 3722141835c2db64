//! The state against a naive model, on random histories, and against bytes that are no state.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use zabrus_core::state::{Owner, QuotaUsage, State, StateBuilder};
use zabrus_core::wire::{Acl, Change, Id, OpCode, Origin, SessionId, Stat, Transaction};
use zabrus_core::{Bytes, ServerId, Zxid};

const PATHS: [&str; 18] = [
    "/a",
    "/b",
    "/a/a",
    "/a/b",
    "/b/a",
    "/b/b",
    "/a/a/a",
    "/a/a/b",
    "/a/b/a",
    "/b/\u{e9}",
    "/zookeeper/quota/a",
    "/zookeeper/quota/a/zookeeper_limits",
    "/zookeeper/quota/a/zookeeper_stats",
    "/zookeeper/quota/a/a",
    "/zookeeper/quota/a/a/zookeeper_stats",
    "/zookeeper/quota/a/a/zookeeper_limits",
    "/zookeeper",
    "/",
];

/// What a client may want, valid or not.
#[derive(Clone, Debug)]
enum Wish {
    Open(u8),
    Close(u8),
    Create { path: usize, kind: u8, session: u8, data: Option<Vec<u8>>, perms: i32 },
    Delete(usize),
    Set(usize, Option<Vec<u8>>),
    Acl(usize, i32),
    Multi(Vec<Wish>),
}

fn data() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(prop::collection::vec(any::<u8>(), 0..5))
}

fn node_wish() -> impl Strategy<Value = Wish> {
    let path = || 0..PATHS.len();
    prop_oneof![
        6 => (path(), 0..6_u8, 0..3_u8, data(), 0..4).prop_map(|(path, kind, session, data, perms)| {
            Wish::Create { path, kind, session, data, perms }
        }),
        3 => path().prop_map(Wish::Delete),
        2 => (path(), data()).prop_map(|(path, data)| Wish::Set(path, data)),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        8 => node_wish(),
        1 => (0..PATHS.len(), 0..4).prop_map(|(path, perms)| Wish::Acl(path, perms)),
        1 => (0..3_u8).prop_map(Wish::Open),
        1 => (0..3_u8).prop_map(Wish::Close),
        2 => prop::collection::vec(node_wish(), 0..5).prop_map(Wish::Multi),
    ]
}

#[derive(Clone, Debug, PartialEq)]
struct ModelNode {
    data: Option<Bytes>,
    acl: Vec<Acl>,
    owner: Owner,
    stat: Stat,
    creations: i32,
}

/// Paths and what is there. Everything else is counted when it is asked for.
#[derive(Clone, Debug, PartialEq)]
struct Model {
    nodes: BTreeMap<String, ModelNode>,
    sessions: BTreeMap<SessionId, i32>,
}

fn acl(perms: i32) -> Vec<Acl> {
    vec![Acl { perms, id: Id { scheme: "world".into(), id: "anyone".into() } }]
}

fn above(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}

fn is_below(path: &str, top: &str) -> bool {
    path != top && (top == "/" || path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/')))
}

impl Model {
    fn new() -> Self {
        let node = |perms, cversion, aversion, num_children| ModelNode {
            data: Some(Bytes::default()),
            acl: acl(perms),
            owner: Owner::Nobody,
            stat: Stat { cversion, aversion, num_children, ..Stat::default() },
            creations: 0,
        };
        let nodes = [
            ("/", node(31, -1, 0, 1)),
            ("/zookeeper", node(31, -2, 0, 2)),
            ("/zookeeper/quota", node(31, 0, 0, 0)),
            ("/zookeeper/config", node(1, 0, -1, 0)),
        ];
        let nodes = nodes.map(|(path, node)| (path.to_owned(), node)).into();
        Self { nodes, sessions: BTreeMap::new() }
    }

    /// What the leader would make of a wish; `None` if it would refuse.
    fn prepare(&self, wish: &Wish) -> Option<(SessionId, Change)> {
        let id = |number: &u8| SessionId(i64::from(*number) + 1);
        let nobody = SessionId(0);
        Some(match wish {
            Wish::Open(session) => (id(session), Change::CreateSession { timeout: 4_000 }),
            Wish::Close(session) => {
                self.sessions.get(&id(session))?;
                (id(session), Change::CloseSession { paths: self.ephemerals(id(session)) })
            }
            Wish::Create { path, kind, session, data, perms } => {
                let path = PATHS[*path].to_owned();
                let parent = self.nodes.get(above(&path))?;
                let ephemeral = *kind == 1;
                let refused = self.nodes.contains_key(&path)
                    || matches!(parent.owner, Owner::Session(_))
                    || ephemeral && !self.sessions.contains_key(&id(session));
                if refused {
                    return None;
                }
                let op = match kind {
                    2 => OpCode::CreateContainer,
                    3 => OpCode::CreateTtl,
                    4 => OpCode::Create2,
                    _ => OpCode::Create,
                };
                let (data, acl) = (data.clone().map(Bytes::from), acl(*perms));
                let parent_cversion = parent.creations + 1;
                (id(session), Change::Create { op, path, data, acl, ephemeral, parent_cversion, ttl: 7 })
            }
            Wish::Delete(path) => {
                let path = PATHS[*path].to_owned();
                let is_system = matches!(path.as_str(), "/" | "/zookeeper");
                if is_system || self.nodes.get(&path)?.stat.num_children > 0 {
                    return None;
                }
                (nobody, Change::Delete { op: OpCode::Delete, path })
            }
            Wish::Set(path, data) => {
                let path = PATHS[*path].to_owned();
                let version = self.nodes.get(&path)?.stat.version + 1;
                (nobody, Change::SetData { path, data: data.clone().map(Bytes::from), version })
            }
            Wish::Acl(path, perms) => {
                let path = PATHS[*path].to_owned();
                let version = self.nodes.get(&path)?.stat.aversion + 1;
                (nobody, Change::SetAcl { path, acl: acl(*perms), version })
            }
            Wish::Multi(wishes) => {
                let mut ahead = self.clone();
                let mut changes = Vec::new();
                for wish in wishes {
                    // One session asks for all of a multi.
                    let Some((_, change)) = ahead.prepare(&wish.by_session(1)) else {
                        return Some((id(&1), Change::Multi(vec![Change::Error(-101); wishes.len()])));
                    };
                    ahead.apply(&transaction(0, id(&1), change.clone()));
                    changes.push(change);
                }
                (id(&1), Change::Multi(changes))
            }
        })
    }

    fn apply(&mut self, transaction: &Transaction) {
        let (zxid, time) = (transaction.zxid.0.cast_signed(), transaction.time);
        let changes = match &transaction.change {
            Change::Multi(changes) => changes.clone(),
            change => vec![change.clone()],
        };
        for change in changes {
            match change {
                Change::CreateSession { timeout } => {
                    self.sessions.insert(transaction.session, timeout);
                }
                Change::CloseSession { .. } => {
                    for path in self.ephemerals(transaction.session) {
                        self.remove(&path, zxid);
                    }
                    self.sessions.remove(&transaction.session);
                }
                Change::Create { op, path, data, acl, ephemeral, ttl, .. } => {
                    let owner = match op {
                        OpCode::CreateContainer => Owner::Container,
                        OpCode::CreateTtl => Owner::TimeToLive(ttl),
                        _ if ephemeral => Owner::Session(transaction.session),
                        _ => Owner::Nobody,
                    };
                    let parent = self.nodes.get_mut(above(&path)).unwrap();
                    parent.creations += 1;
                    parent.stat.cversion += 1;
                    parent.stat.num_children += 1;
                    parent.stat.pzxid = zxid;
                    let stat = Stat {
                        czxid: zxid,
                        mzxid: zxid,
                        pzxid: zxid,
                        ctime: time,
                        mtime: time,
                        ephemeral_owner: if ephemeral { transaction.session.0 } else { 0 },
                        data_length: data.as_ref().map_or(0, |data| data.len() as i32),
                        ..Stat::default()
                    };
                    self.nodes.insert(path, ModelNode { data, acl, owner, stat, creations: 0 });
                }
                Change::Delete { path, .. } => self.remove(&path, zxid),
                Change::SetData { path, data, version } => {
                    let node = self.nodes.get_mut(&path).unwrap();
                    let data_length = data.as_ref().map_or(0, |data| data.len() as i32);
                    node.data = data;
                    node.stat = Stat { mzxid: zxid, mtime: time, version, data_length, ..node.stat };
                }
                Change::SetAcl { path, acl, version } => {
                    let node = self.nodes.get_mut(&path).unwrap();
                    node.acl = acl;
                    node.stat.aversion = version;
                }
                Change::Check { .. } | Change::Error(_) => {}
                Change::Multi(_) | Change::Reconfig { .. } | Change::NextMembers { .. } => unreachable!(),
            }
        }
    }

    fn remove(&mut self, path: &str, zxid: i64) {
        self.nodes.remove(path).unwrap();
        let parent = self.nodes.get_mut(above(path)).unwrap();
        parent.stat.cversion += 1;
        parent.stat.num_children -= 1;
        parent.stat.pzxid = zxid;
    }

    fn ephemerals(&self, session: SessionId) -> Vec<String> {
        let own = self.nodes.iter().filter(|(_, node)| node.owner == Owner::Session(session));
        own.map(|(path, _)| path.clone()).collect()
    }

    fn usage(&self, top: &str) -> QuotaUsage {
        let nodes = self.nodes.iter().filter(|(path, _)| *path == top || is_below(path, top));
        let bytes = |node: &ModelNode| i64::from(node.stat.data_length);
        nodes.fold(QuotaUsage::default(), |sum, (_, node)| QuotaUsage {
            count: sum.count + 1,
            bytes: sum.bytes + bytes(node),
        })
    }

    fn digest(&self) -> u64 {
        let nodes = self.nodes.iter().filter(|(path, _)| !path.starts_with("/zookeeper/"));
        let digest = |(path, node): (&String, &ModelNode)| {
            let ModelNode { stat, owner, creations, data, .. } = node;
            let mut bytes = path.trim_start_matches('/').as_bytes().to_vec();
            if path != "/" {
                bytes.insert(0, b'/');
            }
            bytes.extend(data.iter().flat_map(|data| data.iter()));
            for long in [stat.czxid, stat.mzxid, stat.pzxid, stat.ctime, stat.mtime] {
                bytes.extend(long.to_be_bytes());
            }
            for int in [stat.version, *creations, stat.aversion] {
                bytes.extend(int.to_be_bytes());
            }
            bytes.extend(owner.stored().to_be_bytes());
            u64::from(crc32fast::hash(&bytes))
        };
        nodes.map(digest).sum()
    }

    /// Compares everything that can be read.
    fn assert_equals(&self, state: &State) {
        assert_eq!(state.node_count(), self.nodes.len());
        for (path, node) in &self.nodes {
            let found = state.node(path).unwrap_or_else(|| panic!("{path} is missing"));
            let (mut data, mut stat) = (node.data.clone(), node.stat);
            let subject = path.strip_prefix("/zookeeper/quota").unwrap_or("");
            if let Some(subject) = subject.strip_suffix("/zookeeper_stats") {
                let QuotaUsage { count, bytes } = self.usage(subject);
                let text = format!("count={count},bytes={bytes}");
                (data, stat.data_length) = (Some(text.as_bytes().into()), text.len() as i32);
            }
            assert_eq!((found.data(), found.stat()), (data, stat), "{path}");
            assert_eq!(found.acl(), node.acl);
            let children: BTreeSet<_> = found.children().collect();
            let below = self.nodes.keys().filter(|other| is_below(other, path));
            let is_child = |other: &&String| above(other) == path;
            let expected = below.clone().filter(is_child).map(|child| child.rsplit('/').next().unwrap());
            assert_eq!(children, expected.collect(), "{path}");
            assert_eq!(found.descendants(), below.count(), "{path}");
            let limited =
                |top: &str| self.nodes.contains_key(&format!("/zookeeper/quota{top}/zookeeper_limits"));
            let quota =
                ["/a/a", "/a"].into_iter().find(|top| (path == top || is_below(path, top)) && limited(top));
            let found = state.quota_above(path).map(|quota| (quota.path, quota.usage));
            assert_eq!(found, quota.map(|top| (top, self.usage(top))));
        }
        assert_eq!(state.sessions().collect::<BTreeMap<_, _>>(), self.sessions);
        for session in 1..=3 {
            let found: Vec<_> = state.ephemerals(SessionId(session)).collect();
            assert_eq!(found, self.ephemerals(SessionId(session)));
        }
        assert_eq!(state.node_digest(), self.digest());
        let characters: usize = self.nodes.keys().map(|path| path.chars().count()).sum();
        let bytes: i64 = self.nodes.values().map(|node| i64::from(node.stat.data_length)).sum();
        assert_eq!(state.data_size(), characters as i64 + bytes);
        assert!(state.is_consistent());
    }
}

impl Wish {
    fn by_session(&self, session: u8) -> Self {
        match self.clone() {
            Self::Create { path, kind, data, perms, .. } => Self::Create { path, kind, session, data, perms },
            other => other,
        }
    }
}

fn transaction(zxid: u64, session: SessionId, change: Change) -> Transaction {
    let origin = Origin { server: ServerId(1), boot: 0, client: 0, number: 0 };
    let time = 5 * zxid.cast_signed();
    Transaction { origin, session, cxid: 0, zxid: Zxid(zxid), time, change, digest: None }
}

/// A history that a leader could have prepared, and the model after it.
fn history(wishes: &[Wish]) -> (Vec<Transaction>, Model) {
    let mut model = Model::new();
    let mut transactions = Vec::new();
    for (zxid, wish) in (1..).zip(wishes) {
        let (session, change) = model.prepare(wish).unwrap_or((SessionId(0), Change::Error(-101)));
        let transaction = transaction(zxid, session, change);
        model.apply(&transaction);
        transactions.push(transaction);
    }
    (transactions, model)
}

fn play(state: &mut State, transactions: &[Transaction]) {
    for transaction in transactions {
        state.apply(transaction, &mut |_| ());
    }
}

fn chunks(state: &State, limit: usize) -> Vec<Vec<u8>> {
    let mut snapshot = state.snapshot();
    std::iter::from_fn(|| snapshot.next_chunk(limit)).map(|(chunk, _)| chunk).collect()
}

fn build<'a>(chunks: impl IntoIterator<Item = &'a Vec<u8>>) -> Option<State> {
    let mut builder = StateBuilder::default();
    for chunk in chunks {
        builder.add(chunk).ok()?;
    }
    builder.finish().ok()
}

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    prop::collection::vec(wish(), 0..150)
}

proptest! {
    #[test]
    fn a_history_leads_to_the_state_of_the_model_directly_and_through_a_snapshot(
        wishes in wishes(),
        limit in 1..2_000_usize,
    ) {
        let (transactions, model) = history(&wishes);
        let mut state = State::default();
        play(&mut state, &transactions);
        model.assert_equals(&state);
        let loaded = build(&chunks(&state, limit)).unwrap();
        model.assert_equals(&loaded);
        prop_assert_eq!(loaded.digest(), state.digest());
    }

    #[test]
    fn applying_each_transaction_twice_changes_nothing(wishes in wishes()) {
        let (transactions, model) = history(&wishes);
        let mut state = State::default();
        for transaction in &transactions {
            play(&mut state, &[transaction.clone(), transaction.clone()]);
        }
        model.assert_equals(&state);
    }

    /// Replay begins anywhere at or before the snapshot's label.
    #[test]
    fn history_applied_again_over_a_later_snapshot_leads_to_the_same_state(
        wishes in wishes(),
        cut in any::<prop::sample::Index>(),
        overlap in any::<prop::sample::Index>(),
    ) {
        let (transactions, model) = history(&wishes);
        let cut = cut.index(transactions.len() + 1);
        let from = overlap.index(cut + 1);
        let mut state = State::default();
        play(&mut state, &transactions[..cut]);
        let mut state = build(&chunks(&state, 500)).unwrap();
        play(&mut state, &transactions[from..]);
        model.assert_equals(&state);
    }

    /// Transactions in any order make no history, but they must not break the state either.
    #[test]
    fn transactions_in_any_order_leave_a_state_whose_parts_agree(
        wishes in wishes(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..100),
    ) {
        let (transactions, _) = history(&wishes);
        let mut state = State::default();
        if !transactions.is_empty() {
            for index in order {
                play(&mut state, &[transactions[index.index(transactions.len())].clone()]);
            }
        }
        prop_assert!(state.is_consistent());
    }

    #[test]
    fn chunks_with_changed_bytes_give_a_state_whose_parts_agree_or_an_error(
        wishes in wishes(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..3),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut state = State::default();
        play(&mut state, &history(&wishes).0);
        let mut chunks = chunks(&state, 300);
        for (chunk, at, byte) in changes {
            let chunk = chunk.get_mut(&mut chunks);
            let at = at.index(chunk.len());
            chunk[at] = byte;
        }
        for index in order {
            let other = index.index(chunks.len());
            chunks.swap(0, other);
        }
        if let Some(state) = build(&chunks) {
            prop_assert!(state.is_consistent());
        }
    }

    #[test]
    fn any_bytes_give_a_state_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(build([&bytes]).is_none_or(|state| state.is_consistent()));
    }
}
