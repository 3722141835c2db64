//! What depends on how the core's service talks to its driver, and nothing else.
//!
//! The core's present service has a protocol of its own: it is not told of a connection before its
//! first frame, and its answers come without their length. ZooKeeper's protocol changes both, here.

use std::net::SocketAddr;

use zabrus_core::io::{ClientId, Input};

use crate::channel::Channel;

/// What the core is told of a new client before its first frame.
pub(super) fn connected(_client: ClientId, _address: SocketAddr) -> Option<Input> {
    None
}

/// Queues what the core says to a client.
pub(super) fn send(channel: &mut Channel, bytes: &[u8]) {
    channel.send_frame(bytes);
}
