//! What writes mean, in the order of the checks of client.md section 5.

use std::sync::Arc;

use zabrus_core::wire::{
    Acl, Change, Create, CreateMode, ErrorCode, Id, MultiResult, OpCode, Permissions, SessionId, Stat, Write,
    encode_multi_results,
};
use zabrus_core::{Bytes, Zxid, jute};

use super::draft::Draft;
use super::node::{CONTAINER, Node, TTL, TTL_MAX, is_valid, parent, session_digest};
use super::reconfig::CONFIG;
use super::{Model, Session, Trigger, acl, quota};

/// Nodes that are always there (client.md section 16).
const SYSTEM: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];

/// A write, as it is ordered.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks; of createSession whom it creates.
    pub session: SessionId,
    /// The session is known to one server alone, which lets it ask.
    pub local: bool,
    /// Who they are.
    pub identities: &'a [Id],
    /// What they ask.
    pub op: OpCode,
    /// The body of the frame; of createSession the timeout that was asked for.
    pub body: &'a [u8],
    /// The place in the history.
    pub zxid: Zxid,
    /// The time in the transaction.
    pub time: i64,
}

/// What a write comes to.
#[derive(Debug)]
pub struct Executed {
    /// What the transaction must say.
    pub change: Change,
    /// The code and the body of the answer.
    pub answer: (i32, Bytes),
    zxid: Zxid,
    session: SessionId,
    changed: Vec<(String, Option<Arc<Node>>)>,
    triggers: Vec<Trigger>,
}

/// What one operation came to.
enum Done {
    Created(String, Stat),
    Deleted,
    Set(Stat),
    Checked,
}

type Step = Result<(Change, Done), ErrorCode>;

impl Model {
    /// What a write means after everything so far.
    #[must_use]
    pub fn execute(&self, request: &Request<'_>) -> Executed {
        let mut draft = Draft::new(self, request.zxid, request.time);
        let (change, answer) = match request.op {
            OpCode::CreateSession => self.create_session(request.body),
            _ if !self.is_alive(request.session) && request.session.0 != 0 && !request.local => {
                refused(ErrorCode::SessionExpired)
            }
            OpCode::CloseSession => close_session(&mut draft, request.session),
            op => match Write::decode(op, request.body) {
                Err(error) => refused(error),
                Ok(Write::Multi(writes)) => multi(&mut draft, request, writes),
                Ok(Write::Reconfig(asked)) => match draft.reconfig(request, &asked) {
                    Ok((change, body)) => (change, Ok(body)),
                    Err(error) => refused(error),
                },
                Ok(write) => match draft.step(request, write) {
                    Ok((change, done)) => (change, Ok(body(op, done))),
                    Err(error) => refused(error),
                },
            },
        };
        let answer = match answer {
            Ok(body) => (0, body.into()),
            Err(error) => (error.code(), Bytes::from([])),
        };
        let Draft { changed, triggers, .. } = draft;
        Executed { change, answer, zxid: request.zxid, session: request.session, changed, triggers }
    }

    /// Why a write was refused before anybody looked at it: the session has moved.
    #[must_use]
    pub fn refuse(&self, request: &Request<'_>, error: ErrorCode) -> Executed {
        let answer = (error.code(), Bytes::from([]));
        Executed {
            change: Change::Error(error.code()),
            answer,
            zxid: request.zxid,
            session: request.session,
            changed: Vec::new(),
            triggers: Vec::new(),
        }
    }

    /// The announcement of other members: nothing that a client could see.
    #[must_use]
    pub fn announce(&self, zxid: Zxid, change: &Change) -> Executed {
        Executed {
            change: change.clone(),
            answer: (0, Bytes::from([])),
            zxid,
            session: SessionId(0),
            changed: Vec::new(),
            triggers: Vec::new(),
        }
    }

    /// Makes what was executed the last state.
    pub fn commit(&mut self, executed: Executed) {
        let Executed { change, zxid, session, changed, triggers, .. } = executed;
        let mut digest = self.digest();
        match change {
            Change::CreateSession { timeout } => {
                let life = Session { timeout, created: zxid, closed: None };
                self.sessions.entry(session).or_insert(life);
                digest = digest.wrapping_add(session_digest(session.0, timeout));
            }
            Change::CloseSession { .. } => {
                if let Some(life) = self.sessions.get_mut(&session) {
                    life.closed = Some(zxid);
                    digest = digest.wrapping_sub(session_digest(session.0, life.timeout));
                }
            }
            Change::NextMembers { data } => {
                self.announced = str::from_utf8(&data).ok().map(str::to_owned);
            }
            Change::Reconfig { .. } => self.announced = None,
            _ => {}
        }
        for (path, node) in changed {
            let share = |node: &Arc<Node>| node.digest(&path);
            digest = digest.wrapping_sub(self.now(&path).map_or(0, share));
            digest = digest.wrapping_add(node.as_ref().map_or(0, share));
            self.put(zxid, path, node);
        }
        self.digests.push(digest);
        self.triggers.extend(triggers);
    }

    fn create_session(&self, body: &[u8]) -> (Change, Result<Vec<u8>, ErrorCode>) {
        match jute::decode::<i32>(body) {
            Ok(asked) => (Change::CreateSession { timeout: self.granted(asked) }, Ok(Vec::new())),
            Err(_) => refused(ErrorCode::MarshallingError),
        }
    }

    /// The session timeout that is granted to whoever asks for this one (client.md section 3.3).
    #[must_use]
    pub fn granted(&self, asked: i32) -> i32 {
        asked.max(self.settings.min_session_timeout).min(self.settings.max_session_timeout)
    }

    /// Whether the leader may sweep this node away (client.md section 12).
    #[must_use]
    pub fn sweepable(&self, path: &str, time: i64) -> bool {
        let never_used = self.settings.container_never_used;
        self.now(path).is_some_and(|node| {
            let age = time - node.mtime;
            let past = match node.ttl() {
                Some(ttl) => age > ttl,
                None => node.owner == CONTAINER && (node.cversion > 0 || never_used != 0 && age > never_used),
            };
            past && node.children == 0
        })
    }
}

fn refused(error: ErrorCode) -> (Change, Result<Vec<u8>, ErrorCode>) {
    (Change::Error(error.code()), Err(error))
}

fn close_session(draft: &mut Draft<'_>, session: SessionId) -> (Change, Result<Vec<u8>, ErrorCode>) {
    let owned = draft.model.ephemerals(session, Zxid(u64::MAX));
    let paths: Vec<String> = owned.map(str::to_owned).collect();
    for path in &paths {
        draft.delete(path);
    }
    for trigger in &mut draft.triggers {
        trigger.unordered = true;
    }
    (Change::CloseSession { paths }, Ok(Vec::new()))
}

/// All or nothing (client.md section 7).
fn multi(
    draft: &mut Draft<'_>,
    request: &Request<'_>,
    writes: Vec<Write>,
) -> (Change, Result<Vec<u8>, ErrorCode>) {
    let (mut changes, mut results) = (Vec::new(), Vec::new());
    let count = writes.len();
    for (place, write) in writes.into_iter().enumerate() {
        match draft.step(request, write) {
            Ok((change, done)) => {
                results.push(result(&change, done));
                changes.push(change);
            }
            // Nothing that is said of one operation alone.
            Err(ErrorCode::MarshallingError) => {
                *draft = Draft::new(draft.model, draft.zxid, draft.time);
                return refused(ErrorCode::MarshallingError);
            }
            Err(error) => {
                let code = |at: usize| match at.cmp(&place) {
                    std::cmp::Ordering::Less => 0,
                    std::cmp::Ordering::Equal => error.code(),
                    std::cmp::Ordering::Greater => ErrorCode::RuntimeInconsistency.code(),
                };
                changes = (0..count).map(|at| Change::Error(code(at))).collect();
                results = (0..count).map(|at| MultiResult::Error(code(at))).collect();
                *draft = Draft::new(draft.model, draft.zxid, draft.time);
                break;
            }
        }
    }
    let mut body = Vec::new();
    encode_multi_results(&mut body, &results);
    (Change::Multi(changes), Ok(body))
}

fn result(change: &Change, done: Done) -> MultiResult {
    match done {
        Done::Created(path, stat) => match change {
            Change::Create { op: OpCode::Create, .. } => MultiResult::Create(path),
            _ => MultiResult::Create2(path, stat),
        },
        Done::Deleted => MultiResult::Delete,
        Done::Set(stat) => MultiResult::SetData(stat),
        Done::Checked => MultiResult::Check,
    }
}

fn body(op: OpCode, done: Done) -> Vec<u8> {
    match done {
        Done::Created(path, _) if op == OpCode::Create => jute::encode(&path),
        Done::Created(path, stat) => jute::encode(&(path, stat)),
        Done::Deleted | Done::Checked => Vec::new(),
        Done::Set(stat) => jute::encode(&stat),
    }
}

pub(super) fn demand(holds: bool, otherwise: ErrorCode) -> Result<(), ErrorCode> {
    if holds { Ok(()) } else { Err(otherwise) }
}

fn versioned(current: i32, wanted: i32) -> Result<(), ErrorCode> {
    demand(wanted == -1 || wanted == current, ErrorCode::BadVersion)
}

impl Draft<'_> {
    fn step(&mut self, request: &Request<'_>, write: Write) -> Step {
        match write {
            Write::Create { op, create, ttl } => self.create_node(request, op, create, ttl),
            Write::Delete(delete) => {
                let path = delete.path;
                demand(path != jute::NULL, ErrorCode::MarshallingError)?;
                let fits = path.contains('/') && !path.contains('\0') && !SYSTEM.contains(&path.as_str());
                demand(fits, ErrorCode::BadArguments)?;
                self.permitted(request, parent(&path), Permissions::DELETE)?;
                let node = self.node(&path).ok_or(ErrorCode::NoNode)?;
                versioned(node.version, delete.version)?;
                demand(node.children == 0, ErrorCode::NotEmpty)?;
                Draft::delete(self, &path);
                Ok((Change::Delete { op: OpCode::Delete, path }, Done::Deleted))
            }
            Write::DeleteContainer(path) => {
                demand(self.model.sweepable(&path, self.time), ErrorCode::BadArguments)?;
                Draft::delete(self, &path);
                Ok((Change::Delete { op: OpCode::DeleteContainer, path }, Done::Deleted))
            }
            Write::SetData(set) => {
                let path = set.path;
                demand(is_valid(&path), ErrorCode::BadArguments)?;
                let node = self.permitted(request, &path, Permissions::WRITE)?;
                let is_reconfigs = path == CONFIG && self.model.settings.reconfig_enabled;
                demand(!is_reconfigs, ErrorCode::BadArguments)?;
                let more = set.data.as_ref().map_or(0, |data| data.len() as i64) - node.length();
                quota::check(self, &path, 0, more)?;
                versioned(node.version, set.version)?;
                let data = set.data.clone();
                let node = self.set_data(&path, |node| node.data = data);
                let change = Change::SetData { path, data: set.data, version: node.version };
                Ok((change, Done::Set(node.stat())))
            }
            Write::SetAcl(set) => {
                let path = set.path;
                demand(is_valid(&path), ErrorCode::BadArguments)?;
                let acl = self.stored_acl(request, set.acl)?;
                let node = self.permitted(request, &path, Permissions::ADMIN)?;
                versioned(node.aversion, set.version)?;
                let node = self.change(&path, |node| {
                    node.acl = acl.clone().into();
                    node.aversion = node.aversion.wrapping_add(1);
                });
                Ok((Change::SetAcl { path, acl, version: node.aversion }, Done::Set(node.stat())))
            }
            Write::Check(check) => {
                let path = check.path;
                demand(is_valid(&path), ErrorCode::BadArguments)?;
                let node = self.permitted(request, &path, Permissions::READ)?;
                versioned(node.version, check.version)?;
                Ok((Change::Check { path, version: node.version.wrapping_add(1) }, Done::Checked))
            }
            Write::Multi(_) | Write::Reconfig(_) | Write::CreateSession(_) | Write::CloseSession => {
                Err(ErrorCode::MarshallingError)
            }
        }
    }

    fn create_node(&mut self, request: &Request<'_>, op: OpCode, create: Create, ttl: i64) -> Step {
        let is_ttl = CreateMode::is_ttl(create.flags);
        demand(!is_ttl || self.model.settings.extended_types, ErrorCode::Unimplemented)?;
        let mode = CreateMode::from_flags(create.flags, op)?;
        if mode.ttl {
            demand((1..=TTL_MAX).contains(&ttl), ErrorCode::BadArguments)?;
        }
        demand(!mode.ephemeral || !request.local, ErrorCode::EphemeralOnLocalSession)?;
        let mut path = create.path;
        demand(path != jute::NULL, ErrorCode::MarshallingError)?;
        demand(path.contains('/') && !path.contains('\0'), ErrorCode::BadArguments)?;
        let acl = self.stored_acl(request, create.acl)?;
        let above = self.permitted(request, parent(&path), Permissions::CREATE)?;
        if mode.sequential {
            path.push_str(&format!("{:010}", above.cversion));
        }
        demand(is_valid(&path), ErrorCode::BadArguments)?;
        demand(self.node(&path).is_none(), ErrorCode::NodeExists)?;
        demand(!above.is_ephemeral(), ErrorCode::NoChildrenForEphemerals)?;
        quota::check(self, &path, 1, create.data.as_ref().map_or(0, |data| data.len() as i64))?;
        let (zxid, time) = (self.zxid.0.cast_signed(), self.time);
        let owner = match mode {
            CreateMode { ephemeral: true, .. } => request.session.0,
            CreateMode { container: true, .. } => CONTAINER,
            CreateMode { ttl: true, .. } => TTL | ttl,
            _ => 0,
        };
        let node = Node {
            data: create.data.clone(),
            acl: acl.clone().into(),
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time,
            mtime: time,
            version: 0,
            cversion: 0,
            aversion: 0,
            owner,
            children: 0,
        };
        let stat = node.stat();
        self.create(&path, node);
        let op = match mode {
            CreateMode { container: true, .. } => OpCode::CreateContainer,
            CreateMode { ttl: true, .. } => OpCode::CreateTtl,
            _ => op,
        };
        let change = Change::Create {
            op,
            path: path.clone(),
            data: create.data,
            acl,
            ephemeral: mode.ephemeral,
            parent_cversion: above.cversion.wrapping_add(1),
            ttl: if mode.ttl { ttl } else { 0 },
        };
        Ok((change, Done::Created(path, stat)))
    }

    /// The node at `path`, if it is there and the request may do this with it.
    pub(super) fn permitted(
        &self,
        request: &Request<'_>,
        path: &str,
        wanted: i32,
    ) -> Result<Arc<Node>, ErrorCode> {
        let node = self.node(path).ok_or(ErrorCode::NoNode)?;
        let permitted = self.model.settings.skip_acl || acl::permits(&node.acl, wanted, request.identities);
        demand(permitted, ErrorCode::NoAuth)?;
        Ok(node.clone())
    }

    fn stored_acl(&self, request: &Request<'_>, acl: Option<Vec<Acl>>) -> Result<Vec<Acl>, ErrorCode> {
        acl::stored(acl, request.identities)
    }
}
