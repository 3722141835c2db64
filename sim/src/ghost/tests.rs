use zabrus_core::event::Role;
use zabrus_core::io::{ConnectionId, Input};
use zabrus_core::message::{Frame, LinkIncarnation, Message};
use zabrus_core::replica::Status;
use zabrus_core::storage::Standing;
use zabrus_core::wire::SessionId;
use zabrus_core::{Bytes, Duration, Epoch, Instant, Position, ServerId, Zxid};

use super::Ghost;
use super::durable::Durable;
use crate::checks::Rule;
use crate::checks::testing::status;
use crate::counters::Counters;
use crate::report::Outcome;
use crate::settings::Settings;
use crate::{swarm, world};

mod voters;

const LINK: LinkIncarnation = LinkIncarnation { boot: 1, attempt: 1 };
const EPOCH: Epoch = Epoch(1);

/// Server 3 leads epoch 1 over an empty history, server 2 promised it, and both have it durably.
fn established() -> Ghost {
    established_in(&Settings::default())
}

fn established_in(settings: &Settings) -> Ghost {
    let mut ghost = Ghost::new(settings);
    for id in [2, 3] {
        let facts = ghost.facts(ServerId(id));
        facts.durable.epochs.accepted_epoch = EPOCH;
        facts.durable.epochs.accepted_leader = Some(ServerId(3));
        facts.life.leading = (id == 3).then_some(None);
    }
    send(&mut ghost, 3, 2, &Message::LeaderInfo { epoch: EPOCH }).expect("persisted");
    send(&mut ghost, 2, 3, &promise()).expect("persisted");
    ghost.established(ServerId(3), EPOCH, Position::EMPTY).expect("a quorum promised");
    send(&mut ghost, 3, 2, &Message::NewLeader { epoch: EPOCH, end: Position::EMPTY }).expect("all was sent");
    ghost
}

/// The same, and both have accepted NEWLEADER.
fn serving() -> Ghost {
    serving_in(&Settings::default())
}

fn serving_in(settings: &Settings) -> Ghost {
    let mut ghost = established_in(settings);
    for id in [2, 3] {
        ghost.facts(ServerId(id)).durable.epochs.current_epoch = EPOCH;
    }
    send(&mut ghost, 2, 3, &Message::AckNewLeader { epoch: EPOCH }).expect("durable");
    ghost
}

fn promise() -> Message {
    let (last, standing) = (Position::EMPTY, Standing::Sound);
    Message::AckEpoch { epoch: EPOCH, current_epoch: Some(Epoch(0)), last, ends: Vec::new(), standing }
}

fn send(ghost: &mut Ghost, from: u64, to: u64, message: &Message) -> Result<(), &'static str> {
    ghost.message(ServerId(from), ServerId(to), LINK, message).map_err(|violation| violation.rule)
}

/// The leader sends its first proposal.
fn propose(ghost: &mut Ghost) -> Position {
    let payload = Bytes::from(&b"something"[..]);
    let zxid = Zxid::new(EPOCH, 1);
    let proposal = Message::Proposal { epoch: EPOCH, previous: Zxid::ZERO, zxid, payload: payload.clone() };
    send(ghost, 3, 2, &proposal).expect("the first proposal");
    Position::EMPTY.extend(zxid, &payload)
}

fn store(ghost: &mut Ghost, server: u64, last: Position) {
    let facts = ghost.facts(ServerId(server));
    facts.durable = Durable { last, ..facts.durable };
}

#[test]
fn newleader_acknowledged_without_its_epoch_on_disk_is_seen_at_the_send() {
    let mut ghost = established();
    assert_eq!(send(&mut ghost, 2, 3, &Message::AckNewLeader { epoch: EPOCH }), Err("Y4"));
}

#[test]
fn a_proposal_acknowledged_before_its_sync_is_seen_at_the_send() {
    let mut ghost = serving();
    let at = propose(&mut ghost);
    let ack = Message::Ack { epoch: EPOCH, zxid: at.zxid };
    assert_eq!(send(&mut ghost.clone(), 2, 3, &ack), Err("B9"));
    store(&mut ghost, 2, at);
    assert_eq!(send(&mut ghost, 2, 3, &ack), Ok(()));
}

#[test]
fn a_commit_that_only_the_leader_has_is_seen_at_the_send() {
    let mut ghost = serving();
    let at = propose(&mut ghost);
    store(&mut ghost, 3, at);
    let commit = Message::Commit { epoch: EPOCH, zxid: at.zxid };
    assert_eq!(send(&mut ghost, 3, 2, &commit), Err("B8"));
}

#[test]
fn an_epoch_led_twice_is_seen() {
    let mut ghost = established();
    let second = ghost.leads(ServerId(1), EPOCH).map_err(|violation| violation.rule);
    assert_eq!(second, Err("E6"));
}

#[test]
fn a_second_promise_of_one_epoch_is_seen() {
    let mut ghost = established();
    ghost.facts(ServerId(2)).durable.epochs.accepted_leader = None;
    assert_eq!(send(&mut ghost, 2, 1, &promise()), Err("E7"));
}

#[test]
fn a_deposed_leader_that_goes_on_is_seen() {
    let mut ghost = serving();
    ghost.facts(ServerId(3)).life.leading = None;
    let commit = Message::Commit { epoch: EPOCH, zxid: Zxid::ZERO };
    assert_eq!(send(&mut ghost, 3, 2, &commit), Err("B14"));
}

#[test]
fn a_server_that_delivers_what_nobody_committed_is_seen() {
    let mut ghost = serving();
    let at = propose(&mut ghost);
    let step = ghost.step(ServerId(2), &status(2, at)).map_err(|violation| violation.rule);
    assert_eq!(step, Err("B10"));
}

#[test]
fn a_learner_that_delivers_more_than_its_own_leader_committed_is_seen() {
    let mut ghost = serving();
    let at = propose(&mut ghost);
    ghost.history.commit(at);
    let learner = Status { role: Role::Following, epoch: Some(EPOCH), ..status(2, at) };
    let step = ghost.step(ServerId(2), &learner).map_err(|violation| violation.rule);
    assert_eq!(step, Err("B10"), "committed it is, but not by its leader");
}

#[test]
fn whole_worlds_keep_every_rule_and_evaluate_nearly_all_of_them() {
    let mut counters = Counters::default();
    for seed in 0..12 {
        let mut settings = swarm::draw(seed);
        settings.duration = Duration::from_seconds(20);
        let report = world::play(settings, seed, false);
        assert!(!matches!(report.outcome, Outcome::Violated(_)), "seed {seed}: {:?}", report.outcome);
        counters.merge(&report.counters);
    }
    // Rules whose occasion is rare, or that are evaluated outside of a plain run.
    let rare = [Rule::R3, Rule::R8, Rule::R9, Rule::Y11, Rule::Y12];
    // Each recipe is played in worlds of its own.
    let recipes = [Rule::P1, Rule::P2, Rule::P3, Rule::P4, Rule::P5, Rule::P6];
    let never: Vec<Rule> = Rule::ALL
        .iter()
        .copied()
        .filter(|rule| !rare.contains(rule) && !recipes.contains(rule) && counters.checks(*rule) == 0)
        .collect();
    assert_eq!(never, [], "never evaluated");
}

/// Seed 13561: a frame that does not come in its turn breaks the link, and nobody looks at it.
#[test]
fn sessions_named_behind_a_gap_are_not_heard_of_and_frames_of_another_link_are_stale() {
    let session = SessionId(5);
    let mut ghost = serving();
    let leader = ServerId(3);
    ghost.facts(leader).life.serves_since = Some(Instant(1));
    ghost.facts(leader).life.open.insert(ServerId(2), LINK);
    let answer = |link, sequence| {
        let message =
            Message::Ping { epoch: EPOCH, sequence: 1, committed: Zxid::ZERO, touched: vec![session] };
        let bytes = Frame::Data { link, boot: 1, sequence, message }.encode().into();
        Input::Frame { peer: ServerId(2), connection: ConnectionId(1), bytes }
    };
    let mut heard = |at, link, sequence| {
        ghost.clock(Instant(at));
        let input = answer(link, sequence);
        let stale = ghost.is_stale(leader, &input);
        ghost.input(leader, &input);
        (stale, ghost.facts(leader).life.heard_sessions.get(&session).map(|(heard, _)| *heard))
    };
    let later = LinkIncarnation { boot: 1, attempt: 2 };
    assert_eq!(heard(10, LINK, 1), (false, Some(Instant(10))));
    assert_eq!(heard(20, LINK, 3), (false, Some(Instant(10))), "2 is missing");
    assert_eq!(heard(30, later, 2), (true, Some(Instant(10))), "of a link that is not open");
    assert_eq!(heard(40, LINK, 2), (false, Some(Instant(40))));
}
