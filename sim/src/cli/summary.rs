//! What a campaign came to, for a person and as JSON.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::campaign::{Failure, Totals};
use super::{Colour, Console, Stop};
use crate::checks::Rule;
use crate::counters::Mark;
use crate::grid;
use crate::report::{Outcome, RunReport};
use crate::units::{count, span};

/// How users start this program from a clone.
const PROGRAM: &str = "cargo run --release --bin zabrus-sim --";

/// Simulated time, in microseconds, against wall time.
pub(super) fn speed(simulated: u64, wall: Duration) -> u64 {
    simulated / (wall.as_micros() as u64).max(1)
}

/// Events per second of wall time.
fn rate(totals: &Totals) -> u64 {
    (u128::from(totals.events) * 1_000_000 / totals.wall.as_micros().max(1)) as u64
}

/// What clients were told, and all of which was compared with the model.
struct Checked {
    replies: u64,
    watch_events: u64,
    sessions: u64,
}

fn checked(totals: &Totals) -> Checked {
    let Totals { counters, .. } = totals;
    Checked {
        replies: [Mark::ReadsAnswered, Mark::ChangesAnswered, Mark::SyncsAnswered, Mark::PingsAnswered]
            .map(|mark| counters.seen(mark))
            .iter()
            .sum(),
        watch_events: counters.seen(Mark::WatchEvents),
        sessions: counters.seen(Mark::SessionsOpened),
    }
}

/// The summary; `scenario` is what was played, if not random worlds.
pub(super) fn print(
    console: &mut Console<'_>,
    scenario: Option<&str>,
    first: u64,
    jobs: u64,
    totals: &Totals,
) -> Result<(), Stop> {
    let verdict = match &totals.failure {
        None => console.paint(Colour::Green, "all green"),
        Some(_) => console.paint(Colour::Red, "the last one failed"),
    };
    let wall_micros = totals.wall.as_micros() as u64;
    let counters = &totals.counters;
    let end = first + totals.seeds;
    writeln!(console.out, "{} seeds, {first}..{end}: {verdict}", count(totals.seeds))?;
    writeln!(
        console.out,
        "  time       {} simulated in {}: {} simulated seconds per second with {jobs} jobs",
        span(zabrus_core::Duration(totals.simulated)),
        span(zabrus_core::Duration(wall_micros)),
        count(speed(totals.simulated, totals.wall)),
    )?;
    writeln!(console.out, "  events     {}, {} per second", count(totals.events), count(rate(totals)))?;
    writeln!(console.out, "  hash       {:016x}, over the trace hashes of all seeds", totals.hash)?;
    writeln!(
        console.out,
        "  protocol   {} elections, {} epochs, {} commits",
        count(counters.seen(Mark::Decisions)),
        count(counters.seen(Mark::Epochs)),
        count(counters.seen(Mark::Commits))
    )?;
    let Checked { replies, watch_events, sessions } = checked(totals);
    writeln!(
        console.out,
        "  clients    {} replies, {} watch events and {} sessions checked",
        count(replies),
        count(watch_events),
        count(sessions)
    )?;
    let syncs = [
        ("DIFF", Mark::SyncDiff),
        ("TRUNC", Mark::SyncTrunc),
        ("TRUNC+DIFF", Mark::SyncTruncDiff),
        ("SNAP", Mark::SyncSnap),
    ];
    print_counts(console, "syncs", syncs.map(|(name, mark)| (name, counters.seen(mark))))?;
    print_counts(console, "faults", counters.faults.iter().map(|(name, count)| (*name, *count)))?;
    let checks = Rule::ALL.iter().map(|rule| (rule.name(), counters.checks(*rule)));
    let (made, never): (Vec<_>, Vec<_>) = checks.partition(|(_, times)| *times > 0);
    print_counts(console, "checks", made)?;
    if !never.is_empty() {
        let names: Vec<_> = never.iter().map(|(name, _)| *name).collect();
        let mark = console.paint(Colour::Yellow, "had no case");
        writeln!(console.out, "             {mark}: {}", names.join(", "))?;
    }
    writeln!(
        console.out,
        "  liveness   judged in {} of {} runs; {} were to be safe only, {} were disturbed too late,\n             \
         {} ended early: a quorum had damaged disks",
        count(counters.seen(Mark::LivenessJudged)),
        count(totals.seeds),
        count(counters.seen(Mark::LivenessUnexpected)),
        count(counters.seen(Mark::LivenessUnclear)),
        count(counters.seen(Mark::EndedEarly)),
    )?;
    let surprises = Mark::ALL.iter().filter(|mark| mark.is_surprise()).count();
    let unseen: Vec<Mark> = counters.never_seen().collect();
    writeln!(console.out, "  surprises  {} of {surprises} kinds seen", surprises - unseen.len())?;
    for mark in unseen {
        let never = console.paint(Colour::Yellow, "never seen");
        writeln!(console.out, "             {never}: {}", mark.description())?;
    }
    if let Some(Failure::Diverged { seed, hashes: [one, other] }) = &totals.failure {
        let word = console.paint(Colour::Red, "DIVERGENCE");
        writeln!(
            console.out,
            "\n{word}  seed {seed} ran in two ways: trace hashes {one:016x} and {other:016x}"
        )?;
        writeln!(console.out, "\n  repeat it:  {}", repeat_command(*seed, scenario))?;
    }
    Ok(())
}

/// Counts by name, the most frequent first, as many to a line as fit.
fn print_counts(
    console: &mut Console<'_>,
    title: &str,
    counts: impl IntoIterator<Item = (&'static str, u64)>,
) -> Result<(), Stop> {
    let mut entries: Vec<_> = counts.into_iter().collect();
    entries.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let mut text = format!("  {title:<9} ");
    let mut used = text.len();
    if entries.is_empty() {
        text.push_str(" none");
    }
    for (index, (name, number)) in entries.iter().enumerate() {
        let comma = if index + 1 < entries.len() { "," } else { "" };
        let item = format!(" {name} {}{comma}", count(*number));
        if used + item.len() > 100 {
            text.push_str("\n            ");
            used = 12;
        }
        used += item.len();
        text.push_str(&item);
    }
    writeln!(console.out, "{text}")?;
    Ok(())
}

/// The violated rule, the end of the story, and the command that tells all of it.
pub(super) fn print_failure(
    console: &mut Console<'_>,
    report: &RunReport,
    scenario: Option<&str>,
    tail_lines: usize,
) -> Result<(), Stop> {
    let (word, text) = told(&report.outcome);
    let word = console.paint(Colour::Red, word);
    writeln!(console.out, "\n{word}  {text}")?;
    writeln!(
        console.out,
        "  seed {}, trace hash {:016x}; the end of the story:\n",
        report.seed, report.trace_hash
    )?;
    for line in grid::tail(&report.trace, tail_lines) {
        writeln!(console.out, "  {line}")?;
    }
    writeln!(console.out, "\n  replay it:  {}", replay_command(report.seed, scenario, None))?;
    if scenario.is_none() {
        let shrink = command(&format!("shrink --seed {}", report.seed), None);
        writeln!(console.out, "  shrink it:  {shrink}")?;
    }
    Ok(())
}

/// An outcome as a word and a sentence.
pub(super) fn told(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Outcome::Passed => ("PASSED", String::new()),
        Outcome::Violated(violation) => {
            let server = violation.server.map_or(String::new(), |server| format!(" on server {server}"));
            let text = format!(
                "{}: {} ({}; at {}{server})",
                violation.rule, violation.sentence, violation.citation, violation.time
            );
            ("VIOLATION", text)
        }
        Outcome::NotLive { rule, citation, sentence } => {
            ("NOT LIVE", format!("{rule}: {sentence} ({citation}; at the end)"))
        }
        Outcome::Unexpected { place, sentence } => ("UNEXPECTED", format!("{place}: {sentence}")),
    }
}

/// How a command line names a scenario, so that it is found again.
pub(super) fn scenario_arguments(name: &str, folder: Option<&Path>) -> String {
    match folder {
        Some(folder) => format!("{name} --scenario-folder {}", folder.display()),
        None => name.to_owned(),
    }
}

/// The command that plays a seed again and tells all of it.
pub(super) fn replay_command(seed: u64, scenario: Option<&str>, mutant: Option<&str>) -> String {
    let scenario = scenario.map_or(String::new(), |name| format!("{name} "));
    command(&format!("replay {scenario}--seed {seed}"), mutant)
}

/// A command as users type it, with a mutant planted if there is one.
pub(super) fn command(arguments: &str, mutant: Option<&str>) -> String {
    match mutant {
        None => format!("{PROGRAM} {arguments}"),
        Some(mutant) => {
            let program = PROGRAM.replace("--release", "--release --features mutants");
            format!("{program} {arguments} --mutant {mutant}")
        }
    }
}

/// The command that runs a seed in two ways again.
fn repeat_command(seed: u64, scenario: Option<&str>) -> String {
    let scenario = scenario.map_or(String::new(), |name| format!("{name} "));
    format!("{PROGRAM} run {scenario}--seeds {seed}..{} --twice", seed + 1)
}

pub(super) fn as_json(totals: &Totals) -> Value {
    let Checked { replies, watch_events, sessions } = checked(totals);
    json!({
        "seeds": totals.seeds,
        "events": totals.events,
        "events_per_second": rate(totals),
        "replies_checked": replies,
        "watch_events_checked": watch_events,
        "sessions_checked": sessions,
        "simulated_micros": totals.simulated,
        "wall_micros": totals.wall.as_micros() as u64,
        "hash": format!("{:016x}", totals.hash),
        "counters": totals.counters,
    })
}

pub(super) fn failure_as_json(totals: &Totals, scenario: Option<&str>, mutant: Option<&str>) -> Value {
    match &totals.failure {
        None => Value::Null,
        Some(Failure::Diverged { seed, hashes }) => json!({
            "seed": seed,
            "diverged": hashes.map(|hash| format!("{hash:016x}")),
            "repeat": repeat_command(*seed, scenario),
        }),
        Some(Failure::Run(report)) => json!({
            "seed": report.seed,
            "trace_hash": format!("{:016x}", report.trace_hash),
            "rule": report.outcome.rule(),
            "outcome": report.outcome,
            "replay": replay_command(report.seed, scenario, mutant),
        }),
    }
}
