use zabrus_core::Duration;

use super::*;
use crate::checks::Rule;
use crate::counters::{Counters, Mark};
use crate::fault::FaultKind;
use crate::report::Outcome;
use crate::settings::{FaultRate, LoadSettings, Settings};
use crate::world;

/// Three players in a world in which leaders go and sessions end.
#[track_caller]
fn played(recipe: Recipe, rule: Rule, marks: &[Mark]) {
    let mut counters = Counters::default();
    for seed in 0..3 {
        let load = LoadSettings {
            clients: 0,
            recipe: Some(recipe),
            interval_micros: (5_000, 50_000),
            session_millis: (4_000, 4_000),
            trouble_per_mille: 15,
            ..LoadSettings::default()
        };
        let faults = vec![FaultRate { kind: FaultKind::Crash, weight: 1 }];
        let report = world::play(Settings { faults, load, ..Settings::default() }, seed, false);
        assert_eq!(report.outcome, Outcome::Passed, "seed {seed}");
        counters.merge(&report.counters);
    }
    let missing: Vec<Mark> = marks.iter().copied().filter(|mark| counters.seen(*mark) == 0).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
    assert!(counters.checks(rule) > 50, "{rule:?} was judged {} times", counters.checks(rule));
}

/// Seeds 367, 461 and 2281: when all is calm, every moment of a client with a session this short is one of its
/// pings, and it must look again all the same.
#[test]
fn players_with_short_sessions_go_on_when_all_is_calm() {
    for seed in 0..20 {
        let load = LoadSettings {
            clients: 0,
            recipe: Some(Recipe::Group),
            session_millis: (1_000, 1_000),
            trouble_per_mille: 20,
            ..LoadSettings::default()
        };
        let tick_time = Duration::from_millis(500);
        let report = world::play(Settings { load, tick_time, ..Settings::default() }, seed, false);
        assert_eq!(report.outcome, Outcome::Passed, "seed {seed}");
        assert!(report.counters.checks(Rule::P6) > 0, "seed {seed}");
    }
}

#[test]
fn locks_are_granted_and_lost_and_then_writes_are_refused() {
    played(Recipe::Lock, Rule::P1, &[Mark::LocksGranted, Mark::LocksLost, Mark::LockWritesRefused]);
}

#[test]
fn leaders_are_elected_and_lost_and_then_writes_are_refused() {
    played(Recipe::Election, Rule::P2, &[Mark::LeadersElected, Mark::LeadersLost, Mark::LeaderWritesRefused]);
}

#[test]
fn a_counter_is_increased_by_some_and_others_are_too_late() {
    played(Recipe::Counter, Rule::P3, &[Mark::CountsDone, Mark::CountsRefused]);
}

#[test]
fn items_are_taken_from_a_queue_and_others_are_too_late() {
    played(Recipe::Queue, Rule::P4, &[Mark::ItemsTaken, Mark::ItemsTakenBefore]);
}

#[test]
fn barriers_are_passed_and_left() {
    played(Recipe::Barrier, Rule::P5, &[Mark::BarriersPassed, Mark::BarriersLeft]);
}

#[test]
fn members_of_a_group_see_each_other() {
    played(Recipe::Group, Rule::P6, &[Mark::GroupViews]);
}
