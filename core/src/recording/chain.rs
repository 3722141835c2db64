//! What came of the inputs, as one number.

use alloc::string::ToString;
use alloc::vec::Vec;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::codec;
use crate::identity::{Position, Zxid};
use crate::io::Output;
use crate::replica::Replica;

/// A hash over all outputs of a replica and the state after each input. Equal chains mean equal
/// lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain(u64);

/// What a replica's log and state are after an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Landmark {
    logged: Position,
    durable: Zxid,
    state_digest: u64,
}

impl Landmark {
    /// Where `replica` is.
    #[must_use]
    pub fn of(replica: &Replica) -> Self {
        Self {
            logged: replica.storage().last(),
            durable: replica.storage().durable(),
            state_digest: replica.state().digest(),
        }
    }
}

impl Chain {
    /// The number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    fn mix(&mut self, kind: u8, numbers: &impl Serialize, bytes: &[u8]) {
        let seed = self.0.rotate_left(8) ^ u64::from(kind);
        self.0 = xxh3_64_with_seed(bytes, xxh3_64_with_seed(&codec::encode(numbers), seed));
    }

    /// The replica asks for something.
    pub fn output(&mut self, output: &Output) {
        match output {
            Output::Send { peer, connection, frame } => {
                self.mix(1, &(peer, connection), &frame.encode());
            }
            Output::Disconnect { peer, connection } => self.mix(2, &(peer, connection), &[]),
            Output::Disk(operation) => self.mix(3, operation, &[]),
            Output::ClientFrame { client, bytes } => self.mix(4, client, bytes),
            Output::ClientPause { client } => self.mix(5, client, &[]),
            Output::ClientResume { client } => self.mix(6, client, &[]),
            Output::ClientClose { client } => self.mix(7, client, &[]),
            Output::Event(event) => self.mix(8, event, &[]),
            Output::Halt { reason } => self.mix(9, &(), reason.as_bytes()),
            Output::Members(members) => self.mix(11, &(), members.text().as_bytes()),
            Output::Peers(lines) => {
                let lines = lines.iter().map(|(id, line)| (*id, line.to_string()));
                self.mix(12, &lines.collect::<Vec<_>>(), &[]);
            }
        }
    }

    /// The replica asks for nothing more.
    pub fn drained(&mut self, landmark: &Landmark) {
        self.mix(10, landmark, &[]);
    }
}
