//! The connections between clients and servers: what is on its way, in order, in both directions.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use zabrus_core::io::ClientId;
use zabrus_core::{Bytes, Duration, Instant};

use crate::random::Random;
use crate::schedule::{Event, Index, Schedule};

/// All connections of all clients.
#[derive(Debug)]
pub(super) struct Wires {
    latency: (u64, u64),
    random: Random,
    wires: BTreeMap<ClientId, Wire>,
    last: u64,
}

#[derive(Debug)]
struct Wire {
    client: u32,
    server: Index,
    /// The server's end is closed: nothing that the client sends arrives.
    closed: bool,
    /// The server does not read; how many arrivals wait for that.
    paused: Option<u32>,
    to_server: VecDeque<Arrival>,
    /// `None` is the end of the connection.
    to_client: VecDeque<Option<Bytes>>,
    last_arrival: (Instant, Instant),
}

/// What arrives at a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// A client connects.
    Connected(IpAddr),
    /// A frame without its length.
    Frame(Bytes),
    /// The client's end is closed.
    Gone,
}

impl Wires {
    pub(super) fn new(latency: (u64, u64), random: Random) -> Self {
        Self { latency, random, wires: BTreeMap::new(), last: 0 }
    }

    /// A new connection. Numbers are never used twice.
    pub(super) fn open(
        &mut self,
        now: Instant,
        client: u32,
        server: Index,
        address: IpAddr,
        schedule: &mut Schedule,
    ) -> ClientId {
        self.last += 1;
        let id = ClientId(self.last);
        let wire = Wire {
            client,
            server,
            closed: false,
            paused: None,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            last_arrival: (Instant(0), Instant(0)),
        };
        self.wires.insert(id, wire);
        self.send(now, id, Arrival::Connected(address), schedule);
        id
    }

    /// A client sends something, or leaves. What it sends to somebody who left vanishes.
    pub(super) fn send(&mut self, now: Instant, id: ClientId, what: Arrival, schedule: &mut Schedule) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let arrival = now + Duration(self.random.between(self.latency));
        wire.last_arrival.0 = wire.last_arrival.0.max(arrival);
        wire.to_server.push_back(what);
        schedule.push(wire.last_arrival.0, Event::ToServer { client: id });
    }

    /// What a client sent first is at its server.
    pub(super) fn at_server(&mut self, id: ClientId) -> Option<(Index, Arrival)> {
        let wire = self.wires.get_mut(&id)?;
        if let Some(held) = wire.paused.as_mut().filter(|_| !wire.closed) {
            *held += 1;
            return None;
        }
        let (server, closed) = (wire.server, wire.closed);
        let arrival = wire.to_server.pop_front()?;
        if arrival == Arrival::Gone {
            self.wires.remove(&id);
        }
        (!closed).then_some((server, arrival))
    }

    /// A server stops or begins to read from a connection.
    pub(super) fn pause(&mut self, now: Instant, id: ClientId, paused: bool, schedule: &mut Schedule) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        if paused {
            wire.paused.get_or_insert(0);
        } else {
            for _ in 0..wire.paused.take().unwrap_or(0) {
                schedule.push(now, Event::ToServer { client: id });
            }
        }
    }

    /// A server sends, or closes the connection.
    pub(super) fn reply(&mut self, now: Instant, id: ClientId, what: Option<Bytes>, schedule: &mut Schedule) {
        let Some(wire) = self.wires.get_mut(&id).filter(|wire| !wire.closed) else { return };
        let arrival = now + Duration(self.random.between(self.latency));
        wire.last_arrival.1 = wire.last_arrival.1.max(arrival);
        wire.closed = what.is_none();
        wire.to_client.push_back(what);
        schedule.push(wire.last_arrival.1, Event::ToClient { client: id });
        if wire.closed {
            self.pause(now, id, false, schedule);
        }
    }

    /// What a server sent first is at its client.
    pub(super) fn at_client(&mut self, id: ClientId) -> Option<(u32, Index, Option<Bytes>)> {
        let wire = self.wires.get_mut(&id)?;
        let what = wire.to_client.pop_front()?;
        let (client, server) = (wire.client, wire.server);
        if what.is_none() {
            self.wires.remove(&id);
        }
        Some((client, server, what))
    }

    /// A server's process ended: its clients notice, at their own times.
    pub(super) fn server_stopped(&mut self, now: Instant, server: Index, schedule: &mut Schedule) {
        let lost: Vec<ClientId> =
            self.wires.iter().filter(|(_, wire)| wire.server == server).map(|(id, _)| *id).collect();
        for id in lost {
            self.reply(now, id, None, schedule);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn frame(byte: u8) -> Arrival {
        Arrival::Frame(Bytes::from([byte]))
    }

    /// Delivers everything to servers, and gives what arrived.
    fn arrivals(wires: &mut Wires, schedule: &mut Schedule) -> Vec<Arrival> {
        let mut arrived = Vec::new();
        while let Some((_, event)) = schedule.pop() {
            if let Event::ToServer { client } = event {
                arrived.extend(wires.at_server(client).map(|(_, arrival)| arrival));
            }
        }
        arrived
    }

    #[test]
    fn everything_arrives_in_order_and_a_server_that_does_not_read_gets_it_later() {
        let (mut wires, mut schedule) =
            (Wires::new((1, 1_000), Random::stream(1, "wires")), Schedule::default());
        let id = wires.open(Instant(0), 0, 2, ADDRESS, &mut schedule);
        wires.send(Instant(0), id, frame(1), &mut schedule);
        assert_eq!(arrivals(&mut wires, &mut schedule), [Arrival::Connected(ADDRESS), frame(1)]);
        wires.pause(Instant(5), id, true, &mut schedule);
        for what in [frame(2), frame(3), Arrival::Gone] {
            wires.send(Instant(5), id, what, &mut schedule);
        }
        assert_eq!(arrivals(&mut wires, &mut schedule), []);
        wires.pause(Instant(6), id, false, &mut schedule);
        assert_eq!(arrivals(&mut wires, &mut schedule), [frame(2), frame(3), Arrival::Gone]);
    }

    #[test]
    fn a_server_that_stopped_gets_nothing_and_its_clients_notice() {
        let (mut wires, mut schedule) =
            (Wires::new((1, 1_000), Random::stream(1, "wires")), Schedule::default());
        let id = wires.open(Instant(0), 7, 2, ADDRESS, &mut schedule);
        wires.reply(Instant(0), id, Some(Bytes::from([9])), &mut schedule);
        wires.server_stopped(Instant(0), 2, &mut schedule);
        wires.reply(Instant(0), id, Some(Bytes::from([9])), &mut schedule);
        assert_eq!(arrivals(&mut wires, &mut schedule), []);
        assert_eq!(wires.at_client(id), Some((7, 2, Some(Bytes::from([9])))));
        assert_eq!(wires.at_client(id), Some((7, 2, None)));
        assert_eq!(wires.at_client(id), None, "nothing is left of it");
    }
}
