//! The client port: connections, frames, who asks a four-letter word, and limits on all of them.

pub(crate) mod fired;
mod intake;
#[cfg(test)]
mod tests;
pub(crate) mod throttle;
pub(crate) mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::Registry;
use mio::net::TcpStream;
use rustix::process::{Resource, getrlimit};
use zabrus_core::io::{ClientId, Input};
use zabrus_core::wire::SessionId;
use zabrus_core::{Duration, Instant};

use crate::channel::Channel;
use crate::figures::{Summary, Tally};
use crate::listener::Listener;
use crate::operator::ConnectionFacts;
use crate::port::Port;
use crate::zoo_cfg::{ClientSettings, HostPort};
use fired::Fired;
use throttle::Throttle;
use traffic::{Kind, Sent, Traffic};

/// A client that has more than this to read is not listened to until it has read some of it.
const QUEUE_PAUSES: usize = 1 << 20;

/// A client that has more than this to read is sent away.
const QUEUE_LIMIT: usize = 128 << 20;

/// Files that clients leave to the disk, to other servers and to operators, or a third of all if that is less.
const FILES_LEFT: u64 = 256;

/// A warning about connections that are refused is not repeated before this time: they may come in thousands.
const WARNS_EVERY: Duration = Duration::from_seconds(1);

/// A connection that says nothing is closed after this time (client.md section 18).
const SILENCE: Duration = Duration::from_seconds(10);

/// How long a connection that was closed by us may take to close its own end. Closing at once would
/// reset it, and the client would lose the last bytes.
const FAREWELL: Duration = Duration::from_seconds(2);

/// How long a client whose connection is closed by us may take to read what was sent before. One that
/// never reads would keep its place and its megabytes for ever.
const LAST_WORDS: Duration = Duration::from_seconds(10);

/// All clients.
#[derive(Debug)]
pub(crate) struct Clients {
    listener: Listener,
    settings: ClientSettings,
    /// As many connections as the system's limit of open files allows.
    most: usize,
    /// By the number of the connection, as all the others.
    connections: BTreeMap<u64, Connection>,
    by_address: BTreeMap<IpAddr, usize>,
    readable: BTreeSet<u64>,
    unflushed: BTreeSet<u64>,
    deadlines: BTreeSet<(Instant, u64)>,
    last_number: u64,
    /// When the last refused connection was in the log.
    warned: Option<Instant>,
    /// Whose turn was the last one for which there was room; the next one begins behind it.
    last_served: u64,
    /// The bytes of large requests under way.
    large: u64,
    throttle: Option<Throttle>,
    pub(crate) figures: ClientFigures,
    /// How long answers took.
    pub(crate) reads: Summary,
    pub(crate) updates: Summary,
    pub(crate) fired: Fired,
}

/// What is counted of all connections together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClientFigures {
    /// Frames and four-letter words.
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) bytes_received: u64,
    /// The sizes of answers, in bytes.
    pub(crate) answers: Tally,
    /// From the arrival of a request to its answer, in microseconds.
    pub(crate) latency: Tally,
    pub(crate) notification_bytes: u64,
    pub(crate) handshakes: u64,
    /// Handshakes of sessions that are there already.
    pub(crate) reattached: u64,
    /// Connections that ended without a word.
    pub(crate) dropped: u64,
    /// Connections and handshakes beyond a limit.
    pub(crate) rejected: u64,
    /// Connections that said nothing.
    pub(crate) silent: u64,
    pub(crate) too_large: u64,
    /// How often one waited because as many as allowed were under way.
    pub(crate) held: u64,
    /// Connections that ended while a request waited so.
    pub(crate) stale: u64,
    pub(crate) auth_failed: u64,
}

#[derive(Debug)]
struct Connection {
    channel: Channel,
    address: SocketAddr,
    stage: Stage,
    /// The last of its entries in [`Clients::deadlines`]; earlier ones mean nothing.
    deadline: Instant,
    /// It has too much to read.
    stalled: bool,
    /// The core does not want to hear it for now.
    paused: bool,
    /// There was no room for its requests.
    held: bool,
    traffic: Traffic,
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
            most: most_connections(getrlimit(Resource::Nofile).current),
            connections: BTreeMap::new(),
            by_address: BTreeMap::new(),
            readable: BTreeSet::new(),
            unflushed: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            last_number: 0,
            warned: None,
            last_served: 0,
            large: 0,
            throttle: settings.throttle.map(Throttle::new),
            figures: ClientFigures::default(),
            reads: Summary::default(),
            updates: Summary::default(),
            fired: Fired::default(),
        })
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.connections.len()
    }

    /// Every connection, for those who ask.
    pub(crate) fn list(&self) -> impl Iterator<Item = ConnectionFacts> {
        self.connections.values().map(Connection::facts)
    }

    /// The session of a connection, if it has one.
    pub(crate) fn session(&self, client: ClientId) -> Option<SessionId> {
        let session = self.connections.get(&client.0)?.traffic.session;
        (session != SessionId(0)).then_some(session)
    }

    /// Begins to count anew.
    pub(crate) fn reset(&mut self) {
        (self.figures, self.reads, self.updates, self.fired) = <_>::default();
    }

    /// Begins to count anew for each connection.
    pub(crate) fn reset_connections(&mut self) {
        self.connections.values_mut().for_each(|connection| connection.traffic.reset());
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
            let Some(connection) = self.connections.get(&number) else { continue };
            match connection.stage {
                _ if connection.deadline > now => {}
                Stage::Talking => {
                    // What it said may not have been read yet: read() decides.
                    self.readable.insert(number);
                    let again = connection.forgotten().max(now + SILENCE);
                    self.arm(number, again);
                }
                stage => {
                    self.figures.silent += u64::from(stage == Stage::Fresh);
                    self.remove(number, inputs);
                }
            }
        }
    }

    /// Sets when to look at a connection again, instead of an earlier time.
    fn arm(&mut self, number: u64, deadline: Instant) {
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.deadline = deadline;
            self.deadlines.insert((deadline, number));
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

    /// Queues what the core says. [`Clients::flush`] sends it.
    pub(crate) fn send(&mut self, client: ClientId, bytes: &[u8], now: Instant) {
        let Some(connection) = self.connections.get_mut(&client.0) else { return };
        connection.channel.send(bytes);
        self.unflushed.insert(client.0);
        self.figures.sent += 1;
        // As ZooKeeper counts, without the length before it.
        let frame = bytes.get(4..).unwrap_or_default();
        let size = frame.len() as u64;
        let before = connection.traffic.large;
        let sent = connection.traffic.leaves(frame, now);
        self.large -= before - connection.traffic.large;
        match sent {
            Sent::Notification => {
                self.figures.notification_bytes += size;
                self.fired.notified(frame);
            }
            Sent::AuthFailed => self.figures.auth_failed += 1,
            Sent::Other => {}
            Sent::Answer { kind, span } => {
                self.figures.answers.record(size);
                self.figures.latency.record(span.0);
                match kind {
                    Kind::Read => self.reads.record(span),
                    Kind::Update => self.updates.record(span),
                    Kind::Ping => {}
                }
            }
        }
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
    pub(crate) fn answer(&mut self, client: ClientId, text: &str, now: Instant) {
        if let Some(connection) = self.connections.get_mut(&client.0) {
            connection.channel.send(text.as_bytes());
            self.figures.sent += 1;
            self.close(client, now);
        }
    }

    /// Closes a connection after everything that was sent on it.
    pub(crate) fn close(&mut self, client: ClientId, now: Instant) {
        if let Some(connection) = self.connections.get_mut(&client.0) {
            connection.stage = Stage::Closing;
            self.unflushed.insert(client.0);
            self.arm(client.0, now + LAST_WORDS);
        }
    }

    /// Nobody serves any more: closes everything.
    pub(crate) fn close_all(&mut self, now: Instant) {
        let talking = |connection: &&u64| self.connections[*connection].stage == Stage::Talking;
        for number in self.connections.keys().filter(talking).copied().collect::<Vec<_>>() {
            self.close(ClientId(number), now);
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
                    let (address, session) = (connection.address, connection.traffic.session);
                    tracing::warn!(client = number, %session, %address, "it reads too slowly");
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
                self.readable.insert(number);
                self.arm(number, now + FAREWELL);
            }
        }
    }

    fn admit(&mut self, stream: TcpStream, address: SocketAddr, registry: &Registry, now: Instant) {
        let from_there = self.by_address.get(&address.ip()).copied().unwrap_or_default();
        let is_full = |limit: usize, present: usize| limit > 0 && present >= limit;
        if is_full(self.settings.per_address, from_there)
            || is_full(self.settings.total, self.connections.len())
            || self.connections.len() >= self.most
        {
            self.figures.rejected += 1;
            if self.warned.is_none_or(|last| now.since(last) >= WARNS_EVERY) {
                self.warned = Some(now);
                tracing::warn!(
                    %address,
                    rejected = self.figures.rejected,
                    "too many connections, this one is closed; see maxClientCnxns, maxCnxns and `ulimit -n`"
                );
            }
            return;
        }
        self.last_number += 1;
        let number = self.last_number;
        let Ok(channel) = Channel::new(stream, registry, Port::Client.token(number)) else { return };
        *self.by_address.entry(address.ip()).or_default() += 1;
        let (stage, traffic) = (Stage::Fresh, Traffic::new(now));
        let (stalled, paused, held, deadline) = (false, false, false, now);
        self.connections
            .insert(number, Connection { channel, address, stage, deadline, stalled, paused, held, traffic });
        self.arm(number, now + SILENCE);
    }

    fn remove(&mut self, number: u64, inputs: &mut Vec<Input>) {
        let Some(connection) = self.connections.remove(&number) else { return };
        self.large -= connection.traffic.large;
        self.figures.stale += u64::from(connection.held && !connection.channel.unused().is_empty());
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

/// Of `files` that this process may open, the connections.
fn most_connections(files: Option<u64>) -> usize {
    let most = files.map_or(u64::MAX, |files| files - FILES_LEFT.min(files / 3));
    usize::try_from(most).unwrap_or(usize::MAX)
}

impl Connection {
    /// When its session expires if nothing is heard of it.
    fn expires(&self) -> Instant {
        let patience = match self.traffic.session {
            SessionId(0) => SILENCE,
            _ => Duration::from_millis(u64::try_from(self.traffic.timeout).unwrap_or(0)),
        };
        self.traffic.heard + patience
    }

    /// When nobody is at its other end any more: the machine vanished, or the client went to another
    /// server with its session, which therefore does not expire. Later than the session's own end, as in
    /// ZooKeeper, which looks every ten seconds.
    fn forgotten(&self) -> Instant {
        self.expires() + SILENCE
    }

    fn facts(&self) -> ConnectionFacts {
        let traffic = &self.traffic;
        let reads = self.stage == Stage::Talking && !self.stalled && !self.paused;
        ConnectionFacts {
            address: self.address,
            interest: u8::from(reads) + 4 * u8::from(self.channel.queued() > 0),
            outstanding: traffic.outstanding(),
            received: traffic.received,
            sent: traffic.sent,
            session: traffic.session,
            timeout: traffic.timeout,
            established: traffic.established,
            expires: self.expires(),
            answers: traffic.answers,
        }
    }
}
