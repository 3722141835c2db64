//! Y14 and R7 (invariants.md sections 3 and 5): a server that looks for a leader has in memory exactly
//! what its disk has, also after an aborted synchronization (ZOOKEEPER-2845, -3642, -4712, -4882,
//! -5094).

use zabrus_core::Position;
use zabrus_core::replica::Status;

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;
use crate::ghost::history::History;

/// R7: judges the log in memory of a server that enters LOOKING.
pub fn log(status: &Status, durable: &Durable) -> Verdict {
    ensure(status.logged == durable.last && status.durable == durable.last.zxid, || {
        format!("it looks for a leader with {} in memory, but {} on its disk", status.logged, durable.last)
    })?;
    ensure(status.epochs == durable.epochs, || {
        format!(
            "it looks for a leader with epochs {:?} in memory, but {:?} on its disk",
            status.epochs, durable.epochs
        )
    })
}

/// Y14: judges the state in memory of a server that enters LOOKING.
pub fn state(history: &History, applied: Position, durable: &Durable) -> Verdict {
    ensure(history.is_prefix(applied, durable.last), || {
        format!("its state is at {applied}, which its disk with {} cannot give back", durable.last)
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;

    use super::*;
    use crate::checks::testing::status;
    use crate::ghost::durable::testing::sound;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn memory_ahead_of_the_disk_is_seen() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let (one, two) = (at(&history, 1, 1), at(&history, 1, 2));
        let mut ahead = status(1, two);
        ahead.epochs = sound(1, 1, one).epochs;
        assert!(log(&ahead, &sound(1, 1, two)).is_ok());
        assert!(log(&ahead, &sound(1, 1, one)).is_err());
        assert!(log(&ahead, &sound(1, 2, two)).is_err());
        ahead.epochs.current_epoch = Epoch(0);
        assert!(log(&ahead, &sound(1, 1, two)).is_err(), "its log reaches epoch 1");
        assert!(state(&history, one, &sound(1, 1, two)).is_ok());
        assert!(state(&history, two, &sound(1, 1, one)).is_err());
    }
}
