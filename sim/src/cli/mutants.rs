//! `mutants`: deliberate bugs, planted one by one.

use super::{Console, Mutants, Stop};
use crate::engine::Engine;

#[cfg(not(feature = "mutants"))]
pub(super) fn mutants(_: &Mutants, _: &dyn Engine, _: &mut Console<'_>) -> Result<u8, Stop> {
    Err(Stop::Usage(
        "this build has no mutants; build one that has:\n  \
         cargo run --release --features mutants --bin zabrus-sim -- mutants"
            .into(),
    ))
}

#[cfg(feature = "mutants")]
pub(super) use planted::{find, mutants, with};

#[cfg(feature = "mutants")]
mod planted {
    use serde_json::json;
    use zabrus_core::mutation::{self, Mutation};

    use super::{Console, Engine, Mutants, Stop};
    use crate::cli::campaign::{Campaign, Failure, Totals, default_jobs};
    use crate::cli::{Colour, GREEN, UNEXPECTED, exit_code, summary};

    /// Does something while a mutant is planted, in the whole process: one after another.
    pub(in crate::cli) fn with<T>(mutant: Option<Mutation>, run: impl FnOnce() -> T) -> T {
        mutation::plant(mutant);
        let result = run();
        mutation::plant(None);
        result
    }

    /// The mutant of this name.
    pub(in crate::cli) fn find(name: &str) -> Result<Mutation, String> {
        let found = Mutation::ALL.iter().find(|mutant| format!("{mutant:?}").eq_ignore_ascii_case(name));
        let known = || Mutation::ALL.iter().map(|mutant| format!("{mutant:?}")).collect::<Vec<_>>();
        found.copied().ok_or_else(|| format!("there is no mutant `{name}`; there are {}", known().join(", ")))
    }

    /// One mutant after another, the seeds in parallel.
    pub(in crate::cli) fn mutants(
        arguments: &Mutants,
        engine: &dyn Engine,
        console: &mut Console<'_>,
    ) -> Result<u8, Stop> {
        let chosen = choose(&arguments.names).map_err(Stop::Usage)?;
        let seeds = arguments.seeds;
        let jobs = arguments.jobs.unwrap_or_else(default_jobs);
        let campaign = Campaign { engine, scenario: None, seeds, jobs, budget: None, twice: false };
        let mut survivors = 0;
        let mut results = Vec::new();
        for mutant in &chosen {
            let (totals, reached) =
                with(Some(*mutant), || (campaign.run(|_, _| {}), mutation::times_reached()));
            let name = format!("{mutant:?}");
            survivors += usize::from(totals.failure.is_none());
            if arguments.json {
                results.push(json!({
                    "mutant": name,
                    "reached": reached,
                    "killed_by": rule(&totals),
                    "seeds": totals.seeds,
                    "failure": summary::failure_as_json(&totals, None, Some(&name)),
                }));
                continue;
            }
            let verdict = match (&totals.failure, reached) {
                (Some(Failure::Run(report)), _) => {
                    let (_, text) = summary::told(&report.outcome);
                    let word = console.paint(Colour::Green, "killed");
                    format!("{word} after {} seeds by {text}", totals.seeds)
                }
                (_, 0) => console.paint(Colour::Red, "NEVER REACHED"),
                _ => console.paint(Colour::Red, format!("SURVIVED {} seeds", totals.seeds)),
            };
            writeln!(console.out, "{name:<4}  reached {reached:>9} times  {verdict}")?;
            if let Some(Failure::Run(report)) = &totals.failure {
                let command = summary::replay_command(report.seed, None, Some(&name));
                writeln!(console.out, "      {command}")?;
            }
        }
        let control = campaign.run(|_, _| {});
        if arguments.json {
            console.json(&json!({
                "mutants": results,
                "control": {
                    "seeds": control.seeds,
                    "failure": summary::failure_as_json(&control, None, None),
                },
            }))?;
        } else {
            writeln!(console.out, "{} mutants, {survivors} survived", chosen.len())?;
            match &control.failure {
                None => writeln!(console.out, "without a mutant: {} seeds green", control.seeds)?,
                Some(Failure::Run(report)) => {
                    summary::print_failure(console, report, None, 0)?;
                }
                Some(Failure::Diverged { .. }) => {}
            }
        }
        Ok(match &control.failure {
            Some(Failure::Run(report)) => exit_code(&report.outcome),
            _ if survivors > 0 => UNEXPECTED,
            _ => GREEN,
        })
    }

    fn rule(totals: &Totals) -> Option<&str> {
        match &totals.failure {
            Some(Failure::Run(report)) => report.outcome.rule(),
            _ => None,
        }
    }

    fn choose(names: &[String]) -> Result<Vec<Mutation>, String> {
        if names.is_empty() {
            return Ok(Mutation::ALL.to_vec());
        }
        names.iter().map(|name| find(name)).collect()
    }
}
