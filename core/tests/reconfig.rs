//! Reconfig in ensembles of whole replicas (client.md section 16, zab.md section 13).

mod common;

use common::world::World;
use zabrus_core::config::Config;
use zabrus_core::event::Role;
use zabrus_core::quorum::{Ensemble, MemberKind};

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
    assert_eq!(world.role(4), Role::Looking, "nobody knows it");
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
    assert!(!world.clients.contains_key(&ServerId(4)), "its clients go elsewhere");
    assert!(world.create(2, 2).unwrap().is_ok());
    world.reconfigure(2, "server.4=s4:1:2:observer;3", "");
    world.seconds(10);
    assert_eq!(world.role(4), Role::Observing, "it comes back");
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
        assert!(matches!(world.role(4), Role::Looking | Role::Settling));
        assert!((1..=5).filter(|id| *id != 4).all(|id| world.members(id) == [1, 2, 3, 5]));
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

#[test]
fn operators_who_stop_all_servers_and_name_other_voters_are_heard() {
    let mut world = World::new(3, 1);
    world.settings = with_reconfig;
    (1..=4).for_each(|id| world.start(id));
    world.seconds(5);
    world.reconfigure(1, "", "4");
    (1..=4).for_each(|id| world.stop(id));
    world.ensemble = Ensemble::plain(5, 0);
    (1..=5).for_each(|id| world.start(id));
    world.seconds(10);
    assert!((1..=5).all(|id| world.members(id) == [1, 2, 3, 4, 5]));
    let members = world.reconfigure(5, "server.6=s6:1:2:observer;3", "");
    assert!(members.contains("server.5=s5:1:2:participant"), "{members}");
    (1..=5).for_each(|id| world.stop(id));
    (1..=5).for_each(|id| world.start(id));
    world.seconds(10);
    assert!((1..=5).all(|id| world.members(id) == [1, 2, 3, 4, 5, 6]));
    world.assert_equal();
}
