//! `list` and `scenarios`.

use std::path::Path;

use serde_json::json;

use super::campaign::{Campaign, Failure, default_jobs};
#[cfg(feature = "mutants")]
use super::mutants;
use super::{Colour, Console, GREEN, List, Scenarios, Stop, UNEXPECTED, exit_code, summary};
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

/// What became of a mutant that a scenario says it kills.
struct Kill {
    mutant: String,
    /// The rule by which the scenario failed; `None` if it did not.
    rule: Option<String>,
}

impl Kill {
    fn is_done(&self) -> bool {
        self.rule.is_some()
    }
}

/// Without mutants in the build there is nothing to kill.
#[cfg(not(feature = "mutants"))]
fn kills(_: &Campaign<'_>, _: &Scenario) -> Result<Vec<Kill>, String> {
    Ok(Vec::new())
}

/// Plays the scenario again under each of the mutants that it names.
#[cfg(feature = "mutants")]
fn kills(campaign: &Campaign<'_>, scenario: &Scenario) -> Result<Vec<Kill>, String> {
    let kill = |name: &String| {
        let mutant = mutants::find(name).map_err(|error| format!("{}: {error}", scenario.path))?;
        Ok(Kill { mutant: name.clone(), rule: mutants::killed_by(mutant, campaign) })
    };
    scenario.kills.iter().map(kill).collect()
}

/// A broken rule before anything else.
fn gravest(code: u8, other: u8) -> u8 {
    if code == GREEN { other } else { code.min(other) }
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
        let kills = kills(&campaign, scenario).map_err(Stop::Usage)?;
        let passed = totals.failure.is_none() && kills.iter().all(Kill::is_done);
        failed += usize::from(!passed);
        if let Some(Failure::Run(report)) = &totals.failure {
            code = gravest(code, exit_code(&report.outcome));
        } else if !passed {
            code = gravest(code, UNEXPECTED);
        }
        if arguments.json {
            results.push(json!({
                "name": scenario.name,
                "passed": passed,
                "summary": summary::as_json(&totals),
                "failure": summary::failure_as_json(&totals, Some(&named), None),
                "kills": kills.iter().map(|kill| json!({ "mutant": kill.mutant, "rule": kill.rule })).collect::<Vec<_>>(),
            }));
            continue;
        }
        match &totals.failure {
            Some(Failure::Run(report)) => {
                let (word, text) = summary::told(&report.outcome);
                let mark = console.paint(Colour::Red, "failed");
                writeln!(console.out, "{mark}  {:<width$}  {word}: {text}", scenario.name)?;
                let command = summary::replay_command(report.seed, Some(&named), None);
                writeln!(console.out, "        {:<width$}  {command}", "")?;
            }
            _ => {
                let mark = console.paint(Colour::Green, "passed");
                writeln!(console.out, "{mark}  {:<width$}  {}", scenario.name, scenario.title())?;
            }
        }
        for kill in &kills {
            let text = match &kill.rule {
                Some(rule) => format!("kills {} by {rule}", kill.mutant),
                None => console.paint(Colour::Red, format!("does not kill {}", kill.mutant)),
            };
            writeln!(console.out, "        {:<width$}  {text}", "")?;
        }
    }
    if arguments.json {
        console.json(&results)?;
    } else {
        writeln!(console.out, "{} scenarios, {failed} failed", scenarios.len())?;
    }
    Ok(code)
}
