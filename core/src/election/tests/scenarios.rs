//! Whole elections.

use super::*;

#[test]
fn five_fresh_servers_started_one_by_one_elect_the_third() {
    let mut world = World::new(5, 0);
    world.start(1);
    world.run(SECOND.times(30));
    assert_eq!(world.leaders(), [None]);
    world.start(2);
    world.run(SECOND.times(30));
    assert_eq!(world.leaders(), [None, None]);
    world.start(3);
    world.run(SECOND);
    assert!(world.agrees_on(3));
    world.start(4);
    world.run(SECOND);
    world.start(5);
    world.run(SECOND);
    assert_eq!(world.leaders(), [Some(3); 5]);
    assert!(world.up[&4].through_settled && world.up[&5].through_settled);
}

#[test]
fn three_fresh_servers_started_together_elect_the_largest_id() {
    let mut world = World::new(3, 0);
    world.start_all();
    world.run(SECOND);
    assert_eq!(world.leaders(), [Some(3); 3]);
}

#[test]
fn the_larger_zxid_beats_the_larger_id() {
    let mut world = World::new(3, 0);
    world.candidacies.extend([(1, candidacy(1, 7)), (2, candidacy(1, 6)), (3, candidacy(1, 6))]);
    world.start_all();
    world.run(SECOND);
    assert!(world.agrees_on(1));
}

#[test]
fn the_larger_id_wins_on_equal_zxid() {
    let mut world = World::new(3, 0);
    world.candidacies.extend([(1, candidacy(1, 7)), (2, candidacy(1, 7)), (3, candidacy(1, 6))]);
    world.start_all();
    world.run(SECOND);
    assert!(world.agrees_on(2));
}

#[test]
fn the_larger_epoch_beats_the_larger_zxid() {
    let mut world = World::new(3, 0);
    // Server 1 synchronized with the leader of epoch 3, which has proposed nothing yet.
    let newest = Candidacy { current_epoch: Epoch(3), ..candidacy(1, 5) };
    world.candidacies.extend([(1, newest), (2, candidacy(2, 9)), (3, candidacy(2, 9))]);
    world.start_all();
    world.run(SECOND);
    assert!(world.agrees_on(1));
}

#[test]
fn a_server_alone_in_its_ensemble_decides_at_once() {
    let mut world = World::new(1, 0);
    world.start(1);
    assert_eq!(world.leaders(), [Some(1)]);
    assert_eq!(world.now, Instant(0));
}

#[test]
fn after_the_crash_of_the_leader_the_others_elect_the_next() {
    let mut world = World::new(3, 0);
    world.start_all();
    world.run(SECOND);
    world.crash(3);
    // Server 1 notices first: the others still claim to follow the dead leader.
    world.look(1);
    world.run(SECOND.times(20));
    assert_eq!(world.leaders(), [None, Some(3)]);
    world.look(2);
    world.run(SECOND);
    assert!(world.agrees_on(2));
}

#[test]
fn a_newcomer_does_not_elect_a_dead_leader_from_the_claims_of_its_followers() {
    // ZOOKEEPER-569: three of five still claim to follow server 5, which is gone.
    for (algorithm, seconds) in [(ElectionAlgorithm::Fast, 5), (ElectionAlgorithm::Basic, 10)] {
        let mut world = World::with(algorithm, Ensemble::plain(5, 0));
        for id in [1, 2, 3, 5] {
            world.start(id);
        }
        world.run(SECOND);
        assert!(world.agrees_on(5));
        world.crash(5);
        world.start(4);
        world.run(SECOND.times(20));
        assert_eq!(world.leader(4), None);
        world.expire_roles();
        world.run(SECOND.times(seconds));
        assert!(world.agrees_on(4));
    }
}

#[test]
fn a_leader_that_restarts_does_not_lead_on_by_the_votes_for_its_earlier_life() {
    // ZOOKEEPER-1514: its followers still name it, but in a round that it does not know.
    let mut world = World::new(3, 0);
    world.start_all();
    world.run(SECOND);
    world.look(3);
    world.look(2);
    world.look(1);
    world.run(SECOND);
    assert!(world.agrees_on(3));
    world.crash(3);
    world.start(3);
    world.run(SECOND.times(20));
    assert_eq!(world.leaders(), [Some(3), Some(3), None]);
    world.expire_roles();
    world.run(SECOND.times(6));
    assert!(world.agrees_on(3));
}

#[test]
fn a_newcomer_joins_members_that_settled_with_different_zxids_and_rounds() {
    // ZOOKEEPER-1732: server 5 was elected a second time, by others and with a newer zxid.
    let mut world = World::new(5, 0);
    for id in [1, 4, 5] {
        world.start(id);
    }
    world.run(SECOND);
    world.candidacies.insert(5, candidacy(0, 9));
    world.look(5);
    for id in [2, 3] {
        world.start(id);
    }
    world.run(SECOND);
    assert!(world.agrees_on(5));
    let (first, second) = (&world.up[&1].election, &world.up[&5].election);
    assert_eq!((first.round(), second.round()), (1, 2));
    assert_ne!(first.vote(), second.vote());
    for server in world.up.values_mut() {
        server.election.refresh(Epoch(2));
    }
    world.crash(2);
    world.crash(3);
    world.candidacies.insert(3, candidacy(1, 50));
    world.start(3);
    world.run(SECOND);
    assert_eq!(world.leader(3), Some(5));
}

#[test]
fn members_that_refresh_their_votes_at_different_times_let_a_newcomer_in_at_last() {
    let mut world = World::new(3, 0);
    for id in [2, 3] {
        world.start(id);
    }
    world.run(SECOND);
    world.up.get_mut(&3).expect("it is up").election.refresh(Epoch(1));
    world.start(1);
    world.run(SECOND.times(3));
    assert_eq!(world.leader(1), None);
    world.up.get_mut(&2).expect("it is up").election.refresh(Epoch(1));
    world.run(SECOND.times(6));
    assert_eq!(world.leader(1), Some(3));
}

#[test]
fn lost_notifications_are_repaired_by_sending_again() {
    let mut world = World::new(3, 0);
    world.start_all();
    world.under_way.clear();
    world.run(SECOND);
    assert!(world.agrees_on(3));
}

#[test]
fn a_healed_partition_elects_within_the_backoff_cap() {
    let mut world = World::new(3, 0);
    let pairs = [(1, 2), (1, 3), (2, 3)];
    world.start_all();
    world.under_way.clear();
    pairs.iter().for_each(|(one, other)| world.disconnect(*one, *other));
    world.run(SECOND.times(600));
    assert_eq!(world.leaders(), [None; 3]);
    world.cut.clear();
    world.run(world.config.election_backoff_max + SECOND);
    assert!(world.agrees_on(3));
}

#[test]
fn a_new_connection_sends_the_last_vote_again() {
    let mut world = World::new(3, 0);
    world.start_all();
    world.under_way.clear();
    for (one, other) in [(1, 2), (1, 3), (2, 3)] {
        world.connect(one, other);
    }
    world.deliver_all();
    assert!(world.agrees_on(3));
}

#[test]
fn observers_follow_and_never_influence() {
    let mut world = World::new(3, 2);
    // The observers have the newest data and are there first.
    world.candidacies.extend([4, 5].map(|id| (id, Candidacy { may_vote: false, ..candidacy(9, 9) })));
    world.lack_only_2(&[4, 5, 1]);
    for server in world.up.values() {
        let foreign = |id: &ServerId| !world.config.ensemble.is_voter(*id);
        assert!(!server.election.supporters().iter().any(foreign));
    }
}

#[test]
fn a_blank_server_follows_but_is_not_counted() {
    // ZOOKEEPER-2325: the wiped server 3 makes no quorum with server 1.
    let mut world = World::new(3, 0);
    world.candidacies.insert(3, Candidacy { may_vote: false, ..candidacy(0, 0) });
    world.lack_only_2(&[1, 3]);
}

#[test]
fn a_server_that_does_not_stand_votes_for_the_best_of_the_others() {
    // Seed 3379: without its vote there is no quorum.
    let mut world = World::new(2, 0);
    world.candidacies.insert(2, Candidacy { stands: false, ..candidacy(9, 9) });
    world.start_all();
    world.run(SECOND.times(6));
    assert!(world.agrees_on(1));
}

#[test]
fn a_blank_server_counts_again_when_it_was_synchronized() {
    let mut world = World::new(3, 0);
    world.candidacies.insert(3, Candidacy { may_vote: false, ..candidacy(0, 0) });
    world.start_all();
    world.run(SECOND.times(6));
    assert!(world.agrees_on(2));
    world.crash(1);
    world.up.get_mut(&2).expect("it is up").election.refresh(Epoch(1));
    world.start(1);
    world.run(SECOND.times(20));
    assert_eq!(world.leader(1), None, "server 3 is not synchronized yet");
    world.up.get_mut(&3).expect("it is up").election.refresh(Epoch(1));
    world.run(SECOND.times(6));
    assert_eq!(world.leader(1), Some(2));
}

#[test]
fn a_server_of_weight_zero_is_never_elected_but_follows() {
    let mut ensemble = Ensemble::plain(4, 0);
    ensemble.hierarchical = true;
    ensemble.members.get_mut(&ServerId(4)).expect("it is a member").weight = 0;
    let mut world = World::with(ElectionAlgorithm::Fast, ensemble);
    world.candidacies.insert(4, candidacy(9, 9));
    world.start_all();
    world.run(SECOND.times(6));
    assert_eq!(world.leaders(), [Some(3); 4]);
}

#[test]
fn a_silent_ensemble_sends_few_messages() {
    let mut world = World::new(5, 1);
    for id in [1, 2, 6] {
        world.start(id);
    }
    world.run(SECOND.times(60));
    let before = world.sent;
    world.run(SECOND.times(100));
    // Three servers send to at most five voters every five seconds; an observer is answered.
    assert!(world.sent - before <= 20 * (3 * 5 + 2), "{}", world.sent - before);
}

#[test]
fn the_vote_of_a_round_never_decreases() {
    // E1, also when a decision moves the round backwards and the next look comes to it again.
    let mut world = World::new(3, 0);
    world.candidacies.insert(1, candidacy(1, 9));
    for id in [2, 3] {
        world.start(id);
    }
    world.run(SECOND);
    world.disconnect(1, 2);
    world.disconnect(1, 3);
    world.start(1);
    world.cut.extend([(1, 2), (2, 1), (1, 3), (3, 1)]);
    world.under_way.clear();
    for _ in 0..5 {
        world.look(1);
        world.run(SECOND);
    }
    assert_eq!(world.up[&1].election.round(), 6);
    world.connect(1, 2);
    world.connect(1, 3);
    world.run(SECOND);
    assert_eq!((world.leader(1), world.up[&1].election.round()), (Some(3), 1));
    for id in [1, 2, 3] {
        world.look(id);
    }
    world.run(SECOND);
    assert!(world.agrees_on(1));
    let mut best = BTreeMap::new();
    for (round, vote) in &world.up[&1].voted {
        let before = best.insert(*round, *vote);
        assert!(before.is_none_or(|before| before <= *vote), "round {round}");
    }
}
