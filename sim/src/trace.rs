//! What a run was: a hash over everything that happened, and, if wanted, its story.

use std::fmt::Display;

use xxhash_rust::xxh3::xxh3_64_with_seed;
use zabrus_core::event::Event;
use zabrus_core::io::{Command, Input};
use zabrus_core::replica::Status;
use zabrus_core::storage::DiskError;
use zabrus_core::{Instant, ServerId, codec};

use crate::grid::{TraceLine, What};
use crate::schedule::Index;

/// The record of a run.
#[derive(Debug, Default)]
pub struct Trace {
    hash: u64,
    lines: Option<Vec<TraceLine>>,
}

impl Trace {
    /// The hash over everything so far.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Keeps the story from now on.
    pub fn record(&mut self) {
        self.lines.get_or_insert_default();
    }

    /// The story so far, if it is kept.
    #[must_use]
    pub fn lines(&self) -> &[TraceLine] {
        self.lines.as_deref().unwrap_or_default()
    }

    /// Hands out the story.
    pub fn take_lines(&mut self) -> Vec<TraceLine> {
        self.lines.take().unwrap_or_default()
    }

    fn mix(&mut self, now: Instant, server: Index, kind: u8, bytes: &[u8]) {
        let place = now.0 << 16 | u64::from(server) << 8 | u64::from(kind);
        let seed = self.hash.rotate_left(29) ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.hash = xxh3_64_with_seed(bytes, seed);
    }

    /// A replica takes an input.
    pub fn input(&mut self, now: Instant, server: Index, input: &Input) {
        let numbers = |a: u64, b: u64| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&a.to_le_bytes());
            bytes[8..].copy_from_slice(&b.to_le_bytes());
            bytes
        };
        match input {
            Input::Tick => self.mix(now, server, 1, &[]),
            Input::Connected { peer, connection } => {
                self.mix(now, server, 2, &numbers(peer.0, connection.0));
            }
            Input::Disconnected { peer, connection } => {
                self.mix(now, server, 3, &numbers(peer.0, connection.0));
            }
            Input::Frame { peer, connection, bytes } => {
                self.mix(now, server, 4, &numbers(peer.0, connection.0));
                self.mix(now, server, 4, bytes);
            }
            Input::Disk(completion) => {
                let result = match &completion.result {
                    Ok(_) => 0,
                    Err(DiskError::Full) => 1,
                    Err(DiskError::Failed) => 2,
                    Err(DiskError::NotFound) => 3,
                };
                self.mix(now, server, 5, &numbers(completion.id.number, result));
                if let Ok(bytes) = &completion.result
                    && !bytes.is_empty()
                {
                    self.mix(now, server, 5, bytes);
                }
            }
            Input::ClientConnected { client, address } => {
                self.mix(now, server, 9, &numbers(client.0, 0));
                self.mix(now, server, 9, address.to_string().as_bytes());
            }
            Input::ClientFrame { client, bytes } => {
                self.mix(now, server, 6, &numbers(client.0, 0));
                self.mix(now, server, 6, bytes);
            }
            Input::ClientGone { client } => self.mix(now, server, 7, &numbers(client.0, 0)),
            Input::Command(Command::Elect(leader)) => self.mix(now, server, 8, &numbers(leader.0, 0)),
        }
    }

    /// A replica says what it did; `status` is its state. Whoever listens to `tracing` hears it too.
    pub fn event(&mut self, now: Instant, server: Index, status: impl FnOnce() -> Status, event: Event) {
        tracing::trace!(server_index = server, at = %now, ?event);
        self.mix(now, server, 10, &codec::encode(&event));
        if let Some(lines) = &mut self.lines {
            let status = status();
            let (server, state) = (Some(status.id), Some(status.into()));
            lines.push(TraceLine { time: now, server, state, what: What::Event(event) });
        }
    }

    /// A fault happens.
    pub fn fault(&mut self, now: Instant, fault: &impl Display) {
        let words = fault.to_string();
        self.mix(now, 0, 11, words.as_bytes());
        if let Some(lines) = &mut self.lines {
            lines.push(TraceLine { time: now, server: None, state: None, what: What::Fault(words) });
        }
    }

    /// The world does something else.
    pub fn note(&mut self, now: Instant, server: Option<ServerId>, words: impl Into<String>) {
        let words = words.into();
        self.mix(now, server.map_or(0, |id| id.0 as u8), 12, words.as_bytes());
        if let Some(lines) = &mut self.lines {
            lines.push(TraceLine { time: now, server, state: None, what: What::Note(words) });
        }
    }
}
