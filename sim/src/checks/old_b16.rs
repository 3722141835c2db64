//! B16 (invariants.md section 4) and L1 (section 8): the effect that a leader prepared for a change is
//! the model's result of that change on everything committed before it (ZOOKEEPER-1624).

use zabrus_core::Zxid;
use zabrus_core::service::Effect;

use super::{Verdict, ensure};

/// Judges the effect of the transaction `zxid`.
pub fn check(zxid: Zxid, effect: &Effect, expected: &Effect) -> Verdict {
    ensure(effect == expected, || {
        format!("transaction {zxid} does {effect:?}, but its request means {expected:?}")
    })
}

#[cfg(test)]
mod tests {
    use zabrus_core::Epoch;
    use zabrus_core::service::Refusal;

    use super::*;

    #[test]
    fn an_effect_that_the_request_does_not_mean_is_seen() {
        let zxid = Zxid::new(Epoch(1), 1);
        let remove = Effect::Remove { path: "/a".into() };
        assert!(check(zxid, &remove, &remove).is_ok());
        assert!(check(zxid, &remove, &Effect::Refused(Refusal::NoNode)).is_err());
    }
}
