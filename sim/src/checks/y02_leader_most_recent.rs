//! Y2 (invariants.md section 3): a quorum of those that promised the epoch is not more recent than its
//! leader, and is counted behind it (bugs.md B13, zab.md section 4.4).

use zabrus_core::{Epoch, ServerId, Zxid};

use super::{Verdict, ensure};
use crate::ghost::durable::standing_counted;
use crate::ghost::epochs::Promise;
use crate::ghost::quorums::{Quorums, Servers};
use zabrus_core::storage::Standing;

/// Judges the establishment by `leader` of rank (current epoch, last) with these promises.
pub fn check(quorums: &Quorums, leader: ServerId, rank: (Epoch, Zxid), promises: &[Promise]) -> Verdict {
    // A voter of weight 0 is in no quorum that committed anything.
    let behind = |p: &&Promise| p.epochs.rank(p.last.zxid) <= rank || !quorums.may_lead(p.server);
    let set = |counted: &dyn Fn(&&Promise) -> bool| {
        let members = promises.iter().filter(|p| counted(p) && behind(p));
        members.fold(quorums.bit(leader), |set: Servers, p| set | quorums.bit(p.server))
    };
    let counted = set(&|p| standing_counted(p.epochs, rank));
    let everybody =
        set(&|p| standing_counted(p.epochs, rank) || matches!(p.epochs.standing, Standing::Torn(_)));
    ensure(quorums.is_quorum(counted) || everybody & quorums.voters() == quorums.voters(), || {
        let (epoch, last) = rank;
        let counted = quorums.names(counted);
        format!("server {leader} leads with current epoch {epoch} and {last}, which covers only {counted}")
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::Position;
    use zabrus_core::quorum::Ensemble;

    use super::*;
    use crate::ghost::durable::testing::sound;
    use crate::ghost::history::testing::{at, history};
    use crate::ghost::quorums::testing::joint;

    #[test]
    fn a_leader_behind_its_quorum_is_seen() {
        let history = history(&[(1, 1), (1, 2)], 0);
        let quorums = Quorums::new(&Ensemble::plain(3, 0));
        let promise = |server, last: Position, standing| {
            let mut epochs = sound(server, 1, last).epochs;
            epochs.standing = standing;
            Promise { server: ServerId(server), epochs, last }
        };
        let (old, new) = (at(&history, 1, 1), at(&history, 1, 2));
        let rank = (Epoch(1), old.zxid);
        let judge = |promises: &[Promise]| check(&quorums, ServerId(1), rank, promises);
        assert!(judge(&[promise(2, old, Standing::Sound)]).is_ok());
        assert!(judge(&[promise(2, new, Standing::Sound)]).is_err());
        assert!(judge(&[promise(2, new, Standing::Sound), promise(3, old, Standing::Sound)]).is_ok());
        let torn = Standing::Torn(new.zxid);
        assert!(judge(&[promise(2, old, torn)]).is_err());
        assert!(judge(&[promise(2, old, torn), promise(3, old, torn)]).is_ok());
        assert!(judge(&[promise(2, old, Standing::Blank)]).is_err());
        let both = joint(3, &[1, 4, 5]);
        let judge = |promises: &[Promise]| check(&both, ServerId(1), rank, promises);
        let sound = |server| promise(server, old, Standing::Sound);
        assert!(judge(&[sound(2), sound(4)]).is_ok());
        assert!(judge(&[sound(2), sound(3)]).is_err());
        assert!(judge(&[sound(2), promise(4, new, Standing::Sound)]).is_err());
    }
}
