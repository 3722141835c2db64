//! The client port: connections, frames, four-letter words, and limits on all of them.

#[cfg(test)]
mod tests;
pub(crate) mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::Registry;
use mio::net::TcpStream;
use zabrus_core::io::{ClientId, Input};
use zabrus_core::{Duration, Instant};

use crate::channel::{Channel, SCRATCH_BYTES, Turn};
use crate::listener::Listener;
use crate::port::Port;
use crate::zoo_cfg::{ClientSettings, HostPort};
use words::Word;

/// A client that has more than this to read is not listened to until it has read some of it.
const QUEUE_PAUSES: usize = 1 << 20;

/// A client that has more than this to read is sent away.
const QUEUE_LIMIT: usize = 128 << 20;

/// A connection that says nothing is closed after this time (client.md section 18).
const SILENCE: Duration = Duration::from_seconds(10);

/// How long a connection that was closed by us may take to close its own end. Closing at once would
/// reset it, and the client would lose the last bytes.
const FAREWELL: Duration = Duration::from_seconds(2);

/// All clients.
#[derive(Debug)]
pub(crate) struct Clients {
    listener: Listener,
    settings: ClientSettings,
    /// By the number of the connection, as all the others.
    connections: BTreeMap<u64, Connection>,
    by_address: BTreeMap<IpAddr, usize>,
    readable: BTreeSet<u64>,
    unflushed: BTreeSet<u64>,
    deadlines: BTreeSet<(Instant, u64)>,
    last_number: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

#[derive(Debug)]
pub(crate) struct Connection {
    channel: Channel,
    pub(crate) address: SocketAddr,
    stage: Stage,
    /// It has too much to read.
    stalled: bool,
    /// The core does not want to hear it for now.
    paused: bool,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has not said anything yet, or not all of it.
    Fresh,
    /// It asked a four-letter word, and has no answer yet.
    Asked,
    /// The core knows it.
    Talking,
    /// It is closed when everything is sent.
    Closing,
    /// Everything is sent; it may close its end.
    Leaving,
}

impl Clients {
    /// Listens on the client port.
    pub(crate) fn start(settings: &ClientSettings, registry: &Registry) -> io::Result<Self> {
        let HostPort { host, port } = &settings.address;
        Ok(Self {
            listener: Listener::bind(host, *port, registry, Port::Clients.token(0))?,
            settings: settings.clone(),
            connections: BTreeMap::new(),
            by_address: BTreeMap::new(),
            readable: BTreeSet::new(),
            unflushed: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            last_number: 0,
            received: 0,
            sent: 0,
        })
    }

    /// Everybody, for the words that list connections.
    pub(crate) fn connections(&self) -> impl ExactSizeIterator<Item = &Connection> {
        self.connections.values()
    }

    /// Takes everybody who waits at the listener.
    pub(crate) fn accept(&mut self, registry: &Registry, now: Instant) {
        while let Some((stream, address)) = self.listener.accept(now) {
            self.admit(stream, address, registry, now);
        }
    }

    /// Closes what has been silent for too long, and accepts again what could not be accepted.
    pub(crate) fn advance(&mut self, registry: &Registry, now: Instant, inputs: &mut Vec<Input>) {
        if self.listener.deadline() <= now {
            self.accept(registry, now);
        }
        while let Some((_, number)) = self.deadlines.first().filter(|(deadline, _)| *deadline <= now).copied()
        {
            self.deadlines.pop_first();
            if self.connections.get(&number).is_some_and(|connection| connection.stage != Stage::Talking) {
                self.remove(number, inputs);
            }
        }
    }

    /// When [`Clients::advance`] is needed.
    pub(crate) fn deadline(&self) -> Instant {
        let first = self.deadlines.first().map_or(Instant::NEVER, |(deadline, _)| *deadline);
        first.min(self.listener.deadline())
    }

    /// The system says that a connection may be read or written again.
    pub(crate) fn is_ready(&mut self, number: u64) {
        self.readable.insert(number);
        self.unflushed.insert(number);
    }

    /// Something can be read at once.
    pub(crate) fn has_work(&self) -> bool {
        !self.readable.is_empty()
    }

    /// Gives every connection with something to read a turn.
    pub(crate) fn read(
        &mut self,
        scratch: &mut [u8; SCRATCH_BYTES],
        inputs: &mut Vec<Input>,
        questions: &mut Vec<(ClientId, Word)>,
    ) {
        for number in std::mem::take(&mut self.readable) {
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            if connection.channel.queued() > QUEUE_PAUSES {
                connection.stalled = true;
                continue;
            }
            if connection.paused {
                continue;
            }
            let turn = connection.channel.read(scratch);
            if connection.stage == Stage::Fresh
                && let Some(first) = connection.channel.unused().first_chunk::<4>()
                && let Some(word) = Word::recognize(first)
            {
                connection.stage = Stage::Asked;
                connection.received += 1;
                self.received += 1;
                questions.push((ClientId(number), word));
            }
            if matches!(connection.stage, Stage::Asked | Stage::Closing | Stage::Leaving) {
                connection.channel.consume(connection.channel.unused().len());
                match turn {
                    Ok(Turn::Blocked) => {}
                    Ok(Turn::More) => {
                        self.readable.insert(number);
                    }
                    // It may still read what is on its way.
                    Err(_) if connection.stage != Stage::Leaving => {}
                    Err(_) => self.remove(number, inputs),
                }
                continue;
            }
            let frames = self.take_frames(number, inputs);
            match turn.and_then(|turn| frames.map(|()| turn)) {
                Ok(Turn::Blocked) => {}
                Ok(Turn::More) => {
                    self.readable.insert(number);
                }
                Err(broken) => {
                    tracing::debug!(client = number, "the connection is gone: {broken}");
                    self.remove(number, inputs);
                }
            }
        }
    }

    /// Queues what the core says. [`Clients::flush`] sends it.
    pub(crate) fn send(&mut self, client: ClientId, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(&client.0) else { return };
        connection.channel.send(bytes);
        connection.sent += 1;
        self.sent += 1;
        self.unflushed.insert(client.0);
    }

    /// Reads nothing more from a client, or reads again.
    pub(crate) fn pause(&mut self, client: ClientId, paused: bool) {
        if let Some(connection) = self.connections.get_mut(&client.0) {
            connection.paused = paused;
            if !paused {
                self.readable.insert(client.0);
            }
        }
    }

    /// Answers a four-letter word, and closes the connection.
    pub(crate) fn answer(&mut self, client: ClientId, text: &str) {
        if let Some(connection) = self.connections.get_mut(&client.0) {
            connection.channel.send(text.as_bytes());
            self.close(client);
        }
    }

    /// Closes a connection after everything that was sent on it.
    pub(crate) fn close(&mut self, client: ClientId) {
        if let Some(connection) = self.connections.get_mut(&client.0) {
            connection.stage = Stage::Closing;
            self.unflushed.insert(client.0);
        }
    }

    /// Nobody serves any more: closes everything.
    pub(crate) fn close_all(&mut self) {
        let talking = |connection: &&u64| self.connections[*connection].stage == Stage::Talking;
        for number in self.connections.keys().filter(talking).copied().collect::<Vec<_>>() {
            self.close(ClientId(number));
        }
    }

    /// Sends what waits to be sent, as far as the system takes it.
    pub(crate) fn flush(&mut self, now: Instant, inputs: &mut Vec<Input>) {
        for number in std::mem::take(&mut self.unflushed) {
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            let flushed = connection.channel.flush();
            let queued = connection.channel.queued();
            if flushed.is_err() || queued > QUEUE_LIMIT {
                if queued > QUEUE_LIMIT {
                    tracing::warn!(client = number, address = %connection.address, "it reads too slowly");
                }
                self.remove(number, inputs);
                continue;
            }
            if connection.stalled && queued <= QUEUE_PAUSES {
                connection.stalled = false;
                self.readable.insert(number);
            }
            if connection.stage == Stage::Closing && queued == 0 {
                connection.stage = Stage::Leaving;
                connection.channel.finish();
                self.deadlines.insert((now + FAREWELL, number));
                self.readable.insert(number);
            }
        }
    }

    fn admit(&mut self, stream: TcpStream, address: SocketAddr, registry: &Registry, now: Instant) {
        let from_there = self.by_address.get(&address.ip()).copied().unwrap_or_default();
        let is_full = |limit: usize, present: usize| limit > 0 && present >= limit;
        if is_full(self.settings.per_address, from_there)
            || is_full(self.settings.total, self.connections.len())
        {
            tracing::warn!(%address, "too many connections, this one is closed; see maxClientCnxns and maxCnxns");
            return;
        }
        self.last_number += 1;
        let number = self.last_number;
        let Ok(channel) = Channel::new(stream, registry, Port::Client.token(number)) else { return };
        *self.by_address.entry(address.ip()).or_default() += 1;
        self.deadlines.insert((now + SILENCE, number));
        let stage = Stage::Fresh;
        self.connections.insert(
            number,
            Connection { channel, address, stage, stalled: false, paused: false, received: 0, sent: 0 },
        );
    }

    fn take_frames(&mut self, number: u64, inputs: &mut Vec<Input>) -> Result<(), crate::channel::Broken> {
        let Some(connection) = self.connections.get_mut(&number) else { return Ok(()) };
        let client = ClientId(number);
        while let Some(bytes) = connection.channel.next_frame(self.settings.frame_limit)? {
            if connection.stage == Stage::Fresh {
                connection.stage = Stage::Talking;
                let address = connection.address.ip().to_canonical();
                inputs.push(Input::ClientConnected { client, address });
            }
            connection.received += 1;
            self.received += 1;
            inputs.push(Input::ClientFrame { client, bytes });
        }
        Ok(())
    }

    fn remove(&mut self, number: u64, inputs: &mut Vec<Input>) {
        let Some(connection) = self.connections.remove(&number) else { return };
        if let Some(count) = self.by_address.get_mut(&connection.address.ip()) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&connection.address.ip());
            }
        }
        if connection.stage == Stage::Talking {
            inputs.push(Input::ClientGone { client: ClientId(number) });
        }
    }
}

impl Connection {
    /// What this server waits for, as ZooKeeper shows it: 1 to read, 4 to write, 0 for nothing.
    pub(crate) fn interest(&self) -> u8 {
        let reads = self.stage == Stage::Talking && !self.stalled && !self.paused;
        u8::from(reads) + 4 * u8::from(self.channel.queued() > 0)
    }
}
