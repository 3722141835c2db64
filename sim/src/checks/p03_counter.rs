//! P3 (ZooKeeper's recipes): what a counter by conditional writes promises: no increase is lost and none is done twice, so
//! that each success has a value of its own, which is the version of the node, and the last value
//! lies between the successes and the attempts.

use std::collections::BTreeSet;

use super::{Verdict, ensure};

/// One counter.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    attempts: i64,
    values: BTreeSet<i64>,
}

impl Counter {
    /// A player tries to increase it.
    pub fn attempted(&mut self) {
        self.attempts += 1;
    }

    /// A player has increased it to this value, which became this version of the node.
    pub fn counted(&mut self, value: i64, version: i32) -> Verdict {
        ensure(value == i64::from(version), || format!("the value {value} is the node's version {version}"))?;
        ensure(self.values.insert(value), || format!("two players have increased it to {value}"))
    }

    /// This is its value at the end.
    pub fn ended(&self, value: i64) -> Verdict {
        let Self { attempts, values } = self;
        let done = values.len() as i64;
        ensure((done..=*attempts).contains(&value) && values.iter().all(|seen| *seen <= value), || {
            format!("it ends at {value} after {done} successes of {attempts} attempts")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_increase_that_is_lost_or_done_twice_is_seen() {
        let mut counter = Counter::default();
        for _ in 0..3 {
            counter.attempted();
        }
        assert!(counter.counted(1, 1).is_ok() && counter.counted(2, 2).is_ok());
        assert!(counter.clone().counted(2, 2).is_err(), "twice");
        assert!(counter.clone().counted(2, 3).is_err(), "one is lost");
        assert!(counter.ended(2).is_ok() && counter.ended(3).is_ok());
        assert!(counter.ended(1).is_err() && counter.ended(4).is_err());
    }
}
