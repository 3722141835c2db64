//! The command line against an imitation of the simulator.

use serde_json::Value;
use zabrus_core::{Duration, Instant, ServerId};

use super::*;
use crate::case::{Case, Incident, TimedFault};
use crate::counters::{Counters, Mark};
use crate::engine::Watch;
use crate::fault::{Fault, FaultKind};
use crate::grid::{TraceLine, What};
use crate::report::RunReport;
use crate::scenario::Scenario;
use crate::settings::Settings;
use crate::violation::Violation;

/// Seeds pass, but for the bad ones. A wrong word in a scenario's name makes it fail too.
#[derive(Default)]
struct Fake {
    violating: Vec<u64>,
    stuck: Vec<u64>,
    flickering: Vec<u64>,
    flicker: std::sync::atomic::AtomicU64,
}

impl Engine for Fake {
    fn swarm(&self, seed: u64, watch: Watch) -> RunReport {
        let outcome = if self.violating.contains(&seed) {
            Outcome::Violated(Violation {
                rule: "R1",
                citation: "invariants.md R1",
                sentence: "a committed transaction is on no quorum's disks".into(),
                server: Some(ServerId(2)),
                time: Instant(1_500_000),
            })
        } else if self.stuck.contains(&seed) {
            Outcome::NotLive { rule: "V1", citation: "invariants.md V1", sentence: "nobody leads".into() }
        } else {
            Outcome::Passed
        };
        let flicker = if self.flickering.contains(&seed) {
            self.flicker.fetch_add(1, std::sync::atomic::Ordering::SeqCst)
        } else {
            0
        };
        let line = TraceLine {
            time: Instant(1_000_000),
            server: Some(ServerId(2)),
            state: None,
            what: What::Note(format!("the story of {seed}")),
        };
        let mut counters = Counters::default();
        counters.saw_times(Mark::Epochs, 2);
        counters.saw(Mark::LivenessJudged);
        RunReport {
            seed,
            trace_hash: seed * 1_000 + flicker,
            events: 100,
            simulated: Duration::from_seconds(60),
            counters,
            outcome,
            trace: if watch == Watch::On { vec![line] } else { Vec::new() },
        }
    }

    fn write_down(&self, seed: u64) -> (RunReport, Case) {
        let settings = Settings { duration: Duration::from_seconds(60), ..Settings::default() };
        let steps = vec![TimedFault { at: Instant(7), fault: Fault::Crash(ServerId(2)) }];
        let needed = Incident { kind: Some(FaultKind::Crash), steps };
        let other = Incident { kind: Some(FaultKind::Wipe), ..needed.clone() };
        let incidents = vec![other.clone(), needed, other];
        (self.swarm(seed, Watch::Off), Case { seed, settings, incidents, cures: vec![Fault::Heal] })
    }

    /// Fails as its seed does, as long as there is a crash in it.
    fn case(&self, case: &Case, watch: Watch) -> RunReport {
        let mut report = self.swarm(case.seed, watch);
        if !case.incidents.iter().any(|incident| incident.kind == Some(FaultKind::Crash)) {
            report.outcome = Outcome::Passed;
        }
        report
    }

    fn scenario(&self, scenario: &Scenario, seed: u64, watch: Watch) -> RunReport {
        let mut report = self.swarm(seed, watch);
        if scenario.name.contains("wrong") {
            report.outcome =
                Outcome::Unexpected { place: "wrong.scenario:7".into(), sentence: "nobody leads".into() };
        }
        report
    }
}

fn command(fake: &Fake, arguments: &str) -> (u8, String) {
    let mut out = Vec::new();
    let mut console = Console { out: &mut out, colours: false, progress: false };
    let words = std::iter::once("zabrus-sim").chain(arguments.split_whitespace());
    let code = run(words.map(OsString::from), fake, &mut console);
    (code, String::from_utf8(out).unwrap())
}

fn json(fake: &Fake, arguments: &str) -> (u8, Value) {
    let (code, text) = command(fake, arguments);
    (code, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

/// A folder with a good scenario and a wrong one, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("zabrus-sim-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let step = "[[step]]\ndo = \"heal\"\n";
        std::fs::write(folder.join("right.scenario"), format!("# All is well\n\nservers = 3\n{step}"))
            .unwrap();
        std::fs::write(folder.join("wrong.scenario"), format!("# Nothing is\n\nservers = 3\n{step}"))
            .unwrap();
        Self(folder)
    }

    fn command(&self, fake: &Fake, arguments: &str) -> (u8, String) {
        command(fake, &format!("--scenario-folder {} {arguments}", self.0.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn green_seeds_end_with_a_summary_and_exit_code_0() {
    let (code, text) = command(&Fake::default(), "run --seeds 5");
    assert_eq!(code, GREEN);
    for part in ["5 seeds, 0..5: all green", "5 min 00 s simulated", "10 epochs"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_exit_code_tells_what_failed() {
    let fake = Fake { violating: vec![3], stuck: vec![1], flickering: vec![0], ..Fake::default() };
    assert_eq!(command(&fake, "run --seeds 2..9").0, VIOLATION);
    assert_eq!(command(&fake, "run --seeds 1..9").0, NOT_LIVE);
    assert_eq!(command(&fake, "run --seeds 0..1 --twice").0, DIVERGED);
    assert_eq!(command(&fake, "run --seeds 2..3 --twice").0, GREEN);
    assert_eq!(command(&fake, "replay --seed 3").0, VIOLATION);
    assert_eq!(command(&fake, "replay --seed 2").0, GREEN);
    assert_eq!(Folder::new("codes").command(&fake, "scenarios --seeds 2..3").0, UNEXPECTED);
    for usage in ["run --seeds 0", "run --seeds 9..3", "run --jobs 0", "run --budget 5", "fly", "", "replay"]
    {
        assert_eq!(command(&fake, usage).0, USAGE, "{usage}");
    }
}

#[test]
fn a_failure_is_explained_with_its_rule_its_story_and_its_replay() {
    let fake = Fake { violating: vec![3], ..Fake::default() };
    let (_, text) = command(&fake, "run --seeds 9");
    for part in [
        "R1: a committed transaction is on no quorum's disks (invariants.md R1; at 1.500s on server 2)",
        "the story of 3",
        "trace hash 0000000000000bb8",
        "cargo run --release --bin zabrus-sim -- replay --seed 3",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn two_different_runs_of_one_seed_are_told_with_the_command_that_repeats_them() {
    let fake = Fake { flickering: vec![4], ..Fake::default() };
    let (_, text) = command(&fake, "run --seeds 9 --twice");
    assert!(text.contains("seed 4 ran in two ways"), "{text}");
    assert!(text.contains("cargo run --release --bin zabrus-sim -- run --seeds 4..5 --twice"), "{text}");
}

#[test]
fn the_summary_tells_what_was_judged_and_what_had_no_case() {
    let (_, text) = command(&Fake::default(), "run --seeds 5");
    assert!(text.contains("liveness   judged in 5 of 5 runs; 0 were to be safe only"), "{text}");
    let (_, never) = text.split_once("had no case: ").expect("a line for the rules without a case");
    assert!(never.starts_with("E1, ") && !text.contains("R1 0"), "{text}");
}

#[test]
fn the_number_of_jobs_changes_nothing_but_the_speed() {
    let fake = Fake { violating: vec![40, 23, 31], ..Fake::default() };
    let result = |jobs: u64| {
        let (code, mut value) = json(&fake, &format!("run --seeds 100 --jobs {jobs} --json"));
        value["summary"]["wall_micros"].take();
        value["summary"]["events_per_second"].take();
        (code, value)
    };
    let one = result(1);
    assert_eq!(one.1["failure"]["seed"], 23);
    assert_eq!(one.1["summary"]["seeds"], 24);
    for jobs in [2, 7] {
        assert_eq!(result(jobs), one);
    }
}

#[test]
fn json_names_what_scripts_need() {
    let fake = Fake { stuck: vec![1], ..Fake::default() };
    let (_, run) = json(&fake, "run --seeds 2 --json");
    assert_eq!(run["first_seed"], 0);
    assert_eq!(run["summary"]["events"], 200);
    assert_eq!(run["summary"]["counters"]["seen"]["Epochs"], 4);
    assert_eq!(run["failure"]["rule"], "V1");
    assert_eq!(run["failure"]["replay"], "cargo run --release --bin zabrus-sim -- replay --seed 1");

    let (_, text) = command(&fake, "replay --seed 1 --json");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["what"]["Note"], "the story of 1");
    assert_eq!(lines[1]["seed"], 1);

    let folder = Folder::new("json");
    let (code, text) = folder.command(&fake, "list --json");
    let list: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &list[0]["name"], &list[0]["title"]), (GREEN, &"right".into(), &"All is well".into()));

    let (_, text) = folder.command(&fake, "scenarios --json");
    let results: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&results[0]["passed"], &results[1]["passed"]), (&true.into(), &false.into()));
    let replay = format!("replay wrong --scenario-folder {} --seed 0", folder.0.display());
    assert_eq!(results[1]["failure"]["replay"], format!("cargo run --release --bin zabrus-sim -- {replay}"));
}

/// The mutants of a fake engine do nothing, so that no test disturbs another.
#[test]
#[cfg(feature = "mutants")]
fn a_scenario_that_does_not_kill_its_mutant_has_failed() {
    let folder = Folder::new("kills");
    let text = "# Too kind\n\nservers = 3\nkills = [\"M65\"]\n[[step]]\ndo = \"heal\"\n";
    std::fs::write(folder.0.join("kind.scenario"), text).unwrap();
    let (code, text) = folder.command(&Fake::default(), "scenarios kind");
    assert_eq!(code, UNEXPECTED);
    assert!(text.contains("does not kill M65") && text.contains("1 failed"), "{text}");
}

#[test]
#[cfg(feature = "mutants")]
fn a_kill_comes_with_the_command_that_replays_it() {
    let fake = Fake { violating: vec![3], ..Fake::default() };
    let (_, text) = command(&fake, "mutants m65 --seeds 3..9");
    let replay = "zabrus-sim -- replay --seed 3 --mutant M65";
    assert!(text.contains(&format!("cargo run --release --features mutants --bin {replay}")), "{text}");
    assert_eq!(command(&fake, "replay --seed 3 --mutant M65").0, VIOLATION);
    assert_eq!(command(&fake, "replay --seed 3 --mutant M99").0, USAGE);
}

#[test]
#[cfg(feature = "mutants")]
fn a_line_of_the_museum_says_what_kills_a_mutant_first_in_the_swarm_then_in_scenarios() {
    let folder = Folder::new("museum");
    for name in ["kind", "wrong"] {
        let text = "# Story\n\nservers = 3\nkills = [\"M65\"]\n[[step]]\ndo = \"heal\"\n";
        std::fs::write(folder.0.join(name).with_extension("scenario"), text).unwrap();
    }
    let fake = Fake { violating: vec![5], ..Fake::default() };
    let (code, text) = folder.command(&fake, "mutants M65 --seeds 3..9 --markdown");
    let mistake = "A follower acknowledges before its disk has it.";
    let scenarios = "`kind`: **survives**, `wrong`: expectation";
    assert_eq!((code, text), (GREEN, format!("| M65 | D01 | {mistake} | R1, 3 | {scenarios} |\n")));
    let (code, text) = folder.command(&Fake::default(), "mutants M01 --seeds 9 --markdown");
    assert_eq!(code, GREEN);
    assert!(text.ends_with("| not reached by 9 | - |\n"), "{text}");
}

#[test]
fn hashes_are_printed_in_the_order_of_the_seeds() {
    let (_, text) = command(&Fake::default(), "run --seeds 3..6 --hashes --jobs 3");
    let lines: Vec<_> = text.lines().take(3).collect();
    assert_eq!(lines, ["3 0000000000000bb8", "4 0000000000000fa0", "5 0000000000001388"]);
}

#[test]
fn a_replayed_scenario_opens_with_its_story() {
    let (code, text) = Folder::new("story").command(&Fake::default(), "replay right");
    assert_eq!(code, GREEN);
    assert!(text.starts_with("All is well\n"), "{text}");
    assert!(text.contains("the story of 0"), "{text}");
    assert!(text.contains("PASSED"), "{text}");
}

#[test]
fn scenarios_are_listed_with_the_first_lines_of_their_stories() {
    let (_, text) = Folder::new("list").command(&Fake::default(), "list");
    assert_eq!(text, "right  All is well\nwrong  Nothing is\n");
}

#[test]
fn the_gravest_failure_of_several_scenarios_decides_the_exit_code() {
    let fake = Fake { violating: vec![1], ..Fake::default() };
    let folder = Folder::new("gravest");
    assert_eq!(folder.command(&fake, "scenarios right --seeds 1..2").0, VIOLATION);
    assert_eq!(folder.command(&fake, "scenarios wrong right --seeds 1..2").0, VIOLATION);
    assert_eq!(folder.command(&fake, "scenarios wrong").0, UNEXPECTED);
    assert_eq!(folder.command(&fake, "scenarios missing").0, USAGE);
}

#[test]
fn help_teaches_by_examples() {
    for verb in ["", "run", "replay", "scenarios", "mutants"] {
        let (code, text) = command(&Fake::default(), &format!("{verb} --help"));
        assert_eq!(code, GREEN);
        assert!(text.contains("zabrus-sim") && text.contains("xample"), "{verb}: {text}");
    }
}

#[test]
fn a_number_of_seeds_starts_at_0_and_a_range_excludes_its_end() {
    assert_eq!(parse_seeds("7"), Ok(Seeds { first: 0, end: 7 }));
    assert_eq!(parse_seeds("3..5"), Ok(Seeds { first: 3, end: 5 }));
    assert!(parse_seeds("5..5").is_err());
    assert!(parse_seeds("many").is_err());
}

#[test]
fn a_shrunk_run_is_written_into_a_file_that_replay_plays_and_shrink_goes_on_with() {
    let fake = Fake { violating: vec![3], ..Fake::default() };
    let folder = Folder::new("shrink");
    let file = folder.0.join("small.case");
    let (code, text) = folder.command(&fake, &format!("shrink --seed 3 --out {}", file.display()));
    assert_eq!(code, VIOLATION);
    for part in ["3 incidents", "1 incident, 1 server, 0 clients", "server 2 crashes", "R1", "replay --case"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (code, text) = command(&fake, &format!("replay --case {}", file.display()));
    assert!(code == VIOLATION && text.contains("the story of 3"), "{text}");
    let (code, value) = json(&fake, &format!("shrink --case {} --json", file.display()));
    assert_eq!(code, VIOLATION);
    assert_eq!((&value["minimal"], &value["case"]["seed"]), (&true.into(), &3.into()));
    std::fs::write(&file, "{}").unwrap();
    assert_eq!(command(&fake, &format!("replay --case {}", file.display())).0, USAGE);
}

#[test]
fn a_seed_that_passes_is_not_shrunk() {
    let (code, text) = command(&Fake::default(), "shrink --seed 2");
    assert_eq!(code, GREEN);
    assert!(text.contains("nothing to shrink"), "{text}");
    assert_eq!(command(&Fake::default(), "shrink").0, USAGE);
}
