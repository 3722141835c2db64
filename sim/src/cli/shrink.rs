//! `shrink`: the smallest run that fails as a seed does.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{Colour, Console, GREEN, Shrink, Stop, exit_code, summary};
use crate::case::Case;
use crate::engine::{Engine, Watch};
use crate::settings::Settings;
use crate::shrink::{Goal, Shrinker};
use crate::units::{count, span};

#[expect(clippy::disallowed_methods, reason = "a budget is wall time; no run sees it")]
pub(super) fn shrink(arguments: &Shrink, engine: &dyn Engine, console: &mut Console<'_>) -> Result<u8, Stop> {
    #[cfg(feature = "mutants")]
    return super::mutants::with(arguments.mutant, || search(arguments, engine, console, Instant::now()));
    #[cfg(not(feature = "mutants"))]
    search(arguments, engine, console, Instant::now())
}

/// The case in a file.
pub(super) fn read(file: &Path) -> Result<Case, Stop> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
    let case = text.and_then(|text| Case::parse(&text));
    case.map_err(|error| Stop::Usage(format!("{}: {error}", file.display())))
}

fn search(
    arguments: &Shrink,
    engine: &dyn Engine,
    console: &mut Console<'_>,
    started: Instant,
) -> Result<u8, Stop> {
    let (report, case) = match &arguments.case {
        Some(file) => {
            let case = read(file)?;
            (engine.case(&case, Watch::Off), case)
        }
        None => engine.write_down(arguments.seed.unwrap_or_default()),
    };
    let Some(goal) = Goal::of(&report.outcome) else {
        if arguments.json {
            console.json(&json!({ "seed": case.seed, "outcome": report.outcome }))?;
        } else {
            writeln!(console.out, "seed {} passes: there is nothing to shrink", case.seed)?;
        }
        return Ok(GREEN);
    };
    let size_before = size(&case);
    if !arguments.json {
        let (word, text) = summary::told(&report.outcome);
        writeln!(console.out, "{}  {text}", console.paint(Colour::Red, word))?;
        writeln!(console.out, "  {size_before}")?;
    }
    let bar = if console.progress && io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    let shrinker = Shrinker::new(
        case,
        goal,
        |case| engine.case(case, Watch::Off),
        |smallest, runs| {
            bar.set_message(format!("{} runs: {}", count(runs), size(smallest)));
            bar.tick();
            started.elapsed() < arguments.budget
        },
    );
    let shrunk = shrinker.shrink();
    bar.finish_and_clear();

    let file = match (&arguments.out, &arguments.case) {
        (Some(file), _) | (None, Some(file)) => file.clone(),
        _ => PathBuf::from(format!("seed-{}.case", shrunk.case.seed)),
    };
    std::fs::write(&file, shrunk.case.text())
        .map_err(|error| Stop::Usage(format!("{}: {error}; name another file with --out", file.display())))?;
    let report = engine.case(&shrunk.case, Watch::Off);
    if arguments.json {
        console.json(&json!({
            "seed": shrunk.case.seed,
            "outcome": report.outcome,
            "runs": shrunk.runs,
            "minimal": shrunk.is_minimal,
            "file": file,
            "case": shrunk.case,
        }))?;
        return Ok(exit_code(&report.outcome));
    }
    let end =
        if shrunk.is_minimal { "nothing more can go" } else { "the time was over: --budget gives more" };
    writeln!(console.out, "after {} more runs ({end})\n  {}\n", count(shrunk.runs), size(&shrunk.case))?;
    for incident in &shrunk.case.incidents {
        for (number, step) in incident.steps.iter().enumerate() {
            let follows = if number == 0 { "" } else { "  " };
            writeln!(console.out, "  {:>12}  {follows}{}", step.at.to_string(), step.fault)?;
        }
    }
    let unusual = differences(&json!(Settings::default()), &json!(shrunk.case.settings));
    let unusual: Vec<_> = unusual.iter().filter(|line| !line.starts_with("ensemble")).collect();
    if !unusual.is_empty() {
        writeln!(console.out, "\n  settings that are not the usual ones (times in microseconds):")?;
        for line in unusual {
            writeln!(console.out, "    {line}")?;
        }
    }
    let (word, text) = summary::told(&report.outcome);
    writeln!(console.out, "\n{}  {text}", console.paint(Colour::Red, word))?;
    let replay = format!("replay --case {}", file.display());
    let mutant = arguments.mutant_name();
    writeln!(console.out, "  replay it:  {}", summary::command(&replay, mutant.as_deref()))?;
    Ok(exit_code(&report.outcome))
}

impl Shrink {
    #[cfg(feature = "mutants")]
    fn mutant_name(&self) -> Option<String> {
        self.mutant.map(|mutant| format!("{mutant:?}"))
    }

    #[cfg(not(feature = "mutants"))]
    #[expect(clippy::unused_self, reason = "a build with mutants needs it")]
    const fn mutant_name(&self) -> Option<String> {
        None
    }
}

/// How large a case is, in words.
fn size(case: &Case) -> String {
    let some = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        _ => format!("{} {what}s", count(number as u64)),
    };
    format!(
        "{}, {}, {}, faults for {}",
        some(case.incidents.len(), "incident"),
        some(case.settings.ensemble.members.len(), "server"),
        some(case.settings.load.clients as usize, "client"),
        span(case.settings.duration),
    )
}

/// What differs from the usual settings, a line for each.
fn differences(usual: &Value, these: &Value) -> Vec<String> {
    match (usual, these) {
        (Value::Object(usual), Value::Object(these)) => these
            .iter()
            .flat_map(|(key, value)| {
                let inner = differences(usual.get(key).unwrap_or(&Value::Null), value);
                let join = |line: String| {
                    let separator = if line.starts_with(' ') { "" } else { "." };
                    format!("{key}{separator}{line}")
                };
                inner.into_iter().map(join).collect::<Vec<_>>()
            })
            .collect(),
        _ if usual == these => Vec::new(),
        _ => vec![format!(" = {these} (usually {usual})")],
    }
}
