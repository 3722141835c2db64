//! `list` and `scenarios`.

use std::path::Path;

use serde_json::json;

use super::campaign::{Campaign, Failure, default_jobs};
use super::{Colour, Console, GREEN, List, Scenarios, Stop, exit_code, summary};
use crate::engine::Engine;
use crate::scenario::{Scenario, library};

pub(super) fn list(arguments: &List, folder: Option<&Path>, console: &mut Console<'_>) -> Result<u8, Stop> {
    let scenarios = library::all(folder).map_err(Stop::Usage)?;
    if arguments.json {
        let entry =
            |s: &Scenario| json!({ "name": s.name, "title": s.title(), "bugs": s.bugs, "story": s.story });
        console.json(&scenarios.iter().map(entry).collect::<Vec<_>>())?;
        return Ok(GREEN);
    }
    let width = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    for scenario in &scenarios {
        writeln!(console.out, "{:<width$}  {}", scenario.name, scenario.title())?;
    }
    Ok(GREEN)
}

pub(super) fn scenarios(
    arguments: &Scenarios,
    folder: Option<&Path>,
    engine: &dyn Engine,
    console: &mut Console<'_>,
) -> Result<u8, Stop> {
    let scenarios = if arguments.names.is_empty() {
        library::all(folder)
    } else {
        arguments.names.iter().map(|name| library::find(folder, name)).collect()
    };
    let scenarios = scenarios.map_err(Stop::Usage)?;
    let width = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    let mut code = GREEN;
    let mut failed = 0;
    let mut results = Vec::new();
    for scenario in &scenarios {
        let named = summary::scenario_arguments(&scenario.name, folder);
        let campaign = Campaign {
            engine,
            scenario: Some(scenario),
            seeds: arguments.seeds,
            jobs: default_jobs(),
            budget: None,
            twice: false,
        };
        let totals = campaign.run(|_, _| {});
        if let Some(Failure::Run(report)) = &totals.failure {
            failed += 1;
            // The gravest: a broken rule before anything else.
            let this = exit_code(&report.outcome);
            code = if code == GREEN { this } else { code.min(this) };
        }
        if arguments.json {
            results.push(json!({
                "name": scenario.name,
                "passed": totals.failure.is_none(),
                "summary": summary::as_json(&totals),
                "failure": summary::failure_as_json(&totals, Some(&named)),
            }));
            continue;
        }
        match &totals.failure {
            Some(Failure::Run(report)) => {
                let (word, text) = summary::told(&report.outcome);
                let mark = console.paint(Colour::Red, "failed");
                writeln!(console.out, "{mark}  {:<width$}  {word}: {text}", scenario.name)?;
                let command = summary::replay_command(report.seed, Some(&named));
                writeln!(console.out, "        {:<width$}  {command}", "")?;
            }
            _ => {
                let mark = console.paint(Colour::Green, "passed");
                writeln!(console.out, "{mark}  {:<width$}  {}", scenario.name, scenario.title())?;
            }
        }
    }
    if arguments.json {
        console.json(&results)?;
    } else {
        writeln!(console.out, "{} scenarios, {failed} failed", scenarios.len())?;
    }
    Ok(code)
}
