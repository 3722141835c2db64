use std::collections::BTreeSet;

use zabrus_core::storage::FileOperation;

use super::*;
use crate::fault::{DiskFault, Fault};
use crate::report::Outcome;
use crate::settings::{LoadSettings, NetworkSettings, Transport};

const ALL: [ServerId; 3] = [ServerId(1), ServerId(2), ServerId(3)];

fn seconds(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000)
}

fn world(settings: Settings, seed: u64) -> World {
    World::new(settings, seed)
}

/// A world that has elected a leader and serves, with the leader and a follower.
fn serving(settings: Settings) -> (World, ServerId, ServerId) {
    let mut world = world(settings, 1);
    world.run_until(seconds(20)).unwrap();
    let leader = world.leader().expect("a leader within 20 seconds");
    (world, leader, *ALL.iter().find(|id| **id != leader).unwrap())
}

fn applied(world: &World, id: ServerId) -> zabrus_core::Zxid {
    world.server(id).replica().unwrap().status().applied.zxid
}

#[test]
fn three_servers_elect_a_leader_and_all_get_the_changes_of_the_clients() {
    let (mut world, _, _) = serving(Settings::default());
    world.stop_load();
    world.run_until(seconds(40)).unwrap();
    assert_eq!(world.unanswered(), 0);
    assert!(applied(&world, ALL[0]).counter() > 50);
    assert!(ALL.iter().all(|id| applied(&world, *id) == applied(&world, ALL[0])));
}

#[test]
fn a_run_is_defined_by_its_settings_and_seed() {
    let hash = |seed, watched| {
        let settings = Settings { duration: zabrus_core::Duration::from_seconds(5), ..Settings::default() };
        let settings = Settings { settle: zabrus_core::Duration::from_seconds(20), ..settings };
        let report = play(settings, seed, watched);
        assert_eq!(report.outcome, Outcome::Passed);
        assert_eq!(report.trace.is_empty(), !watched);
        report.trace_hash
    };
    assert_eq!(hash(1, false), hash(1, true));
    assert_ne!(hash(1, false), hash(2, false));
}

#[test]
fn a_crashed_follower_catches_up_after_its_start() {
    let (mut world, _, follower) = serving(Settings::default());
    world.apply(&Fault::Crash(follower)).unwrap();
    assert!(world.server(follower).replica().is_none());
    world.run_until(seconds(40)).unwrap();
    world.apply(&Fault::Start(follower)).unwrap();
    world.stop_load();
    world.run_until(seconds(80)).unwrap();
    assert!(ALL.iter().all(|id| applied(&world, *id) == applied(&world, ALL[0])));
}

#[test]
fn the_others_elect_anew_when_the_leader_loses_its_power() {
    let (mut world, leader, _) = serving(Settings::default());
    world.apply(&Fault::PowerLoss([leader].into())).unwrap();
    world.run_until(seconds(60)).unwrap();
    assert_ne!(world.leader().unwrap(), leader);
}

#[test]
fn all_lose_their_power_and_nothing_that_was_applied_is_missing_afterwards() {
    let (mut world, leader, _) = serving(Settings::default());
    let before = applied(&world, leader);
    world.apply(&Fault::PowerLoss(BTreeSet::from(ALL))).unwrap();
    for id in ALL {
        world.apply(&Fault::Start(id)).unwrap();
    }
    world.stop_load();
    world.run_until(seconds(60)).unwrap();
    assert!(applied(&world, world.leader().unwrap()) >= before);
}

#[test]
fn a_leader_that_stands_still_for_long_is_replaced_and_follows_when_it_goes_on() {
    let (mut world, leader, _) = serving(Settings::default());
    world.apply(&Fault::Pause(leader)).unwrap();
    world.run_until(seconds(60)).unwrap();
    assert!(world.server(leader).is_paused());
    world.apply(&Fault::Resume(leader)).unwrap();
    world.run_until(seconds(100)).unwrap();
    let status = world.server(leader).replica().unwrap().status();
    assert_eq!(status.role, Role::Following);
    assert_ne!(world.leader(), Some(leader));
}

#[test]
fn an_isolated_leader_is_replaced_and_rejoins_when_the_network_is_well() {
    let (mut world, leader, _) = serving(Settings::default());
    let others: Vec<ServerId> = ALL.into_iter().filter(|id| *id != leader).collect();
    let blocked = others.iter().flat_map(|id| [(leader, *id), (*id, leader)]).collect();
    world.apply(&Fault::Block(blocked)).unwrap();
    assert!(world.is_blocked(leader, others[0]));
    world.run_until(seconds(60)).unwrap();
    assert!(others.contains(&world.leader().unwrap()));
    assert_ne!(world.server(leader).replica().unwrap().status().role, Role::Leading);
    world.apply(&Fault::Heal).unwrap();
    world.run_until(seconds(100)).unwrap();
    assert_eq!(world.server(leader).replica().unwrap().status().role, Role::Following);
}

#[test]
fn a_server_with_the_disk_of_another_stays_down_and_says_why() {
    let (mut world, leader, follower) = serving(Settings::default());
    world.apply(&Fault::SwapDisks(leader, follower)).unwrap();
    world.apply(&Fault::Start(follower)).unwrap();
    assert!(world.server(follower).replica().is_none());
    assert!(world.server(follower).why_down().unwrap().contains("refuses to start"));
    world.apply(&Fault::SwapDisks(leader, follower)).unwrap();
    world.apply(&Fault::Start(follower)).unwrap();
    assert!(world.server(follower).replica().is_some());
}

#[test]
fn a_server_whose_disk_fails_ends_and_starts_again_by_itself() {
    let (mut world, _, follower) = serving(Settings::default());
    let boot = world.server(follower).boot;
    let fault = DiskFault::SyncErrors(crate::fault::Failing::Once);
    world.apply(&Fault::Disk { server: follower, fault }).unwrap();
    world.run_until(seconds(60)).unwrap();
    assert!(world.server(follower).boot > boot);
    assert!(world.server(follower).replica().is_some());
}

/// Seed 14577: the write under way goes astray after the end of its process.
#[test]
fn the_observer_hears_of_damage_by_a_write_that_outlives_its_process() {
    let mut damaged = 0;
    for seed in 0..20 {
        let mut world = world(Settings::default(), seed);
        world.run_until(seconds(20)).unwrap();
        let leader = world.leader().expect("a leader within 20 seconds");
        world.apply(&Fault::Disk { server: leader, fault: DiskFault::MisdirectedWrite }).unwrap();
        let writes = |world: &World| {
            let process = world.server(leader).process.as_ref().expect("it runs");
            let next = process.operations.front().map(|asked| &asked.operation);
            process.disk_busy && matches!(next, Some(FileOperation::Write { .. }))
        };
        while !writes(&world) {
            world.step(seconds(30)).unwrap();
        }
        world.apply(&Fault::Crash(leader)).unwrap();
        let is_damaged = world.server(leader).disk().is_damaged();
        assert_eq!(world.ghost().knows_of_damage(leader), is_damaged, "seed {seed}");
        damaged += u64::from(is_damaged);
    }
    assert!((1..20).contains(&damaged), "{damaged} of 20 writes were carried out");
}

#[test]
fn clients_are_served_over_datagrams_that_are_lost_doubled_and_overtaken() {
    let network = NetworkSettings {
        mode: Transport::Datagram,
        loss_per_mille: 10,
        duplicate_per_mille: 10,
        reorder_per_mille: 10,
        ..NetworkSettings::default()
    };
    let (mut world, _, _) = serving(Settings { network, ..Settings::default() });
    world.calm();
    world.run_until(seconds(60)).unwrap();
    assert!(applied(&world, world.leader().unwrap()).counter() > 50);
}

#[test]
fn a_fork_of_any_quorum_finds_a_leader_and_what_was_applied_before() {
    let (world, leader, follower) = serving(Settings::default());
    let before = applied(&world, leader);
    let mut fork = world.fork(&BTreeSet::from([leader, follower]), 9).unwrap();
    fork.run_until(seconds(60)).unwrap();
    assert!(applied(&fork, fork.leader().unwrap()) >= before);
}

#[test]
fn a_world_without_clients_and_without_starts_is_silent() {
    let load = LoadSettings { clients: 0, ..LoadSettings::default() };
    let mut world = world(Settings { start_all: false, load, ..Settings::default() }, 1);
    assert!(!world.step(seconds(1_000)).unwrap());
    assert_eq!(world.leader(), None);
}
