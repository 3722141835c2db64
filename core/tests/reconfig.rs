//! Reconfig in ensembles of whole replicas (client.md section 16, zab.md section 13).

mod common;

use common::client::request;
use common::world::World;
use zabrus_core::config::Config;
use zabrus_core::event::Role;
use zabrus_core::quorum::{Ensemble, MemberKind};
use zabrus_core::wire::{ErrorCode, OpCode, Reconfig};
use zabrus_core::{Input, ServerId};

/// Everybody may change the ensemble.
fn with_reconfig(config: &mut Config) {
    config.service.reconfig_enabled = true;
    config.service.skip_acl = true;
    for (id, member) in &config.ensemble.members {
        let kind = if member.kind == MemberKind::Observer { "observer" } else { "participant" };
        config.service.ensemble_text += &format!("server.{id}=s{id}:1:2:{kind}\n");
    }
    config.service.ensemble_text += "version=0";
}

#[test]
fn an_observer_joins_and_leaves_while_the_others_serve() {
    let mut world = World::new(3, 0);
    world.settings = with_reconfig;
    (1..=3).for_each(|id| world.start(id));
    world.seconds(5);
    world.ensemble = Ensemble::plain(3, 1);
    world.start(4);
    world.seconds(10);
    assert_eq!(world.role(4), Role::Observing, "a stranger is welcome");
    assert_eq!(world.members(4), [1, 2, 3]);
    let members = world.reconfigure(1, "server.4=s4:1:2:observer;3", "");
    assert!(members.contains("server.4=s4:1:2:observer;0.0.0.0:3\n"), "{members}");
    world.seconds(10);
    assert_eq!(world.role(4), Role::Observing);
    assert!(world.create(4, 1).unwrap().is_ok());
    assert!((1..=4).all(|id| world.members(id) == [1, 2, 3, 4]));
    world.assert_equal();
    world.reconfigure(3, "", "4");
    world.seconds(1);
    assert!((1..=4).all(|id| world.members(id) == [1, 2, 3]), "it was told");
    assert!(world.create(2, 2).unwrap().is_ok());
    world.assert_equal();
}

#[test]
fn members_are_those_of_the_state_after_a_restart_whatever_was_written_at_first() {
    for snapshot_interval in [1, 1_000] {
        let mut world = World::new(3, 2);
        world.settings = match snapshot_interval {
            1 => |config| {
                with_reconfig(config);
                config.snapshot_interval = 1;
            },
            _ => with_reconfig,
        };
        (1..=5).for_each(|id| world.start(id));
        world.seconds(5);
        world.reconfigure(5, "", "4");
        world.seconds(1);
        (1..=5).for_each(|id| world.stop(id));
        (1..=5).for_each(|id| world.start(id));
        world.seconds(10);
        assert_eq!(world.role(5), Role::Observing);
        assert!((1..=5).all(|id| world.members(id) == [1, 2, 3, 5]));
    }
}

#[test]
fn a_learner_far_behind_hears_of_the_members_with_the_snapshot() {
    let mut world = World::new(3, 1);
    world.settings = |config| {
        with_reconfig(config);
        (config.sync_window, config.snapshot_interval, config.disk_sync_percent) = (5, 10, 0);
    };
    (1..=3).for_each(|id| world.start(id));
    world.seconds(5);
    world.reconfigure(1, "server.9=s9:1:2:observer;3", "");
    for number in 0..30 {
        assert!(world.create(1, number).unwrap().is_ok());
    }
    world.start(4);
    world.seconds(5);
    assert_eq!(world.members(4), [1, 2, 3, 4, 9]);
    world.assert_equal();
}

/// Three voters, and others who are about to join.
fn three_and(joiners: std::ops::RangeInclusive<u64>, settings: fn(&mut Config)) -> World {
    let mut world = World::new(3, 0);
    world.settings = settings;
    (1..=3).for_each(|id| world.start(id));
    world.seconds(5);
    for id in joiners {
        start_joiner(&mut world, id);
    }
    world.seconds(5);
    world
}

/// Its file names the first three and itself.
fn start_joiner(world: &mut World, id: u64) {
    world.ensemble = Ensemble::plain(3, 0);
    let member = world.ensemble.members[&ServerId(1)];
    world.ensemble.members.insert(ServerId(id), member);
    world.start(id);
}

fn start(world: &mut World, id: u64) {
    match id {
        1..=3 => {
            world.ensemble = Ensemble::plain(3, 0);
            world.start(id);
        }
        _ => start_joiner(world, id),
    }
}

fn lines(ids: impl IntoIterator<Item = u64>) -> String {
    let line = |id| format!("server.{id}=s{id}:1:2:participant;3");
    ids.into_iter().map(line).collect::<Vec<_>>().join(",")
}

fn replacement(ids: impl IntoIterator<Item = u64>) -> Reconfig {
    Reconfig { members: Some(lines(ids)), version: -1, ..Reconfig::default() }
}

fn voters(world: &World, id: u64) -> Vec<u64> {
    let ensembles = world.replicas[&ServerId(id)].ensembles();
    assert_eq!(ensembles.next, None);
    ensembles.present.voters().map(|id| id.0).collect()
}

#[test]
fn a_voter_joins_and_is_counted() {
    let mut world = three_and(4..=5, with_reconfig);
    assert_eq!((world.role(4), world.role(5)), (Role::Observing, Role::Observing));
    assert_eq!(synced(&world), (2, 2), "followers, observers");
    world.reconfigure(1, &lines([4, 5]), "");
    world.seconds(1);
    assert_eq!(synced(&world), (4, 0));
    assert_eq!((world.role(4), world.role(5)), (Role::Following, Role::Following), "at once");
    assert!((1..=5).all(|id| voters(&world, id) == [1, 2, 3, 4, 5]));
    world.assert_equal();
    world.stop(3);
    world.stop(2);
    world.seconds(10);
    assert!(world.create(1, 1).unwrap().is_ok(), "1, 4 and 5 are a quorum");
    world.stop(1);
    world.seconds(10);
    assert_eq!(world.leader(), None, "4 and 5 are none");
}

#[test]
fn a_leader_that_is_removed_hands_over_and_goes_on_without_a_vote() {
    let mut world = three_and(4..=4, with_reconfig);
    assert_eq!(world.leader(), Some(3));
    world.reconfigure(3, &lines([4]), "3");
    world.seconds(10);
    assert!(world.leader().is_some_and(|leader| leader != 3));
    assert_eq!(world.role(3), Role::Observing);
    assert!((1..=4).all(|id| voters(&world, id) == [1, 2, 4]));
    assert!(world.create(3, 1).unwrap().is_ok());
    world.assert_equal();
    world.stop(1);
    world.seconds(10);
    assert!(world.create(2, 2).unwrap().is_ok(), "2 and 4 are a quorum");
    world.stop(4);
    world.seconds(10);
    assert_eq!(world.leader(), None, "2 and 3 are none");
}

/// Learners of the leader that are sent everything new, with a vote and without.
fn synced(world: &World) -> (usize, usize) {
    let leading = world.replicas.values().find_map(|replica| replica.leading().filter(|l| l.learners > 0));
    leading.map(|figures| (figures.synced_followers, figures.synced_observers)).expect("a leader")
}

#[test]
fn a_removed_follower_is_no_follower_in_the_figures() {
    let mut world = three_and(4..=4, with_reconfig);
    world.reconfigure(1, &lines([4]), "1");
    assert_eq!(synced(&world), (2, 1));
}

#[test]
fn voters_become_observers_and_come_back() {
    let mut world = three_and(4..=4, with_reconfig);
    world.reconfigure(1, "server.4=s4:1:2:participant;3", "");
    world.reconfigure(1, "server.1=s1:1:2:observer;3,server.3=s3:1:2:observer;3", "");
    world.seconds(10);
    let roles = [1, 3].map(|id| world.role(id));
    assert_eq!(roles, [Role::Observing; 2]);
    assert_eq!(synced(&world), (1, 2), "followers, observers");
    assert!((1..=4).all(|id| voters(&world, id) == [2, 4]));
    assert!(world.create(1, 1).unwrap().is_ok());
    world.reconfigure(3, &lines([1, 3]), "4");
    world.seconds(10);
    assert!((1..=4).all(|id| voters(&world, id) == [1, 2, 3]));
    assert!(world.create(4, 2).unwrap().is_ok());
    world.assert_equal();
}

/// With the answer a quorum of the new ones has all that they need: whatever happens to whoever is left out.
#[test]
fn whoever_is_replaced_may_be_switched_off_with_the_answer() {
    for all_crash in [false, true] {
        let mut world = three_and(4..=6, with_reconfig);
        world.change(2, &replacement([4, 5, 6]));
        (1..=3).for_each(|id| world.stop(id));
        if all_crash {
            (4..=6).for_each(|id| world.stop(id));
            (4..=6).for_each(|id| start_joiner(&mut world, id));
        }
        world.seconds(15);
        assert!(world.create(5, 1).unwrap().is_ok());
        assert!((4..=6).all(|id| voters(&world, id) == [4, 5, 6]));
        world.assert_equal();
    }
}

#[test]
fn a_crash_of_everybody_at_any_step_leaves_the_old_voters_or_the_new_ones() {
    let snapshots: fn(&mut Config) = |config| {
        with_reconfig(config);
        config.snapshot_interval = 1;
    };
    let mut outcomes = std::collections::BTreeSet::new();
    for (settings, step) in [(with_reconfig as fn(&mut Config), 1), (snapshots, 3)] {
        for steps in (1..90).step_by(step) {
            let mut world = three_and(4..=6, settings);
            world.submit(2, request(3, OpCode::Reconfig, &replacement([3, 4, 5])));
            world.steps(steps);
            (1..=6).for_each(|id| world.stop(id));
            (1..=6).for_each(|id| start(&mut world, id));
            world.seconds(20);
            let counted = voters(&world, 1);
            assert!(counted == [1, 2, 3] || counted == [3, 4, 5], "{counted:?}");
            assert!((1..=6).all(|id| voters(&world, id) == counted), "after {steps} steps");
            assert!(world.create(1, 1).unwrap().is_ok());
            world.assert_equal();
            outcomes.insert(counted);
        }
    }
    assert_eq!(outcomes.len(), 2, "both were seen");
}

/// Server 3 takes one input and writes what it must; what it says is lost.
fn only_the_leader_goes_on(world: &mut World) {
    world.inputs.retain(|(to, _)| *to == ServerId(3));
    world.steps(1);
    world.inputs.retain(|(_, input)| matches!(input, Input::Disk(_)));
    world.steps(5);
}

#[test]
fn what_nobody_else_has_heard_of_is_cut() {
    let mut world = three_and(4..=4, with_reconfig);
    world.create(3, 1).unwrap();
    world.submit(3, request(3, OpCode::Reconfig, &replacement([1, 2, 3, 4])));
    only_the_leader_goes_on(&mut world);
    let counted = world.replicas[&ServerId(3)].ensembles().clone();
    assert!(counted.next.is_some_and(|next| next.is_voter(ServerId(4))), "it counts both");
    world.stop(3);
    world.inputs.clear();
    world.seconds(15);
    assert!(world.create(1, 2).unwrap().is_ok());
    start(&mut world, 3);
    assert!(world.replicas[&ServerId(3)].ensembles().next.is_some(), "its log still has it");
    world.seconds(10);
    assert!((1..=4).all(|id| voters(&world, id) == [1, 2, 3]));
    world.assert_equal();
}

/// A change of observers alone is one transaction, which may be cut like any other (seed 9574).
#[test]
fn members_that_were_cut_hide_no_announced_voters() {
    let mut world = three_and(4..=4, with_reconfig);
    world.reconfigure(1, "server.9=s9:1:2:observer;3", "");
    world.stop(4);
    let leaving = Reconfig { leaving: Some("9".into()), version: -1, ..Reconfig::default() };
    world.submit(3, request(3, OpCode::Reconfig, &leaving));
    only_the_leader_goes_on(&mut world);
    assert_eq!(world.members(3), [1, 2, 3], "its log has what nobody else has heard of");
    (1..=3).for_each(|id| world.stop(id));
    for id in [3, 2] {
        start(&mut world, id);
    }
    world.steps(100);
    assert_eq!((world.role(2), world.leader()), (Role::Looking, None), "it has heard votes of 3");
    world.stop(3);
    start(&mut world, 1);
    start(&mut world, 4);
    world.seconds(20);
    let leader = world.leader().expect("they elect");
    assert_eq!(world.members(leader), [1, 2, 3, 9]);
    world.submit(leader, request(3, OpCode::Reconfig, &replacement([1, 2, 3, 4])));
    world.inputs.retain(|(_, input)| matches!(input, Input::ClientFrame { .. }));
    world.steps(1);
    let counted = world.replicas[&ServerId(leader)].ensembles();
    assert!(counted.next.as_ref().is_some_and(|next| next.is_voter(ServerId(4))), "{counted:?}");
}

#[test]
fn whoever_was_away_hears_of_the_new_voters_from_them() {
    let mut world = three_and(4..=5, with_reconfig);
    world.stop(3);
    world.seconds(10);
    world.change(1, &replacement([3, 4, 5]));
    (1..=2).for_each(|id| world.stop(id));
    world.seconds(10);
    start(&mut world, 3);
    world.seconds(10);
    assert!((3..=5).all(|id| voters(&world, id) == [3, 4, 5]));
    world.stop(4);
    world.seconds(10);
    assert!(world.create(3, 1).unwrap().is_ok(), "3 and 5 are a quorum");
}

/// Seed 13752: those whom it may ask by what it knows are gone, or have no vote any more.
#[test]
fn whoever_was_away_hears_of_the_new_voters_from_members_that_had_no_vote() {
    for old_ones_stay in [false, true] {
        let mut world = World::new(3, 2);
        world.settings = with_reconfig;
        (1..=5).for_each(|id| world.start(id));
        world.seconds(10);
        world.stop(3);
        world.seconds(10);
        world.change(1, &replacement([4, 5]));
        world.seconds(10);
        if !old_ones_stay {
            (1..=2).for_each(|id| world.stop(id));
        }
        world.start(3);
        world.seconds(10);
        assert_eq!(world.role(3), Role::Observing);
        assert_eq!(voters(&world, 3), [4, 5]);
    }
}

/// Neither has a vote where the other has one.
#[test]
fn joiners_that_wait_for_the_others_do_not_answer_each_other_for_ever() {
    let mut world = World::new(3, 0);
    world.settings = with_reconfig;
    (4..=5).for_each(|id| start_joiner(&mut world, id));
    world.seconds(5);
    let votes =
        |world: &World| world.inputs.iter().filter(|(_, input)| matches!(input, Input::Frame { .. })).count();
    world.steps(1_000);
    assert_eq!(votes(&world), 0, "no time has passed");
}

#[test]
fn new_voters_that_are_not_there_are_refused() {
    let mut world = three_and(4..=4, with_reconfig);
    let answer = world.ask(1, request(3, OpCode::Reconfig, &replacement([3, 4, 5, 6]))).expect("an answer");
    assert_eq!(answer.header.err, ErrorCode::NewConfigNoQuorum.code());
    world.change(1, &replacement([2, 3, 4, 5]));
    world.seconds(10);
    assert!(world.create(1, 1).unwrap().is_ok(), "three of four are there");
}

/// Nobody knows what it promised before it was synchronized (ZOOKEEPER-2325).
#[test]
fn a_joiner_with_an_unexpectedly_empty_disk_counts_when_it_comes_again() {
    let mut world = three_and(4..=4, |config| {
        with_reconfig(config);
        config.empty_is_expected = config.id.0 < 4;
    });
    let change = request(3, OpCode::Reconfig, &replacement([3, 4]));
    let answer = world.ask(1, change).expect("an answer");
    assert_eq!(answer.header.err, ErrorCode::NewConfigNoQuorum.code());
    world.stop(4);
    start(&mut world, 4);
    world.seconds(10);
    world.change(1, &replacement([3, 4]));
    assert!(world.create(4, 1).unwrap().is_ok());
}

#[test]
fn groups_and_weights_change_as_a_whole() {
    let mut world = three_and(4..=4, with_reconfig);
    let members = lines(1..=4) + ",group.1=1:2:3:4,weight.1=3,weight.2=1,weight.3=0,weight.4=1";
    world.change(1, &Reconfig { members: Some(members), version: -1, ..Reconfig::default() });
    world.seconds(10);
    assert!(world.leader().is_some_and(|leader| leader != 3), "one without weight does not lead");
    (2..=4).for_each(|id| world.stop(id));
    world.seconds(10);
    assert!(world.create(1, 1).unwrap().is_ok(), "its weight is a quorum");
}

#[test]
fn what_clients_write_meanwhile_waits_and_is_not_lost() {
    let mut world = three_and(4..=5, with_reconfig);
    for id in 1..=3 {
        world.create(id, id).unwrap();
    }
    world.submit(1, request(3, OpCode::Reconfig, &replacement([2, 3, 4, 5])));
    for id in 1..=3 {
        world.submit(id, common::client::create(4, &format!("/m{id}"), b""));
    }
    world.seconds(1);
    assert!((1..=3).all(|id| world.has(4, &format!("/m{id}"))));
    world.assert_equal();
}

/// What follows a line break would be another line, or none that anybody can read: then every server would go
/// back to what its operator wrote.
#[test]
fn a_line_break_within_a_host_is_refused() {
    let mut world = three_and(4..=4, with_reconfig);
    world.reconfigure(1, &lines([4]), "");
    for joining in ["server.5=a\nb:1:2:observer;3", "server.5=a\rb:1:2;3", "server.5=a:1:2:observer;b\nc:3"] {
        let asked = Reconfig { joining: Some(joining.into()), version: -1, ..Reconfig::default() };
        let answer = world.ask(1, request(3, OpCode::Reconfig, &asked)).expect("an answer");
        assert_eq!(answer.header.err, ErrorCode::BadArguments.code(), "{joining}");
    }
    assert!((1..=4).all(|id| voters(&world, id) == [1, 2, 3, 4]));
    assert!(world.create(1, 1).unwrap().is_ok());
}

#[test]
fn a_leader_ends_what_was_announced_though_it_would_not_have_begun_it() {
    let mut world = three_and(4..=4, |config| {
        with_reconfig(config);
        config.service.standalone_enabled = false;
    });
    world.submit(2, request(3, OpCode::Reconfig, &replacement([1])));
    while (1..=3).any(|id| world.replicas[&ServerId(id)].ensembles().next.is_none()) {
        world.steps(1);
    }
    (1..=4).for_each(|id| world.stop(id));
    world.settings = with_reconfig;
    (1..=4).for_each(|id| start(&mut world, id));
    world.seconds(20);
    assert!((1..=4).all(|id| voters(&world, id) == [1]));
    let last = |world: &World| world.replicas[&ServerId(1)].status().logged.zxid;
    let before = last(&world);
    world.seconds(60);
    assert!(last(&world).counter() <= before.counter() + 1, "it asks once; a session ends");
}
