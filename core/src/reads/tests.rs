use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use super::*;
use crate::identity::{Bytes, ServerId};
use crate::time::Duration;
use crate::wire::{
    Acl, Change, EventType, GetChildren2Response, Origin, ReplyHeader, Stat, Transaction, WatcherEvent, xid,
};

const SESSION: SessionId = SessionId(0x77);
const CLIENT: ClientId = ClientId(5);

/// A server with one client.
struct Server {
    state: State,
    watches: Watches,
    identities: Vec<Id>,
    settings: ServiceSettings,
    zxid: u64,
}

fn id(scheme: &str, id: &str) -> Id {
    Id { scheme: scheme.into(), id: id.into() }
}

fn entry(perms: i32, scheme: &str, name: &str) -> Acl {
    Acl { perms, id: id(scheme, name) }
}

impl Server {
    /// `/a` with data, `/a/b`, `/null`, the ephemeral `/e`, and `/secret`, `/shown` and `/owned` that the
    /// client may not read, may read, and may administer.
    fn new() -> Self {
        let mut server = Self {
            state: State::default(),
            watches: Watches::default(),
            identities: vec![id("ip", "1.2.3.4"), id("digest", "me:hash")],
            settings: ServiceSettings::new(Duration::from_millis(2_000)),
            zxid: 0,
        };
        server.apply(Change::CreateSession { timeout: 4_000 });
        server.create("/a", Some(b"data"), "world", "anyone");
        server.create("/a/b", Some(b""), "world", "anyone");
        server.create("/null", None, "world", "anyone");
        server.create("/secret", Some(b"s"), "digest", "you:hash");
        server.create("/shown", Some(b"s"), "ip", "1.2.3.0/24");
        server.create("/owned", Some(b"s"), "digest", "me:hash");
        server.create("/e", None, "world", "anyone");
        server
    }

    fn apply(&mut self, change: Change) {
        self.zxid += 1;
        let origin = Origin { server: ServerId(1), boot: 1, client: 0, number: 0 };
        let (session, zxid) = (SESSION, Zxid(self.zxid));
        let transaction = Transaction { origin, session, cxid: 0, zxid, time: 1_000, change, digest: None };
        let _ = self.state.apply(&transaction, &mut |_| {});
    }

    fn create(&mut self, path: &str, data: Option<&[u8]>, scheme: &str, name: &str) {
        let perms = if scheme == "ip" { Permissions::READ } else { Permissions::ALL };
        self.apply(Change::Create {
            op: OpCode::Create,
            path: path.into(),
            data: data.map(Bytes::from),
            acl: vec![entry(perms, scheme, name)],
            ephemeral: path == "/e",
            parent_cversion: i32::try_from(self.zxid).expect("few"),
            ttl: 0,
        });
    }

    fn delete(&mut self, path: &str) {
        self.apply(Change::Delete { op: OpCode::Delete, path: path.into() });
    }

    fn set_data(&mut self, path: &str) {
        self.apply(Change::SetData { path: path.into(), data: None, version: 1 });
    }

    fn frames(&mut self, op: OpCode, body: &[u8]) -> Vec<Vec<u8>> {
        let context = ReadContext {
            state: &self.state,
            watches: &mut self.watches,
            client: CLIENT,
            session: SESSION,
            identities: &self.identities,
            zxid: Zxid(self.zxid),
            settings: &self.settings,
        };
        let mut frames = Vec::new();
        answer(context, 9, op, body, &mut |frame| {
            let length = i32::from_be_bytes(frame[..4].try_into().expect("a length"));
            assert_eq!(usize::try_from(length), Ok(frame.len() - 4));
            frames.push(frame[4..].to_vec());
        });
        frames
    }

    /// The body of the only answer, or its error; the header must name the request and what was applied.
    fn ask(&mut self, op: OpCode, body: &[u8]) -> Result<Vec<u8>, ErrorCode> {
        let frames = self.frames(op, body);
        assert_eq!(frames.len(), 1);
        let header: ReplyHeader = jute::decode(&frames[0]).expect("a header");
        assert_eq!((header.xid, header.zxid), (9, self.zxid.cast_signed()));
        match header.err {
            0 => Ok(frames[0][16..].to_vec()),
            code => {
                assert_eq!(frames[0].len(), 16, "a refusal has no body");
                Err(ErrorCode::from_code(code).expect("a code"))
            }
        }
    }

    fn read<T: DeserializeOwned>(&mut self, op: OpCode, path: &str, watch: bool) -> Result<T, ErrorCode> {
        let body = self.ask(op, &jute::encode(&(path, watch)))?;
        let mut decoder = Decoder::new(&body);
        let record = decoder.read().expect("the record of this operation");
        assert!(decoder.remaining().is_empty());
        Ok(record)
    }

    fn stat(&mut self, path: &str) -> Stat {
        self.state.node(path).expect("a node").stat()
    }

    fn watches(&self, path: &str, kind: WatchKind) -> bool {
        self.watches.contains(CLIENT, path, Some(kind))
    }
}

type Data = (Option<String>, Stat);

#[test]
fn get_data_gives_data_and_stat_and_keeps_null_and_empty_apart() {
    let mut server = Server::new();
    for (path, data) in [("/a", Some("data")), ("/a/b", Some("")), ("/null", None)] {
        let stat = server.stat(path);
        let expected: Data = (data.map(String::from), stat);
        assert_eq!(server.read::<Data>(OpCode::GetData, path, false), Ok(expected));
    }
}

#[test]
fn the_bytes_of_an_answer_are_those_of_the_reference() {
    let mut server = Server::new();
    let long = |n: i64| n.to_be_bytes().to_vec();
    let int = |n: i32| n.to_be_bytes().to_vec();
    let stat = [
        [long(2), long(2), long(1_000), long(1_000)].concat(),
        [int(0), int(3), int(0), long(0), int(4), int(1), long(3)].concat(),
    ]
    .concat();
    assert_eq!(stat.len(), 68);
    let expected = [int(9), long(8), int(0), int(4), b"data".to_vec(), stat].concat();
    assert_eq!(server.frames(OpCode::GetData, b"\0\0\0\x02/a\0"), [expected]);
    let refusal = [int(9), long(8), int(-101)].concat();
    assert_eq!(server.frames(OpCode::GetData, b"\0\0\0\x02/z\0"), [refusal]);
    assert_eq!(
        server.frames(OpCode::WhoAmI, b"")[0][16..],
        *b"\0\0\0\x02\0\0\0\x02ip\0\0\0\x071.2.3.4\0\0\0\x06digest\0\0\0\x02me"
    );
}

#[test]
fn the_empty_path_reads_the_root_and_no_other_path_is_an_alias() {
    let mut server = Server::new();
    let root = server.read::<Stat>(OpCode::Exists, "/", false);
    assert!(root.is_ok());
    assert_eq!(server.read::<Stat>(OpCode::Exists, "", false), root);
    for path in ["/a/", "a", "//", "/a//b", "/."] {
        assert_eq!(server.read::<Data>(OpCode::GetData, path, true), Err(ErrorCode::NoNode));
    }
}

#[test]
fn only_exists_refuses_a_nul() {
    let mut server = Server::new();
    assert_eq!(server.read::<Stat>(OpCode::Exists, "/a\0", true), Err(ErrorCode::BadArguments));
    assert_eq!(server.read::<Data>(OpCode::GetData, "/a\0", true), Err(ErrorCode::NoNode));
    assert_eq!(server.watches.count(), 0);
}

#[test]
fn who_may_not_read_reads_nothing_and_arms_nothing() {
    let mut server = Server::new();
    for op in [OpCode::Exists, OpCode::GetData, OpCode::GetChildren, OpCode::GetChildren2] {
        assert_eq!(server.read::<Stat>(op, "/secret", true), Err(ErrorCode::NoAuth));
    }
    for op in [OpCode::GetAcl, OpCode::GetAllChildrenNumber] {
        assert_eq!(server.ask(op, &jute::encode("/secret")), Err(ErrorCode::NoAuth));
        assert_eq!(server.ask(op, &jute::encode("/missing")), Err(ErrorCode::NoNode));
    }
    assert_eq!(server.watches.count(), 0);
    server.settings.skip_acl = true;
    assert!(server.read::<Data>(OpCode::GetData, "/secret", false).is_ok());
}

#[test]
fn reads_arm_their_watch_when_they_succeed() {
    let mut server = Server::new();
    for (op, kind) in [
        (OpCode::Exists, WatchKind::Data),
        (OpCode::GetData, WatchKind::Data),
        (OpCode::GetChildren, WatchKind::Child),
        (OpCode::GetChildren2, WatchKind::Child),
    ] {
        server.ask(op, &jute::encode(&("/a", false))).expect("readable");
        assert_eq!(server.watches.count(), 0);
        server.ask(op, &jute::encode(&("/a", true))).expect("readable");
        assert!(server.watches("/a", kind));
        assert_eq!(server.watches.count(), 1);
        server.watches.remove_client(CLIENT);
    }
}

#[test]
fn only_exists_arms_a_watch_on_a_missing_node() {
    let mut server = Server::new();
    for op in [OpCode::GetData, OpCode::GetChildren, OpCode::GetChildren2] {
        assert_eq!(server.ask(op, &jute::encode(&("/z", true))), Err(ErrorCode::NoNode));
        assert_eq!(server.watches.count(), 0);
    }
    assert_eq!(server.ask(OpCode::Exists, &jute::encode(&("/z", true))), Err(ErrorCode::NoNode));
    assert!(server.watches("/z", WatchKind::Data));
}

#[test]
fn children_are_names_and_the_second_form_has_the_stat() {
    let mut server = Server::new();
    let mut names = server.read::<Vec<String>>(OpCode::GetChildren, "/", false).expect("readable");
    names.sort();
    assert_eq!(names, ["a", "e", "null", "owned", "secret", "shown", "zookeeper"]);
    let expected = GetChildren2Response { children: vec!["b".into()], stat: server.stat("/a") };
    assert_eq!(server.read(OpCode::GetChildren2, "/a", false), Ok(expected));
}

#[test]
fn hashes_are_shown_to_administrators_only() {
    let mut server = Server::new();
    let acl = |server: &mut Server, path: &str| {
        let body = server.ask(OpCode::GetAcl, &jute::encode(path)).expect("readable");
        jute::decode::<GetAclResponse>(&body).expect("a list").acl
    };
    assert_eq!(acl(&mut server, "/owned"), [entry(31, "digest", "me:hash")]);
    assert_eq!(acl(&mut server, "/shown"), [entry(1, "ip", "1.2.3.0/24")]);
    let list = vec![entry(1, "world", "anyone"), entry(31, "digest", "you:hash")];
    server.apply(Change::SetAcl { path: "/shown".into(), acl: list, version: 1 });
    assert_eq!(acl(&mut server, "/shown"), [entry(1, "world", "anyone"), entry(31, "digest", "you:x")]);
    server.identities.push(id("super", ""));
    assert_eq!(acl(&mut server, "/shown")[1], entry(31, "digest", "you:hash"));
}

#[test]
fn all_descendants_are_counted() {
    let mut server = Server::new();
    for (path, expected) in [("/", 10_u8), ("", 11), ("/a", 1), ("/a/b", 0)] {
        let body = server.ask(OpCode::GetAllChildrenNumber, &jute::encode(path));
        assert_eq!(body, Ok(vec![0, 0, 0, expected]));
    }
}

#[test]
fn ephemerals_are_chosen_by_the_beginning_of_their_paths() {
    let mut server = Server::new();
    for (prefix, found) in
        [(None, 1), (Some(""), 1), (Some(" "), 1), (Some("/"), 1), (Some("/e"), 1), (Some("/f"), 0)]
    {
        let body = server.ask(OpCode::GetEphemerals, &jute::encode(&prefix)).expect("a list");
        let expected = ["/e"; 1][..found].to_vec();
        assert_eq!(body, jute::encode(&expected), "{prefix:?}");
    }
}

#[test]
fn a_body_that_does_not_decode_is_a_marshalling_error() {
    let mut server = Server::new();
    let null_path = [&[0xff; 4][..], &[0; 8]].concat();
    for op in [
        OpCode::Exists,
        OpCode::GetData,
        OpCode::GetChildren,
        OpCode::GetChildren2,
        OpCode::GetAcl,
        OpCode::GetAllChildrenNumber,
        OpCode::MultiRead,
    ] {
        assert_eq!(server.ask(op, &null_path), Err(ErrorCode::MarshallingError), "{op:?}");
        assert_eq!(server.ask(op, b"\0\0"), Err(ErrorCode::MarshallingError), "{op:?}");
    }
    for op in [OpCode::AddWatch, OpCode::CheckWatches, OpCode::RemoveWatches] {
        assert_eq!(server.ask(op, b"\0\0\0\x01/"), Err(ErrorCode::MarshallingError), "{op:?}");
    }
    // A null list.
    let null_list = [&[0; 8][..], &[0xff; 4], &[0; 20]].concat();
    for op in [OpCode::SetWatches, OpCode::SetWatches2] {
        assert_eq!(server.ask(op, &null_list), Err(ErrorCode::MarshallingError));
    }
    assert_eq!(server.ask(OpCode::Create, b""), Err(ErrorCode::Unimplemented));
}

fn multi_read(reads: &[(OpCode, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (op, path) in reads {
        jute::encode_into(&mut body, &(MultiHeader { op: op.code(), done: false, err: -1 }, (path, true)));
    }
    jute::encode_into(&mut body, &MultiHeader::END);
    body
}

#[test]
fn a_multi_read_answers_each_part_and_arms_no_watch() {
    let mut server = Server::new();
    let parts = [
        (OpCode::GetData, "/a"),
        (OpCode::GetData, "/missing"),
        (OpCode::GetChildren, "/secret"),
        (OpCode::GetChildren, "/a"),
    ];
    let body = server.ask(OpCode::MultiRead, &multi_read(&parts)).expect("answers");
    let header = |op, err| MultiHeader { op, done: false, err };
    let stat = server.stat("/a");
    let expected = [
        jute::encode(&(header(4, 0), "data", stat)),
        jute::encode(&(header(-1, -101), -101)),
        jute::encode(&(header(-1, -102), -102)),
        jute::encode(&(header(8, 0), vec!["b"])),
        jute::encode(&MultiHeader::END),
    ];
    assert_eq!(body, expected.concat());
    assert_eq!(server.watches.count(), 0);
    assert_eq!(server.ask(OpCode::MultiRead, &multi_read(&[])), Ok(jute::encode(&MultiHeader::END)));
}

/// ZooKeeper sends the results so far behind the error.
#[test]
fn a_multi_read_that_is_spoilt_is_refused_with_the_results_before() {
    let mut server = Server::new();
    let header = |op| MultiHeader { op, done: false, err: -1 };
    let refusal = ReplyHeader { xid: 9, zxid: server.zxid.cast_signed(), err: -5 };
    let check = jute::encode(&(header(OpCode::Check.code()), "/a", 0, MultiHeader::END));
    let expected = jute::encode(&(refusal, MultiHeader::END));
    assert_eq!(server.frames(OpCode::MultiRead, &check), [expected]);
    let null = (header(4), None::<&str>, false);
    let spoilt = jute::encode(&((header(8), "/a", false), null, null, MultiHeader::END));
    let names = (MultiHeader { op: 8, done: false, err: 0 }, vec!["b"]);
    assert_eq!(
        server.frames(OpCode::MultiRead, &spoilt),
        [jute::encode(&(refusal, names, MultiHeader::END))]
    );
    let mixed = jute::encode(&((header(8), "/a", false), header(13), "/a", 0, MultiHeader::END));
    assert_eq!(server.frames(OpCode::MultiRead, &mixed), [jute::encode(&refusal)]);
}

#[test]
fn a_multi_read_cannot_ask_for_more_than_its_limit() {
    let mut server = Server::new();
    let megabyte = vec![7; 1 << 20];
    server.create("/big", Some(&megabyte), "world", "anyone");
    let body =
        server.ask(OpCode::MultiRead, &multi_read(&[(OpCode::GetData, "/big"); 100])).expect("answers");
    assert!(body.len() < MULTI_READ_LIMIT + (2 << 20));
    let refused = jute::encode(&(MultiHeader { op: -1, done: false, err: -1 }, -1, MultiHeader::END));
    assert!(body.ends_with(&refused));
}

#[test]
fn watches_are_added_checked_and_removed_by_kind() {
    let mut server = Server::new();
    let kinds =
        [(1, WatchKind::Child), (2, WatchKind::Data), (4, WatchKind::Persistent), (5, WatchKind::Recursive)];
    server.ask(OpCode::GetChildren, &jute::encode(&("/a", true))).expect("readable");
    server.ask(OpCode::GetData, &jute::encode(&("/a", true))).expect("readable");
    for mode in [0, 1] {
        assert_eq!(server.ask(OpCode::AddWatch, &jute::encode(&("/a", mode))), Ok(vec![0; 4]));
    }
    for (code, kind) in kinds {
        let body = jute::encode(&("/a", code));
        assert_eq!(server.ask(OpCode::CheckWatches, &body), Ok(vec![]));
        assert_eq!(server.ask(OpCode::RemoveWatches, &body), Ok(vec![]));
        assert!(!server.watches("/a", kind));
        assert_eq!(server.ask(OpCode::CheckWatches, &body), Err(ErrorCode::NoWatcher));
        assert_eq!(server.ask(OpCode::RemoveWatches, &body), Err(ErrorCode::NoWatcher));
    }
    assert_eq!(server.watches.count(), 0);
}

#[test]
fn any_kind_of_watch_means_all_of_them() {
    let mut server = Server::new();
    let any = jute::encode(&("/not/there", 3));
    for mode in [0, 1] {
        server.ask(OpCode::AddWatch, &jute::encode(&("/not/there", mode))).expect("any path will do");
    }
    assert_eq!(server.ask(OpCode::CheckWatches, &any), Ok(vec![]));
    assert_eq!(server.ask(OpCode::RemoveWatches, &any), Ok(vec![]));
    assert_eq!(server.watches.count(), 0);
    assert_eq!(server.ask(OpCode::RemoveWatches, &any), Err(ErrorCode::NoWatcher));
}

#[test]
fn a_null_path_can_be_watched_but_never_hears_anything() {
    let mut server = Server::new();
    let null = |kind: i32| [&[0xff; 4][..], &kind.to_be_bytes()].concat();
    assert_eq!(server.ask(OpCode::CheckWatches, &null(3)), Err(ErrorCode::NoWatcher));
    assert_eq!(server.ask(OpCode::RemoveWatches, &null(3)), Err(ErrorCode::NoWatcher));
    assert_eq!(server.ask(OpCode::AddWatch, &null(0)), Ok(vec![0; 4]));
    server.watches.trigger(EventType::NodeDataChanged, "/", &mut |_| panic!("nobody watches the root"));
}

#[test]
fn unknown_kinds_and_modes_do_not_decode() {
    let mut server = Server::new();
    for kind in [-1, 0, 6] {
        for op in [OpCode::CheckWatches, OpCode::RemoveWatches, OpCode::AddWatch] {
            let answer = server.ask(op, &jute::encode(&("/a", kind)));
            let is_mode = op == OpCode::AddWatch && kind == 0;
            assert_eq!(answer, if is_mode { Ok(vec![0; 4]) } else { Err(ErrorCode::MarshallingError) });
        }
    }
}

/// For each list of setWatches and each thing that may have happened: the event, or the watch.
#[test]
fn a_client_that_was_away_gets_the_event_or_the_watch() {
    use EventType::{NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted};
    let paths = || {
        ["/same", "/changed", "/parent", "/deleted", "/created", "/again", "/never"]
            .map(String::from)
            .to_vec()
    };
    let mut server = Server::new();
    for path in ["/same", "/changed", "/parent", "/deleted", "/again"] {
        server.create(path, None, "world", "anyone");
    }
    let relative_zxid = server.zxid.cast_signed();
    server.set_data("/changed");
    server.create("/parent/child", None, "world", "anyone");
    server.delete("/deleted");
    server.create("/created", None, "world", "anyone");
    server.delete("/again");
    server.create("/again", None, "world", "anyone");

    let data = [
        None,
        Some(NodeDataChanged),
        None,
        Some(NodeDeleted),
        Some(NodeDataChanged),
        Some(NodeDataChanged),
        Some(NodeDeleted),
    ];
    let exist = [
        Some(NodeCreated),
        Some(NodeCreated),
        Some(NodeCreated),
        None,
        Some(NodeCreated),
        Some(NodeCreated),
        None,
    ];
    let child = [
        None,
        None,
        Some(NodeChildrenChanged),
        Some(NodeDeleted),
        Some(NodeChildrenChanged),
        Some(NodeChildrenChanged),
        Some(NodeDeleted),
    ];
    let nothing = SetWatches { relative_zxid, ..SetWatches::default() };
    let lists = [
        (SetWatches { data: paths(), ..nothing.clone() }, WatchKind::Data, data),
        (SetWatches { exist: paths(), ..nothing.clone() }, WatchKind::Data, exist),
        (SetWatches { child: paths(), ..nothing.clone() }, WatchKind::Child, child),
    ];
    for (watches, kind, expected) in lists {
        let frames = server.frames(OpCode::SetWatches, &jute::encode(&watches));
        let (reply, events) = frames.split_last().expect("a reply");
        assert_eq!(jute::decode(reply), Ok(ReplyHeader { xid: 9, zxid: server.zxid.cast_signed(), err: 0 }));
        assert_eq!(reply.len(), 16);
        let events: Vec<_> = events
            .iter()
            .map(|frame| {
                let (header, event): (ReplyHeader, WatcherEvent<'_>) =
                    Decoder::new(frame).read().expect("an event");
                assert_eq!(header, ReplyHeader { xid: xid::NOTIFICATION, zxid: -1, err: 0 });
                assert_eq!(event.state, 3);
                (event.path.into_owned(), event.event)
            })
            .collect();
        let missed =
            paths().into_iter().zip(expected).filter_map(|(path, event)| Some((path, event? as i32)));
        assert_eq!(events, missed.collect::<Vec<_>>());
        for (path, event) in paths().iter().zip(expected) {
            assert_eq!(server.watches(path, kind), event.is_none(), "{path}");
        }
        server.watches.remove_client(CLIENT);
    }
}

#[test]
fn persistent_watches_are_armed_again_without_an_event() {
    let mut server = Server::new();
    let (persistent, recursive) = (vec!["/a".into()], vec!["/missing".into()]);
    let watches = SetWatches2 { persistent, recursive, ..SetWatches2::default() };
    assert_eq!(server.ask(OpCode::SetWatches2, &jute::encode(&watches)), Ok(vec![]));
    assert!(server.watches("/a", WatchKind::Persistent));
    assert!(server.watches("/missing", WatchKind::Recursive));
}
