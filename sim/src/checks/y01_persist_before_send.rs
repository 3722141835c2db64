//! Y1 (invariants.md section 3): LEADERINFO(e) and a counted ACKEPOCH for e leave only when the accepted epoch e
//! is durable, with the leader that it was promised to (ZOOKEEPER-1291, zab.md section 17 R2).

use zabrus_core::{Epoch, ServerId};

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;
use crate::ghost::epochs::Promise;

/// Judges a message of this kind for `epoch` under `leader`.
pub fn check(message: &str, epoch: Epoch, leader: ServerId, durable: &Durable) -> Verdict {
    let epochs = durable.epochs;
    let same = epochs.accepted_epoch == epoch && epochs.accepted_leader.is_some_and(|id| id != leader);
    ensure(epochs.accepted_epoch >= epoch && !same, || {
        let (accepted, to) = (epochs.accepted_epoch, epochs.accepted_leader);
        format!(
            "it sends {message} for epoch {epoch} of server {leader}, but durable is the accepted epoch {accepted} of {to:?}"
        )
    })
}

/// Judges what a counted ACKEPOCH says of its sender: exactly what is durable.
pub fn position(promise: &Promise, durable: &Durable) -> Verdict {
    let said = (promise.epochs.current_epoch, promise.last, promise.epochs.standing);
    let truth = (durable.epochs.current_epoch, durable.last, durable.epochs.standing);
    ensure(said == truth, || format!("its ACKEPOCH says {said:?}, but durable is {truth:?}"))
}

#[cfg(test)]
mod tests {
    use zabrus_core::Position;

    use super::*;
    use crate::ghost::durable::testing::sound;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn a_promise_is_durable_before_it_is_sent() {
        let mut durable = sound(1, 3, Position::EMPTY);
        assert!(check("ACKEPOCH", Epoch(3), ServerId(2), &durable).is_ok());
        assert!(check("ACKEPOCH", Epoch(4), ServerId(2), &durable).is_err());
        durable.epochs.accepted_leader = Some(ServerId(3));
        assert!(check("ACKEPOCH", Epoch(3), ServerId(2), &durable).is_err());
    }

    #[test]
    fn an_ackepoch_that_claims_more_than_is_durable_is_seen() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let durable = sound(1, 1, at(&history, 1, 1));
        let mut promise = Promise { server: ServerId(1), epochs: durable.epochs, last: durable.last };
        assert!(position(&promise, &durable).is_ok());
        promise.last = at(&history, 1, 2);
        assert!(position(&promise, &durable).is_err());
        let mut behind = Promise { last: durable.last, ..promise };
        behind.epochs.current_epoch = Epoch(0);
        assert!(position(&behind, &durable).is_err(), "its log reaches epoch 1");
    }
}
