//! Clients with a name, which do what a scenario says and nothing else but to keep their sessions.

use zabrus_core::wire::{
    Acl, AddWatch, CheckVersion, Create, Delete, ErrorCode, EventType, Id, OpCode, PathOnly, PathWatch,
    Reconfig, SetData,
};
use zabrus_core::{Bytes, Duration, Instant, jute};

use super::client::{Client, Line};
use super::registry::Kind;
use super::workload::{Ask, several};
use super::{Act, Arrival, Clients, Received};
use crate::random::Random;
use crate::schedule::{Event, Index, Schedule};

/// What a client with a name does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing<Server> {
    /// It leaves the connection that it has, and brings its session to a server, or begins one.
    Connect(Server, Option<Duration>),
    /// It goes to another server, and its old connection stays open.
    Move(Server),
    /// It asks; more than one wish at a time are one multi.
    Ask {
        /// What.
        wishes: Vec<Wish>,
        /// On the connection from which it moved away.
        on_old: bool,
    },
    /// It closes its connection, and is not heard of until it connects again.
    HangUp,
    /// It keeps its connection, and is not heard of until it connects again.
    FallSilent,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Wish {
    Create {
        path: String,
        ephemeral: bool,
        sequential: bool,
    },
    Set(String),
    Delete(String),
    Check(String),
    Read(String),
    /// With a watch on its data.
    Watch(String),
    /// Of a node that may not be there yet.
    Await(String),
    WatchChildren(String),
    /// Everything at and below it.
    WatchBelow(String),
    Sync,
    Close,
    Reconfig(Reconfig),
}

/// What a client with a name heard.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// It has a session.
    pub has_session: bool,
    /// It has its session on a connection, and no request is without an answer.
    pub is_answered: bool,
    /// The code of the last answer.
    pub code: Option<i32>,
    /// The events.
    pub events: Vec<(i32, String)>,
}

impl Wish {
    fn ask(&self, value: u64) -> Ask {
        let text = |path: &String| path.clone();
        let data = Some(Bytes::from(value.to_le_bytes()));
        let read = |op, path: &String, kind: Option<Kind>| {
            let body = jute::encode(&PathWatch { path: path.as_str().into(), watch: kind.is_some() });
            Ask { watch: kind.map(|kind| (kind, path.clone())), ..Ask::new(op, body) }
        };
        match self {
            Self::Create { path, ephemeral, sequential } => {
                let acl =
                    Some(vec![Acl { perms: 31, id: Id { scheme: "world".into(), id: "anyone".into() } }]);
                let flags = i32::from(*ephemeral) + 2 * i32::from(*sequential);
                Ask::new(OpCode::Create, jute::encode(&Create { path: text(path), data, acl, flags }))
            }
            Self::Set(path) => {
                Ask::new(OpCode::SetData, jute::encode(&SetData { path: text(path), data, version: -1 }))
            }
            Self::Delete(path) => {
                Ask::new(OpCode::Delete, jute::encode(&Delete { path: text(path), version: -1 }))
            }
            Self::Check(path) => {
                Ask::new(OpCode::Check, jute::encode(&CheckVersion { path: text(path), version: -1 }))
            }
            Self::Read(path) => read(OpCode::GetData, path, None),
            Self::Watch(path) => read(OpCode::GetData, path, Some(Kind::Data)),
            Self::Await(path) => read(OpCode::Exists, path, Some(Kind::Exist)),
            Self::WatchChildren(path) => read(OpCode::GetChildren2, path, Some(Kind::Child)),
            Self::WatchBelow(path) => {
                let body = jute::encode(&AddWatch { path: Some(path.as_str().into()), mode: 1 });
                Ask { watch: Some((Kind::Recursive, path.clone())), ..Ask::new(OpCode::AddWatch, body) }
            }
            Self::Sync => Ask::new(OpCode::Sync, jute::encode(&PathOnly { path: "/".into() })),
            Self::Close => Ask::new(OpCode::CloseSession, Vec::new()),
            Self::Reconfig(asked) => Ask::new(OpCode::Reconfig, jute::encode(asked)),
        }
    }
}

impl Heard {
    pub(super) fn take(&mut self, received: &Received) {
        match received {
            Received::Reply { header, .. } => self.code = Some(header.err),
            Received::Session(response) if response.timeout <= 0 => {
                self.code = Some(ErrorCode::SessionExpired.code());
            }
            Received::Event { event, path, .. } => self.events.push((*event, path.clone())),
            _ => {}
        }
    }

    /// Whether this event came.
    #[must_use]
    pub fn saw(&self, event: EventType, path: &str) -> bool {
        self.events.iter().any(|(code, node)| (*code, node.as_str()) == (event as i32, path))
    }
}

impl Clients {
    /// A client with a name does something; one that is new comes into being.
    pub fn direct(
        &mut self,
        now: Instant,
        name: &str,
        doing: &Doing<Index>,
        schedule: &mut Schedule,
    ) -> Vec<Act> {
        let mut acts = Vec::new();
        let client = self.named.get(name).copied().unwrap_or_else(|| self.name(name));
        match doing {
            Doing::Connect(server, timeout) => {
                self.leave(now, client, &mut acts, schedule);
                if let Some(timeout) = timeout {
                    self.clients[client as usize].asks(*timeout);
                }
                self.wake(now, client, schedule);
                self.connect(now, client, *server, &mut acts, schedule);
            }
            Doing::Move(server) => {
                self.abandon(now, client, &mut acts, schedule);
                self.wake(now, client, schedule);
                self.connect(now, client, *server, &mut acts, schedule);
            }
            Doing::Ask { wishes, on_old } => {
                self.last_value += 1;
                let asks: Vec<Ask> = wishes.iter().map(|wish| wish.ask(self.last_value)).collect();
                let ask = match <[Ask; 1]>::try_from(asks) {
                    Ok([ask]) => ask,
                    Err(asks) => several(OpCode::Multi, &asks),
                };
                self.ask_on(now, client, ask, *on_old, &mut acts, schedule);
            }
            Doing::HangUp => {
                self.leave(now, client, &mut acts, schedule);
                self.clients[client as usize].rests_until = Instant::NEVER;
            }
            Doing::FallSilent => self.clients[client as usize].rests_until = Instant::NEVER,
        }
        acts
    }

    fn name(&mut self, name: &str) -> u32 {
        let client = self.clients.len() as u32;
        let random = Random::stream(self.random.next_u64(), "script");
        let mut state = Client::new(client, &self.settings, random, true);
        (state.heard, state.rearms, state.retired) = (Some(Heard::default()), true, true);
        self.clients.push(state);
        self.named.insert(name.into(), client);
        client
    }

    fn wake(&mut self, now: Instant, client: u32, schedule: &mut Schedule) {
        let state = &mut self.clients[client as usize];
        state.rests_until = Instant(0);
        if std::mem::take(&mut state.retired) {
            schedule.push(now + Duration(1), Event::Client { client });
        }
    }

    /// A client leaves its connection without a word: the server goes on to believe in it.
    pub(super) fn abandon(
        &mut self,
        now: Instant,
        client: u32,
        acts: &mut Vec<Act>,
        schedule: &mut Schedule,
    ) {
        let state = &mut self.clients[client as usize];
        let Some(line) = state.line.take() else { return };
        acts.push(Act::Abandoned { id: line.id });
        if let Some(older) = state.old.replace(line) {
            acts.push(Act::Left { id: older.id });
            self.wires.send(now, older.id, Arrival::Gone, schedule);
        }
    }

    /// What a client with a name heard; `None` if there is none.
    #[must_use]
    pub fn heard(&self, name: &str) -> Option<Heard> {
        let state = &self.clients[*self.named.get(name)? as usize];
        let is_done = |line: &Line| line.greeted && line.waiting.is_empty();
        Some(Heard {
            has_session: state.session.is_some(),
            is_answered: state.line.as_ref().is_some_and(is_done),
            ..state.heard.clone()?
        })
    }
}
