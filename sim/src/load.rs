//! The clients: random requests over connections of their own, with quiet periods between.
//!
//! A client has one connection at a time, and leaves its server when that is down, closes the
//! connection, or does not answer. Every value that is written is unique, so that the ledger of
//! the ghost can tell whose it was.

use std::collections::{BTreeMap, VecDeque};

use zabrus_core::codec;
use zabrus_core::io::ClientId;
use zabrus_core::service::{Change, Operation, Request, Response};
use zabrus_core::{Bytes, Duration, Instant};

use crate::random::Random;
use crate::schedule::{Event, Index, Schedule};
use crate::settings::LoadSettings;

/// One request in this many ends with the client hanging up for no reason.
const HANG_UP_PER_MILLE: u32 = 3;

/// All clients of a world.
#[derive(Debug)]
pub struct Load {
    settings: LoadSettings,
    clients: Vec<Client>,
    connections: BTreeMap<ClientId, Connection>,
    last_connection: u64,
    last_value: u64,
    /// For the periods.
    random: Random,
    quiet: bool,
    period_ends: Instant,
    stopped: bool,
    /// Changes that scripted clients sent, and those that were answered with success.
    scripted: (u64, u64),
}

#[derive(Debug)]
struct Client {
    /// It does only what it is told.
    scripted: bool,
    random: Random,
    connection: Option<ClientId>,
}

#[derive(Debug)]
struct Connection {
    client: u32,
    server: Index,
    /// The server's end is closed: nothing that the client sends arrives.
    closed: bool,
    last_xid: u64,
    /// Requests without an answer: xid and when sent.
    waiting: VecDeque<(u64, Instant)>,
    /// What is on its way; `None` is the end of the connection.
    to_server: VecDeque<Option<Bytes>>,
    to_client: VecDeque<Option<Bytes>>,
    last_arrival: (Instant, Instant),
}

/// What a client's moment came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// It sent a request.
    Sent(ClientId, Index, Request),
    /// It gave up a connection; requests without an answer never get one.
    Left(ClientId, Index),
}

/// What arrived at a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A request.
    Frame(Index, Bytes),
    /// The connection's end.
    Gone(Index),
}

/// What arrived at a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A response, to a request that waited for it or not.
    Response(Index, Response),
    /// Bytes that are no response.
    Garbage(Index),
    /// The connection's end.
    Closed(Index),
}

impl Load {
    /// Clients that have not begun; each has its own stream of randomness.
    pub fn new(settings: &LoadSettings, seed: u64, schedule: &mut Schedule) -> Self {
        let mut clients = Vec::new();
        for client in 0..settings.clients {
            let mut random = Random::stream(seed, &format!("client/{client}"));
            schedule.push(Instant(random.between(settings.interval_micros)), Event::Client { client });
            clients.push(Client { scripted: false, random, connection: None });
        }
        Self {
            settings: settings.clone(),
            clients,
            connections: BTreeMap::new(),
            last_connection: 0,
            last_value: 0,
            random: Random::stream(seed, "load"),
            quiet: true,
            period_ends: Instant(0),
            stopped: false,
            scripted: (0, 0),
        }
    }

    /// No client sends anything new from now on.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Requests without an answer on connections that still stand.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.clients.iter().filter_map(|c| c.connection).map(|id| self.connections[&id].waiting.len()).sum()
    }

    /// A new client sends `count` creations to `server`, all at once; what it sends.
    pub fn script(
        &mut self,
        now: Instant,
        server: Index,
        count: u64,
        schedule: &mut Schedule,
    ) -> Vec<(ClientId, Request)> {
        let client = self.clients.len() as u32;
        let random = Random::stream(self.random.next_u64(), "script");
        self.clients.push(Client { scripted: true, random, connection: None });
        let id = self.connect(client, &[server]);
        self.scripted.0 += count;
        let requests = (0..count).map(|_| {
            self.last_value += 1;
            let path = format!("/scripted-{}", self.last_value);
            let data = self.last_value.to_le_bytes().to_vec().into();
            let operation = Operation::Change(Change::Create { path, data });
            (id, self.ask(now, id, operation, schedule))
        });
        requests.collect()
    }

    /// Changes that scripted clients sent, and those that were answered with success.
    #[must_use]
    pub fn scripted(&self) -> (u64, u64) {
        self.scripted
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
    pub fn moment(
        &mut self,
        now: Instant,
        client: u32,
        up: &[Index],
        schedule: &mut Schedule,
    ) -> Option<Act> {
        let quiet = self.is_quiet(now) || self.stopped;
        let LoadSettings { interval_micros, patience_micros, pipeline, .. } = self.settings;
        let state = &mut self.clients[client as usize];
        let pause = Duration(state.random.between(interval_micros).max(1));
        let next = if self.quiet && !self.stopped { self.period_ends + pause } else { now + pause };
        schedule.push(next, Event::Client { client });
        let Some(id) = state.connection else {
            if !quiet && !up.is_empty() {
                self.connect(client, up);
            }
            return None;
        };
        let connection = &self.connections[&id];
        let patience = Duration(state.random.between(patience_micros));
        let impatient = connection.waiting.front().is_some_and(|(_, sent)| now.since(*sent) > patience);
        if impatient || (!quiet && state.random.chance(HANG_UP_PER_MILLE)) {
            let server = connection.server;
            state.connection = None;
            self.send(now, id, None, schedule);
            return Some(Act::Left(id, server));
        }
        if quiet || connection.waiting.len() >= pipeline.max(1) as usize {
            return None;
        }
        Some(self.request(now, client, id, schedule))
    }

    fn connect(&mut self, client: u32, up: &[Index]) -> ClientId {
        self.last_connection += 1;
        let id = ClientId(self.last_connection);
        let server = *self.clients[client as usize].random.pick(up);
        self.clients[client as usize].connection = Some(id);
        let connection = Connection {
            client,
            server,
            closed: false,
            last_xid: 0,
            waiting: VecDeque::new(),
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            last_arrival: (Instant(0), Instant(0)),
        };
        self.connections.insert(id, connection);
        id
    }

    fn request(&mut self, now: Instant, client: u32, id: ClientId, schedule: &mut Schedule) -> Act {
        self.last_value += 1;
        let random = &mut self.clients[client as usize].random;
        let operation = operation(&self.settings, random, self.last_value);
        let server = self.connections[&id].server;
        Act::Sent(id, server, self.ask(now, id, operation, schedule))
    }

    fn ask(&mut self, now: Instant, id: ClientId, operation: Operation, schedule: &mut Schedule) -> Request {
        let connection = self.connections.get_mut(&id).expect("a client's connection is known");
        connection.last_xid += 1;
        connection.waiting.push_back((connection.last_xid, now));
        let request = Request { xid: connection.last_xid, operation };
        self.send(now, id, Some(codec::encode(&request).into()), schedule);
        request
    }

    fn send(&mut self, now: Instant, id: ClientId, what: Option<Bytes>, schedule: &mut Schedule) {
        let connection = self.connections.get_mut(&id).expect("a client's connection is known");
        let random = &mut self.clients[connection.client as usize].random;
        let arrival = now + Duration(random.between(self.settings.latency_micros));
        connection.last_arrival.0 = connection.last_arrival.0.max(arrival);
        connection.to_server.push_back(what);
        schedule.push(connection.last_arrival.0, Event::ToServer { client: id });
    }

    /// What a client sent first is at its server.
    pub fn at_server(&mut self, id: ClientId) -> Option<Arrival> {
        let connection = self.connections.get_mut(&id)?;
        let (server, closed) = (connection.server, connection.closed);
        let arrival = match connection.to_server.pop_front()? {
            Some(bytes) => Arrival::Frame(server, bytes),
            None => {
                self.connections.remove(&id);
                Arrival::Gone(server)
            }
        };
        (!closed).then_some(arrival)
    }

    /// A server sends to a client, or closes the connection. What it sends to somebody who left
    /// vanishes.
    pub fn reply(&mut self, now: Instant, id: ClientId, what: Option<Bytes>, schedule: &mut Schedule) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !connection.closed {
            let random = &mut self.clients[connection.client as usize].random;
            let arrival = now + Duration(random.between(self.settings.latency_micros));
            connection.last_arrival.1 = connection.last_arrival.1.max(arrival);
            connection.closed = what.is_none();
            connection.to_client.push_back(what);
            schedule.push(connection.last_arrival.1, Event::ToClient { client: id });
        }
    }

    /// What a server sent first is at its client.
    pub fn at_client(&mut self, id: ClientId) -> Option<Reply> {
        let connection = self.connections.get_mut(&id)?;
        let what = connection.to_client.pop_front()?;
        let client = &mut self.clients[connection.client as usize];
        let server = connection.server;
        if client.connection != Some(id) {
            if what.is_none() {
                self.connections.remove(&id);
            }
            return None;
        }
        let Some(bytes) = what else {
            client.connection = None;
            self.connections.remove(&id);
            return Some(Reply::Closed(server));
        };
        Some(match codec::decode::<Response>(&bytes) {
            Ok(response) => {
                self.scripted.1 += u64::from(client.scripted && response.result.is_ok());
                connection.waiting.retain(|(xid, _)| *xid != response.xid);
                Reply::Response(server, response)
            }
            Err(_) => Reply::Garbage(server),
        })
    }

    /// A server's process ended: its clients notice, at their own times.
    pub fn server_stopped(&mut self, now: Instant, server: Index, schedule: &mut Schedule) {
        let lost: Vec<ClientId> = self
            .connections
            .iter()
            .filter(|(_, c)| c.server == server && !c.closed)
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            self.reply(now, id, None, schedule);
        }
    }
}

/// A random request. Creations are as frequent as needed to keep about half of the nodes there.
fn operation(settings: &LoadSettings, random: &mut Random, value: u64) -> Operation {
    let path = format!("/{}", random.below(u64::from(settings.keys.max(1))));
    let dice = random.below(100) as u32;
    if dice < settings.sync_percent {
        return Operation::Sync;
    }
    if dice < settings.sync_percent + settings.reads_percent {
        return Operation::Get { path };
    }
    let versioned = random.chance(settings.versioned_percent * 10);
    let version = versioned.then(|| random.below(4) as u32);
    let data = |random: &mut Random| {
        let mut bytes = value.to_le_bytes().to_vec();
        bytes.resize((random.between(settings.value_bytes) as usize).max(8), value as u8);
        Bytes::from(bytes)
    };
    Operation::Change(match random.below(6) {
        0 | 1 => Change::Create { path, data: data(random) },
        2 => Change::Delete { path, version },
        _ => Change::Set { path, data: data(random), version },
    })
}

#[cfg(test)]
mod tests;
