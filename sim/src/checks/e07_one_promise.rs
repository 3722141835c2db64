//! E7 (invariants.md section 2): a server promises an epoch to at most one leader (bugs.md B08).

use zabrus_core::{Epoch, ServerId};

use super::{Verdict, ensure};

/// Judges a counted ACKEPOCH for `epoch` to `leader`, after an earlier one to `earlier`.
pub fn check(epoch: Epoch, earlier: Option<ServerId>, leader: ServerId) -> Verdict {
    ensure(earlier.is_none_or(|earlier| earlier == leader), || {
        let earlier = earlier.map_or(0, |id| id.0);
        format!("it promises epoch {epoch} to server {leader}, after it promised it to server {earlier}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_given_to_one_leader_and_may_be_repeated_to_it() {
        assert!(check(Epoch(3), None, ServerId(1)).is_ok());
        assert!(check(Epoch(3), Some(ServerId(1)), ServerId(1)).is_ok());
        assert!(check(Epoch(3), Some(ServerId(2)), ServerId(1)).is_err());
    }
}
