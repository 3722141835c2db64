//! What clients ask: random requests as frames, over nodes of which about half are there.

use zabrus_core::wire::{
    Acl, AddWatch, Auth, CheckVersion, Create, CreateTtl, Delete, Id, MultiHeader, OpCode, PathOnly,
    PathWatch, Reconfig, SetAcl, SetData, WatcherType,
};
use zabrus_core::{Bytes, jute};

use super::members::change_voters;
use super::registry::Kind;
use crate::ghost::model::open_acl;
use crate::random::Random;
use crate::settings::{LoadSettings, member_line};

/// Users and their passwords; [`digest_id`] says how servers call them.
pub(super) const USERS: [&str; 3] = ["u:p", "alice:secret", "bob:word"];

/// How a server calls whoever proves to be that user (client.md section 14): the base 64 of a SHA-1.
#[must_use]
pub fn digest_id(user: &str) -> Option<&'static str> {
    match user {
        "u:p" => Some("u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ="),
        "alice:secret" => Some("alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E="),
        "bob:word" => Some("bob:HJOLKaCJkAQC5uYhylpA+72TQjU="),
        _ => None,
    }
}

/// A request without its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) op: i32,
    pub(super) body: Vec<u8>,
    /// The watch that a successful answer arms.
    pub(super) watch: Option<(Kind, String)>,
}

impl Ask {
    pub(super) fn new(op: OpCode, body: Vec<u8>) -> Self {
        Self { op: op.code(), body, watch: None }
    }
}

/// The packet by which a client proves to be a user.
pub(super) fn auth(scheme: &str, user: &str) -> Vec<u8> {
    let auth = Some(Bytes::from(user.as_bytes()));
    jute::encode(&Auth { kind: 0, scheme: scheme.into(), auth })
}

/// The creation of a node that goes with its session.
pub(super) fn ephemeral(number: u64) -> Ask {
    let create = Create { path: format!("/parting-{number}"), data: None, acl: Some(open_acl()), flags: 1 };
    Ask::new(OpCode::Create, jute::encode(&create))
}

/// Draws requests.
pub(super) struct Workload<'a> {
    pub(super) settings: &'a LoadSettings,
    pub(super) random: &'a mut Random,
    /// Makes each value unique.
    pub(super) value: u64,
}

impl Workload<'_> {
    /// Any request.
    pub(super) fn request(&mut self) -> Ask {
        let LoadSettings { sync_percent, reads_percent, odd_per_mille, .. } = *self.settings;
        if self.random.chance(odd_per_mille) {
            return self.odd();
        }
        let dice = self.random.below(100) as u32;
        if dice < sync_percent {
            return Ask::new(OpCode::Sync, jute::encode(&self.path()));
        }
        if dice < sync_percent + reads_percent { self.read() } else { self.write() }
    }

    /// A node of the tree: mostly high up, where everybody is.
    fn path(&mut self) -> String {
        let key = self.random.below(u64::from(self.settings.keys.max(1)));
        match self.random.below(10) {
            0..6 => format!("/{key}"),
            6..9 => format!("/{key}/{}", self.random.below(3)),
            _ => format!("/{key}/{}/{}", self.random.below(3), self.random.below(2)),
        }
    }

    fn any_path(&mut self) -> String {
        if self.changes_members() && self.random.chance(50) {
            return "/zookeeper/config".into();
        }
        match self.random.below(20) {
            0 => "/".into(),
            1 => String::new(),
            _ => self.path(),
        }
    }

    fn data(&mut self) -> Option<Bytes> {
        if self.random.chance(20) {
            return None;
        }
        let mut bytes = self.value.to_le_bytes().to_vec();
        let LoadSettings { value_bytes, large_bytes, large_per_mille, .. } = *self.settings;
        let large = self.random.chance(large_per_mille);
        let length = self.random.between(if large { large_bytes } else { value_bytes });
        bytes.resize((length as usize).max(8), self.value as u8);
        Some(bytes.into())
    }

    fn version(&mut self) -> i32 {
        let versioned = self.random.chance(self.settings.versioned_percent * 10);
        if versioned { self.random.below(4) as i32 } else { -1 }
    }

    fn acl(&mut self) -> Option<Vec<Acl>> {
        let entry =
            |perms, scheme: &str, id: &str| Acl { perms, id: Id { scheme: scheme.into(), id: id.into() } };
        let open = || entry(31, "world", "anyone");
        if !self.random.chance(self.settings.acl_percent * 10) {
            return Some(vec![open()]);
        }
        let user = digest_id(self.random.pick::<&str>(&USERS)).unwrap_or_default();
        match self.random.below(10) {
            0 | 1 => Some(vec![entry(31, "auth", "")]),
            2 | 3 => Some(vec![entry(31, "digest", user), entry(1, "world", "anyone")]),
            4 => Some(vec![entry(1, "world", "anyone"), entry(31, "digest", user)]),
            5 => Some(vec![entry(30, "world", "anyone"), entry(1, "digest", user), open()]),
            6 => Some(vec![entry(31, "ip", "10.0.0.2/31"), entry(5, "ip", "10.0.0.0/8")]),
            7 => Some(vec![entry(23, "world", "anyone"), entry(23, "world", "anyone")]),
            8 => Some(Vec::new()),
            _ => None,
        }
    }

    fn create(&mut self) -> Ask {
        if self.random.chance(self.settings.crowd_percent * 10) {
            let path = format!("/0/{:050}-", self.value);
            let create = Create { path, data: None, acl: Some(open_acl()), flags: 2 };
            return Ask::new(OpCode::Create, jute::encode(&create));
        }
        let (op, flags) = match self.random.below(20) {
            0..10 => (OpCode::Create, 0),
            10..13 => (OpCode::Create, 1),
            13 | 14 => (OpCode::Create2, 2),
            15 | 16 => (OpCode::Create2, 3),
            17 => (OpCode::CreateContainer, 4),
            18 => (OpCode::Create2, 0),
            _ => (OpCode::CreateTtl, 5 + self.random.below(2) as i32),
        };
        let (mut path, data, acl) = (self.path(), self.data(), self.acl());
        if matches!(flags, 2 | 3 | 6) && self.random.chance(500) {
            path.push('/');
        }
        let create = Create { path, data, acl, flags };
        if op != OpCode::CreateTtl {
            return Ask::new(op, jute::encode(&create));
        }
        let ttl = self.random.between(self.settings.ttl_millis) as i64;
        Ask::new(op, jute::encode(&CreateTtl { create, ttl }))
    }

    fn delete(&mut self) -> Ask {
        Ask::new(OpCode::Delete, jute::encode(&Delete { path: self.path(), version: self.version() }))
    }

    fn set_data(&mut self) -> Ask {
        let (path, data, version) = (self.path(), self.data(), self.version());
        Ask::new(OpCode::SetData, jute::encode(&SetData { path, data, version }))
    }

    fn check(&mut self) -> Ask {
        Ask::new(OpCode::Check, jute::encode(&CheckVersion { path: self.path(), version: self.version() }))
    }

    pub(super) fn write(&mut self) -> Ask {
        if self.random.chance(self.settings.multi_percent * 10) {
            return if self.random.chance(300) { self.course() } else { self.mixture() };
        }
        if self.settings.quotas && self.random.chance(30) {
            return self.quota();
        }
        if self.changes_members() && self.random.chance(self.settings.reconfig_per_mille) {
            return self.reconfig();
        }
        match self.random.below(20) {
            0..8 => self.create(),
            8..12 => self.delete(),
            12 if self.random.chance(self.settings.acl_percent * 10) => {
                let (path, acl, version) = (self.path(), self.acl(), self.version());
                Ask::new(OpCode::SetAcl, jute::encode(&SetAcl { path, acl, version }))
            }
            _ => self.set_data(),
        }
    }

    /// A multi of anything: most of them fail somewhere.
    fn mixture(&mut self) -> Ask {
        let count = self.random.below(5);
        let parts: Vec<Ask> = (0..count)
            .map(|_| match self.random.below(8) {
                0..3 => self.create(),
                3 => self.delete(),
                4 => self.check(),
                _ => self.set_data(),
            })
            .collect();
        several(OpCode::Multi, &parts)
    }

    /// A multi whose parts build on each other.
    fn course(&mut self) -> Ask {
        let path = self.path();
        let child = format!("{path}/{}", self.random.below(3));
        let acl = Some(vec![Acl { perms: 31, id: Id { scheme: "world".into(), id: "anyone".into() } }]);
        let data = self.data();
        let create = |path: &str| {
            let create = Create { path: path.into(), data: data.clone(), acl: acl.clone(), flags: 0 };
            Ask::new(OpCode::Create2, jute::encode(&create))
        };
        let set = SetData { path: path.clone(), data: data.clone(), version: 0 };
        let check = CheckVersion { path: path.clone(), version: 1 };
        let remove = Delete { path: child.clone(), version: -1 };
        let mut parts = vec![create(&path), create(&child)];
        parts.push(Ask::new(OpCode::SetData, jute::encode(&set)));
        parts.push(Ask::new(OpCode::Check, jute::encode(&check)));
        if self.random.chance(500) {
            parts.push(Ask::new(OpCode::Delete, jute::encode(&remove)));
        }
        several(OpCode::Multi, &parts)
    }

    fn changes_members(&self) -> bool {
        !self.settings.movable.is_empty() || !self.settings.voters.is_empty()
    }

    /// An observer, or a server that is nowhere, goes or comes; or what is refused (client.md section 16).
    fn reconfig(&mut self) -> Ask {
        let voters = &self.settings.voters;
        if self.settings.movable.is_empty() || !voters.is_empty() && self.random.chance(800) {
            let asked = change_voters(voters, false, self.random);
            return Ask::new(OpCode::Reconfig, jute::encode(&asked));
        }
        let (id, text) = (*self.random.pick(&self.settings.movable), |text: &str| Some(text.to_owned()));
        let mut asked = Reconfig { version: -1, ..Reconfig::default() };
        match self.random.below(20) {
            0..7 => asked.leaving = Some(id.to_string()),
            7..16 => asked.joining = Some(member_line(id, true)),
            16 => asked.leaving = text("1,2,3,4,5,6,7"),
            17 => asked.joining = text("some thing"),
            18 => asked.leaving = text("abc"),
            _ => {
                asked.joining = Some(member_line(id, true));
                asked.version = self.random.below(2) as i64 - 1;
            }
        }
        Ask::new(OpCode::Reconfig, jute::encode(&asked))
    }

    /// Sets a quota on a node, or takes it away (client.md section 15).
    fn quota(&mut self) -> Ask {
        let root =
            format!("/zookeeper/quota/{}", self.random.below(u64::from(self.settings.keys.clamp(1, 3))));
        let (limits, usage) = (format!("{root}/zookeeper_limits"), format!("{root}/zookeeper_stats"));
        if self.random.chance(300) {
            let parts = [limits, usage, root]
                .map(|path| Ask::new(OpCode::Delete, jute::encode(&Delete { path, version: -1 })));
            return several(OpCode::Multi, &parts);
        }
        let (count, bytes) = (self.random.range(1..=4), self.random.range(50..=400));
        let text = format!("count=-1,bytes=-1=;byteHardLimit={bytes};countHardLimit={count}");
        let parts = [(root, String::new()), (limits, text), (usage, String::new())].map(|(path, text)| {
            let acl = Some(vec![Acl { perms: 31, id: Id { scheme: "world".into(), id: "anyone".into() } }]);
            let data = Some(Bytes::from(text.as_bytes()));
            Ask::new(OpCode::Create, jute::encode(&Create { path, data, acl, flags: 0 }))
        });
        several(OpCode::Multi, &parts)
    }

    fn read(&mut self) -> Ask {
        let watch = self.random.chance(self.settings.watch_percent * 10);
        if watch && self.random.chance(250) {
            return self.about_watches();
        }
        let path = self.any_path();
        let (op, kind) = match self.random.below(20) {
            0..6 => (OpCode::GetData, Kind::Data),
            6..10 => (OpCode::Exists, Kind::Exist),
            10..13 => (OpCode::GetChildren2, Kind::Child),
            13 | 14 => (OpCode::GetChildren, Kind::Child),
            15 => return Ask::new(OpCode::GetAcl, jute::encode(&PathOnly { path: path.into() })),
            16 => {
                return Ask::new(OpCode::GetAllChildrenNumber, jute::encode(&PathOnly { path: path.into() }));
            }
            17 => return Ask::new(OpCode::GetEphemerals, jute::encode(&path)),
            18 => return Ask::new(OpCode::WhoAmI, Vec::new()),
            _ => {
                let parts = [OpCode::GetData, OpCode::GetChildren, OpCode::GetData].map(|op| {
                    Ask::new(op, jute::encode(&PathWatch { path: self.path().into(), watch: false }))
                });
                return several(OpCode::MultiRead, &parts);
            }
        };
        let body = jute::encode(&PathWatch { path: path.as_str().into(), watch });
        Ask { watch: watch.then_some((kind, path)), ..Ask::new(op, body) }
    }

    fn about_watches(&mut self) -> Ask {
        let path = self.path();
        match self.random.below(5) {
            0 | 1 => {
                let mode = self.random.below(2) as i32;
                let body = jute::encode(&AddWatch { path: Some(path.as_str().into()), mode });
                let kind = if mode == 0 { Kind::Persistent } else { Kind::Recursive };
                Ask { watch: Some((kind, path)), ..Ask::new(OpCode::AddWatch, body) }
            }
            dice => {
                let kind = self.random.range(1..=6) as i32;
                let op = if dice == 2 { OpCode::CheckWatches } else { OpCode::RemoveWatches };
                Ask::new(op, jute::encode(&WatcherType { path: Some(path.into()), kind }))
            }
        }
    }

    /// What no good client sends.
    fn odd(&mut self) -> Ask {
        let open = || Some(vec![Acl { perms: 31, id: Id { scheme: "world".into(), id: "anyone".into() } }]);
        let create =
            |path: &str, flags| jute::encode(&Create { path: path.into(), data: None, acl: open(), flags });
        match self.random.below(14) {
            0 => Ask { op: 99, body: Vec::new(), watch: None },
            1 => self.check(),
            2 => Ask::new(OpCode::DeleteContainer, jute::encode(&PathOnly { path: self.path().into() })),
            3 => Ask::new(
                OpCode::Reconfig,
                jute::encode(&(None::<String>, None::<String>, None::<String>, -1i64)),
            ),
            4 => Ask::new(OpCode::Create, create("/x", 7)),
            5 => Ask::new(OpCode::CreateContainer, create("/x", 0)),
            6 => Ask::new(OpCode::Create, create("relative", 0)),
            7 => Ask::new(OpCode::Create, create("/0//x", 0)),
            8 => Ask::new(OpCode::Create, create("/zero\0", 0)),
            9 => Ask::new(OpCode::SetData, (-1i32).to_be_bytes().to_vec()),
            10 => Ask::new(OpCode::Delete, jute::encode(&Delete { path: "/zookeeper".into(), version: -1 })),
            11 => several(OpCode::Multi, &[Ask::new(OpCode::SetAcl, Vec::new())]),
            12 => Ask::new(OpCode::Auth, auth("nosuch", "u:p")),
            _ => {
                let mut ask = if self.random.chance(500) { self.read() } else { self.write() };
                let length = self.random.below(ask.body.len() as u64 + 1) as usize;
                ask.body.truncate(length);
                ask.watch = None;
                ask
            }
        }
    }
}

/// A multi or a multiRead of these.
pub(super) fn several(op: OpCode, parts: &[Ask]) -> Ask {
    let mut body = Vec::new();
    for part in parts {
        jute::encode_into(&mut body, &MultiHeader { op: part.op, done: false, err: -1 });
        body.extend_from_slice(&part.body);
    }
    jute::encode_into(&mut body, &MultiHeader::END);
    Ask::new(op, body)
}
