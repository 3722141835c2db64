//! Elections under random loss and order.

use proptest::prelude::*;

use super::*;
use crate::election::ballot::beats;

fn any_vote() -> impl Strategy<Value = Vote> {
    (0..3u32, 0..3u32, 0..3u64).prop_map(|(epoch, counter, leader)| vote(epoch, counter, leader))
}

fn any_notification() -> impl Strategy<Value = (u64, Notification)> {
    let round = prop_oneof![0..4u64, Just(u64::MAX - 1), Just(u64::MAX)];
    let state = prop::sample::select(alloc::vec![
        SenderState::Looking,
        SenderState::Following,
        SenderState::Leading,
        SenderState::Observing,
    ]);
    (0..7u64, state, round, prop::option::of(any_vote()), any::<bool>()).prop_map(
        |(from, state, round, vote, query)| {
            (
                from,
                Notification {
                    state,
                    vote,
                    round,
                    config_version: 0,
                    members: Default::default(),
                    next_members: Default::default(),
                    query,
                },
            )
        },
    )
}

/// One step of an unkind world.
#[derive(Clone, Debug)]
enum Step {
    Deliver(prop::sample::Index),
    Lose(prop::sample::Index),
    Pass,
    Restart(u64),
    Look(u64),
    Disconnect(u64, u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let deliver = any::<prop::sample::Index>().prop_map(Step::Deliver);
    prop_oneof![
        20 => deliver,
        4 => any::<prop::sample::Index>().prop_map(Step::Lose),
        6 => Just(Step::Pass),
        1 => (1..6u64).prop_map(Step::Restart),
        1 => (1..6u64).prop_map(Step::Look),
        1 => (1..6u64, 1..6u64).prop_map(|(one, other)| Step::Disconnect(one, other)),
    ]
}

fn take(world: &mut World, step: Step) {
    match step {
        Step::Deliver(index) if !world.under_way.is_empty() => {
            world.deliver(index.index(world.under_way.len()));
        }
        Step::Lose(index) if !world.under_way.is_empty() => {
            world.under_way.remove(index.index(world.under_way.len()));
        }
        Step::Deliver(_) | Step::Lose(_) => {}
        Step::Pass => world.pass(world.now + SECOND.times(5)),
        Step::Restart(id) if world.up.contains_key(&id) => {
            world.crash(id);
            world.start(id);
        }
        Step::Look(id) if world.up.contains_key(&id) => world.look(id),
        Step::Disconnect(one, other) if one != other => world.disconnect(one, other),
        Step::Restart(_) | Step::Look(_) | Step::Disconnect(..) => {}
    }
}

/// Whether no server ever decreased its vote within a round (E1).
fn votes_are_monotone(world: &World) -> bool {
    world.up.values().all(|server| {
        let mut best = BTreeMap::new();
        server.voted.iter().all(|(round, vote)| {
            best.insert(*round, *vote).is_none_or(|before: Option<Vote>| before <= *vote)
        })
    })
}

fn elects_after_chaos(
    algorithm: ElectionAlgorithm,
    histories: Vec<(u32, u32)>,
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    let mut world = World::with(algorithm, Ensemble::plain(histories.len() as u64, 1));
    for (id, (epoch, counter)) in (1..).zip(&histories) {
        world.candidacies.insert(id, candidacy(*epoch, *counter));
    }
    world.start_all();
    for step in steps {
        take(&mut world, step);
    }
    prop_assert!(votes_are_monotone(&world));
    // The world becomes kind; only failing roles, as a replica's timeouts end them, are left.
    world.cut.clear();
    for _ in 0..4 {
        world.run(world.config.election_backoff_max.times(2) + SECOND);
        world.expire_roles();
    }
    world.run(world.config.election_backoff_max.times(2) + SECOND);
    let leader = world.leader(1);
    prop_assert!(leader.is_some_and(|leader| world.agrees_on(leader)), "{:?}", world.leaders());
    prop_assert!(votes_are_monotone(&world));
    for server in world.up.values() {
        prop_assert!(world.config.ensemble.is_quorum(server.election.supporters()));
    }
    let sent = world.sent;
    world.run(SECOND.times(100));
    prop_assert_eq!(sent, world.sent, "settled servers talk");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn the_order_on_votes_is_total_antisymmetric_and_transitive(
        one in any_vote(), two in any_vote(), three in any_vote(),
    ) {
        prop_assert_eq!(usize::from(beats(one, two)) + usize::from(beats(two, one)), usize::from(one != two));
        prop_assert!(!(beats(one, two) && beats(two, three)) || beats(one, three));
    }

    #[test]
    fn fast_election_agrees_once_messages_arrive(
        histories in prop::collection::vec((0..3u32, 0..3u32), 1..6),
        steps in prop::collection::vec(any_step(), 0..200),
    ) {
        elects_after_chaos(ElectionAlgorithm::Fast, histories, steps)?;
    }

    #[test]
    fn basic_election_agrees_once_messages_arrive(
        histories in prop::collection::vec((0..3u32, 0..3u32), 1..6),
        steps in prop::collection::vec(any_step(), 0..200),
    ) {
        elects_after_chaos(ElectionAlgorithm::Basic, histories, steps)?;
    }

    #[test]
    fn lies_neither_stop_nor_storm_nor_elect_who_must_not_lead(
        fast in any::<bool>(), lies in prop::collection::vec(any_notification(), 0..60),
    ) {
        let mut config = Config::new(ServerId(1), Ensemble::plain(3, 1));
        config.election = if fast { ElectionAlgorithm::Fast } else { ElectionAlgorithm::Basic };
        let mut election = Election::new(&config);
        let mut now = Instant(0);
        election.look(now, candidacy(1, 1));
        for (from, lie) in lies {
            drain(&mut election);
            election.handle(now, ServerId(from), lie);
            now = election.deadline().min(now + Duration::from_millis(50)).max(now);
            election.tick(now);
            let outputs = drain(&mut election);
            prop_assert!(outputs.len() <= 8, "{:?}", outputs);
            for output in outputs {
                if let ElectionOutput::Decided(leader) = output {
                    prop_assert!(config.ensemble.may_lead(leader));
                    prop_assert!(config.ensemble.is_quorum(election.supporters()));
                    election.look(now, candidacy(1, 1));
                }
            }
        }
    }
}
