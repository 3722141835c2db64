//! Placeholder of the ghost owner's module: the hooks that the world calls, in its words.

use zabrus_core::io::{ClientId, Input, Output};
use zabrus_core::service::{Request, Response};
use zabrus_core::storage::{FileOperation, Recovered};
use zabrus_core::{Instant, Replica, ServerId};

use crate::counters::Counters;
use crate::disk::Disk;
use crate::settings::Settings;
use crate::violation::Violation;
use crate::world::World;

/// The observer outside of all servers.
#[derive(Debug, Default)]
pub struct Ghost {
    counters: Counters,
}

/// What a check came to.
pub type Checked = Result<(), Violation>;

#[allow(missing_docs, clippy::missing_errors_doc, clippy::unnecessary_wraps, reason = "a placeholder")]
impl Ghost {
    #[must_use]
    pub fn new(_settings: &Settings) -> Self {
        Self::default()
    }
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
    pub fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }
    /// Every hook until the next call happens at this time.
    pub fn clock(&mut self, _now: Instant) {}
    pub fn recovered(&mut self, _server: ServerId, _disk: &Disk, _recovered: &Recovered) -> Checked {
        Ok(())
    }
    pub fn booted(&mut self, _server: ServerId, _now: Instant, _replica: &Replica) -> Checked {
        Ok(())
    }
    pub fn input(&mut self, _server: ServerId, _input: &Input) {}
    pub fn output(&mut self, _server: ServerId, _output: &Output, _r: &Replica, _disk: &Disk) -> Checked {
        Ok(())
    }
    pub fn stepped(&mut self, _server: ServerId, _replica: &Replica) -> Checked {
        Ok(())
    }
    pub fn durable(&mut self, _server: ServerId, _operation: &FileOperation, _disk: &Disk) -> Checked {
        Ok(())
    }
    pub fn crashed(&mut self, _server: ServerId, _disk: &Disk) -> Checked {
        Ok(())
    }
    /// A fault changed what is durable.
    pub fn damaged(&mut self, _server: ServerId, _disk: &Disk) -> Checked {
        Ok(())
    }
    pub fn client_request(&mut self, _server: ServerId, _client: ClientId, _request: &Request) {}
    pub fn client_response(&mut self, _server: ServerId, _client: ClientId, _r: &Response) -> Checked {
        Ok(())
    }
    pub fn client_left(&mut self, _server: ServerId, _client: ClientId) {}
    pub fn healed(&mut self, _now: Instant) {}
    /// `Err` with rule and sentence if something did not become well.
    pub fn quiesced(&mut self, _world: &World) -> Result<(), (&'static str, String)> {
        Ok(())
    }
}
