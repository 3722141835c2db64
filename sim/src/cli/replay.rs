//! `replay`: one seed, told line by line.

use std::path::Path;

use super::{Colour, Console, Replay, Stop, exit_code, shrink, summary};
use crate::engine::{Engine, Watch};
use crate::grid;
use crate::scenario::library;
use crate::units::{count, span};

pub(super) fn replay(
    arguments: &Replay,
    folder: Option<&Path>,
    engine: &dyn Engine,
    console: &mut Console<'_>,
) -> Result<u8, Stop> {
    let seed = arguments.seed.unwrap_or(0);
    let scenario = arguments.scenario.as_deref().map(|name| library::find(folder, name));
    let scenario = scenario.transpose().map_err(Stop::Usage)?;
    let case = arguments.case.as_deref().map(shrink::read).transpose()?;
    let play = || match (&scenario, &case) {
        (_, Some(case)) => engine.case(case, Watch::On),
        (Some(scenario), _) => engine.scenario(scenario, seed, Watch::On),
        _ => engine.swarm(seed, Watch::On),
    };
    #[cfg(feature = "mutants")]
    let report = super::mutants::with(arguments.mutant, play);
    #[cfg(not(feature = "mutants"))]
    let report = play();
    if arguments.json {
        for entry in &report.trace {
            console.json(entry)?;
        }
        console.json(&report)?;
        return Ok(exit_code(&report.outcome));
    }
    if let Some(scenario) = &scenario {
        writeln!(console.out, "{}\n", scenario.story)?;
    }
    writeln!(console.out, "{}", grid::heading())?;
    for entry in report.trace.iter().filter(|entry| arguments.trace || !grid::is_routine(entry)) {
        writeln!(console.out, "{}", grid::line(entry))?;
    }
    let (word, text) = summary::told(&report.outcome);
    let colour = if report.outcome.passed() { Colour::Green } else { Colour::Red };
    let word = console.paint(colour, word);
    let text = if text.is_empty() { text } else { format!("  {text}") };
    writeln!(console.out, "\n{word}{text}")?;
    writeln!(
        console.out,
        "seed {}, {} events in {}, trace hash {:016x}",
        report.seed,
        count(report.events),
        span(report.simulated),
        report.trace_hash
    )?;
    Ok(exit_code(&report.outcome))
}
