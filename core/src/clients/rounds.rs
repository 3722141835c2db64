//! The rounds in which the leader confirms that this server will be up to date (R11).

use alloc::vec::Vec;
use core::mem;

use crate::io::ClientId;

/// One round is under way at a time, and a confirmation counts only for what was asked before its round began:
/// whoever asks meanwhile shares the next. So a thousand reads that wait cost as much as one.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// The number of the last round that began.
    last: u64,
    /// Those whom the round under way is for; nobody if there is none.
    asked: Vec<ClientId>,
    /// Those who wait for the next.
    waiting: Vec<ClientId>,
}

impl Rounds {
    /// The round that `client` waits for, and whether it begins now: then the leader must be asked.
    pub(super) fn join(&mut self, client: ClientId) -> (u64, bool) {
        if self.asked.is_empty() {
            self.last += 1;
            self.asked.push(client);
            return (self.last, true);
        }
        // Requests of one client often come together.
        if self.waiting.last() != Some(&client) {
            self.waiting.push(client);
        }
        (self.last + 1, false)
    }

    /// A round is confirmed: whom it was for, and whether the next begins.
    pub(super) fn confirmed(&mut self, number: u64) -> (Vec<ClientId>, Option<u64>) {
        if number != self.last {
            return (Vec::new(), None);
        }
        let confirmed = mem::replace(&mut self.asked, mem::take(&mut self.waiting));
        if self.asked.is_empty() {
            return (confirmed, None);
        }
        self.last += 1;
        (confirmed, Some(self.last))
    }

    /// Nobody waits any more. An answer that still comes is for nobody.
    pub(super) fn clear(&mut self) {
        self.asked.clear();
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ClientId = ClientId(1);
    const B: ClientId = ClientId(2);

    #[test]
    fn whoever_asks_during_a_round_shares_the_next_one() {
        let mut rounds = Rounds::default();
        assert_eq!(rounds.join(A), (1, true));
        assert_eq!([rounds.join(A), rounds.join(A), rounds.join(B)], [(2, false); 3]);
        assert_eq!(rounds.confirmed(1), (alloc::vec![A], Some(2)));
        assert_eq!(rounds.join(B), (3, false));
        assert_eq!(rounds.confirmed(2), (alloc::vec![A, B], Some(3)));
        assert_eq!(rounds.confirmed(3), (alloc::vec![B], None));
        assert_eq!(rounds.join(A), (4, true));
    }

    #[test]
    fn an_answer_to_an_earlier_round_confirms_nothing() {
        let mut rounds = Rounds::default();
        rounds.join(A);
        rounds.clear();
        assert_eq!(rounds.join(B), (2, true));
        assert_eq!(rounds.confirmed(1), (Vec::new(), None));
        assert_eq!(rounds.confirmed(2), (alloc::vec![B], None));
        assert_eq!(rounds.confirmed(2), (Vec::new(), None));
    }
}
