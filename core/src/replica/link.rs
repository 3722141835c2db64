//! The quorum link: TCP's contract on any transport (zab.md section 15).
//!
//! A link has an incarnation, which its learner drew, and a sequence number per direction. A
//! duplicate is ignored, a gap breaks the link; nothing is retransmitted, a broken link costs a
//! resynchronization.

use alloc::collections::{BTreeMap, VecDeque};

use crate::identity::ServerId;
use crate::io::{ConnectionId, Output};
use crate::message::{Frame, LinkIncarnation, Message};

/// One end of an open link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) peer: ServerId,
    pub(super) connection: ConnectionId,
    pub(super) incarnation: LinkIncarnation,
    /// The boot of the leader's end: frames of the link cannot reach a later life of it.
    pub(super) leader_boot: u64,
    sent: u64,
    received: u64,
}

/// What to do with a message that arrived on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Next,
    Duplicate,
    Gap,
}

impl Link {
    pub(super) fn new(
        peer: ServerId,
        connection: ConnectionId,
        incarnation: LinkIncarnation,
        leader_boot: u64,
    ) -> Self {
        Self { peer, connection, incarnation, leader_boot, sent: 0, received: 0 }
    }

    pub(super) fn send(&mut self, outputs: &mut VecDeque<Output>, message: Message) {
        self.sent += 1;
        let frame =
            Frame::Data { link: self.incarnation, boot: self.leader_boot, sequence: self.sent, message };
        outputs.push_back(Output::Send { peer: self.peer, connection: self.connection, frame });
    }

    /// Tells the other end that this one is done with the link.
    pub(super) fn reset(&self, outputs: &mut VecDeque<Output>) {
        let frame = Frame::Reset { link: self.incarnation };
        outputs.push_back(Output::Send { peer: self.peer, connection: self.connection, frame });
    }

    /// Counts an arrived sequence number. Without checks everything is taken as the next.
    pub(super) fn arrived(&mut self, sequence: u64, checks: bool) -> Arrival {
        if !checks {
            return Arrival::Next;
        }
        if sequence <= self.received {
            return Arrival::Duplicate;
        }
        if sequence > self.received + 1 {
            return Arrival::Gap;
        }
        self.received = sequence;
        Arrival::Next
    }
}

/// Keeps only the newest vote of each peer: a vote of an earlier boot, or an earlier vote of the
/// same boot, must not come back (zab.md section 15, first row).
#[derive(Debug, Default)]
pub(super) struct NewestVotes {
    peers: BTreeMap<ServerId, PeerVotes>,
}

#[derive(Debug, Default)]
struct PeerVotes {
    boot: u64,
    sequence: u64,
    /// Boots that were followed by another one: dead for ever. Bounded, oldest out.
    retired: VecDeque<u64>,
}

/// How many dead boots of a peer are remembered.
const RETIRED_BOOTS: usize = 8;

impl NewestVotes {
    /// Whether this vote is newer than all before it.
    pub(super) fn is_newest(&mut self, peer: ServerId, boot: u64, sequence: u64) -> bool {
        let votes = self.peers.entry(peer).or_default();
        if votes.sequence > 0 && boot == votes.boot {
            let newer = sequence > votes.sequence;
            votes.sequence = votes.sequence.max(sequence);
            return newer;
        }
        if votes.retired.contains(&boot) {
            return false;
        }
        if votes.sequence > 0 {
            votes.retired.push_back(votes.boot);
            if votes.retired.len() > RETIRED_BOOTS {
                votes.retired.pop_front();
            }
        }
        votes.boot = boot;
        votes.sequence = sequence;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link::new(ServerId(2), ConnectionId(1), LinkIncarnation { boot: 7, attempt: 1 }, 9)
    }

    #[test]
    fn a_link_takes_what_is_next_ignores_duplicates_and_sees_gaps() {
        let mut link = link();
        assert_eq!(link.arrived(1, true), Arrival::Next);
        assert_eq!(link.arrived(1, true), Arrival::Duplicate);
        assert_eq!(link.arrived(2, true), Arrival::Next);
        assert_eq!(link.arrived(4, true), Arrival::Gap);
        assert_eq!(link.arrived(1, true), Arrival::Duplicate);
    }

    #[test]
    fn sent_messages_are_numbered_from_one() {
        let mut link = link();
        let mut outputs = VecDeque::new();
        let epoch = crate::identity::Epoch(1);
        link.send(&mut outputs, Message::LeaderInfo { epoch });
        link.send(&mut outputs, Message::LeaderInfo { epoch });
        let numbers: alloc::vec::Vec<u64> = outputs
            .iter()
            .filter_map(|output| match output {
                Output::Send { frame: Frame::Data { sequence, .. }, .. } => Some(*sequence),
                _ => None,
            })
            .collect();
        assert_eq!(numbers, [1, 2]);
    }

    #[test]
    fn a_vote_of_an_earlier_boot_never_comes_back() {
        let mut votes = NewestVotes::default();
        let peer = ServerId(1);
        assert!(votes.is_newest(peer, 10, 1));
        assert!(votes.is_newest(peer, 10, 3));
        assert!(!votes.is_newest(peer, 10, 2));
        assert!(!votes.is_newest(peer, 10, 3));
        assert!(votes.is_newest(peer, 20, 1));
        assert!(!votes.is_newest(peer, 10, 4));
        assert!(votes.is_newest(peer, 20, 2));
    }
}
