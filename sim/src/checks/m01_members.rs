//! M1, our own beside the rules of invariants.md: what a server counts follows from its log alone (zab.md
//! section 13, client.md section 16): from the announcement of other voters on both ensembles, from their
//! reconfig on the new one. Beside that it may have heard of one that is newer than everything that its log says
//! of members: of an older one it cannot know whether it was cut. What it gives its operator to keep is committed.

use zabrus_core::Zxid;
use zabrus_core::quorum::Ensemble;
use zabrus_core::wire::OpCode;

use super::{Verdict, ensure};
use crate::ghost::configs::Config;

/// Judges what a server counts by what its log says; `taught` is what others may have told it under that version.
pub fn counted(counted: &[&Ensemble], log: &[&Ensemble], taught: Option<&Ensemble>) -> Verdict {
    let told = match (counted, log) {
        ([one], [.., newest]) => taught == Some(*one) && one.version > newest.version,
        _ => false,
    };
    ensure(counted == log || told, || {
        let told = if taught.is_some() { "could be told of" } else { "nobody told it of" };
        format!("it counts {}, its log says {}, and it {told} another", words(counted), words(log))
    })
}

/// Judges the members that a server gives its operator to keep, by what is committed under their version.
pub fn kept(members: &Ensemble, committed: Option<&Ensemble>) -> Verdict {
    ensure(committed == Some(members), || {
        let committed = committed.map_or("nothing".into(), |committed| words(&[committed]));
        format!("it has members written down, {}, but committed is {committed}", words(&[members]))
    })
}

fn words(ensembles: &[&Ensemble]) -> String {
    let one = |ensemble: &&Ensemble| {
        let members: Vec<_> =
            ensemble.members.iter().map(|(id, member)| format!("{id} {member:?}")).collect();
        format!("[{} of {}]", members.join(", "), Zxid(ensemble.version))
    };
    ensembles.iter().map(one).collect::<Vec<_>>().join(" and ")
}

/// Judges that a change of the ensemble at `zxid`, announced or not, comes in its turn: `earlier` is the change
/// before it in the log, and `present` what rules there.
pub fn order(
    zxid: Zxid,
    (is_next, ensemble): (bool, &Ensemble),
    present: &Ensemble,
    earlier: &Config,
    is_committed: bool,
) -> Verdict {
    ensure(is_committed, || format!("{zxid} changes the ensemble while another change is in flight"))?;
    ensure(!is_next || !earlier.is_next, || format!("{zxid} announces voters behind another announcement"))?;
    let is_known = |other: &Ensemble| {
        other.members.keys().eq(ensemble.members.keys()) && other.has_same_voters(ensemble)
    };
    let follows =
        if earlier.is_next { is_known(&earlier.ensemble) } else { ensemble.has_same_voters(present) };
    ensure(is_next || follows, || format!("{zxid} changes who votes, which was not announced"))
}

/// Judges that `op` was refused at `zxid` because another reconfig was in flight: the last one, which must be
/// of the same leader.
pub fn pending(op: OpCode, zxid: Zxid, last: u64) -> Verdict {
    let is_so = op == OpCode::Reconfig && Zxid(last).epoch() == zxid.epoch();
    ensure(is_so, || format!("{zxid} ({op:?}) was refused because of a reconfig, but the last was {last:x}"))
}

/// Judges that a reconfig was refused at `zxid` for want of a new quorum in sync. If nothing is amiss, `serving` says
/// whether all who would vote serve.
pub fn no_quorum(zxid: Zxid, changes_voters: bool, serving: Option<bool>) -> Verdict {
    ensure(changes_voters && serving != Some(true), || {
        format!("reconfig {zxid} was refused for want of a new quorum, but a quorum is there")
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;

    use super::*;
    use crate::ghost::quorums::Quorums;

    fn ensemble(version: u64, voters: u64) -> Ensemble {
        Ensemble { version, ..Ensemble::plain(voters, 0) }
    }

    #[test]
    fn whoever_counts_otherwise_than_its_log_says_is_seen() {
        let (old, new) = (ensemble(3, 3), ensemble(7, 5));
        assert!(counted(&[&old], &[&old], None).is_ok());
        assert!(counted(&[&old, &new], &[&old, &new], None).is_ok());
        assert!(counted(&[&old], &[&old, &new], None).is_err(), "it forgets the new one");
        assert!(counted(&[&new], &[&old, &new], None).is_err(), "it forgets the old one");
        assert!(counted(&[&ensemble(7, 4)], &[&new], None).is_err(), "other members");
    }

    #[test]
    fn only_a_newer_ensemble_that_others_had_is_learned_from_them() {
        let (old, new) = (ensemble(3, 3), ensemble(7, 5));
        assert!(counted(&[&new], &[&old], Some(&new)).is_ok());
        assert!(counted(&[&new], &[&old], None).is_err());
        assert!(counted(&[&ensemble(7, 4)], &[&old], Some(&new)).is_err());
        assert!(counted(&[&old], &[&new], Some(&old)).is_err(), "an older one");
        let between = ensemble(5, 3);
        assert!(counted(&[&between], &[&old, &new], Some(&between)).is_err(), "older than what is announced");
        assert!(counted(&[&ensemble(9, 5)], &[&old, &new], Some(&ensemble(9, 5))).is_ok());
    }

    #[test]
    fn members_are_kept_when_they_are_committed() {
        assert!(kept(&ensemble(7, 5), Some(&ensemble(7, 5))).is_ok());
        assert!(kept(&ensemble(7, 5), None).is_err());
        assert!(kept(&ensemble(7, 5), Some(&ensemble(7, 4))).is_err());
    }

    #[test]
    fn voters_change_in_two_steps_one_after_the_other() {
        let config = |voters, is_next| {
            let ensemble = ensemble(3, voters);
            Config { quorums: Quorums::new(&ensemble), ensemble, is_next, before: Zxid::ZERO }
        };
        let (rules, announced) = (config(3, false), config(5, true));
        let judge = |is_next, voters, earlier: &Config, is_committed| {
            order(Zxid(7), (is_next, &ensemble(7, voters)), &ensemble(3, 3), earlier, is_committed)
        };
        assert!(judge(true, 5, &rules, true).is_ok());
        assert!(judge(false, 5, &announced, true).is_ok());
        assert!(judge(false, 3, &rules, true).is_ok(), "nobody else votes");
        assert!(judge(false, 5, &rules, true).is_err(), "at once");
        assert!(judge(false, 4, &announced, true).is_err(), "others were announced");
        assert!(judge(true, 5, &announced, true).is_err());
        assert!(judge(true, 5, &rules, false).is_err());
        assert!(judge(false, 5, &announced, false).is_err());
    }

    #[test]
    fn a_reconfig_that_was_refused_for_nothing_is_seen() {
        let zxid = |epoch, counter| Zxid::new(Epoch(epoch), counter);
        assert!(pending(OpCode::Reconfig, zxid(2, 9), zxid(2, 3).0).is_ok());
        assert!(pending(OpCode::Reconfig, zxid(2, 9), zxid(1, 3).0).is_err());
        assert!(pending(OpCode::Create, zxid(2, 9), zxid(2, 3).0).is_err());
        assert!(no_quorum(zxid(2, 9), true, None).is_ok());
        assert!(no_quorum(zxid(2, 9), true, Some(false)).is_ok());
        assert!(no_quorum(zxid(2, 9), true, Some(true)).is_err());
        assert!(no_quorum(zxid(2, 9), false, None).is_err(), "the quorums stay as they are");
    }
}
