use zabrus_core::Epoch;

use super::testing::{announce, payload, reconfig};
use super::*;

/// A world of servers 1 to 6, of which 1 to 3 vote at first, and what is seen of its transactions.
struct Course {
    history: History,
    configs: Configs,
}

const OLD: &[u64] = &[1, 2, 3];
const NEW: &[u64] = &[3, 4, 5];
/// The servers of the world that these are, as bits.
const OLD_BITS: Servers = 0b00_0111;
const NEW_BITS: Servers = 0b01_1100;

impl Course {
    fn new() -> Self {
        let file = |id| (ServerId(id), Ensemble::plain(3, 0));
        Self { history: History::default(), configs: Configs::new((1..=6).map(file).collect()) }
    }

    /// Somebody proposes a transaction after `previous`.
    fn propose(
        &mut self,
        previous: Position,
        (epoch, counter): (u32, u32),
        change: impl FnOnce(Zxid) -> Change,
    ) -> (Position, Verdict) {
        let zxid = Zxid::new(Epoch(epoch), counter);
        let payload = payload(zxid, change(zxid));
        let at = previous.extend(zxid, &payload);
        assert_eq!(self.history.learn(previous, at, || payload), Ok(true));
        let verdict = self.configs.learn(&self.history, previous, at);
        (at, verdict)
    }

    fn proposed(
        &mut self,
        previous: Position,
        at: (u32, u32),
        change: impl FnOnce(Zxid) -> Change,
    ) -> Position {
        let (position, verdict) = self.propose(previous, at, change);
        assert_eq!(verdict, Ok(()));
        position
    }

    fn commit(&mut self, at: Position) {
        self.history.commit(at);
        self.configs.commit(at.zxid);
    }

    /// The new voters are announced as 1.1, and that is committed.
    fn announced() -> (Self, Position) {
        let mut course = Self::new();
        let at = course.proposed(Position::EMPTY, (1, 1), |zxid| announce(zxid, NEW));
        course.commit(at);
        (course, at)
    }

    /// The voters that a server counts with a log that ends here, an entry per ensemble.
    fn counted(&self, end: Position) -> Vec<Servers> {
        let counted = self.configs.counted(&self.history, ServerId(1), end);
        counted.into_iter().map(|config| config.quorums.voters()).collect()
    }

    fn is_deciding(&self, at: Position, servers: Servers) -> bool {
        self.configs.deciding(&self.history, ServerId(1), at).is_quorum(servers)
    }
}

fn other(_: Zxid) -> Change {
    Change::CreateSession { timeout: 1 }
}

#[test]
fn a_second_announcement_while_one_is_open_is_seen() {
    let mut course = Course::new();
    let first = course.proposed(Position::EMPTY, (1, 1), |zxid| announce(zxid, NEW));
    let between = course.proposed(first, (1, 2), other);
    let (_, in_flight) = course.propose(between, (1, 3), |zxid| announce(zxid, NEW));
    assert!(in_flight.is_err_and(|sentence| sentence.contains("another change is in flight")));
    let (mut course, first) = Course::announced();
    let (_, committed) = course.propose(first, (1, 2), |zxid| announce(zxid, NEW));
    assert!(committed.is_err_and(|sentence| sentence.contains("behind another announcement")));
}

#[test]
fn an_announcement_on_a_fork_is_no_second_one() {
    let mut course = Course::new();
    course.proposed(Position::EMPTY, (1, 1), |zxid| announce(zxid, NEW));
    course.proposed(Position::EMPTY, (2, 1), |zxid| announce(zxid, NEW));
}

#[test]
fn voters_that_change_without_a_committed_announcement_of_them_are_seen() {
    let mut course = Course::new();
    let (_, at_once) = course.propose(Position::EMPTY, (1, 1), |zxid| reconfig(zxid, NEW));
    assert!(at_once.is_err_and(|sentence| sentence.contains("was not announced")));
    let mut course = Course::new();
    let announcement = course.proposed(Position::EMPTY, (1, 1), |zxid| announce(zxid, NEW));
    let (_, too_early) = course.propose(announcement, (1, 2), |zxid| reconfig(zxid, NEW));
    assert!(too_early.is_err_and(|sentence| sentence.contains("another change is in flight")));
    let (mut course, announcement) = Course::announced();
    let (_, others) = course.propose(announcement, (1, 2), |zxid| reconfig(zxid, &[3, 4, 6]));
    assert!(others.is_err_and(|sentence| sentence.contains("was not announced")));
    let (mut course, announcement) = Course::announced();
    course.proposed(announcement, (1, 2), |zxid| reconfig(zxid, NEW));
}

#[test]
fn members_without_a_vote_come_unannounced_and_one_reconfig_after_the_other() {
    let observer = |zxid| {
        let Change::Reconfig { data } = reconfig(zxid, OLD) else { panic!("a reconfig") };
        let line = crate::settings::member_line(6, true) + "\n";
        Change::Reconfig { data: [line.as_bytes(), &data].concat().into() }
    };
    let mut course = Course::new();
    let first = course.proposed(Position::EMPTY, (1, 1), observer);
    let (_, in_flight) = course.propose(first, (1, 2), observer);
    assert!(in_flight.is_err());
    let mut course = Course::new();
    let first = course.proposed(Position::EMPTY, (1, 1), observer);
    course.commit(first);
    course.proposed(first, (1, 2), observer);
    assert_eq!(course.counted(first), [OLD_BITS]);
}

#[test]
fn a_server_counts_what_its_own_log_says() {
    let (mut course, announcement) = Course::announced();
    let behind = course.proposed(announcement, (1, 2), other);
    let end = course.proposed(behind, (1, 3), |zxid| reconfig(zxid, NEW));
    let fork = course.proposed(Position::EMPTY, (2, 1), other);
    assert_eq!(course.counted(Position::EMPTY), [OLD_BITS]);
    assert_eq!(course.counted(announcement), [OLD_BITS, NEW_BITS]);
    assert_eq!(course.counted(behind), [OLD_BITS, NEW_BITS]);
    assert_eq!(course.counted(end), [NEW_BITS]);
    assert_eq!(course.counted(fork), [OLD_BITS], "the announcement is not in that log");
}

#[test]
fn an_announcement_needs_both_ensembles_and_what_follows_it_the_new_one() {
    let mut course = Course::new();
    let before = course.proposed(Position::EMPTY, (1, 1), other);
    let announcement = course.proposed(before, (1, 2), |zxid| announce(zxid, NEW));
    let behind = course.proposed(announcement, (1, 3), other);
    let both = 0b00_1110;
    let quorums =
        |course: &Course, at| [OLD_BITS, NEW_BITS, both].map(|servers| course.is_deciding(at, servers));
    assert_eq!(quorums(&course, before), [true, false, true]);
    assert_eq!(quorums(&course, announcement), [false, false, true]);
    assert_eq!(quorums(&course, behind), [false, true, true], "the announcement itself needs the old one");
    course.commit(before);
    course.commit(announcement);
    let end = course.proposed(announcement, (2, 1), |zxid| reconfig(zxid, NEW));
    assert_eq!(quorums(&course, end), [false, true, true]);
}

#[test]
fn nobody_can_hear_of_voters_that_are_only_announced_or_whose_announcement_was_never_committed() {
    let heard_of = |course: &Course| {
        course.configs.teachable().map(|config| config.ensemble.version).collect::<Vec<_>>()
    };
    let mut course = Course::new();
    let announcement = course.proposed(Position::EMPTY, (1, 1), |zxid| announce(zxid, NEW));
    assert!(heard_of(&course).is_empty());
    let (end, _) = course.propose(announcement, (1, 2), |zxid| reconfig(zxid, NEW));
    assert!(heard_of(&course).is_empty(), "nothing is committed");
    course.commit(announcement);
    assert_eq!(heard_of(&course), [end.zxid.0], "it stands in a log, and may come through");
}

#[test]
fn who_belongs_to_it_follows_from_what_is_committed_or_may_still_be() {
    let (mut course, announcement) = Course::announced();
    let wanted =
        |course: &Course| (1..=6).filter(|id| course.configs.is_wanted(ServerId(*id))).collect::<Vec<_>>();
    assert_eq!(wanted(&course), [1, 2, 3, 4, 5], "old ones rule, new ones may come to");
    assert!(!course.configs.was_member(ServerId(4)));
    let end = course.proposed(announcement, (1, 2), |zxid| reconfig(zxid, NEW));
    assert_eq!(course.configs.present(ServerId(1)).quorums.voters(), OLD_BITS);
    course.commit(end);
    assert_eq!(course.configs.present(ServerId(1)).quorums.voters(), NEW_BITS);
    assert_eq!(wanted(&course), NEW);
    let were = |id| course.configs.was_member(ServerId(id));
    assert!(were(1) && were(4) && !were(6));
    let voted = |id| course.configs.ever_voted(ServerId(id));
    assert!(voted(1) && voted(5) && !voted(6));
}
