//! R2 (invariants.md section 5): every committed transaction is durable on a quorum. A server that
//! lost it to its disk and says so still belongs to that quorum, since it is not counted for
//! anything below (see R1). At least one server must hold the transaction, unless damage, which
//! only injected faults do, destroyed a copy: then nobody may lead without it, and R1 watches that.

use zabrus_core::storage::Standing;

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;
use crate::ghost::history::History;
use crate::ghost::quorums::Quorums;

/// Judges the durable states of all servers, in the order of [`Quorums::servers`]; `quorums` are those by
/// which the last transaction was committed.
pub fn check(quorums: &Quorums, history: &History, durable: &[&Durable]) -> Verdict {
    let committed = history.committed();
    let (mut holding, mut admitting, mut damaged) = (0, 0, false);
    for (bit, d) in durable.iter().enumerate() {
        if d.holds(history, committed) {
            holding |= 1 << bit;
        } else if d.admits_lacking(committed.zxid) {
            admitting |= 1 << bit;
            damaged |= !d.usable || !matches!(d.epochs.standing, Standing::Torn(_));
        }
    }
    ensure(quorums.is_quorum(holding | admitting) && (holding & quorums.voters() != 0 || damaged), || {
        format!("the committed {} is durable only on {}", committed.zxid, quorums.names(holding))
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::ServerId;
    use zabrus_core::quorum::Ensemble;

    use super::*;
    use crate::ghost::durable::testing::{sound, standing};
    use crate::ghost::history::testing::{at, history};
    use crate::ghost::quorums::testing::joint;

    #[test]
    fn an_announcement_that_one_of_two_ensembles_lacks_is_seen() {
        let history = history(&[(1, 1), (1, 2)], 2);
        let quorums = joint(3, &[3, 4, 5]);
        let judge = |holders: &[u64]| {
            let end = |id| if holders.contains(&id) { at(&history, 1, 2) } else { at(&history, 1, 1) };
            let durable: Vec<Durable> = (1..=9).map(|id| sound(id, 1, end(id))).collect();
            check(&quorums, &history, &durable.iter().collect::<Vec<_>>())
        };
        assert!(judge(&[2, 3, 4]).is_ok());
        assert!(judge(&[1, 2, 3]).is_err(), "the new voters lack it");
        assert!(judge(&[3, 4, 5, 6, 7]).is_err(), "the old voters lack it");
    }

    #[test]
    fn a_committed_transaction_on_a_minority_is_seen() {
        let history = history(&[(1, 1), (1, 2)], 2);
        let quorums = Quorums::new(&Ensemble::plain(3, 0));
        let full = |id| sound(id, 1, at(&history, 1, 2));
        let short = |id| sound(id, 1, at(&history, 1, 1));
        assert!(check(&quorums, &history, &[&full(1), &short(2), &full(3)]).is_ok());
        assert!(check(&quorums, &history, &[&full(1), &short(2), &short(3)]).is_err());
        let blank = standing(short(2), Standing::Blank);
        assert!(check(&quorums, &history, &[&full(1), &blank, &short(3)]).is_ok());
        let torn = |id| standing(short(id), Standing::Torn(at(&history, 1, 2).zxid));
        assert!(check(&quorums, &history, &[&torn(1), &torn(2), &short(3)]).is_err(), "nobody holds it");
        let servers = (1..=4).map(ServerId).collect();
        let two = Quorums::among(&servers, &Ensemble::plain(2, 0));
        let states = [&full(1), &short(2), &full(3), &full(4)];
        assert!(check(&two, &history, &states).is_err(), "on the servers of another ensemble");
        let elsewhere = standing(short(2), Standing::Damaged(at(&history, 1, 1).zxid));
        assert!(check(&quorums, &history, &[&full(1), &elsewhere, &short(3)]).is_err());
    }
}
