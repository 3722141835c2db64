use zabrus_core::wire::{
    Change, Create, CreateTtl, Delete, ErrorCode, GetChildren2Response, GetDataResponse, MultiHeader, OpCode,
    PathWatch, SetData, Stat,
};
use zabrus_core::{Bytes, Duration, Epoch, jute};

use super::*;

const SESSION: SessionId = SessionId(7);

struct Course {
    model: Model,
    counter: u32,
    identities: Vec<Id>,
}

impl Course {
    fn new() -> Self {
        let settings = ServiceSettings {
            extended_types: true,
            enforce_quota: true,
            ..ServiceSettings::new(Duration::from_millis(2_000))
        };
        let address = Id { scheme: "ip".into(), id: "10.0.0.1".into() };
        let mut course = Self { model: Model::new(settings), counter: 0, identities: vec![address] };
        course.write(OpCode::CreateSession, &jute::encode(&10_000));
        course
    }

    fn zxid(&self) -> Zxid {
        Zxid::new(Epoch(1), self.counter)
    }

    /// The code and the body of the answer, and what the transaction says.
    fn write(&mut self, op: OpCode, body: &[u8]) -> (i32, Bytes, Change) {
        self.counter += 1;
        let (zxid, time) = (self.zxid(), i64::from(self.counter) * 10);
        let identities = &self.identities;
        let executed =
            self.model.execute(&Request { session: SESSION, local: false, identities, op, body, zxid, time });
        let (code, body) = executed.answer.clone();
        let change = executed.change.clone();
        self.model.commit(executed);
        (code, body, change)
    }

    fn create(&mut self, path: &str, flags: i32) -> Result<String, i32> {
        let (code, body, _) = self.write(OpCode::Create, &create(path, b"data", flags));
        if code == 0 { Ok(jute::decode(&body).unwrap()) } else { Err(code) }
    }

    fn delete(&mut self, path: &str, version: i32) -> i32 {
        self.write(OpCode::Delete, &jute::encode(&Delete { path: path.into(), version })).0
    }

    fn set(&mut self, path: &str, data: &[u8], version: i32) -> Result<Stat, i32> {
        let data = Some(Bytes::from(data));
        let (code, body, _) =
            self.write(OpCode::SetData, &jute::encode(&SetData { path: path.into(), data, version }));
        if code == 0 { Ok(jute::decode(&body).unwrap()) } else { Err(code) }
    }

    fn read(&self, op: OpCode, path: &str, zxid: Zxid) -> Answer {
        let body = jute::encode(&PathWatch { path: path.into(), watch: false });
        self.model.read(zxid, (SESSION, &self.identities), op, &body)
    }

    fn stat(&self, path: &str) -> Stat {
        jute::decode(&self.read(OpCode::Exists, path, self.zxid()).unwrap()).unwrap()
    }
}

fn create_acl(path: &str, data: &[u8], acl: Vec<Acl>, flags: i32) -> Create {
    Create { path: path.into(), data: Some(Bytes::from(data)), acl: Some(acl), flags }
}

fn create(path: &str, data: &[u8], flags: i32) -> Vec<u8> {
    jute::encode(&create_acl(path, data, open_acl(), flags))
}

fn multi(writes: &[(OpCode, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (op, write) in writes {
        jute::encode_into(&mut body, &MultiHeader { op: op.code(), done: false, err: -1 });
        body.extend_from_slice(write);
    }
    jute::encode_into(&mut body, &MultiHeader::END);
    body
}

#[test]
fn an_empty_tree_has_the_digest_and_the_stats_that_apache_shows() {
    let course = Course::new();
    assert_eq!(course.model.digest_at(0), 1_371_985_504);
    let root = course.stat("/");
    assert_eq!((root.cversion, root.num_children, root.czxid), (-1, 1, 0));
    let system = course.stat("/zookeeper");
    assert_eq!((system.cversion, system.num_children), (-2, 2));
    assert_eq!(course.stat("/zookeeper/config").aversion, -1);
    let count = course.read(OpCode::GetAllChildrenNumber, "/", course.zxid()).unwrap();
    assert_eq!(jute::decode::<i32>(&count), Ok(3));
}

#[test]
fn stats_evolve_as_the_reference_says() {
    let mut course = Course::new();
    course.create("/a", 0).unwrap();
    course.create("/a/b", 0).unwrap();
    course.create("/a/c", 0).unwrap();
    assert_eq!(course.delete("/a/b", 0), 0);
    let stat = course.stat("/a");
    assert_eq!((stat.cversion, stat.num_children, stat.pzxid), (3, 1, course.zxid().0 as i64));
    assert_eq!((stat.mzxid, stat.version), (stat.czxid, 0));
    let set = course.set("/a", b"four", 0).unwrap();
    assert_eq!((set.version, set.data_length, set.mzxid, set.mtime), (1, 4, set.pzxid + 1, 60));
    assert_eq!(course.set("/a", b"", 0), Err(ErrorCode::BadVersion.code()));
    assert_eq!(course.set("/a", b"", -2), Err(ErrorCode::BadVersion.code()));
    assert_eq!(course.set("/a", b"", -1).unwrap().version, 2);
}

#[test]
fn the_state_at_any_earlier_transaction_can_be_read() {
    let mut course = Course::new();
    course.create("/a", 0).unwrap();
    let first = course.zxid();
    course.set("/a", b"second", -1).unwrap();
    course.create("/a/b", 0).unwrap();
    assert_eq!(course.delete("/a/b", -1), 0);
    assert_eq!(course.delete("/a", -1), 0);
    let data = |answer: Answer| jute::decode::<GetDataResponse>(&answer.unwrap()).unwrap().data;
    assert_eq!(data(course.read(OpCode::GetData, "/a", first)).as_deref(), Some(&b"data"[..]));
    let second = Zxid(first.0 + 2);
    assert_eq!(data(course.read(OpCode::GetData, "/a", second)).as_deref(), Some(&b"second"[..]));
    let list = course.read(OpCode::GetChildren2, "/a", second).unwrap();
    let list: GetChildren2Response = jute::decode(&list).unwrap();
    assert_eq!((list.children, list.stat.num_children), (vec!["b".to_owned()], 1));
    assert_eq!(course.read(OpCode::GetData, "/a", course.zxid()), Err(ErrorCode::NoNode));
}

#[test]
fn sequential_names_count_all_children_ever_created() {
    let mut course = Course::new();
    course.create("/q", 0).unwrap();
    assert_eq!(course.create("/q/n-", 2).as_deref(), Ok("/q/n-0000000000"));
    course.create("/q/other", 0).unwrap();
    assert_eq!(course.delete("/q/other", -1), 0);
    assert_eq!(course.create("/q/", 3).as_deref(), Ok("/q/0000000002"));
}

#[test]
fn creations_are_refused_in_the_order_of_the_reference() {
    let mut course = Course::new();
    let code = |error: ErrorCode| Err::<String, _>(error.code());
    course.create("/e", 1).unwrap();
    assert_eq!(course.create("/a", 7), code(ErrorCode::BadArguments));
    assert_eq!(course.create("a", 0), code(ErrorCode::BadArguments));
    assert_eq!(course.create("/", 0), code(ErrorCode::NodeExists));
    assert_eq!(course.create("/no//b", 0), code(ErrorCode::NoNode));
    assert_eq!(course.create("/e/../b", 0), code(ErrorCode::NoNode));
    assert_eq!(course.create("/..", 0), code(ErrorCode::BadArguments));
    assert_eq!(course.create("/e", 0), code(ErrorCode::NodeExists));
    assert_eq!(course.create("/e/child", 0), code(ErrorCode::NoChildrenForEphemerals));
    assert_eq!(course.delete("/zookeeper", -1), ErrorCode::BadArguments.code());
    assert_eq!(course.delete("/none", 5), ErrorCode::NoNode.code());
    assert_eq!(course.model.at("/zookeeper", course.zxid()).unwrap().children, 2);
}

#[test]
fn a_multi_is_done_as_a_whole_or_not_at_all() {
    let mut course = Course::new();
    let set =
        |version| jute::encode(&SetData { path: "/a".into(), data: Some(Bytes::from(&b"x"[..])), version });
    let body = multi(&[
        (OpCode::Create, create("/a", b"", 0)),
        (OpCode::Create, create("/a/b", b"", 0)),
        (OpCode::SetData, set(0)),
    ]);
    let (code, _, change) = course.write(OpCode::Multi, &body);
    assert_eq!(code, 0);
    assert!(matches!(change, Change::Multi(changes) if changes.len() == 3));
    let before = course.model.digest();
    let body = multi(&[
        (OpCode::Create, create("/c", b"", 0)),
        (OpCode::SetData, set(7)),
        (OpCode::SetData, set(-1)),
    ]);
    let (code, _, change) = course.write(OpCode::Multi, &body);
    let codes = [0, ErrorCode::BadVersion.code(), ErrorCode::RuntimeInconsistency.code()];
    assert_eq!((code, change), (0, Change::Multi(codes.map(Change::Error).to_vec())));
    assert_eq!(course.model.digest(), before);
}

#[test]
fn the_end_of_a_session_takes_its_ephemeral_nodes_and_its_later_writes() {
    let mut course = Course::new();
    course.create("/a", 0).unwrap();
    course.create("/a/e", 1).unwrap();
    course.create("/f", 1).unwrap();
    let end = course.zxid();
    let (code, _, change) = course.write(OpCode::CloseSession, &[]);
    let paths = vec!["/a/e".to_owned(), "/f".to_owned()];
    assert_eq!((code, change), (0, Change::CloseSession { paths }));
    assert!(!course.model.is_alive(SESSION));
    assert_eq!(course.stat("/a").num_children, 0);
    assert_eq!(course.model.ephemerals(SESSION, end).count(), 2);
    assert_eq!(course.create("/late", 1), Err(ErrorCode::SessionExpired.code()));
    let of_close = course.model.triggers().iter().filter(|trigger| trigger.unordered).count();
    assert_eq!(of_close, 4);
}

#[test]
fn lists_decide_who_may_do_what() {
    let mut course = Course::new();
    let id = |scheme: &str, id: &str| Id { scheme: scheme.into(), id: id.into() };
    let entry = |perms, scheme: &str, name: &str| Acl { perms, id: id(scheme, name) };
    let of = |acl: Vec<Acl>| jute::encode(&create_acl("/a", b"", acl, 0));
    for bad in [vec![], vec![entry(31, "auth", "")], vec![entry(31, "x509", "a")]] {
        assert_eq!(course.write(OpCode::Create, &of(bad)).0, ErrorCode::InvalidAcl.code());
    }
    course.identities.push(id("digest", "u:hash"));
    let (code, _, change) = course.write(OpCode::Create, &of(vec![entry(9, "auth", "any")]));
    assert_eq!(code, 0);
    assert!(matches!(change, Change::Create { acl, .. } if acl == [entry(9, "digest", "u:hash")]));
    assert_eq!(course.set("/a", b"", -1), Err(ErrorCode::NoAuth.code()));
    assert!(course.read(OpCode::GetData, "/a", course.zxid()).is_ok());
    let list = course.read(OpCode::GetAcl, "/a", course.zxid()).unwrap();
    assert!(list.windows(3).any(|bytes| bytes == b"u:x"), "masked");
    course.identities.pop();
    assert_eq!(course.read(OpCode::GetData, "/a", course.zxid()), Err(ErrorCode::NoAuth));
    assert!(permits(&[entry(1, "ip", "10.0.1.0/23")], 1, &course.identities));
    assert!(!permits(&[entry(1, "ip", "10.0.0.0/32")], 1, &course.identities));
}

#[test]
fn a_quota_counts_a_subtree_and_its_hard_limits_hold() {
    let mut course = Course::new();
    course.create("/a", 0).unwrap();
    course.create("/zookeeper/quota/a", 0).unwrap();
    let limits = b"count=-1,bytes=-1=;byteHardLimit=20;countHardLimit=3";
    for (name, data) in [("zookeeper_limits", &limits[..]), ("zookeeper_stats", b"")] {
        let body = create(&format!("/zookeeper/quota/a/{name}"), data, 0);
        assert_eq!(course.write(OpCode::Create, &body).0, 0);
    }
    course.create("/a/b", 0).unwrap();
    assert_eq!(course.set("/a/b", &[0; 17], -1), Err(ErrorCode::QuotaExceeded.code()));
    course.create("/a/b/c", 0).unwrap();
    assert_eq!(course.create("/a/d", 0), Err(ErrorCode::QuotaExceeded.code()));
    assert!(course.create("/ab", 0).is_ok());
    let usage = course.read(OpCode::GetData, "/zookeeper/quota/a/zookeeper_stats", course.zxid());
    let usage: GetDataResponse = jute::decode(&usage.unwrap()).unwrap();
    assert_eq!(usage.data.as_deref(), Some(&b"count=3,bytes=12"[..]));
}

#[test]
fn containers_and_nodes_past_their_time_may_be_swept() {
    let mut course = Course::new();
    let body = CreateTtl { create: create_acl("/t", b"", open_acl(), 5), ttl: 100 };
    assert_eq!(course.write(OpCode::CreateTtl, &jute::encode(&body)).0, 0);
    let born = i64::from(course.counter) * 10;
    assert!(!course.model.sweepable("/t", born + 100) && course.model.sweepable("/t", born + 101));
    assert_eq!(course.stat("/t").ephemeral_owner, 0);
    course.write(OpCode::CreateContainer, &create("/c", b"", 4));
    assert!(!course.model.sweepable("/c", i64::MAX / 2));
    course.create("/c/child", 0).unwrap();
    assert!(!course.model.sweepable("/c", 0));
    assert_eq!(course.delete("/c/child", -1), 0);
    assert!(course.model.sweepable("/c", 0));
}

#[test]
fn lists_of_names_are_compared_without_their_order() {
    let list = |names: &[&str]| jute::encode(&names);
    assert!(same(OpCode::GetChildren, &list(&["a", "b"]), &list(&["b", "a"])));
    assert!(!same(OpCode::GetChildren, &list(&["a", "b"]), &list(&["b", "b"])));
    assert!(!same(OpCode::GetData, &list(&["a", "b"]), &list(&["b", "a"])));
}
