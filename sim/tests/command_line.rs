//! The program as its users start it: arguments in; exit code, text and JSON out.

use std::process::Command;

use serde_json::Value;

/// What the program did.
struct Outcome {
    code: Option<i32>,
    out: String,
    errors: String,
}

fn zabrus_sim(arguments: &str) -> Outcome {
    let project = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_zabrus-sim"));
    let output = command.args(arguments.split_whitespace()).current_dir(project).output();
    let output = output.expect("the program was built for this test");
    let text = |bytes| String::from_utf8(bytes).expect("the program prints UTF-8");
    Outcome { code: output.status.code(), out: text(output.stdout), errors: text(output.stderr) }
}

#[track_caller]
fn green(arguments: &str) -> String {
    let outcome = zabrus_sim(arguments);
    assert_eq!(outcome.code, Some(0), "{arguments}\n{}\n{}", outcome.out, outcome.errors);
    outcome.out
}

#[track_caller]
fn green_json(arguments: &str) -> Value {
    let out = green(arguments);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments}: {error}\n{out}"))
}

/// The lines `seed hash` of `run --hashes`.
fn hashes(arguments: &str) -> Vec<(u64, String)> {
    let out = green(arguments);
    let pairs = out.lines().filter_map(|line| line.trim().split_once(' '));
    let is_hash = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    pairs
        .filter(|(_, hash)| is_hash(hash))
        .filter_map(|(seed, hash)| Some((seed.parse().ok()?, hash.to_owned())))
        .collect()
}

#[test]
fn twenty_worlds_end_green_with_a_summary() {
    let out = green("run --seeds 20");
    for part in [
        "20 seeds",
        "simulated",
        "elections",
        "epochs",
        "commits",
        "replies, ",
        "sessions checked",
        "syncs",
        "faults",
        "checks",
        "liveness",
        "surprises",
    ] {
        assert!(out.contains(part), "the summary does not mention {part}:\n{out}");
    }
}

#[test]
fn the_summary_as_json_counts_the_same_worlds() {
    let json = green_json("run --seeds 3..5 --json");
    assert_eq!(json["first_seed"], 3);
    assert_eq!(json["summary"]["seeds"], 2);
    assert!(json["summary"]["events"].as_u64() > Some(1_000), "{json}");
    for checked in ["replies_checked", "watch_events_checked", "sessions_checked", "events_per_second"] {
        assert!(json["summary"][checked].as_u64() > Some(0), "{checked}: {json}");
    }
    assert!(json["failure"].is_null(), "{json}");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let alone = hashes("run --seeds 6 --hashes --jobs 1");
    assert_eq!(alone.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(alone, hashes("run --seeds 6 --hashes --jobs 3"));
}

#[test]
fn different_seeds_are_different_worlds() {
    let [first, second] = hashes("run --seeds 2 --hashes").try_into().expect("a line for each seed");
    assert_ne!(first.1, second.1);
}

#[test]
fn a_run_done_twice_is_the_same() {
    green("run --seeds 4 --twice");
}

#[test]
fn replay_tells_the_run_that_the_campaign_saw() {
    let campaign = hashes("run --seeds 7..8 --hashes");
    let grid = green("replay --seed 7");
    assert!(grid.lines().count() > 20, "{grid}");
    assert!(grid.contains(&campaign[0].1), "another hash than {campaign:?}:\n{grid}");
    assert_eq!(grid, green("replay --seed 7 --grid"), "the grid is the default");
}

#[test]
fn replay_as_json_is_one_object_per_line_and_ends_with_the_report() {
    let out = green("replay --seed 1 --json");
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let report = lines.last().expect("the report is a line");
    assert_eq!(report["seed"], 1);
    assert_eq!(report["outcome"], "Passed");
    assert!(lines.len() > 20);
}

#[test]
fn every_scenario_is_listed_with_its_story_and_passes() {
    let listed = green_json("list --json");
    let names: Vec<_> =
        listed.as_array().expect("a list").iter().map(|entry| entry["name"].clone()).collect();
    assert!(names.len() >= 20, "{names:?}");
    let played = green_json("scenarios --json");
    for (name, result) in names.iter().zip(played.as_array().expect("a list")) {
        assert_eq!(result["name"], *name);
        assert_eq!(result["passed"], true, "{name}: {}", result["failure"]);
    }
}

#[test]
fn every_verb_explains_itself() {
    for verb in ["", "run", "replay", "list", "scenarios", "mutants"] {
        let help = green(&format!("{verb} --help"));
        assert!(help.contains("Usage:"), "{verb}:\n{help}");
    }
}

#[test]
fn bad_usage_has_its_own_exit_code_and_says_what_was_wrong() {
    for (arguments, wrong) in [
        ("walk", "walk"),
        ("run --seeds many", "many"),
        ("run --seeds 5..2", "5..2"),
        ("run --jobs 0", "0"),
        ("run --budget soon", "soon"),
        ("replay", "SCENARIO"),
        ("replay no-such-story", "no-such-story"),
        ("scenarios no-such-story", "no-such-story"),
    ] {
        let outcome = zabrus_sim(arguments);
        assert_eq!(outcome.code, Some(2), "{arguments}: {}", outcome.errors);
        assert!(outcome.errors.contains(wrong), "{arguments}: {}", outcome.errors);
    }
}
