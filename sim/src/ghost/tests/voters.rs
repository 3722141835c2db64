//! Bad histories in which voters change, as the observer sees them happen.

use zabrus_core::quorum::Ensemble;
use zabrus_core::wire::Change;

use super::*;
use crate::ghost::configs::testing::{announce, payload, reconfig, text};
use crate::ghost::model;
use crate::settings::ServiceChoices;

const NEW: &[u64] = &[3, 4, 5];

/// Server 3 leads voters 1 to 3, and 4 and 5 may join them.
fn serving_voters() -> Ghost {
    let service = ServiceChoices { reconfig: true, ..ServiceChoices::default() };
    let settings = Settings { joiners: [4, 5].map(ServerId).into(), service, ..Settings::default() };
    serving_in(&settings)
}

/// The leader sends a transaction after `previous`.
fn proposes(
    ghost: &mut Ghost,
    previous: Position,
    counter: u32,
    change: impl FnOnce(Zxid) -> Change,
) -> Result<Position, &'static str> {
    let zxid = Zxid::new(EPOCH, counter);
    let payload = payload(zxid, change(zxid));
    let at = previous.extend(zxid, &payload);
    let proposal = Message::Proposal { epoch: EPOCH, previous: previous.zxid, zxid, payload };
    send(ghost, 3, 2, &proposal).map(|()| at)
}

/// These servers store it, and all but the leader say so.
fn acknowledge(ghost: &mut Ghost, servers: &[u64], at: Position) {
    for server in servers {
        let epochs = &mut ghost.facts(ServerId(*server)).durable.epochs;
        (epochs.accepted_epoch, epochs.current_epoch) = (EPOCH, EPOCH);
        if *server != 3 {
            send(ghost, *server, 3, &Message::AckNewLeader { epoch: EPOCH }).expect("durable");
        }
        store(ghost, *server, at);
        if *server != 3 {
            send(ghost, *server, 3, &Message::Ack { epoch: EPOCH, zxid: at.zxid }).expect("durable");
        }
    }
}

fn commit(ghost: &mut Ghost, at: Position) -> Result<(), &'static str> {
    send(ghost, 3, 2, &Message::Commit { epoch: EPOCH, zxid: at.zxid })
}

/// Voters 3 to 5 are announced, and that is committed by old and new ones.
fn announced() -> (Ghost, Position) {
    let mut ghost = serving_voters();
    let at = proposes(&mut ghost, Position::EMPTY, 1, |zxid| announce(zxid, NEW)).expect("the first change");
    acknowledge(&mut ghost, &[2, 3, 4], at);
    commit(&mut ghost, at).expect("a quorum of each has it");
    (ghost, at)
}

#[test]
fn voters_that_change_out_of_turn_are_seen_at_the_send() {
    let mut ghost = serving_voters();
    assert_eq!(proposes(&mut ghost, Position::EMPTY, 1, |zxid| reconfig(zxid, NEW)), Err("M1"));
    let (mut ghost, at) = announced();
    assert_eq!(proposes(&mut ghost.clone(), at, 2, |zxid| announce(zxid, NEW)), Err("M1"));
    assert_eq!(proposes(&mut ghost.clone(), at, 2, |zxid| reconfig(zxid, &[1, 2, 4])), Err("M1"));
    assert!(proposes(&mut ghost, at, 2, |zxid| reconfig(zxid, NEW)).is_ok());
}

#[test]
fn an_announcement_that_only_one_ensemble_has_is_not_committed() {
    for (holders, verdict) in
        [(&[2, 3][..], Err("B8")), (&[3, 4, 5], Err("B8")), (&[2, 3, 4], Ok(())), (&[1, 3, 5], Ok(()))]
    {
        let mut ghost = serving_voters();
        let change = |zxid| announce(zxid, NEW);
        let at = proposes(&mut ghost, Position::EMPTY, 1, change).expect("the first change");
        acknowledge(&mut ghost, holders, at);
        assert_eq!(commit(&mut ghost, at), verdict, "{holders:?}");
    }
}

#[test]
fn what_follows_an_announcement_needs_the_new_voters() {
    for (holders, verdict) in [(&[1, 2, 3][..], Err("B8")), (&[3, 4], Ok(()))] {
        let (mut ghost, before) = announced();
        let at = proposes(&mut ghost, before, 2, |zxid| reconfig(zxid, NEW)).expect("it was announced");
        acknowledge(&mut ghost, holders, at);
        assert_eq!(commit(&mut ghost, at), verdict, "{holders:?}");
    }
}

#[test]
fn an_announcement_that_one_ensemble_loses_is_seen() {
    for server in [2, 4] {
        let (mut ghost, at) = announced();
        assert_eq!(ghost.survives(ServerId(server)), Ok(()));
        store(&mut ghost, server, Position::EMPTY);
        let rule = ghost.survives(ServerId(server)).map_err(|violation| violation.rule);
        assert_eq!(rule, Err("R2"), "server {server} has lost {at}");
    }
}

#[test]
fn a_quorum_of_damaged_disks_is_beyond_all_protocols_and_fewer_are_not() {
    let (ghost, _) = announced();
    let judge = |harmed: &[u64]| {
        let mut ghost = ghost.clone();
        harmed.iter().for_each(|id| ghost.facts(ServerId(*id)).harmed = true);
        ghost.is_beyond_protocols()
    };
    assert!(!judge(&[]));
    assert!(!judge(&[1]));
    assert!(judge(&[1, 2]), "of the old voters");
    assert!(judge(NEW), "of those that may come");
}

#[test]
fn a_server_that_counts_otherwise_than_its_log_says_is_seen_after_its_step() {
    let (ghost, at) = announced();
    let old = ghost.present().ensemble.clone();
    let new = model::ensemble(std::str::from_utf8(&text(at.zxid, NEW)).expect("text"));
    let judge = |counted: &[&Ensemble]| {
        let verdict = ghost.clone().members(ServerId(2), &status(2, at), counted);
        verdict.map_err(|violation| violation.rule)
    };
    assert_eq!(judge(&[&old, &new]), Ok(()));
    assert_eq!(judge(&[&old]), Err("M1"), "the announced ones count, too");
    assert_eq!(judge(&[&new]), Err("M1"), "the old ones count as long as the new are announced");
    assert_eq!(judge(&[&new, &old]), Err("M1"));
    let more = model::ensemble(std::str::from_utf8(&text(at.zxid, &[2, 3, 4, 5])).expect("text"));
    assert_eq!(judge(&[&old, &more]), Err("M1"), "others were announced");
}

#[test]
fn members_of_a_version_that_never_was_are_seen_and_those_of_some_log_are_news() {
    let (mut ghost, announcement) = announced();
    let read = |zxid| model::ensemble(std::str::from_utf8(&text(zxid, NEW)).expect("text"));
    let told = |ghost: &Ghost, zxid: Zxid, end| {
        let mut ghost = ghost.clone();
        let verdict = ghost.members(ServerId(1), &status(1, end), &[&read(zxid)]);
        verdict.map_err(|violation| violation.rule)
    };
    let never = Zxid::new(EPOCH, 2);
    assert_eq!(told(&ghost, never, Position::EMPTY), Err("M1"), "nobody ever proposed that");
    assert_eq!(told(&ghost, announcement.zxid, Position::EMPTY), Err("M1"), "it was only announced");
    let end = proposes(&mut ghost, announcement, 2, |zxid| reconfig(zxid, NEW)).expect("it was announced");
    assert_eq!(told(&ghost, end.zxid, Position::EMPTY), Ok(()));
    let later = proposes(&mut ghost, end, 3, |_| Change::CreateSession { timeout: 1 }).expect("a change");
    assert_eq!(told(&ghost, end.zxid, later), Ok(()), "its own log says so");
    assert_eq!(told(&ghost, announcement.zxid, later), Err("M1"), "an older one");
}

#[test]
fn members_that_are_written_down_before_they_are_committed_are_seen() {
    let (mut ghost, announcement) = announced();
    let judge = |ghost: &Ghost, zxid, voters| {
        let members = model::ensemble(std::str::from_utf8(&text(zxid, voters)).expect("text"));
        ghost.clone().kept_members(ServerId(3), &members).map_err(|violation| violation.rule)
    };
    let end = proposes(&mut ghost, announcement, 2, |zxid| reconfig(zxid, NEW)).expect("it was announced");
    assert_eq!(judge(&ghost, end.zxid, NEW), Err("M1"));
    acknowledge(&mut ghost, &[3, 4], end);
    commit(&mut ghost, end).expect("a quorum of the new ones has it");
    assert_eq!(judge(&ghost, end.zxid, NEW), Ok(()));
    assert_eq!(judge(&ghost, end.zxid, &[3, 4]), Err("M1"), "other members");
}
