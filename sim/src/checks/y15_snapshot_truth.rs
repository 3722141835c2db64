//! Y15 (invariants.md section 3): a snapshot with label z holds exactly the committed history up to z
//! (ZOOKEEPER-3104, -3127, -3144; never an uncommitted tail, ZOOKEEPER-1558).

use zabrus_core::Position;

use super::{Verdict, ensure};

/// Judges a durable snapshot; `expected` is the digest of the model at `label`, `None` if `label` is
/// not committed.
pub fn check(label: Position, digest: u64, expected: Option<u64>) -> Verdict {
    let Some(expected) = expected else {
        return Err(format!("its snapshot has label {label}, which is not committed"));
    };
    ensure(digest == expected, || {
        format!(
            "its snapshot with label {label} has digest {digest:016x}, but the state there is {expected:016x}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_what_its_label_says() {
        assert!(check(Position::EMPTY, 7, Some(7)).is_ok());
        assert!(check(Position::EMPTY, 7, Some(8)).is_err());
        assert!(check(Position::EMPTY, 7, None).is_err());
    }
}
