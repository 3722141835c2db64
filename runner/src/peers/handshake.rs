//! The first bytes on a connection between two servers, in both directions.
//!
//! ```text
//! "ZBRS" | version u16 | verdict u16 | sender u64 | receiver u64 | ensemble u64      big-endian
//! ```
//!
//! The tie-break of zab.md section 2: of the two connections that a pair could have, the one that
//! the server with the larger id opened survives. The other server connects only to be called back.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;
use zabrus_core::ServerId;
use zabrus_core::quorum::{Ensemble, MemberKind};

const MAGIC: [u8; 4] = *b"ZBRS";

/// Raised with every change of what servers say to each other.
const VERSION: u16 = 3;

/// Bytes of a greeting.
pub(super) const LENGTH: usize = 32;

/// What a server answers to a greeting. The one who opens says [`Verdict::Welcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Welcome,
    /// The other one has the larger id and opens the connection itself.
    CallBack,
    OtherVersion,
    OtherEnsemble,
    WrongReceiver,
    UnknownSender,
}

const VERDICTS: [Verdict; 6] = [
    Verdict::Welcome,
    Verdict::CallBack,
    Verdict::OtherVersion,
    Verdict::OtherEnsemble,
    Verdict::WrongReceiver,
    Verdict::UnknownSender,
];

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Welcome => "welcome",
            Self::CallBack => "it will call back",
            Self::OtherVersion => "it has a version of zabrus that speaks differently: upgrade one of them",
            Self::OtherEnsemble => {
                "its zoo.cfg names other participants, groups or weights, or another reconfigEnabled: make them the same"
            }
            Self::WrongReceiver => "another server answers there: compare its myid with the server lines",
            Self::UnknownSender => {
                "it knows no such server: its zoo.cfg has no line for it, and no reconfig added one"
            }
        })
    }
}

/// A greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) verdict: Verdict,
    pub(super) sender: ServerId,
    pub(super) receiver: ServerId,
    pub(super) ensemble: u64,
}

/// Servers with reconfig do not compare what they count: it changes while they run, and the core sees to it.
pub(super) const CHANGING: u64 = 0;

/// Names how an ensemble counts its quorums. Servers that count differently must not talk: they
/// could be two quorums at once. Addresses and observers do not matter to it.
pub(super) fn fingerprint(ensemble: &Ensemble) -> u64 {
    let mut bytes = vec![u8::from(ensemble.hierarchical)];
    for (id, member) in ensemble.members.iter().filter(|(_, member)| member.kind == MemberKind::Participant) {
        bytes.extend(id.0.to_be_bytes());
        bytes.extend(member.group.to_be_bytes());
        bytes.extend(member.weight.to_be_bytes());
    }
    xxh3_64(&bytes)
}

impl Hello {
    pub(super) fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_be_bytes());
        let verdict = VERDICTS.iter().position(|verdict| *verdict == self.verdict).unwrap_or_default();
        bytes[6..8].copy_from_slice(&(verdict as u16).to_be_bytes());
        bytes[8..16].copy_from_slice(&self.sender.0.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.receiver.0.to_be_bytes());
        bytes[24..].copy_from_slice(&self.ensemble.to_be_bytes());
        bytes
    }

    /// `None` if the other end is no zabrus server. Of another version only the verdict is known.
    pub(super) fn decode(bytes: &[u8; LENGTH]) -> Option<Self> {
        let long = |at: usize| bytes[at..].first_chunk().map_or(0, |eight| u64::from_be_bytes(*eight));
        let short = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        if bytes[..4] != MAGIC {
            return None;
        }
        let verdict = match short(4) {
            VERSION => *VERDICTS.get(usize::from(short(6)))?,
            _ => Verdict::OtherVersion,
        };
        Some(Self { verdict, sender: ServerId(long(8)), receiver: ServerId(long(16)), ensemble: long(24) })
    }

    /// What the server `own` answers to this greeting.
    pub(super) fn answer(
        &self,
        own: ServerId,
        ensemble: u64,
        is_known: impl Fn(ServerId) -> bool,
    ) -> Verdict {
        if self.verdict != Verdict::Welcome {
            Verdict::OtherVersion
        } else if self.receiver != own {
            Verdict::WrongReceiver
        } else if self.sender == own || !is_known(self.sender) && ensemble != CHANGING {
            Verdict::UnknownSender
        } else if self.ensemble != ensemble {
            Verdict::OtherEnsemble
        } else if self.sender < own && is_known(self.sender) {
            Verdict::CallBack
        } else {
            Verdict::Welcome
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hello(sender: u64, receiver: u64) -> Hello {
        Hello {
            verdict: Verdict::Welcome,
            sender: ServerId(sender),
            receiver: ServerId(receiver),
            ensemble: 5,
        }
    }

    fn answer(hello: Hello) -> Verdict {
        hello.answer(ServerId(2), 5, |id| id.0 <= 3)
    }

    #[test]
    fn a_greeting_survives_its_bytes() {
        for verdict in VERDICTS {
            let hello = Hello { verdict, ..hello(3, u64::MAX) };
            assert_eq!(Hello::decode(&hello.encode()), Some(hello));
        }
    }

    #[test]
    fn the_larger_id_is_welcome_and_the_smaller_one_is_called_back() {
        assert_eq!(answer(hello(3, 2)), Verdict::Welcome);
        assert_eq!(answer(hello(1, 2)), Verdict::CallBack);
    }

    #[test]
    fn strangers_are_told_why_they_are_refused() {
        assert_eq!(answer(hello(3, 1)), Verdict::WrongReceiver);
        assert_eq!(answer(hello(4, 2)), Verdict::UnknownSender);
        assert_eq!(
            answer(hello(2, 2)),
            Verdict::UnknownSender,
            "a connection from one's own id, ZOOKEEPER-2164"
        );
        assert_eq!(answer(Hello { ensemble: 6, ..hello(3, 2) }), Verdict::OtherEnsemble);
        let mut bytes = hello(3, 2).encode();
        bytes[5] += 1;
        assert_eq!(answer(Hello::decode(&bytes).expect("a server")), Verdict::OtherVersion);
    }

    #[test]
    fn servers_with_reconfig_welcome_strangers_of_their_kind() {
        let answer = |hello: Hello| hello.answer(ServerId(2), CHANGING, |id| id.0 == 1);
        let changing = |sender| Hello { ensemble: CHANGING, ..hello(sender, 2) };
        assert_eq!(answer(changing(9)), Verdict::Welcome);
        assert_eq!(answer(changing(0)), Verdict::Welcome, "nobody could call it back");
        assert_eq!(answer(changing(1)), Verdict::CallBack);
        assert_eq!(answer(hello(9, 2)), Verdict::OtherEnsemble);
    }

    #[test]
    fn another_quorum_is_another_ensemble_and_another_observer_is_not() {
        let three = Ensemble::plain(3, 0);
        assert_eq!(fingerprint(&three), fingerprint(&Ensemble::plain(3, 2)));
        assert_ne!(fingerprint(&three), fingerprint(&Ensemble::plain(4, 0)));
        let mut weighted = three.clone();
        weighted.members.get_mut(&ServerId(1)).expect("a member").weight = 2;
        assert_ne!(fingerprint(&three), fingerprint(&weighted));
        assert_ne!(fingerprint(&three), fingerprint(&Ensemble { hierarchical: true, ..three.clone() }));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_a_greeting_or_none(mut bytes in any::<[u8; LENGTH]>(), ours in any::<bool>()) {
            if ours {
                bytes[..4].copy_from_slice(&MAGIC);
            }
            prop_assert!(Hello::decode(&bytes).is_none_or(|_| ours));
        }
    }
}
