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
use crate::ghost::quorums::{Quorums, Servers};

/// Judges the durable states of all servers, in the order of [`Quorums::servers`], should the one at `place`
/// lead. `quorums` are those that it counts with what is on its disk: as long as it has a reconfig that was not
/// committed, those before and after it.
pub fn check(quorums: &Quorums, history: &History, durable: &[&Durable], place: usize) -> Verdict {
    let (committed, leader, id) = (history.committed(), durable[place], quorums.servers()[place]);
    if leader.holds(history, committed) || !quorums.may_lead(id) {
        return Ok(());
    }
    let behind = electorate(quorums, durable, place);
    ensure(!quorums.is_quorum(behind), || sentence(quorums, id, behind, leader.last.zxid, committed.zxid))
}

/// The servers that would be counted behind the candidate at `place`, itself among them.
fn electorate(quorums: &Quorums, durable: &[&Durable], place: usize) -> Servers {
    let leader = durable[place];
    let rank = leader.rank();
    let set = |counted: &dyn Fn(&Durable) -> bool| {
        let members = durable.iter().enumerate().filter(|(_, d)| counted(d));
        members.fold(0, |set: Servers, (bit, _)| set | 1 << bit)
    };
    let torn = |d: &Durable| d.usable && d.rank() <= rank && matches!(d.epochs.standing, Standing::Torn(_));
    // A voter of weight 0 stops nobody.
    let weightless = quorums.servers().iter().enumerate().filter(|(_, id)| !quorums.may_lead(**id));
    let weightless = weightless.fold(0, |set: Servers, (bit, _)| set | 1 << bit);
    let everybody = set(&|d| d.counted_behind(rank) || torn(d)) | weightless;
    if everybody & quorums.voters() == quorums.voters() {
        return everybody;
    }
    if leader.counted_behind(rank) { set(&|d| d.counted_behind(rank)) } else { 0 }
}

fn sentence(quorums: &Quorums, id: ServerId, behind: Servers, last: Zxid, committed: Zxid) -> String {
    format!(
        "if all lost power now and {} came back, server {id} would lead with {last} and the committed {committed} \
         would be lost",
        quorums.names(behind)
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use zabrus_core::Epoch;
    use zabrus_core::quorum::Ensemble;

    use super::*;
    use crate::ghost::durable::testing::{sound, standing};
    use crate::ghost::history::testing::{add, at, history};

    /// Any server may lead.
    fn judge(quorums: &Quorums, history: &History, durable: &[&Durable]) -> Verdict {
        (0..durable.len()).try_for_each(|place| check(quorums, history, durable, place))
    }

    #[test]
    fn whoever_lacks_a_reconfig_counts_the_old_ensemble_and_whoever_has_it_both() {
        let history = history(&[(1, 1), (1, 2)], 2);
        let full = |id| sound(id, 1, at(&history, 1, 2));
        let short = |id| sound(id, 1, at(&history, 1, 1));
        let servers: Arc<[ServerId]> = (1..=5).map(ServerId).collect();
        let old = Quorums::among(&servers, &Ensemble::plain(3, 0));
        let lost = [&short(1), &short(2), &full(3), &full(4), &full(5)];
        assert!(check(&old, &history, &lost, 0).is_err(), "no quorum of the old ones has it");
        let kept = [&short(1), &full(2), &full(3), &full(4), &short(5)];
        assert!(check(&old, &history, &kept, 0).is_ok());
        let mut next = Ensemble::plain(5, 0);
        next.members.retain(|id, _| id.0 > 2);
        let both = old.and(&Quorums::among(&servers, &next));
        let lacking = [&short(1), &short(2), &full(3), &short(4), &short(5)];
        assert!(check(&both, &history, &lacking, 0).is_err());
        assert!(check(&both, &history, &kept, 4).is_ok());
    }

    #[test]
    fn a_quorum_without_the_committed_transaction_is_seen() {
        let history = history(&[(1, 1), (1, 2)], 2);
        let quorums = Quorums::new(&Ensemble::plain(3, 0));
        let full = |id| sound(id, 1, at(&history, 1, 2));
        let short = |id| sound(id, 1, at(&history, 1, 1));
        assert!(judge(&quorums, &history, &[&full(1), &full(2), &short(3)]).is_ok());
        assert!(judge(&quorums, &history, &[&full(1), &short(2), &short(3)]).is_err());
    }

    #[test]
    fn a_newer_epoch_over_an_older_log_is_seen() {
        // ZOOKEEPER-4643: the current epoch became durable before the log.
        let history = history(&[(1, 1), (1, 2)], 2);
        let quorums = Quorums::new(&Ensemble::plain(3, 0));
        let full = |id| sound(id, 1, at(&history, 1, 2));
        let early = sound(3, 2, at(&history, 1, 1));
        assert!(judge(&quorums, &history, &[&full(1), &full(2), &early]).is_err());
    }

    #[test]
    fn an_uncommitted_fork_with_a_higher_rank_is_seen() {
        let mut history = history(&[(1, 1), (1, 2)], 2);
        let old = at(&history, 1, 1);
        let fork = add(&mut history, old, 2, 1);
        let quorums = Quorums::new(&Ensemble::plain(3, 0));
        let full = |id| sound(id, 1, at(&history, 1, 2));
        assert!(judge(&quorums, &history, &[&full(1), &full(2), &sound(3, 2, fork)]).is_err());
    }

    #[test]
    fn a_server_that_admits_its_loss_does_not_help_a_worse_leader() {
        let history = history(&[(1, 1), (1, 2)], 2);
        let quorums = Quorums::new(&Ensemble::plain(3, 0));
        let full = sound(1, 1, at(&history, 1, 2));
        let short = |id| sound(id, 1, at(&history, 1, 1));
        let lost = Zxid::new(Epoch(1), 2);
        for admits in [Standing::Damaged(lost), Standing::Torn(lost), Standing::Blank] {
            assert!(judge(&quorums, &history, &[&full, &standing(short(2), admits), &short(3)]).is_ok());
        }
        let all_torn = standing(short(1), Standing::Torn(lost));
        let states = [&all_torn, &standing(short(2), Standing::Torn(lost)), &short(3)];
        assert!(judge(&quorums, &history, &states).is_err(), "all take part, and nobody has it");
    }
}
