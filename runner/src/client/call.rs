//! A request on its way.

use std::sync::mpsc::Sender;
use std::time::Instant;

use zabrus_core::wire::OpCode;

use super::error::Error;
use super::watches::{Waits, WatcherType};

/// What becomes of a request.
pub(super) type Answer = Result<Vec<u8>, Error>;

/// What a good answer does to the watches.
#[derive(Debug)]
pub(super) enum Effect {
    Nothing,
    /// Arms one at this path on the wire.
    Arms(Waits, String),
    /// Takes those at the request's path away; with `locally` a broken connection does, too.
    Removes {
        which: WatcherType,
        locally: bool,
    },
}

/// A request, and who waits for the answer.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) op: OpCode,
    pub(super) body: Vec<u8>,
    /// The node, as the caller names it.
    pub(super) path: Option<String>,
    pub(super) effect: Effect,
    /// Since when somebody waits.
    pub(super) since: Instant,
    pub(super) answer: Sender<Answer>,
}

impl Call {
    /// Gives the answer to who waits.
    pub(super) fn answer_now(self, answer: Answer) {
        // Whoever does not wait any more needs none.
        let _ = self.answer.send(answer);
    }

    /// Whether it is done here if no server can be told.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.effect, Effect::Removes { locally: true, .. })
    }
}
