//! `run`: many seeds, until one fails.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::campaign::{Campaign, Failure, default_jobs};
use super::progress::Progress;
use super::{Console, DIVERGED, GREEN, Run, Seeds, Stop, exit_code, summary};
use crate::engine::{Engine, Watch};
use crate::scenario::library;

const DEFAULT_BUDGET: Duration = Duration::from_secs(30);
const TAIL_LINES: usize = 20;

pub(super) fn run(
    arguments: &Run,
    folder: Option<&Path>,
    engine: &dyn Engine,
    console: &mut Console<'_>,
) -> Result<u8, Stop> {
    let scenario = arguments.scenario.as_deref().map(|name| library::find(folder, name));
    let scenario = scenario.transpose().map_err(Stop::Usage)?;
    let seeds = match arguments.seeds {
        Some(seeds) => seeds,
        None => Seeds { first: fresh_seed(), end: u64::MAX },
    };
    let budget = arguments.budget.or_else(|| arguments.seeds.is_none().then_some(DEFAULT_BUDGET));
    let jobs = arguments.jobs.unwrap_or_else(default_jobs);
    let campaign =
        Campaign { engine, scenario: scenario.as_ref(), seeds, jobs, budget, twice: arguments.twice };
    let name = arguments.scenario.as_deref().map(|name| summary::scenario_arguments(name, folder));
    let name = name.as_deref();
    if arguments.seeds.is_none() && !arguments.json {
        let what = name.unwrap_or("random worlds");
        writeln!(console.out, "{what} from the fresh seed {} on; --seeds repeats them", seeds.first)?;
    }
    let mut progress = Progress::new(console.progress, seeds.end - seeds.first, budget);
    let mut printed = Ok(());
    let totals = campaign.run(|report, totals| {
        if arguments.hashes && printed.is_ok() {
            printed = writeln!(console.out, "{} {:016x}", report.seed, report.trace_hash);
        }
        progress.seen(totals);
    });
    progress.finish();
    printed?;
    // A run is a function of its seed: the second one tells what the first one did.
    let story = match &totals.failure {
        Some(Failure::Run(report)) => Some(campaign.play(report.seed, Watch::On)),
        _ => None,
    };
    if arguments.json {
        console.json(&json!({
            "first_seed": seeds.first,
            "summary": summary::as_json(&totals),
            "failure": summary::failure_as_json(&totals, name, None),
        }))?;
    } else {
        summary::print(console, name, seeds.first, jobs, &totals)?;
        if let Some(report) = &story {
            summary::print_failure(console, report, name, TAIL_LINES)?;
        }
    }
    Ok(match &totals.failure {
        None => GREEN,
        Some(Failure::Diverged { .. }) => DIVERGED,
        Some(Failure::Run(report)) => exit_code(&report.outcome),
    })
}

/// A seed that nobody chose: the only entropy in the program. Small enough to be typed again.
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "printed, so that it can be repeated"
)]
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(()) % 1_000_000_000
}
