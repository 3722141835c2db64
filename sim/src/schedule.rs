//! The one heap of events of a world, in the order of time and, within one moment, of insertion.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use zabrus_core::io::{ClientId, ConnectionId};
use zabrus_core::{Bytes, Instant};

/// A server by its place among the world's servers, from 0.
pub type Index = u8;

/// Something that will happen. Servers are named by [`Index`]. Whatever may be called off names
/// the generation or boot it was meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server's deadline.
    Timer {
        /// The server.
        server: Index,
        /// The timer it was set as.
        generation: u32,
    },
    /// The server's disk is done with its operation.
    DiskDone {
        /// The server.
        server: Index,
        /// The process that asked.
        boot: u32,
    },
    /// A process that ended by itself starts again.
    Restart {
        /// The server.
        server: Index,
        /// The process that ended.
        boot: u32,
    },
    /// The first packet of a stream arrives.
    Deliver {
        /// The sender.
        from: Index,
        /// The receiver.
        to: Index,
        /// The life of the stream.
        generation: u32,
    },
    /// A packet that is in no stream arrives.
    Stray {
        /// The sender.
        from: Index,
        /// The receiver.
        to: Index,
        /// What arrives.
        packet: Packet,
    },
    /// The two servers try to connect.
    Connect {
        /// The smaller of the two.
        low: Index,
        /// The other.
        high: Index,
    },
    /// `at` notices that its connection to `peer` broke.
    Notice {
        /// Who notices.
        at: Index,
        /// The other end.
        peer: Index,
        /// Which connection.
        connection: ConnectionId,
    },
    /// A connection on which nothing passed for too long breaks.
    Stalled {
        /// The smaller of the two ends.
        low: Index,
        /// The other.
        high: Index,
        /// Which connection.
        connection: ConnectionId,
    },
    /// The operator looks after the servers.
    Operator,
    /// A client's next moment.
    Client {
        /// Its number.
        client: u32,
    },
    /// What a client sent first arrives at its server.
    ToServer {
        /// The connection.
        client: ClientId,
    },
    /// What a server sent first arrives at its client.
    ToClient {
        /// The connection.
        client: ClientId,
    },
}

/// What travels between two servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// From now on this is the connection.
    Opened(ConnectionId),
    /// An encoded frame on a connection.
    Frame(ConnectionId, Bytes),
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    sequence: u64,
    event: Event,
}

/// All future events.
#[derive(Debug, Default)]
pub struct Schedule {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

impl Schedule {
    /// Adds an event; one that never comes is dropped.
    pub fn push(&mut self, at: Instant, event: Event) {
        if at != Instant::NEVER {
            self.sequence += 1;
            self.heap.push(Reverse(Entry { at, sequence: self.sequence, event }));
        }
    }

    /// When the next event comes.
    #[must_use]
    pub fn next_time(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// The next event.
    pub fn pop(&mut self) -> Option<(Instant, Event)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_time_and_then_of_insertion() {
        let mut schedule = Schedule::default();
        for (at, client) in [(5, 1), (3, 2), (5, 3), (3, 4)] {
            schedule.push(Instant(at), Event::Client { client });
        }
        schedule.push(Instant::NEVER, Event::Client { client: 5 });
        assert_eq!(schedule.next_time(), Some(Instant(3)));
        let order: Vec<_> = std::iter::from_fn(|| schedule.pop()).collect();
        let expected =
            [(3, 2), (3, 4), (5, 1), (5, 3)].map(|(at, client)| (Instant(at), Event::Client { client }));
        assert_eq!(order, expected);
    }

    #[test]
    fn an_event_is_small_because_the_heap_moves_it() {
        assert!(size_of::<Entry>() <= 56, "{}", size_of::<Entry>());
    }
}
