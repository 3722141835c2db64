//! Y12 and R8 (invariants.md sections 3 and 5): a message of another epoch, leader or link, and the
//! completion of a disk operation of an earlier life, have no effect (ZOOKEEPER-4541; zab.md section
//! 17 R12). And nobody is sent what it must refuse.

use zabrus_core::replica::Status;

use zabrus_core::event::{Departure, Event};
use zabrus_core::io::Output;
use zabrus_core::message::{Frame, Message};

use super::{Verdict, ensure};

/// Judges what a server looks like before and after such an input.
pub fn check(before: &Status, after: &Status) -> Verdict {
    let state = |s: &Status| (s.epochs, s.logged, s.durable, s.committed, s.applied);
    ensure(state(before) == state(after), || {
        format!(
            "an input that should have had no effect moved it from logged {}, durable {}, committed {} to {}, {}, {}",
            before.logged, before.durable, before.committed, after.logged, after.durable, after.committed
        )
    })
}

/// Judges an output that follows such an input of another link or life: only what time alone
/// causes may, like the pings of a leader.
pub fn output(output: &Output, leading: bool) -> Verdict {
    let caused = match output {
        Output::Send { frame: Frame::Data { message, .. }, .. } => {
            !(leading && matches!(message, Message::Ping { .. }))
        }
        Output::Event(Event::Left { why, .. }) => matches!(
            why,
            Departure::LinkBroken
                | Departure::EpochTooOld
                | Departure::HistoryMismatch
                | Departure::ProtocolError
                | Departure::FollowerMoreRecent
        ),
        _ => false,
    };
    ensure(!caused, || format!("an input of another link or life made it do this: {output:?}"))
}

/// Judges why a learner left: its leader never sends what it must refuse, if both know what they
/// stored and the links keep their contract (COMMIT that finds nothing, ZOOKEEPER-4394).
pub fn refused(why: Departure) -> Verdict {
    let refused = matches!(why, Departure::ProtocolError | Departure::HistoryMismatch);
    ensure(!refused, || format!("it refuses what its leader sends: {why:?}"))
}

#[cfg(test)]
mod tests {
    use zabrus_core::event::Role;
    use zabrus_core::io::ConnectionId;
    use zabrus_core::message::LinkIncarnation;
    use zabrus_core::{Epoch, ServerId, Zxid};

    use super::*;
    use crate::checks::testing::status;
    use crate::ghost::history::testing::{at, history};

    #[test]
    fn a_stale_input_that_moves_a_watermark_is_seen() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let before = status(1, at(&history, 1, 1));
        assert!(check(&before, &before).is_ok());
        assert!(check(&before, &status(1, at(&history, 1, 2))).is_err());
        let mut committed = before;
        committed.committed = at(&history, 1, 2).zxid;
        assert!(check(&before, &committed).is_err());
    }

    #[test]
    fn an_answer_to_another_link_is_seen() {
        let (epoch, link) = (Epoch(1), LinkIncarnation { boot: 1, attempt: 1 });
        let send = |message| Output::Send {
            peer: ServerId(2),
            connection: ConnectionId(1),
            frame: Frame::Data { link, boot: 1, sequence: 1, message },
        };
        let ping = send(Message::Ping { epoch, sequence: 1, committed: Zxid::ZERO, touched: Vec::new() });
        assert!(output(&ping, true).is_ok());
        assert!(output(&ping, false).is_err());
        assert!(output(&send(Message::AckNewLeader { epoch }), true).is_err());
        let left = |why| Output::Event(Event::Left { role: Role::Following, why });
        assert!(output(&left(Departure::LeaderSilent), false).is_ok());
        assert!(output(&left(Departure::HistoryMismatch), false).is_err());
    }

    #[test]
    fn a_learner_that_refuses_its_leader_is_seen() {
        assert!(refused(Departure::LeaderSilent).is_ok() && refused(Departure::LinkBroken).is_ok());
        assert!(refused(Departure::ProtocolError).is_err() && refused(Departure::HistoryMismatch).is_err());
    }
}
