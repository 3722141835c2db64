//! E2 (invariants.md section 2): a server proposes itself with its durable (current epoch, zxid) and
//! nothing else, and another one only with what that one said of itself (zab.md section 17 R1).

use zabrus_core::ServerId;
use zabrus_core::message::Vote;

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;

/// Judges a vote that `sender` sends while it looks. `proposed_itself`: its candidate has sent
/// exactly this vote for itself at some time.
pub fn check(sender: ServerId, vote: Vote, durable: &Durable, proposed_itself: bool) -> Verdict {
    if vote.leader != sender {
        return ensure(proposed_itself, || {
            format!(
                "it votes for server {} with {vote:?}, which that server never said of itself",
                vote.leader
            )
        });
    }
    let (epoch, zxid) = durable.rank();
    ensure((vote.peer_epoch, vote.zxid) == (epoch, zxid), || {
        format!("it votes for itself with {vote:?}, but durable are current epoch {epoch} and {zxid}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::vote;
    use crate::ghost::durable::testing::sound;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn a_vote_for_oneself_names_what_is_durable() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let durable = sound(1, 1, at(&history, 1, 1));
        assert!(check(ServerId(1), vote(1, (1, 1), 1), &durable, false).is_ok());
        assert!(check(ServerId(1), vote(1, (1, 2), 1), &durable, false).is_err());
        assert!(check(ServerId(1), vote(0, (1, 1), 1), &durable, false).is_err(), "its log reaches epoch 1");
    }

    #[test]
    fn a_vote_for_another_repeats_what_it_said() {
        let durable = sound(1, 1, zabrus_core::Position::EMPTY);
        assert!(check(ServerId(1), vote(1, (1, 2), 2), &durable, true).is_ok());
        assert!(check(ServerId(1), vote(1, (1, 2), 2), &durable, false).is_err());
    }
}
