//! E6 (invariants.md section 2): over the whole run at most one server leads an epoch: is
//! established in it, synchronizes or serves (ZOOKEEPER-1291; Leadership1 and 2 of the TLA+ text).

use zabrus_core::{Epoch, ServerId};

use super::{Verdict, ensure};

/// Judges that `leader` leads `epoch`, which `earlier` led before.
pub fn check(epoch: Epoch, earlier: Option<ServerId>, leader: ServerId) -> Verdict {
    ensure(earlier.is_none_or(|earlier| earlier == leader), || {
        let earlier = earlier.map_or(0, |id| id.0);
        format!("server {leader} leads epoch {epoch}, which was already led by server {earlier}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_one_leader_for_ever() {
        assert!(check(Epoch(3), None, ServerId(1)).is_ok());
        assert!(check(Epoch(3), Some(ServerId(1)), ServerId(1)).is_ok());
        assert!(check(Epoch(3), Some(ServerId(2)), ServerId(1)).is_err());
    }
}
