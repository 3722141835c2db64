//! D_i: what a server's recovery would give if it lost power now and every unsynced write with it.

use zabrus_core::storage::{Epochs, Standing};
use zabrus_core::{Epoch, Position, ServerId, Zxid};

use super::history::History;

/// The durable shadow of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durable {
    /// The epochs and the standing.
    pub epochs: Epochs,
    /// The label of the newest snapshot.
    pub label: Position,
    /// The end of the log.
    pub last: Position,
    /// The directory can be used at all; otherwise this server is not counted anywhere.
    pub usable: bool,
}

impl Durable {
    /// Nothing at all, of a server that never was counted.
    #[must_use]
    pub fn nothing(server: ServerId) -> Self {
        let epochs = Epochs {
            server,
            accepted_epoch: Epoch(0),
            accepted_leader: None,
            current_epoch: Epoch(0),
            standing: Standing::Blank,
        };
        Self { epochs, label: Position::EMPTY, last: Position::EMPTY, usable: false }
    }

    /// What discovery compares (zab.md section 4.4).
    #[must_use]
    pub fn rank(&self) -> (Epoch, Zxid) {
        self.epochs.rank(self.last.zxid)
    }

    /// The same after more of the log became durable, as recovery sees it: a log that reaches into an
    /// epoch raises the epochs (zab.md section 3, R3).
    #[must_use]
    pub fn grown(mut self, last: Position) -> Self {
        self.last = last;
        self.epochs.current_epoch = self.epochs.current_epoch.max(last.zxid.epoch());
        if self.epochs.accepted_epoch < self.epochs.current_epoch {
            (self.epochs.accepted_epoch, self.epochs.accepted_leader) = (self.epochs.current_epoch, None);
        }
        self
    }

    /// Whether D ⊒ the history that ends at `position`.
    #[must_use]
    pub fn holds(&self, history: &History, position: Position) -> bool {
        self.usable && history.is_prefix(position, self.last)
    }

    /// Whether this server says by itself that it may lack transactions up to `zxid`.
    #[must_use]
    pub fn admits_lacking(&self, zxid: Zxid) -> bool {
        !self.usable
            || match self.epochs.standing {
                Standing::Sound => false,
                Standing::Torn(upto) | Standing::Damaged(upto) => zxid <= upto,
                Standing::Blank => true,
            }
    }

    /// Whether a leader of this rank may count this server in discovery: it must reach everything
    /// that the server may lack.
    #[must_use]
    pub fn counted_behind(&self, leader: (Epoch, Zxid)) -> bool {
        self.usable && self.rank() <= leader && standing_counted(self.epochs, leader)
    }
}

/// Whether a server with these epochs is counted behind a leader of rank (current epoch, last).
#[must_use]
pub fn standing_counted(epochs: Epochs, leader: (Epoch, Zxid)) -> bool {
    match epochs.standing {
        Standing::Sound => true,
        Standing::Torn(upto) | Standing::Damaged(upto) => leader >= (epochs.current_epoch, upto),
        Standing::Blank => false,
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A sound server with this current epoch and log end.
    pub(crate) fn sound(server: u64, current_epoch: u32, last: Position) -> Durable {
        let epochs = Epochs {
            server: ServerId(server),
            accepted_epoch: Epoch(current_epoch),
            accepted_leader: None,
            current_epoch: Epoch(current_epoch),
            standing: Standing::Sound,
        };
        Durable { epochs, label: Position::EMPTY, last, usable: true }
    }

    /// The same with a standing.
    pub(crate) fn standing(durable: Durable, standing: Standing) -> Durable {
        Durable { epochs: Epochs { standing, ..durable.epochs }, ..durable }
    }
}
