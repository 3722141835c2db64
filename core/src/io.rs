//! What a driver tells a replica, and what a replica asks of its driver.
//!
//! The driver's only law: **carry out outputs in order, report what happened.** The core withholds
//! by itself whatever depends on durability.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::identity::{Bytes, ServerId};
use crate::membership::{Membership, ServerLine};
use crate::message::Frame;
use crate::storage::{DiskCompletion, DiskOperation};

/// A transport connection between two servers. The driver numbers them; a larger number is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

/// A client's connection to this server. The driver numbers them and never reuses a number within
/// the life of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(pub u64);

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// Time passed; [`crate::replica::Replica::deadline`] says when this is needed. Every other
    /// input runs due timers too.
    Tick,
    /// A connection to `peer` is up. It replaces an earlier one, whose bytes no longer count.
    Connected {
        /// The other end.
        peer: ServerId,
        /// The new connection.
        connection: ConnectionId,
    },
    /// A connection to `peer` broke.
    Disconnected {
        /// The other end.
        peer: ServerId,
        /// The connection that broke.
        connection: ConnectionId,
    },
    /// One encoded [`Frame`] arrived.
    Frame {
        /// The sender, as the connection proved it.
        peer: ServerId,
        /// The connection on which it came.
        connection: ConnectionId,
        /// The bytes, as [`Frame::encode`] made them, or garbage.
        #[serde(with = "crate::codec::bytes")]
        bytes: Bytes,
    },
    /// A disk operation is done or failed.
    Disk(DiskCompletion),
    /// A client opened a connection.
    ClientConnected {
        /// The connection.
        client: ClientId,
        /// Where it comes from.
        address: IpAddr,
    },
    /// One whole frame arrived from a client, as [`crate::wire::Frames`] gives it: without its length.
    ClientFrame {
        /// The connection on which it came.
        client: ClientId,
        /// The bytes.
        #[serde(with = "crate::codec::bytes")]
        bytes: Bytes,
    },
    /// A client's connection is gone.
    ClientGone {
        /// The connection.
        client: ClientId,
    },
    /// An operator's or a simulator's command.
    Command(Command),
}

/// A command from outside the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// With [`crate::config::ElectionAlgorithm::External`]: leave LOOKING, take `0` for the leader.
    /// Ignored in any other state.
    Elect(ServerId),
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a frame to a peer. On a dead connection it may be dropped silently.
    Send {
        /// The receiver.
        peer: ServerId,
        /// The connection on which it must go, never on a later one.
        connection: ConnectionId,
        /// What to encode and send.
        frame: Frame,
    },
    /// Close a connection: the peer sent garbage.
    Disconnect {
        /// The peer.
        peer: ServerId,
        /// The connection.
        connection: ConnectionId,
    },
    /// Carry out a file operation, after all earlier ones, and report its completion.
    Disk(DiskOperation),
    /// Send a frame to a client.
    ClientFrame {
        /// The client's connection.
        client: ClientId,
        /// The frame with its length.
        bytes: Bytes,
    },
    /// Read nothing more from a client for now; what was read already may still be handed in.
    ClientPause {
        /// The client's connection.
        client: ClientId,
    },
    /// Read from it again.
    ClientResume {
        /// The client's connection.
        client: ClientId,
    },
    /// Close a client's connection, after everything that was sent on it before.
    ClientClose {
        /// The client's connection.
        client: ClientId,
    },
    /// A reconfig was applied: these are the members from now on. For the operator.
    Members(Box<Membership>),
    /// Others are to be reached from now on, or elsewhere: connect to those that are new, and drop the
    /// connections to those that are gone, after everything that was sent on them before. Whoever connects by
    /// itself is welcome all the same: it may be about to become a member, or have missed that it is none any more.
    Peers(Box<BTreeMap<ServerId, ServerLine>>),
    /// Something worth seeing. Drivers log it through `tracing`; it asks for nothing.
    Event(Event),
    /// This replica cannot go on: its disk failed under it. The driver stops feeding it, waits,
    /// recovers from the disk and starts a new one.
    Halt {
        /// Why, for the operator.
        reason: String,
    },
}
