//! The clients of a world: sessions over connections that come and go, through the records that
//! real clients send.
//!
//! A client has one session and one connection at a time; several may share a process. It pings when it has nothing to say, leaves
//! a server from which it hears nothing, and takes its session to another. On purpose it also does what
//! clients do when they fail: it goes silent, vanishes, leaves a connection behind that still
//! delivers, or sends what no server should have to read.

mod actors;
mod client;
pub(crate) mod members;
mod received;
pub mod recipes;
mod registry;
mod wires;
mod workload;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use zabrus_core::io::ClientId;
use zabrus_core::wire::{ConnectRequest, OpCode, RequestHeader, SessionId, WatcherType, xid};
use zabrus_core::{Bytes, Duration, Instant, jute};

pub use actors::{Doing, Heard, Wish};
use client::{Client, Line, Waiting};
pub use received::Received;
use recipes::{Note, Player};
pub use wires::Arrival;
use wires::Wires;
pub use workload::digest_id;
use workload::{Ask, Workload};

use crate::random::Random;
use crate::schedule::{Event, Index, Schedule};
use crate::settings::LoadSettings;

/// All clients of a world.
#[derive(Debug)]
pub struct Clients {
    settings: LoadSettings,
    clients: Vec<Client>,
    wires: Wires,
    last_value: u64,
    /// For the periods.
    random: Random,
    quiet: bool,
    period_ends: Instant,
    stopped: bool,
    /// Sessions that scripted clients asked for, and those that they got.
    scripted: (u64, u64),
    /// Those that a scenario names.
    named: BTreeMap<String, u32>,
}

/// What a client did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// It opened a connection and said hello.
    Opened {
        /// The connection.
        id: ClientId,
        /// To whom.
        server: Index,
        /// From where.
        address: std::net::IpAddr,
        /// What it said.
        hello: ConnectRequest,
    },
    /// It sent a request.
    Sent {
        /// The connection.
        id: ClientId,
        /// The request's number and operation.
        header: RequestHeader,
        /// The rest of the frame.
        body: Bytes,
    },
    /// It closed a connection; requests without an answer never get one.
    Left {
        /// The connection.
        id: ClientId,
    },
    /// As the player of a recipe, it did or learned something.
    Noted {
        /// The player.
        player: u32,
        /// What that is.
        note: Note,
    },
    /// It does nothing more with a connection that stays open: what comes on it is of no use.
    Abandoned {
        /// The connection.
        id: ClientId,
    },
}

impl Clients {
    /// Clients that have not begun; each has its own stream of randomness.
    #[must_use]
    pub fn new(settings: &LoadSettings, seed: u64, schedule: &mut Schedule) -> Self {
        let mut clients = Vec::new();
        let players = settings.recipe.map_or(0, |_| settings.players);
        for client in 0..settings.clients + players {
            let mut random = Random::stream(seed, &format!("client/{client}"));
            schedule.push(Instant(random.between(settings.interval_micros)), Event::Client { client });
            let mut state = Client::new(client, settings, random, false);
            let player = client.checked_sub(settings.clients).zip(settings.recipe);
            if let Some((player, recipe)) = player {
                state.plays(Player::new(recipe, player, players));
            }
            clients.push(state);
        }
        Self {
            settings: settings.clone(),
            clients,
            wires: Wires::new(settings.latency_micros, Random::stream(seed, "wires")),
            last_value: 0,
            random: Random::stream(seed, "load"),
            quiet: true,
            period_ends: Instant(0),
            stopped: false,
            scripted: (0, 0),
            named: BTreeMap::new(),
        }
    }

    /// Servers stay where they are from now on.
    pub fn calm(&mut self) {
        self.settings.movable.clear();
        self.settings.voters.clear();
    }

    /// No client begins anything new from now on. Those that have a session keep it.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Requests without an answer on the connections that clients use.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        let waiting = |line: &Line| line.waiting.len() + usize::from(!line.greeted);
        self.clients.iter().filter_map(|client| client.line.as_ref()).map(waiting).sum()
    }

    /// `count` new clients ask `server` for a session each, all at once: each becomes one
    /// transaction.
    pub fn script(&mut self, now: Instant, server: Index, count: u64, schedule: &mut Schedule) -> Vec<Act> {
        self.scripted.0 += count;
        let mut acts = Vec::new();
        for _ in 0..count {
            let client = self.clients.len() as u32;
            let random = Random::stream(self.random.next_u64(), "script");
            self.clients.push(Client::new(client, &self.settings, random, true));
            self.connect(now, client, server, &mut acts, schedule);
            schedule.push(now + Duration(self.settings.interval_micros.1), Event::Client { client });
        }
        acts
    }

    /// Sessions that scripted clients asked for, and those that they got.
    #[must_use]
    pub fn scripted(&self) -> (u64, u64) {
        self.scripted
    }

    /// The sessions that clients mean to keep.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> {
        let kept = self.clients.iter().filter(|client| client.rests_until == Instant(0));
        kept.filter_map(|client| Some(client.session.as_ref()?.id))
    }

    fn is_quiet(&mut self, now: Instant) -> bool {
        while self.period_ends <= now {
            self.quiet = !self.quiet && self.settings.quiet_micros.1 > 0;
            let LoadSettings { quiet_micros, busy_micros, .. } = self.settings;
            let length = self.random.between(if self.quiet { quiet_micros } else { busy_micros });
            self.period_ends = now + Duration(length.max(1));
        }
        self.quiet
    }

    /// A client's moment; `up` are the servers that can be reached.
    pub fn moment(&mut self, now: Instant, client: u32, up: &[Index], schedule: &mut Schedule) -> Vec<Act> {
        let plays = self.clients[client as usize].player.is_some();
        let idle = self.is_quiet(now) && !plays || self.stopped;
        let mut acts = Vec::new();
        self.act(now, client, up, idle, &mut acts, schedule);
        let settings = &self.settings;
        let state = &mut self.clients[client as usize];
        let pause = Duration(state.random.between(settings.interval_micros).max(1));
        let mut next = now + state.span(pause);
        if idle || state.scripted {
            let ping = state.ping_due().unwrap_or(Instant::NEVER);
            let wait =
                if self.stopped { Duration::from_seconds(1) } else { self.period_ends.since(now) + pause };
            // Patience is lost in time, too.
            next = next.max((now + wait).min(ping).min(now + Duration::from_seconds(1)));
        }
        if !state.retired {
            schedule.push(next, Event::Client { client });
        }
        acts
    }

    fn act(
        &mut self,
        now: Instant,
        client: u32,
        up: &[Index],
        idle: bool,
        acts: &mut Vec<Act>,
        schedule: &mut Schedule,
    ) {
        let state = &mut self.clients[client as usize];
        if now < state.rests_until {
            return;
        }
        if state.rests_until != Instant(0) {
            state.rests_until = Instant(0);
            self.leave(now, client, acts, schedule);
            return;
        }
        if state.is_impatient(now, &self.settings) {
            self.leave(now, client, acts, schedule);
            return;
        }
        if state.line.is_none() {
            let begins = state.session.is_some() || !self.stopped && !state.scripted && !idle;
            if begins && !up.is_empty() {
                let server = *state.random.pick(up);
                self.connect(now, client, server, acts, schedule);
            } else if state.session.is_none() && (state.scripted || self.stopped) {
                state.retired = true;
            }
            return;
        }
        let plays = state.player.is_some();
        if state.ping_due().is_some_and(|due| due <= now) {
            let ping = Ask::new(OpCode::Ping, Vec::new());
            self.send(now, client, xid::PING, ping, acts, schedule);
            // When all is calm a client has no moments but those of its pings.
            if !plays || !idle {
                return;
            }
        }
        let state = &mut self.clients[client as usize];
        let Some(line) = &state.line else { return };
        if idle && !plays || line.closing || !line.greeted || state.scripted {
            return;
        }
        if !idle && state.random.chance(self.settings.trouble_per_mille) {
            self.trouble(now, client, up, acts, schedule);
            return;
        }
        if plays || line.waiting.len() < self.settings.pipeline.max(1) as usize {
            self.request(now, client, acts, schedule);
        }
    }

    /// Something that happens to clients.
    fn trouble(
        &mut self,
        now: Instant,
        client: u32,
        up: &[Index],
        acts: &mut Vec<Act>,
        schedule: &mut Schedule,
    ) {
        let state = &mut self.clients[client as usize];
        let Some(timeout) = state.session.as_ref().map(|session| session.timeout) else { return };
        match state.random.below(8) {
            // It hangs up, perhaps behind a request that is then without an answer.
            0..3 => {
                if state.random.chance(500) {
                    self.request(now, client, acts, schedule);
                }
                self.leave(now, client, acts, schedule);
            }
            // It closes its session, perhaps with more requests behind.
            3 | 4 => {
                if state.random.chance(self.settings.parting_per_mille) {
                    self.last_value += 1;
                    let ask = workload::ephemeral(self.last_value);
                    self.ask(now, client, ask, acts, schedule);
                }
                self.ask(now, client, Ask::new(OpCode::CloseSession, Vec::new()), acts, schedule);
                let state = &mut self.clients[client as usize];
                if let Some(line) = &mut state.line {
                    line.closing = true;
                }
                if state.random.chance(500) {
                    self.request(now, client, acts, schedule);
                }
            }
            // It moves to another server, and the old connection goes on delivering for a while.
            5 => {
                self.request(now, client, acts, schedule);
                self.abandon(now, client, acts, schedule);
                let state = &mut self.clients[client as usize];
                if !up.is_empty() {
                    let server = *state.random.pick(up);
                    self.connect(now, client, server, acts, schedule);
                }
            }
            // Its process goes silent, or vanishes, perhaps for longer than its session lives.
            dice => {
                let rest = Duration(state.random.below(timeout.0 * 3));
                let address = state.address;
                for other in 0..self.clients.len() as u32 {
                    let state = &mut self.clients[other as usize];
                    if state.address == address && !state.scripted {
                        state.rests_until = now + rest.max(Duration(1));
                        if dice == 6 {
                            self.leave(now, other, acts, schedule);
                        }
                    }
                }
            }
        }
    }

    fn leave(&mut self, now: Instant, client: u32, acts: &mut Vec<Act>, schedule: &mut Schedule) {
        let state = &mut self.clients[client as usize];
        for line in [state.line.take(), state.old.take()].into_iter().flatten() {
            acts.push(Act::Left { id: line.id });
            self.wires.send(now, line.id, Arrival::Gone, schedule);
        }
    }

    fn connect(
        &mut self,
        now: Instant,
        client: u32,
        server: Index,
        acts: &mut Vec<Act>,
        schedule: &mut Schedule,
    ) {
        let state = &mut self.clients[client as usize];
        let (hello, address) = (state.hello(), state.address);
        let id = self.wires.open(now, client, server, address, schedule);
        state.line = Some(Line::new(now, id));
        self.wires.send(now, id, Arrival::Frame(hello.encode().into()), schedule);
        acts.push(Act::Opened { id, server, address, hello });
        // A server reads what is pipelined behind the handshake after that (client.md section 3.3).
        let state = &mut self.clients[client as usize];
        if !state.scripted && state.users.is_empty() && state.watches.is_empty() && state.random.chance(100) {
            self.request(now, client, acts, schedule);
        }
    }

    /// A request on the connection of a client: what its recipe asks, or a random one, which is sometimes
    /// on the connection that it left.
    fn request(&mut self, now: Instant, client: u32, acts: &mut Vec<Act>, schedule: &mut Schedule) {
        if self.clients[client as usize].player.is_some() {
            return self.play(now, client, acts, schedule);
        }
        self.last_value += 1;
        let Self { settings, clients, last_value: value, .. } = self;
        let state = &mut clients[client as usize];
        let mut workload = Workload { settings, random: &mut state.random, value: *value };
        let ask = workload.request();
        let on_old = state.old.is_some() && state.random.chance(300);
        self.ask_on(now, client, ask, on_old, acts, schedule);
    }

    fn ask_on(
        &mut self,
        now: Instant,
        client: u32,
        ask: Ask,
        on_old: bool,
        acts: &mut Vec<Act>,
        schedule: &mut Schedule,
    ) {
        // Whoever owns the session by now, it is not the old connection (invariants.md N9).
        let swap = |state: &mut Client| {
            if on_old {
                std::mem::swap(&mut state.old, &mut state.line);
            }
        };
        swap(&mut self.clients[client as usize]);
        self.ask(now, client, ask, acts, schedule);
        swap(&mut self.clients[client as usize]);
    }

    /// A player of a recipe asks something, if nothing waits for an answer.
    fn play(&mut self, now: Instant, client: u32, acts: &mut Vec<Act>, schedule: &mut Schedule) {
        let Client { player, line, session, random, .. } = &mut self.clients[client as usize];
        let (Some(player), Some(line), Some(session)) = (player, line, session) else { return };
        if !line.waiting.is_empty() {
            return;
        }
        let mut notes = Vec::new();
        let scene = player.scene(self.stopped, random, &mut notes);
        let ask = player.ask(line.id, session.id, scene);
        acts.extend(player.acts(notes));
        if let Some(ask) = ask {
            self.ask(now, client, ask, acts, schedule);
        }
    }

    fn ask(&mut self, now: Instant, client: u32, ask: Ask, acts: &mut Vec<Act>, schedule: &mut Schedule) {
        let Some(line) = &mut self.clients[client as usize].line else { return };
        if ask.op == OpCode::Auth.code() {
            return self.send(now, client, xid::AUTH, ask, acts, schedule);
        }
        line.last_xid += 1;
        let number = line.last_xid;
        self.send(now, client, number, ask, acts, schedule);
    }

    fn send(
        &mut self,
        now: Instant,
        client: u32,
        number: i32,
        ask: Ask,
        acts: &mut Vec<Act>,
        schedule: &mut Schedule,
    ) {
        let Some(line) = &mut self.clients[client as usize].line else { return };
        line.sent = now;
        let header = RequestHeader { xid: number, op: ask.op };
        if !matches!(number, xid::PING | xid::AUTH) {
            let removes = (ask.op == OpCode::RemoveWatches.code()).then(|| {
                let path = jute::Decoder::new(&ask.body).read::<WatcherType<'_>>();
                path.ok().and_then(|watch| watch.path).map_or(String::new(), Cow::into_owned)
            });
            let waiting = Waiting { op: ask.op, watch: ask.watch, removes };
            line.waiting.push_back(waiting);
        }
        let id = line.id;
        let mut frame = jute::encode(&header);
        frame.extend_from_slice(&ask.body);
        self.wires.send(now, id, Arrival::Frame(frame.into()), schedule);
        acts.push(Act::Sent { id, header, body: ask.body.into() });
    }

    /// What a client sent first is at its server.
    pub fn at_server(&mut self, id: ClientId) -> Option<(Index, Arrival)> {
        self.wires.at_server(id)
    }

    /// A server stops reading from a connection, or reads again.
    pub fn pause(&mut self, now: Instant, id: ClientId, paused: bool, schedule: &mut Schedule) {
        self.wires.pause(now, id, paused, schedule);
    }

    /// A server sends to a client, or closes the connection.
    pub fn reply(&mut self, now: Instant, id: ClientId, what: Option<Bytes>, schedule: &mut Schedule) {
        self.wires.reply(now, id, what, schedule);
    }

    /// A server's process ended: its clients notice, at their own times.
    pub fn server_stopped(&mut self, now: Instant, server: Index, schedule: &mut Schedule) {
        self.wires.server_stopped(now, server, schedule);
    }

    /// What a server sent first is at its client: what that is, and what the client does with it.
    pub fn at_client(
        &mut self,
        now: Instant,
        id: ClientId,
        schedule: &mut Schedule,
    ) -> Option<(Index, Received, Vec<Act>)> {
        let (client, server, bytes) = self.wires.at_client(id)?;
        let state = &mut self.clients[client as usize];
        let resting = now < state.rests_until;
        let line = state.line.as_mut().filter(|line| line.id == id)?;
        line.heard = now;
        let received = Received::decode(bytes.as_deref(), line.greeted);
        if let Some(heard) = &mut state.heard {
            heard.take(&received);
        }
        let mut acts = Vec::new();
        match &received {
            Received::Session(response) => {
                line.greeted = true;
                let fresh = state.session.is_none();
                if !state.greeted(response) {
                    self.leave(now, client, &mut acts, schedule);
                } else {
                    self.scripted.1 += u64::from(state.scripted && fresh && state.heard.is_none());
                    if !resting {
                        self.prime(now, client, &mut acts, schedule);
                    }
                }
            }
            Received::Reply { header, body } => {
                state.answered(header.xid, header.zxid, header.err);
                if let Some(player) = state.player.as_mut().filter(|_| header.xid > 0) {
                    let mut notes = Vec::new();
                    let scene = player.scene(self.stopped, &mut state.random, &mut notes);
                    player.told(id, header, body, scene);
                    acts.extend(player.acts(notes));
                }
            }
            Received::Event { event, path, .. } => {
                state.watches.fired(*event, path);
                if let Some(player) = &mut state.player {
                    player.heard();
                }
            }
            Received::Closed | Received::TurnedAway(_) | Received::Garbage(_) => {
                state.line = None;
                acts.push(Act::Left { id });
                if received != Received::Closed {
                    self.wires.send(now, id, Arrival::Gone, schedule);
                }
            }
        }
        Some((server, received, acts))
    }

    /// What a client sends first on a new connection: who it is, and what it wants to hear of
    /// (client.md section 3.5).
    fn prime(&mut self, now: Instant, client: u32, acts: &mut Vec<Act>, schedule: &mut Schedule) {
        for user in self.clients[client as usize].users.clone() {
            let auth = Ask::new(OpCode::Auth, workload::auth("digest", user));
            self.send(now, client, xid::AUTH, auth, acts, schedule);
        }
        let state = &mut self.clients[client as usize];
        if !state.rearms {
            state.watches = registry::Registry::default();
        }
        if state.watches.is_empty() {
            return;
        }
        let watches = state.watches.rearm(state.last_zxid);
        let old = watches.persistent.is_empty() && watches.recursive.is_empty() && state.random.chance(500);
        let ask = if old {
            Ask::new(OpCode::SetWatches, jute::encode(&watches.standard))
        } else {
            Ask::new(OpCode::SetWatches2, jute::encode(&watches))
        };
        self.send(now, client, xid::SET_WATCHES, ask, acts, schedule);
    }
}
