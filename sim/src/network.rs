//! What carries frames between servers: streams as harsh as TCP really is, or datagrams
//! (zab.md section 15).
//!
//! Everything that a server knows of a connection comes to it in order through the same queue as
//! its frames, except that it broke. What was in flight at a break is cut at a drawn point; what
//! survives may arrive after a newer connection was opened.

use std::collections::VecDeque;

use zabrus_core::io::ConnectionId;
use zabrus_core::{Bytes, Duration, Instant};

use crate::random::Random;
use crate::schedule::{Event, Index, Packet, Schedule};
use crate::settings::{NetworkSettings, Transport};

/// All connections of a world.
#[derive(Debug)]
pub struct Network {
    settings: NetworkSettings,
    random: Random,
    /// By sender and receiver.
    directions: Vec<Vec<Direction>>,
    /// The connection of each pair, by the smaller and the larger server.
    pairs: Vec<Vec<Pair>>,
    /// Whose process runs.
    running: Vec<bool>,
    connections: u64,
}

#[derive(Debug, Default)]
struct Direction {
    blocked: bool,
    clog: Duration,
    latency_micros: (u64, u64),
    /// Packets in flight; one [`Event::Deliver`] for each, or `stalled` counts it.
    queue: VecDeque<Packet>,
    /// Packets that are due but blocked.
    stalled: usize,
    /// Changes at each break, so that events of the old stream have no effect on the new one.
    generation: u32,
    last_arrival: Instant,
    /// The connections that the receiving process was told of: the first and the last.
    told: Option<(ConnectionId, ConnectionId)>,
}

#[derive(Debug, Default)]
struct Pair {
    connection: Option<ConnectionId>,
    connecting: bool,
}

/// How the receiving end of a direction fares at a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Its process is gone, or broke the connection: it gets nothing any more.
    Deaf,
    /// It gets what survives, and a notice.
    Notices,
    /// The other end vanished without a word: it gets what survives, and a late notice.
    NoticesLate,
}

fn ordered(a: Index, b: Index) -> (Index, Index) {
    (a.min(b), a.max(b))
}

impl Network {
    /// A network between `count` servers, none of which runs.
    pub fn new(settings: &NetworkSettings, count: usize, mut random: Random) -> Self {
        let mut directions: Vec<Vec<Direction>> = Vec::new();
        for _ in 0..count {
            let mut link = || {
                let low = random.between(settings.latency_micros);
                let high = random.between((low, settings.latency_micros.1));
                Direction { latency_micros: (low, high), ..Direction::default() }
            };
            directions.push((0..count).map(|_| link()).collect());
        }
        let pairs = (0..count).map(|_| (0..count).map(|_| Pair::default()).collect()).collect();
        let settings = settings.clone();
        Self { settings, random, directions, pairs, running: vec![false; count], connections: 0 }
    }

    fn direction(&mut self, from: Index, to: Index) -> &mut Direction {
        &mut self.directions[usize::from(from)][usize::from(to)]
    }

    fn pair(&mut self, a: Index, b: Index) -> &mut Pair {
        let (low, high) = ordered(a, b);
        &mut self.pairs[usize::from(low)][usize::from(high)]
    }

    fn peers(&self, server: Index) -> impl Iterator<Item = Index> + use<> {
        (0..self.running.len() as Index).filter(move |peer| *peer != server)
    }

    fn new_connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    /// Whether anything is blocked from one to the other.
    #[must_use]
    pub fn is_blocked(&self, from: Index, to: Index) -> bool {
        self.directions[usize::from(from)][usize::from(to)].blocked
    }

    /// The present connection between two servers.
    #[must_use]
    pub fn connection(&self, a: Index, b: Index) -> Option<ConnectionId> {
        let (low, high) = ordered(a, b);
        self.pairs[usize::from(low)][usize::from(high)].connection
    }

    /// A server's process started.
    pub fn started(&mut self, now: Instant, server: Index, schedule: &mut Schedule) {
        self.running[usize::from(server)] = true;
        for peer in self.peers(server) {
            match self.settings.mode {
                Transport::Stream => self.connect_later(now, server, peer, schedule),
                Transport::Datagram => {
                    let connection = match self.pair(server, peer).connection {
                        Some(connection) => connection,
                        None => self.new_connection(),
                    };
                    self.pair(server, peer).connection = Some(connection);
                    let packet = Packet::Opened(connection);
                    schedule.push(now, Event::Stray { from: peer, to: server, packet });
                }
            }
        }
    }

    /// A server's process ended. A machine that lost its power does not tell its peers.
    pub fn stopped(&mut self, now: Instant, server: Index, silently: bool, schedule: &mut Schedule) {
        self.running[usize::from(server)] = false;
        for peer in self.peers(server) {
            if self.settings.mode == Transport::Stream {
                let end = if silently { End::NoticesLate } else { End::Notices };
                self.cut(now, (server, End::Deaf), (peer, end), schedule);
            }
            self.direction(peer, server).told = None;
        }
    }

    /// Sends a frame; on a connection that broke it vanishes.
    pub fn send(
        &mut self,
        now: Instant,
        (from, to): (Index, Index),
        connection: ConnectionId,
        bytes: Bytes,
        schedule: &mut Schedule,
    ) {
        if self.pair(from, to).connection != Some(connection) {
            return;
        }
        let packet = Packet::Frame(connection, bytes);
        match self.settings.mode {
            Transport::Stream => self.enqueue(now, from, to, packet, schedule),
            Transport::Datagram => self.send_datagram(now, from, to, packet, schedule),
        }
    }

    fn latency(&mut self, from: Index, to: Index) -> Duration {
        let slow = self.random.chance(self.settings.slow_per_mille);
        let extra = if slow { self.random.between(self.settings.slow_micros) } else { 0 };
        let Direction { latency_micros, clog, .. } = self.directions[usize::from(from)][usize::from(to)];
        Duration(self.random.between(latency_micros) + extra) + clog
    }

    fn enqueue(&mut self, now: Instant, from: Index, to: Index, packet: Packet, schedule: &mut Schedule) {
        let latency = self.latency(from, to);
        let direction = self.direction(from, to);
        direction.queue.push_back(packet);
        if direction.blocked {
            direction.stalled += 1;
            return;
        }
        direction.last_arrival = direction.last_arrival.max(now + latency);
        let generation = direction.generation;
        schedule.push(direction.last_arrival, Event::Deliver { from, to, generation });
    }

    fn send_datagram(
        &mut self,
        now: Instant,
        from: Index,
        to: Index,
        packet: Packet,
        schedule: &mut Schedule,
    ) {
        if self.random.chance(self.settings.loss_per_mille) {
            return;
        }
        let copies = 1 + u64::from(self.random.chance(self.settings.duplicate_per_mille));
        for _ in 0..copies {
            let latency = self.latency(from, to);
            let direction = self.direction(from, to);
            let mut at = direction.last_arrival.max(now + latency);
            direction.last_arrival = at;
            if self.random.chance(self.settings.reorder_per_mille) {
                at += Duration(self.random.between(self.settings.slow_micros));
            }
            schedule.push(at, Event::Stray { from, to, packet: packet.clone() });
        }
    }

    /// The first packet of a stream is due: it, if it passes.
    pub fn deliver(&mut self, from: Index, to: Index, generation: u32) -> Option<Packet> {
        let direction = self.direction(from, to);
        if direction.generation != generation {
            return None;
        }
        if direction.blocked {
            direction.stalled += 1;
            return None;
        }
        let packet = direction.queue.pop_front()?;
        self.receive(from, to, packet)
    }

    /// A packet of no stream is due: it, if it passes.
    pub fn deliver_stray(&mut self, from: Index, to: Index, packet: Packet) -> Option<Packet> {
        let opened = matches!(packet, Packet::Opened(_));
        if self.direction(from, to).blocked && !opened {
            return None;
        }
        self.receive(from, to, packet)
    }

    /// Only what a process was told of can bring it something.
    fn receive(&mut self, from: Index, to: Index, packet: Packet) -> Option<Packet> {
        let running = self.running[usize::from(to)];
        let told = &mut self.direction(from, to).told;
        let passes = match (&packet, &told) {
            (Packet::Opened(connection), _) => {
                let first = told.map_or(*connection, |(first, _)| first);
                *told = running.then_some((first, *connection));
                running
            }
            (Packet::Frame(connection, _), Some((first, last))) => {
                running && (first..=last).contains(&connection)
            }
            (Packet::Frame(..), None) => false,
        };
        passes.then_some(packet)
    }

    /// Whether the notice of a break concerns this end: it knows the connection.
    #[must_use]
    pub fn concerns(&self, at: Index, peer: Index, connection: ConnectionId) -> bool {
        let told = self.directions[usize::from(peer)][usize::from(at)].told;
        told.is_some_and(|(first, last)| (first..=last).contains(&connection))
    }

    fn connect_later(&mut self, now: Instant, a: Index, b: Index, schedule: &mut Schedule) {
        let (low, high) = ordered(a, b);
        if self.can_connect(low, high) && !self.pair(low, high).connecting {
            self.pair(low, high).connecting = true;
            let delay = Duration(self.random.between(self.settings.reconnect_micros));
            schedule.push(now + delay, Event::Connect { low, high });
        }
    }

    fn can_connect(&mut self, low: Index, high: Index) -> bool {
        self.settings.mode == Transport::Stream
            && self.pair(low, high).connection.is_none()
            && self.running[usize::from(low)]
            && self.running[usize::from(high)]
            && !self.is_blocked(low, high)
            && !self.is_blocked(high, low)
    }

    /// The two try to connect. Whatever prevents it now asks for another try when it ends.
    pub fn connect(&mut self, now: Instant, low: Index, high: Index, schedule: &mut Schedule) {
        self.pair(low, high).connecting = false;
        if self.can_connect(low, high) {
            let connection = self.new_connection();
            self.pair(low, high).connection = Some(connection);
            for (from, to) in [(low, high), (high, low)] {
                self.enqueue(now, from, to, Packet::Opened(connection), schedule);
            }
        }
    }

    /// `server` closes a connection.
    pub fn close(
        &mut self,
        now: Instant,
        server: Index,
        peer: Index,
        connection: ConnectionId,
        schedule: &mut Schedule,
    ) {
        if self.settings.mode == Transport::Stream && self.pair(server, peer).connection == Some(connection) {
            self.cut(now, (server, End::Deaf), (peer, End::Notices), schedule);
        }
    }

    /// The connection between two servers breaks.
    pub fn break_connection(&mut self, now: Instant, a: Index, b: Index, schedule: &mut Schedule) {
        if self.settings.mode == Transport::Stream {
            self.cut(now, (a, End::Notices), (b, End::Notices), schedule);
        }
    }

    fn cut(&mut self, now: Instant, a: (Index, End), b: (Index, End), schedule: &mut Schedule) {
        let Some(connection) = self.pair(a.0, b.0).connection.take() else { return };
        for ((at, end), (peer, _)) in [(a, b), (b, a)] {
            let told = self.concerns(at, peer, connection);
            let direction = self.direction(peer, at);
            direction.generation = direction.generation.wrapping_add(1);
            direction.stalled = 0;
            let (blocked, clog) = (direction.blocked, direction.clog);
            let mut in_flight = std::mem::take(&mut direction.queue);
            if end == End::Deaf || !told {
                continue;
            }
            let survivors = if blocked { 0 } else { self.random.range(0..=in_flight.len() as u64) };
            in_flight.truncate(survivors as usize);
            let mut arrival = now + clog;
            for packet in in_flight {
                arrival += Duration(self.random.between(self.settings.reconnect_micros) / 4);
                schedule.push(arrival, Event::Stray { from: peer, to: at, packet });
            }
            let late = end == End::NoticesLate || self.random.chance(self.settings.late_notice_per_mille);
            let NetworkSettings { notice_micros, late_notice_micros, .. } = self.settings;
            let delay = self.random.between(if late { late_notice_micros } else { notice_micros });
            schedule.push(now + Duration(delay), Event::Notice { at, peer, connection });
        }
        self.connect_later(now, a.0, b.0, schedule);
    }

    /// Nothing passes in this direction any more. A stream on which nothing passes for long
    /// breaks.
    pub fn block(&mut self, now: Instant, from: Index, to: Index, schedule: &mut Schedule) {
        self.direction(from, to).blocked = true;
        let (low, high) = ordered(from, to);
        if let (Transport::Stream, Some(connection)) = (self.settings.mode, self.pair(low, high).connection) {
            let patience = Duration(self.random.between(self.settings.stall_micros));
            schedule.push(now + patience, Event::Stalled { low, high, connection });
        }
    }

    /// A connection has been blocked for long, unless it is no more.
    pub fn stalled(
        &mut self,
        now: Instant,
        low: Index,
        high: Index,
        connection: ConnectionId,
        schedule: &mut Schedule,
    ) {
        let blocked = self.is_blocked(low, high) || self.is_blocked(high, low);
        if blocked && self.pair(low, high).connection == Some(connection) {
            self.cut(now, (low, End::Notices), (high, End::Notices), schedule);
        }
    }

    /// This direction is free again: what stalled arrives, in order.
    pub fn unblock(&mut self, now: Instant, from: Index, to: Index, schedule: &mut Schedule) {
        let latency = self.latency(from, to);
        let direction = self.direction(from, to);
        direction.blocked = false;
        direction.last_arrival = direction.last_arrival.max(now + latency);
        for _ in 0..std::mem::take(&mut direction.stalled) {
            let generation = direction.generation;
            schedule.push(direction.last_arrival, Event::Deliver { from, to, generation });
        }
        self.connect_later(now, from, to, schedule);
    }

    /// Everything sent in this direction from now on takes `extra` longer.
    pub fn clog(&mut self, from: Index, to: Index, extra: Duration) {
        self.direction(from, to).clog = extra;
    }

    /// Ends all blocks and clogs.
    pub fn heal(&mut self, now: Instant, schedule: &mut Schedule) {
        for from in 0..self.running.len() as Index {
            for to in self.peers(from) {
                self.clog(from, to, Duration::ZERO);
                if self.is_blocked(from, to) {
                    self.unblock(now, from, to, schedule);
                }
            }
        }
    }

    /// No datagram is lost, doubled or overtaken any more, and no frame takes long.
    pub fn calm(&mut self) {
        let settings = &mut self.settings;
        settings.slow_per_mille = 0;
        settings.loss_per_mille = 0;
        settings.duplicate_per_mille = 0;
        settings.reorder_per_mille = 0;
    }
}

#[cfg(test)]
mod tests;
