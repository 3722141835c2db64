//! The basic election.

use super::*;

fn world(voters: u64, observers: u64) -> World {
    World::with(ElectionAlgorithm::Basic, Ensemble::plain(voters, observers))
}

#[test]
fn five_fresh_servers_started_one_by_one_elect_the_third() {
    let mut world = world(5, 0);
    world.start(1);
    world.run(SECOND.times(30));
    world.start(2);
    world.run(SECOND.times(30));
    assert_eq!(world.leaders(), [None, None]);
    for id in [3, 4, 5] {
        world.start(id);
        world.run(SECOND);
        assert!(world.agrees_on(3), "{:?}", world.leaders());
    }
}

#[test]
fn the_largest_epoch_then_zxid_then_id_is_elected() {
    let newest = Candidacy { current_epoch: Epoch(3), ..candidacy(1, 5) };
    for (candidacies, winner) in [
        ([candidacy(0, 0), candidacy(0, 0), candidacy(0, 0)], 3),
        ([candidacy(1, 7), candidacy(1, 7), candidacy(1, 6)], 2),
        ([candidacy(1, 8), candidacy(1, 7), candidacy(1, 6)], 1),
        ([newest, candidacy(2, 9), candidacy(2, 9)], 1),
    ] {
        let mut world = world(3, 0);
        world.candidacies.extend((1..).zip(candidacies));
        world.start_all();
        world.run(SECOND);
        assert!(world.agrees_on(winner), "{winner}");
    }
}

#[test]
fn a_server_alone_in_its_ensemble_decides_at_once() {
    let mut world = world(1, 0);
    world.start(1);
    assert_eq!((world.leaders(), world.now), (alloc::vec![Some(1)], Instant(0)));
}

#[test]
fn observers_and_blank_servers_follow_and_are_not_counted() {
    let mut world = world(3, 1);
    world.candidacies.insert(3, Candidacy { may_vote: false, ..candidacy(9, 9) });
    world.lack_only_2(&[1, 3, 4]);
}

#[test]
fn a_server_that_does_not_stand_votes_for_the_best_of_the_others() {
    // Seed 3379: without its vote there is no quorum.
    let mut world = world(2, 0);
    world.candidacies.insert(2, Candidacy { stands: false, ..candidacy(9, 9) });
    world.start_all();
    world.run(SECOND.times(6));
    assert!(world.agrees_on(1));
}

#[test]
fn a_server_without_a_quorum_asks_ever_more_rarely() {
    let mut world = world(5, 0);
    world.start(1);
    world.run(SECOND.times(60));
    let before = world.sent;
    world.run(SECOND.times(100));
    let queries = world.sent - before;
    assert!((4 * 15..=4 * 20).contains(&queries), "{queries}");
}

#[test]
fn an_answer_to_an_earlier_query_is_ignored() {
    let mut world = world(2, 0);
    world.start(1);
    let old = world.up[&1].election.round();
    world.run(SECOND);
    let election = &mut world.up.get_mut(&1).expect("it is up").election;
    assert!(election.round() > old);
    let deadline = election.deadline();
    election.tick(deadline);
    drain(election);
    election.handle(deadline, ServerId(2), says(SenderState::Looking, old, vote(0, 0, 1)));
    assert_eq!(drain(election), []);
}
