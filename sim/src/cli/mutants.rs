//! `mutants`: deliberate bugs, planted one by one.

use std::path::Path;

use super::{Console, Mutants, Stop};
use crate::engine::Engine;

#[cfg(not(feature = "mutants"))]
pub(super) fn mutants(
    _: &Mutants,
    _: Option<&Path>,
    _: &dyn Engine,
    _: &mut Console<'_>,
) -> Result<u8, Stop> {
    Err(Stop::Usage(
        "this build has no mutants; build one that has:\n  \
         cargo run --release --features mutants --bin zabrus-sim -- mutants"
            .into(),
    ))
}

#[cfg(feature = "mutants")]
pub(super) use planted::{find, killed_by, mutants, with};

#[cfg(feature = "mutants")]
mod planted {
    use serde_json::json;
    use zabrus_core::mutation::{self, Mutation};

    use super::{Console, Engine, Mutants, Path, Stop};
    use crate::cli::campaign::{Campaign, Failure, Totals, default_jobs};
    use crate::cli::{Colour, GREEN, Seeds, UNEXPECTED, exit_code, summary};
    use crate::scenario::library;

    /// Does something while a mutant is planted, in the whole process: one after another.
    pub(in crate::cli) fn with<T>(mutant: Option<Mutation>, run: impl FnOnce() -> T) -> T {
        mutation::plant(mutant);
        let result = run();
        mutation::plant(None);
        result
    }

    /// The rule by which a campaign fails while a mutant is planted.
    pub(in crate::cli) fn killed_by(mutant: Mutation, campaign: &Campaign<'_>) -> Option<String> {
        rule(&with(Some(mutant), || campaign.run(|_, _| {}))).map(str::to_owned)
    }

    /// The mutant of this name.
    pub(in crate::cli) fn find(name: &str) -> Result<Mutation, String> {
        let found = Mutation::ALL.iter().find(|mutant| format!("{mutant:?}").eq_ignore_ascii_case(name));
        let known = || Mutation::ALL.iter().map(|mutant| format!("{mutant:?}")).collect::<Vec<_>>();
        found.copied().ok_or_else(|| format!("there is no mutant `{name}`; there are {}", known().join(", ")))
    }

    /// What became of one mutant.
    struct Trial<'a> {
        mutant: Mutation,
        swarm: Totals,
        reached: u64,
        /// The scenarios that must kill it, and the rules by which they did.
        scenarios: Vec<(&'a str, Option<String>)>,
    }

    impl Trial<'_> {
        fn is_killed(&self) -> bool {
            self.swarm.failure.is_some() || self.scenarios.iter().any(|(_, rule)| rule.is_some())
        }

        fn json(&self) -> serde_json::Value {
            let name = format!("{:?}", self.mutant);
            let scenario = |(name, rule): &(&str, Option<String>)| json!({ "name": name, "killed_by": rule });
            json!({
                "mutant": name,
                "bug": self.mutant.bug(),
                "mistake": self.mutant.mistake(),
                "reached": self.reached,
                "killed_by": rule(&self.swarm),
                "seeds": self.swarm.seeds,
                "failure": summary::failure_as_json(&self.swarm, None, Some(&name)),
                "scenarios": self.scenarios.iter().map(scenario).collect::<Vec<_>>(),
            })
        }

        /// A line of the table in `scenarios/museum.md`.
        fn row(&self) -> String {
            let seeds = self.swarm.seeds;
            let swarm = match (rule(&self.swarm), self.reached) {
                (Some(rule), _) => format!("{rule}, {seeds}"),
                (None, 0) => format!("not reached by {seeds}"),
                (None, _) => format!("survives {seeds}"),
            };
            let scenario = |(name, rule): &(&str, Option<String>)| match rule {
                Some(rule) => format!("`{name}`: {rule}"),
                None => format!("`{name}`: **survives**"),
            };
            let scenarios: Vec<String> = self.scenarios.iter().map(scenario).collect();
            let scenarios = if scenarios.is_empty() { "-".into() } else { scenarios.join(", ") };
            let Self { mutant, .. } = self;
            format!("| {mutant:?} | {} | {} | {swarm} | {scenarios} |", mutant.bug(), mutant.mistake())
        }

        fn print(&self, console: &mut Console<'_>) -> Result<(), Stop> {
            let name = format!("{:?}", self.mutant);
            let verdict = match (&self.swarm.failure, self.reached) {
                (Some(Failure::Run(report)), _) => {
                    let (_, text) = summary::told(&report.outcome);
                    let word = console.paint(Colour::Green, "killed");
                    format!("{word} after {} seeds by {text}", self.swarm.seeds)
                }
                (_, 0) => console.paint(Colour::Red, "NEVER REACHED"),
                _ => console.paint(Colour::Red, format!("SURVIVED {} seeds", self.swarm.seeds)),
            };
            writeln!(console.out, "{name:<4}  reached {:>9} times  {verdict}", self.reached)?;
            if let Some(Failure::Run(report)) = &self.swarm.failure {
                let command = summary::replay_command(report.seed, None, Some(&name));
                writeln!(console.out, "      {command}")?;
            }
            for (scenario, rule) in &self.scenarios {
                let verdict = match rule {
                    Some(rule) => format!("{} by {rule}", console.paint(Colour::Green, "killed")),
                    None => console.paint(Colour::Red, "SURVIVED"),
                };
                writeln!(console.out, "      scenario {scenario}: {verdict}")?;
            }
            Ok(())
        }
    }

    /// One mutant after another: the swarm, its seeds in parallel, then the scenarios that must kill it.
    pub(in crate::cli) fn mutants(
        arguments: &Mutants,
        folder: Option<&Path>,
        engine: &dyn Engine,
        console: &mut Console<'_>,
    ) -> Result<u8, Stop> {
        let chosen = choose(&arguments.names).map_err(Stop::Usage)?;
        let scenarios = library::all(folder).map_err(Stop::Usage)?;
        let jobs = arguments.jobs.unwrap_or_else(default_jobs);
        let seeds = arguments.seeds;
        let campaign = Campaign { engine, scenario: None, seeds, jobs, budget: None, twice: false };
        let mut survivors = 0;
        let mut results = Vec::new();
        for mutant in &chosen {
            let name = format!("{mutant:?}");
            let (swarm, reached) =
                with(Some(*mutant), || (campaign.run(|_, _| {}), mutation::times_reached()));
            let mut trial = Trial { mutant: *mutant, swarm, reached, scenarios: Vec::new() };
            for scenario in scenarios.iter().filter(|scenario| scenario.kills.contains(&name)) {
                let seeds = Seeds { first: 0, end: 1 };
                let played = Campaign { scenario: Some(scenario), seeds, ..campaign };
                trial.scenarios.push((&scenario.name, killed_by(*mutant, &played)));
            }
            survivors += usize::from(!trial.is_killed());
            if arguments.json {
                results.push(trial.json());
            } else if arguments.markdown {
                writeln!(console.out, "{}", trial.row())?;
            } else {
                trial.print(console)?;
            }
        }
        if arguments.markdown {
            return Ok(GREEN);
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
