//! Links to the other servers: one connection for each pair, on the election port.
//!
//! ZooKeeper's servers have two ports for each other; we need one. The election port is the one
//! that every server listens on all the time, so that is it; the quorum port stays unused.

mod dialer;
mod handshake;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mio::Registry;
use mio::net::TcpStream;
use rustix::net::sockopt;
use zabrus_core::codec::RECORD_LIMIT;
use zabrus_core::io::{ConnectionId, Input};
use zabrus_core::membership::ServerLine;
use zabrus_core::message::Frame;
use zabrus_core::{Duration, Instant, ServerId};

use crate::channel::{Broken, Channel, SCRATCH_BYTES, Turn};
use crate::listener::Listener;
use crate::port::Port;
use crate::zoo_cfg::Settings;
use dialer::Dialer;
pub(crate) use dialer::Outcome;
use handshake::{Hello, LENGTH, Verdict};

/// A link that has more to send than this is broken. It must hold what the core sends a learner in
/// one step, a whole window of the largest transactions, or such a learner would never get it.
const QUEUE_LIMIT: usize = 1 << 30;

/// Connections that have not greeted yet.
const VISITORS_AT_MOST: usize = 64;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(1_000);

/// A connection that is not older than this proves nothing yet. One that breaks so soon may do so
/// again at once; and a smaller server that asks to be called back, so has none, may have asked
/// before this one came up.
const YOUNG: Duration = Duration::from_millis(2_000);

/// All links.
pub(crate) struct Peers {
    own: ServerId,
    ensemble: u64,
    listeners: Vec<Listener>,
    peers: BTreeMap<ServerId, Peer>,
    report: Arc<Report>,
    connect_timeout: std::time::Duration,
    /// By the number of the connection, as the next two.
    links: BTreeMap<u64, Link>,
    visitors: BTreeMap<u64, Visitor>,
    readable: BTreeSet<u64>,
    unflushed: BTreeSet<u64>,
    last_number: u64,
    queue_limit: usize,
    /// How long a connection may be silent although it should not be.
    silence: Duration,
    greeting_time: Duration,
    /// No replica runs: no links either.
    suspended: bool,
    /// Who was refused last, and why: once is enough to say so.
    refused: Option<(ServerId, Verdict)>,
}

/// Who was dialed, and what came of it.
type Report = dyn Fn(ServerId, Outcome) + Send + Sync;

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers").field("own", &self.own).field("peers", &self.peers).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Peer {
    /// `None` for a stranger: who came by itself, and is told apart when a reconfig names it.
    dialer: Option<Dialer>,
    addresses: Vec<(String, u16)>,
    dialing: bool,
    next_dial: Instant,
    pause: Duration,
    link: Option<u64>,
    /// What the operator was told last.
    problem: String,
}

#[derive(Debug)]
struct Link {
    peer: ServerId,
    channel: Channel,
    since: Instant,
}

/// Somebody who has not greeted yet.
#[derive(Debug)]
struct Visitor {
    channel: Channel,
    deadline: Instant,
}

/// On the own addresses, or on their ports of all addresses. One that cannot be had is a warning while there is
/// another.
fn listen(settings: &Settings, registry: &Registry) -> io::Result<Vec<Listener>> {
    let own = settings.servers.get(&settings.core.id);
    // With quorumListenOnAllIPs several addresses may share one port.
    let places: BTreeSet<(&str, u16)> = own
        .iter()
        .flat_map(|line| &line.addresses)
        .map(|address| {
            (if settings.listen_on_all { "0.0.0.0" } else { &address.host }, address.election_port)
        })
        .collect();
    let (mut listeners, mut last) = (Vec::new(), None);
    for (host, port) in places {
        match Listener::bind(host, port, registry, Port::Peers.token(listeners.len() as u64)) {
            Ok(listener) => {
                let address = listener.address()?;
                if is_deceptive(host, address) {
                    tracing::warn!(
                        "on this machine {host} is {address}, where only this machine can connect: other \
                         servers reach this one after /etc/hosts is corrected, or with quorumListenOnAllIPs=true"
                    );
                }
                listeners.push(listener);
            }
            Err(error) => {
                tracing::warn!("{error}; see quorumListenOnAllIPs if this address is another machine's");
                last = Some(error);
            }
        }
    }
    match last {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

impl Peers {
    /// Listens, and prepares to dial. `report` gives the outcome of an attempt back to
    /// [`Peers::dialed`].
    pub(crate) fn start(
        settings: &Settings,
        registry: &Registry,
        now: Instant,
        report: impl Fn(ServerId, Outcome) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let core = &settings.core;
        let own = core.id;
        let ensemble = match core.service.reconfig_enabled {
            true => handshake::CHANGING,
            false => handshake::fingerprint(&core.ensemble),
        };
        let listeners = listen(settings, registry)?;
        let mut peers = Self {
            own,
            ensemble,
            listeners,
            peers: BTreeMap::new(),
            report: Arc::new(report),
            connect_timeout: settings.connect_timeout,
            links: BTreeMap::new(),
            visitors: BTreeMap::new(),
            readable: BTreeSet::new(),
            unflushed: BTreeSet::new(),
            last_number: 0,
            queue_limit: QUEUE_LIMIT,
            silence: core.tick_time.times(core.sync_limit.into()),
            greeting_time: Duration(settings.connect_timeout.as_micros() as u64),
            suspended: false,
            refused: None,
        };
        peers.reconfigure(&settings.servers, now)?;
        Ok(peers)
    }

    /// The servers to reach are these from now on. Links to those that stay, and of strangers, are kept; those
    /// to others end when what was sent on them before has left.
    pub(crate) fn reconfigure(
        &mut self,
        servers: &BTreeMap<ServerId, ServerLine>,
        now: Instant,
    ) -> io::Result<()> {
        // Observers have nothing to say to each other.
        let votes = |id: &ServerId| servers.get(id).is_some_and(|line| !line.observer);
        let own = self.own;
        let is_peer = |id: &ServerId| *id != own && (votes(&own) || votes(id));
        let wanted: BTreeMap<_, _> = servers.iter().filter(|(id, _)| is_peer(id)).collect();
        let is_gone = |id: &ServerId, peer: &mut Peer| peer.dialer.is_some() && !wanted.contains_key(id);
        let gone: Vec<_> = self.peers.extract_if(.., is_gone).collect();
        for (id, peer) in gone {
            tracing::info!(peer = %id, "the server is not to be reached any more");
            if let Some(mut link) = peer.link.and_then(|number| self.links.remove(&number)) {
                // What does not leave at once is lost; the server then comes back as a stranger, and asks.
                let _ = link.channel.flush();
                link.channel.finish();
            }
        }
        for (id, line) in wanted {
            let addresses: Vec<_> =
                line.addresses.iter().map(|a| (a.host.clone(), a.election_port)).collect();
            if self.peers.get(id).is_some_and(|peer| peer.dialer.is_some() && peer.addresses == addresses) {
                continue;
            }
            let hello =
                Hello { verdict: Verdict::Welcome, sender: self.own, receiver: *id, ensemble: self.ensemble };
            let (peer, report) = (*id, Arc::clone(&self.report));
            let report = move |outcome| report(peer, outcome);
            let dialer = Dialer::start(hello, addresses.clone(), self.connect_timeout, report)?;
            let link = self.peers.get(id).and_then(|peer| peer.link);
            let (next_dial, pause, problem) = (now, FIRST_PAUSE, String::new());
            let dialer = Some(dialer);
            let peer = Peer { dialer, addresses, dialing: false, next_dial, pause, link, problem };
            self.peers.insert(*id, peer);
        }
        Ok(())
    }

    /// Dials whoever is missing, and sends away who does not greet.
    pub(crate) fn advance(&mut self, registry: &Registry, now: Instant) {
        if self.listeners.iter().any(|listener| listener.deadline() <= now) {
            self.accept(registry, now);
        }
        self.visitors.retain(|_, visitor| visitor.deadline > now);
        if self.suspended {
            return;
        }
        for peer in self.peers.values_mut().filter(|peer| peer.wants_dial() && peer.next_dial <= now) {
            peer.dialing = true;
            peer.dialer.iter().for_each(Dialer::dial);
        }
    }

    /// When [`Peers::advance`] is needed.
    pub(crate) fn deadline(&self) -> Instant {
        let visitors = self.visitors.values().map(|visitor| visitor.deadline);
        let dials = self.peers.values().filter(|peer| !self.suspended && peer.wants_dial());
        let listeners = self.listeners.iter().map(Listener::deadline);
        visitors.chain(dials.map(|peer| peer.next_dial)).chain(listeners).min().unwrap_or(Instant::NEVER)
    }

    /// An attempt to reach `peer` is over.
    pub(crate) fn dialed(
        &mut self,
        registry: &Registry,
        now: Instant,
        id: ServerId,
        outcome: Outcome,
        inputs: &mut Vec<Input>,
    ) {
        let suspended = self.suspended;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.dialing = false;
        peer.rest(now);
        match outcome {
            Outcome::Connected(stream) if !suspended => {
                self.last_number += 1;
                let number = self.last_number;
                let token = Port::Peer.token(number);
                match Channel::new(TcpStream::from_std(stream), registry, token) {
                    Ok(channel) => self.link(number, id, channel, now, inputs),
                    Err(error) => tracing::warn!(peer = %id, %error, "a connection cannot be used"),
                }
            }
            Outcome::Connected(_) | Outcome::CallBack => {}
            Outcome::Failed(problem) => {
                if peer.problem != problem {
                    tracing::warn!(peer = %id, "not connected: {problem}");
                }
                peer.problem = problem;
            }
        }
    }

    /// Takes everybody who waits at a listener.
    pub(crate) fn accept(&mut self, registry: &Registry, now: Instant) {
        for listener in &mut self.listeners {
            while let Some((stream, _)) = listener.accept(now) {
                if self.suspended || self.visitors.len() >= VISITORS_AT_MOST {
                    continue;
                }
                self.last_number += 1;
                if let Ok(channel) = Channel::new(stream, registry, Port::Peer.token(self.last_number)) {
                    let visitor = Visitor { channel, deadline: now + self.greeting_time };
                    self.visitors.insert(self.last_number, visitor);
                }
            }
        }
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
    pub(crate) fn read(&mut self, now: Instant, scratch: &mut [u8; SCRATCH_BYTES], inputs: &mut Vec<Input>) {
        for number in std::mem::take(&mut self.readable) {
            if let Some(visitor) = self.visitors.get_mut(&number) {
                let turn = visitor.channel.read(scratch);
                if turn.is_ok() && visitor.channel.unused().len() < LENGTH {
                    continue;
                }
                self.greet(number, now, inputs);
            }
            let Some(link) = self.links.get_mut(&number) else { continue };
            let (peer, connection) = (link.peer, ConnectionId(number));
            let turn = link.channel.read(scratch);
            let frames = loop {
                match link.channel.next_frame(RECORD_LIMIT) {
                    Ok(Some(bytes)) => inputs.push(Input::Frame { peer, connection, bytes }),
                    Ok(None) => break Ok(()),
                    Err(broken) => break Err(broken),
                }
            };
            match turn.and_then(|turn| frames.map(|()| turn)) {
                Ok(Turn::Blocked) => {}
                Ok(Turn::More) => {
                    self.readable.insert(number);
                }
                Err(broken) => self.drop_link(number, now, &broken.to_string(), inputs),
            }
        }
    }

    /// Queues a frame. [`Peers::flush`] sends it.
    pub(crate) fn send(&mut self, connection: ConnectionId, frame: &Frame) {
        if let Some(link) = self.links.get_mut(&connection.0) {
            link.channel.send_frame(&frame.encode());
            self.unflushed.insert(connection.0);
        }
    }

    /// The core does not want this connection any more.
    pub(crate) fn disconnect(&mut self, connection: ConnectionId, now: Instant) {
        // The core has closed it by itself, and needs not be told.
        self.drop_link(connection.0, now, "it sent what no server sends", &mut Vec::new());
    }

    /// Sends what waits to be sent, as far as the system takes it.
    pub(crate) fn flush(&mut self, now: Instant, inputs: &mut Vec<Input>) {
        for number in std::mem::take(&mut self.unflushed) {
            let Some(link) = self.links.get_mut(&number) else { continue };
            match link.channel.flush() {
                Ok(()) if link.channel.queued() <= self.queue_limit => {}
                Ok(()) => self.drop_link(number, now, "it reads too slowly", inputs),
                Err(error) => self.drop_link(number, now, &Broken::Io(error).to_string(), inputs),
            }
        }
    }

    /// No replica runs any more: hangs up, so that the others see it at once.
    pub(crate) fn suspend(&mut self) {
        self.suspended = true;
        self.links.clear();
        self.visitors.clear();
        self.peers.retain(|_, peer| peer.dialer.is_some());
        for peer in self.peers.values_mut() {
            peer.link = None;
        }
    }

    /// A replica runs again.
    pub(crate) fn resume(&mut self, now: Instant) {
        self.suspended = false;
        for peer in self.peers.values_mut() {
            (peer.next_dial, peer.pause) = (now, FIRST_PAUSE);
        }
    }

    /// A visitor has greeted, or broke off.
    fn greet(&mut self, number: u64, now: Instant, inputs: &mut Vec<Input>) {
        let Some(Visitor { mut channel, .. }) = self.visitors.remove(&number) else { return };
        let Some(bytes) = channel.unused().first_chunk::<LENGTH>() else { return };
        let Some(hello) = Hello::decode(bytes) else {
            tracing::warn!(from = ?channel.stream().peer_addr().ok(), "whoever connects here is no zabrus server");
            return;
        };
        channel.consume(LENGTH);
        let verdict = hello.answer(self.own, self.ensemble, |id| {
            self.peers.get(&id).is_some_and(|peer| peer.dialer.is_some())
        });
        let answer = Hello { verdict, sender: self.own, receiver: hello.sender, ensemble: self.ensemble };
        channel.send(&answer.encode());
        match verdict {
            Verdict::Welcome => {
                self.peers.entry(hello.sender).or_insert_with(|| Peer::stranger(now));
                self.link(number, hello.sender, channel, now, inputs);
                self.unflushed.insert(number);
                return;
            }
            Verdict::CallBack => self.call_back(hello.sender, now, inputs),
            _ if self.refused == Some((hello.sender, verdict)) => {}
            _ => {
                self.refused = Some((hello.sender, verdict));
                tracing::warn!(from = %hello.sender, "a server is refused here; it is told why: {verdict}");
            }
        }
        // A fresh connection takes a few bytes.
        let _ = channel.flush();
        channel.finish();
    }

    fn call_back(&mut self, id: ServerId, now: Instant, inputs: &mut Vec<Input>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.next_dial = now;
        let link = peer.link.and_then(|number| self.links.get(&number).map(|link| (number, link.since)));
        if let Some((number, since)) = link
            && now.since(since) > YOUNG
        {
            self.drop_link(number, now, "the other end lost it", inputs);
        }
    }

    fn link(&mut self, number: u64, id: ServerId, channel: Channel, now: Instant, inputs: &mut Vec<Input>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        keep_alive(channel.stream(), self.silence);
        if let Some(old) = peer.link.replace(number) {
            self.links.remove(&old);
        }
        peer.problem.clear();
        self.links.insert(number, Link { peer: id, channel, since: now });
        // Something may be there already, for which no event comes any more.
        self.readable.insert(number);
        tracing::info!(peer = %id, "connected");
        inputs.push(Input::Connected { peer: id, connection: ConnectionId(number) });
    }

    fn drop_link(&mut self, number: u64, now: Instant, why: &str, inputs: &mut Vec<Input>) {
        let Some(Link { peer: id, since, .. }) = self.links.remove(&number) else { return };
        tracing::info!(peer = %id, "the connection is gone: {why}");
        if let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.link == Some(number)) {
            peer.link = None;
            if now.since(since) > YOUNG {
                peer.pause = FIRST_PAUSE;
                // The larger id opens connections. The smaller one only waits for that.
                peer.next_dial = if self.own > id { now } else { now + FIRST_PAUSE.times(4) };
            } else {
                // It may break again as soon.
                peer.rest(now);
            }
        }
        self.peers.retain(|_, peer| peer.dialer.is_some() || peer.link.is_some());
        inputs.push(Input::Disconnected { peer: id, connection: ConnectionId(number) });
    }
}

impl Peer {
    fn stranger(now: Instant) -> Self {
        let (addresses, problem, pause) = (Vec::new(), String::new(), FIRST_PAUSE);
        Self { dialer: None, addresses, dialing: false, next_dial: now, pause, link: None, problem }
    }

    fn wants_dial(&self) -> bool {
        self.link.is_none() && !self.dialing && self.dialer.is_some()
    }

    /// Waits for a while before the next attempt, and longer before the one after it.
    fn rest(&mut self, now: Instant) {
        self.next_dial = now + self.pause;
        self.pause = self.pause.times(2).min(LONGEST_PAUSE);
    }
}

/// Whether the name of a machine is a loopback address there, as many systems install it: a server that
/// listens on that waits for ever for the others.
fn is_deceptive(host: &str, listens_on: SocketAddr) -> bool {
    listens_on.ip().is_loopback() && host != "localhost" && host.parse::<IpAddr>().is_err()
}

/// A machine that vanished sends no goodbye: the system finds out, when it has nothing to send and
/// when it has.
fn keep_alive(stream: &TcpStream, silence: Duration) {
    let span = std::time::Duration::from_micros(silence.0);
    let probe = (span / 4).max(std::time::Duration::from_secs(1));
    let done = sockopt::set_socket_keepalive(stream, true)
        .and_then(|()| sockopt::set_tcp_keepidle(stream, probe))
        .and_then(|()| sockopt::set_tcp_keepintvl(stream, probe))
        .and_then(|()| sockopt::set_tcp_keepcnt(stream, 3))
        .and_then(|()| {
            sockopt::set_tcp_user_timeout(stream, silence.as_millis().min(u64::from(u32::MAX)) as u32)
        });
    if let Err(error) = done {
        tracing::warn!(%error, "a connection has no keep-alive; a machine that vanishes is noticed late");
    }
}
