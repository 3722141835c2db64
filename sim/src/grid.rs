//! A run as an aligned line for each thing that happened: who, in what state, and what in words.

use serde::Serialize;
use zabrus_core::event::{Event, Phase, Role};
use zabrus_core::message::Vote;
use zabrus_core::replica::Status;
use zabrus_core::{Epoch, Instant, ServerId, Zxid};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraceLine {
    /// When.
    pub time: Instant,
    /// On which server; `None` for what happens to the world.
    pub server: Option<ServerId>,
    /// The state of the server afterwards; `None` if its process is down.
    pub state: Option<State>,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum What {
    /// The core told it.
    Event(Event),
    /// A fault was injected, or a scenario did something.
    Fault(String),
    /// Something else that the simulator did or saw.
    Note(String),
}

/// What the grid shows of a server's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of the core's `Status`")]
pub struct State {
    pub role: Role,
    pub phase: Phase,
    pub leader: Option<ServerId>,
    pub epoch: Option<Epoch>,
    pub accepted_epoch: Epoch,
    pub current_epoch: Epoch,
    pub vote: Option<Vote>,
    pub logged: Zxid,
    pub durable: Zxid,
    pub committed: Zxid,
    pub serving: bool,
}

impl From<Status> for State {
    fn from(status: Status) -> Self {
        Self {
            role: status.role,
            phase: status.phase,
            leader: status.leader,
            epoch: status.epoch,
            accepted_epoch: status.epochs.accepted_epoch,
            current_epoch: status.epochs.current_epoch,
            vote: status.vote,
            logged: status.logged.zxid,
            durable: status.durable,
            committed: status.committed,
            serving: status.serving,
        }
    }
}
