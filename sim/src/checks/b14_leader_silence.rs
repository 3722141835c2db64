//! B14 (invariants.md section 4): a server sends a leader's messages of epoch e only while it leads e.

use zabrus_core::Epoch;
use zabrus_core::message::Message;

use super::{Verdict, ensure};

/// Whether only a leader sends this.
#[must_use]
pub fn is_of_a_leader(message: &Message) -> bool {
    matches!(
        message,
        Message::LeaderInfo { .. }
            | Message::Diff { .. }
            | Message::Trunc { .. }
            | Message::Snap { .. }
            | Message::SnapChunk { .. }
            | Message::Proposal { .. }
            | Message::Commit { .. }
            | Message::Inform { .. }
            | Message::NewLeader { .. }
            | Message::UpToDate { .. }
    )
}

/// Judges a leader's message of `epoch`; `leading` is the epoch that the sender leads, if it leads,
/// `None` inside while that epoch is not known yet.
pub fn check(epoch: Epoch, leading: Option<Option<Epoch>>) -> Verdict {
    let allowed = leading.is_some_and(|leading| leading.is_none_or(|leading| leading == epoch));
    ensure(allowed, || {
        format!("it sends a leader's message of epoch {epoch}, but leads {:?}", leading.flatten())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_that_stepped_down_is_silent() {
        assert!(check(Epoch(2), Some(Some(Epoch(2)))).is_ok());
        assert!(check(Epoch(2), Some(None)).is_ok());
        assert!(check(Epoch(2), None).is_err());
        assert!(check(Epoch(2), Some(Some(Epoch(3)))).is_err());
    }

    #[test]
    fn acknowledgements_are_not_a_leaders_messages() {
        assert!(!is_of_a_leader(&Message::AckNewLeader { epoch: Epoch(1) }));
        assert!(is_of_a_leader(&Message::LeaderInfo { epoch: Epoch(1) }));
    }
}
