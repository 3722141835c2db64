//! R10 (invariants.md section 5): after a failed write or sync of its log or epochs a server promises
//! and acknowledges nothing any more in this life (ZOOKEEPER-2247, -3701, -4882); and it never
//! claims to be durable what its disk does not have (ZOOKEEPER-2307).

use zabrus_core::Zxid;
use zabrus_core::message::Message;
use zabrus_core::storage::Epochs;

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;

/// Whether this message promises something that only a working disk can keep.
#[must_use]
pub fn depends_on_the_disk(message: &Message) -> bool {
    matches!(
        message,
        Message::LeaderInfo { .. }
            | Message::AckEpoch { .. }
            | Message::NewLeader { .. }
            | Message::AckNewLeader { .. }
            | Message::Ack { .. }
    )
}

/// Judges a message that a server sends; `failed` says that its disk failed in this life.
pub fn silence(message: &Message, failed: bool) -> Verdict {
    ensure(!failed || !depends_on_the_disk(message), || {
        format!("its disk failed, and still it sends {:?}", message.epoch())
    })
}

/// Judges what a server holds for durable.
pub fn claim(claimed: Zxid, epochs: &Epochs, durable: &Durable) -> Verdict {
    ensure(claimed <= durable.last.zxid, || {
        format!("it holds {claimed} for durable, but its disk would give {} back", durable.last)
    })?;
    let (accepted, current) = (epochs.accepted_epoch, epochs.current_epoch);
    let stored = &durable.epochs;
    ensure(accepted <= stored.accepted_epoch && current <= stored.current_epoch, || {
        let (stored_accepted, stored_current) = (stored.accepted_epoch, stored.current_epoch);
        format!(
            "it holds accepted epoch {accepted} and current epoch {current} for durable, but its disk has \
             {stored_accepted} and {stored_current}"
        )
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;

    use super::*;
    use crate::ghost::durable::testing::sound;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn an_acknowledgement_after_a_failed_sync_is_seen() {
        let ack = Message::Ack { epoch: Epoch(1), zxid: Zxid::ZERO };
        let ping = Message::Ping { epoch: Epoch(1), sequence: 1, committed: Zxid::ZERO, touched: Vec::new() };
        assert!(silence(&ack, false).is_ok() && silence(&ping, true).is_ok());
        assert!(silence(&ack, true).is_err());
    }

    #[test]
    fn a_claim_beyond_the_disk_is_seen() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let durable = sound(1, 1, at(&history, 1, 1));
        let epochs = durable.epochs;
        assert!(claim(at(&history, 1, 1).zxid, &epochs, &durable).is_ok());
        assert!(claim(at(&history, 1, 2).zxid, &epochs, &durable).is_err());
        let early = Epochs { accepted_epoch: Epoch(9), ..epochs };
        assert!(claim(at(&history, 1, 1).zxid, &early, &durable).is_err());
    }
}
