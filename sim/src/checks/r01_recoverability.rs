//! R1 (invariants.md section 5): if everything lost power now and only some quorum came back, nothing
//! committed would be lost. It has to hold for every server that could then win discovery: one
//! whose (current epoch, last) is at least that of a quorum. A server that says it may lack what it
//! acknowledged is in such a quorum only behind a leader that reaches that far, or, after a torn
//! write, when every voter takes part ([`zabrus_core::storage::Standing`]).

use zabrus_core::storage::Standing;
use zabrus_core::{ServerId, Zxid};

use super::{Verdict, ensure};
use crate::ghost::durable::Durable;
use crate::ghost::history::History;
use crate::ghost::quorums::{Quorums, Voters};

/// Judges the durable states of all voters, in the order of [`Quorums::voters`].
pub fn check(quorums: &Quorums, history: &History, durable: &[&Durable]) -> Verdict {
    let committed = history.committed();
    for (place, leader) in durable.iter().enumerate() {
        let id = quorums.voters()[place];
        if leader.holds(history, committed) || !quorums.may_lead(id) {
            continue;
        }
        let behind = electorate(quorums, durable, place);
        ensure(!quorums.is_quorum(behind), || {
            sentence(quorums, id, behind, leader.last.zxid, committed.zxid)
        })?;
    }
    Ok(())
}

/// The voters that would be counted behind the candidate at `place`, itself among them.
fn electorate(quorums: &Quorums, durable: &[&Durable], place: usize) -> Voters {
    let leader = durable[place];
    let rank = leader.rank();
    let set = |counted: &dyn Fn(&Durable) -> bool| {
        let members = durable.iter().enumerate().filter(|(_, d)| counted(d));
        members.fold(0, |set: Voters, (bit, _)| set | 1 << bit)
    };
    let torn = |d: &Durable| d.usable && d.rank() <= rank && matches!(d.epochs.standing, Standing::Torn(_));
    // A voter of weight 0 stops nobody.
    let weightless = quorums.voters().iter().enumerate().filter(|(_, id)| !quorums.may_lead(**id));
    let weightless = weightless.fold(0, |set: Voters, (bit, _)| set | 1 << bit);
    let everybody = set(&|d| d.counted_behind(rank) || torn(d)) | weightless;
    if everybody.count_ones() as usize == durable.len() {
        return everybody;
    }
    if leader.counted_behind(rank) { set(&|d| d.counted_behind(rank)) } else { 0 }
}

fn sentence(quorums: &Quorums, id: ServerId, behind: Voters, last: Zxid, committed: Zxid) -> String {
    format!(
        "if all lost power now and {} came back, server {id} would lead with {last} and the committed {committed} \
         would be lost",
        quorums.names(behind)
    )
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;
    use zabrus_core::quorum::Ensemble;

    use super::*;
    use crate::ghost::durable::testing::{sound, standing};
    use crate::ghost::history::testing::{add, at, history};

    #[test]
    fn a_quorum_without_the_committed_transaction_is_seen() {
        let history = history(&[(1, 1), (1, 2)], 2);
        let quorums = Quorums::new(&Ensemble::plain(3, 0));
        let full = |id| sound(id, 1, at(&history, 1, 2));
        let short = |id| sound(id, 1, at(&history, 1, 1));
        assert!(check(&quorums, &history, &[&full(1), &full(2), &short(3)]).is_ok());
        assert!(check(&quorums, &history, &[&full(1), &short(2), &short(3)]).is_err());
    }

    #[test]
    fn a_newer_epoch_over_an_older_log_is_seen() {
        // ZOOKEEPER-4643: the current epoch became durable before the log.
        let history = history(&[(1, 1), (1, 2)], 2);
        let quorums = Quorums::new(&Ensemble::plain(3, 0));
        let full = |id| sound(id, 1, at(&history, 1, 2));
        let early = sound(3, 2, at(&history, 1, 1));
        assert!(check(&quorums, &history, &[&full(1), &full(2), &early]).is_err());
    }

    #[test]
    fn an_uncommitted_fork_with_a_higher_rank_is_seen() {
        let mut history = history(&[(1, 1), (1, 2)], 2);
        let old = at(&history, 1, 1);
        let fork = add(&mut history, old, 2, 1);
        let quorums = Quorums::new(&Ensemble::plain(3, 0));
        let full = |id| sound(id, 1, at(&history, 1, 2));
        assert!(check(&quorums, &history, &[&full(1), &full(2), &sound(3, 2, fork)]).is_err());
    }

    #[test]
    fn a_server_that_admits_its_loss_does_not_help_a_worse_leader() {
        let history = history(&[(1, 1), (1, 2)], 2);
        let quorums = Quorums::new(&Ensemble::plain(3, 0));
        let full = sound(1, 1, at(&history, 1, 2));
        let short = |id| sound(id, 1, at(&history, 1, 1));
        let lost = Zxid::new(Epoch(1), 2);
        for admits in [Standing::Damaged(lost), Standing::Torn(lost), Standing::Blank] {
            assert!(check(&quorums, &history, &[&full, &standing(short(2), admits), &short(3)]).is_ok());
        }
        let all_torn = standing(short(1), Standing::Torn(lost));
        let states = [&all_torn, &standing(short(2), Standing::Torn(lost)), &short(3)];
        assert!(check(&quorums, &history, &states).is_err(), "all take part, and nobody has it");
    }
}
