//! Every scenario of the project, and the grid that tells it.

use std::path::Path;

use zabrus_sim::engine::{Engine, Simulator, Watch};
use zabrus_sim::grid;
use zabrus_sim::scenario::{Scenario, library};

fn all() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    library::all(Some(&folder)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_scenario_ends_as_told_whatever_the_delays() {
    let mut failures = Vec::new();
    for scenario in all() {
        for seed in 0..3 {
            let report = Simulator.scenario(&scenario, seed, Watch::Off);
            if !report.outcome.passed() {
                failures.push(format!("{} with seed {seed}: {:?}", scenario.name, report.outcome));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_bug_of_recovery_and_of_epochs_has_its_scenario() {
    let cited: Vec<String> = all().into_iter().flat_map(|scenario| scenario.bugs).collect();
    let bugs = (1..=26).map(|n| format!("A{n:02}")).chain((1..=10).map(|n| format!("B{n:02}")));
    let missing: Vec<String> = bugs.filter(|bug| !cited.contains(bug)).collect();
    assert!(missing.is_empty(), "no scenario for {missing:?}");
}

#[test]
fn a_grid_names_the_leader_and_its_epoch() {
    let scenarios = all();
    let scenario = scenarios.iter().find(|scenario| scenario.name == "three-together").expect("it exists");
    let report = Simulator.scenario(scenario, 0, Watch::On);
    let lines: Vec<String> = report.trace.iter().map(grid::line).collect();
    let leads =
        |line: &&String| line.contains("LEADING/broadcast") && line.contains("leads epoch 1 and serves");
    assert_eq!(lines.iter().filter(leads).count(), 1, "{}", lines.join("\n"));
}
