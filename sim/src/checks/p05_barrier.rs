//! P5 (ZooKeeper's recipes): what a double barrier promises: nobody passes it before all have come, and nobody leaves it before
//! everybody who is inside has asked to leave, or has lost its session.

use std::collections::{BTreeMap, BTreeSet};

use zabrus_core::Zxid;
use zabrus_core::wire::SessionId;

use super::{Verdict, ensure};

/// All rounds of one barrier.
#[derive(Clone, Debug, Default)]
pub struct Barrier {
    rounds: BTreeMap<u32, Round>,
}

#[derive(Clone, Debug, Default)]
struct Round {
    entering: BTreeSet<u32>,
    /// Each node that was created: when, by whom.
    entered: Vec<(Zxid, u32, SessionId)>,
    leaving: BTreeSet<u32>,
}

impl Barrier {
    fn round(&mut self, round: u32) -> &mut Round {
        self.rounds.entry(round).or_default()
    }

    /// A player asks to enter.
    pub fn entering(&mut self, player: u32, round: u32) {
        self.round(round).entering.insert(player);
    }

    /// It has entered.
    pub fn entered(&mut self, player: u32, round: u32, session: SessionId, czxid: Zxid) {
        self.round(round).entered.push((czxid, player, session));
    }

    /// A player goes on; there are so many `players`.
    pub fn passed(&mut self, player: u32, round: u32, players: u32) -> Verdict {
        let entering = &self.round(round).entering;
        ensure(entering.len() as u32 == players, || {
            format!("player {player} passed round {round} of {players}, when only {entering:?} had come")
        })
    }

    /// A player asks to leave.
    pub fn leaving(&mut self, player: u32, round: u32) {
        self.round(round).leaving.insert(player);
    }

    /// A player saw nobody inside at this zxid; `ended` says which sessions had ended by then.
    pub fn left(
        &mut self,
        player: u32,
        round: u32,
        zxid: Zxid,
        ended: impl Fn(SessionId) -> bool,
    ) -> Verdict {
        let Round { entered, leaving, .. } = self.round(round);
        let mut inside =
            entered.iter().filter(|(czxid, other, _)| *czxid <= zxid && !leaving.contains(other));
        let inside = inside.find(|(.., session)| !ended(*session));
        ensure(inside.is_none(), || {
            format!("player {player} left round {round} at {zxid}, but {inside:?} was inside")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(barrier: &Barrier, zxid: u64, ended: &[i64]) -> Verdict {
        barrier.clone().left(1, 0, Zxid(zxid), |session| ended.contains(&session.0))
    }

    #[test]
    fn passing_before_all_have_come_and_leaving_before_all_have_finished_are_seen() {
        let mut barrier = Barrier::default();
        barrier.entering(1, 0);
        barrier.entering(2, 1);
        assert!(barrier.passed(1, 0, 2).is_err(), "2 is in another round");
        barrier.entering(2, 0);
        assert!(barrier.passed(1, 0, 2).is_ok());
        barrier.entered(1, 0, SessionId(1), Zxid(10));
        barrier.entered(2, 0, SessionId(2), Zxid(11));
        barrier.leaving(1, 0);
        assert!(left(&barrier, 12, &[]).is_err(), "2 is inside");
        assert!(left(&barrier, 12, &[2]).is_ok(), "2 has lost its session");
        assert!(left(&barrier, 10, &[]).is_ok(), "2 was not inside yet");
        barrier.leaving(2, 0);
        assert!(left(&barrier, 12, &[]).is_ok());
    }
}
