//! Plays a scenario on a stage: waits, acts, and looks.

use zabrus_core::event::Role;
use zabrus_core::replica::Status;
use zabrus_core::{Instant, ServerId};

use super::condition::{Condition, Fact, Seen};
use super::{Deed, Holding, Scenario, Step, Wait};
use crate::clients::Heard;
use crate::grid::TraceLine;
use crate::report::Outcome;
use crate::violation::Violation;

/// Where a scenario is played: a world, or a test's imitation of one.
pub trait Stage {
    /// The time.
    fn now(&self) -> Instant;

    /// Lets the next thing happen if it is due by `limit`, and returns true; else moves the time
    /// there, and returns false.
    ///
    /// # Errors
    /// If a rule is broken by it.
    fn advance(&mut self, limit: Instant) -> Result<bool, Violation>;

    /// Does something.
    ///
    /// # Errors
    /// If a rule is broken by it.
    fn carry_out(&mut self, deed: &Deed) -> Result<(), Violation>;

    /// The state of a server; `None` if its process is down.
    fn status(&self, server: ServerId) -> Option<Status>;

    /// Changes that the scenario's clients sent, and those that were answered with success.
    fn writes(&self) -> (u64, u64);

    /// Whether the state of a server has a node.
    fn has_node(&self, server: ServerId, path: &str) -> bool;

    /// What a client with a name heard; `None` if there is none.
    fn heard(&self, name: &str) -> Option<Heard>;

    /// Everything that happened so far.
    fn trace(&self) -> &[TraceLine];
}

/// How far in the trace the counting of events begins.
#[derive(Clone, Copy, Default)]
struct Marks {
    /// The end of the step before; its deeds too, if it did nothing but act.
    step: usize,
    /// Just before the last thing that was done.
    lately: usize,
}

/// A condition, and how many matching events were seen so far.
struct Watched<'a> {
    condition: &'a Condition,
    next: usize,
    matches: u64,
}

/// Plays all steps. Whether the ensemble gets well again afterwards is for the caller to see.
///
/// # Errors
/// What went wrong.
pub fn play(scenario: &Scenario, stage: &mut impl Stage) -> Result<(), Outcome> {
    let servers: Vec<_> = scenario.settings.servers().collect();
    let mut marks = Marks::default();
    for step in &scenario.steps {
        let place = format!("{}:{}", scenario.path, step.line);
        let failed = |sentence: String| Outcome::Unexpected { place: place.clone(), sentence };
        let before = stage.now();
        match &step.wait {
            Wait::At(moment) if *moment < before => return Err(failed(format!("it is {before} already"))),
            Wait::At(moment) => drop(run_until(stage, *moment, |_| false)?),
            Wait::After(span) => drop(run_until(stage, before + *span, |_| false)?),
            Wait::When { conditions, limit } => {
                let mut watched = watch(conditions, |_| marks.step);
                if !run_until(stage, before + *limit, |stage| all_hold(&mut watched, &servers, stage))? {
                    let missing = missing(&mut watched, &servers, stage);
                    return Err(failed(format!("waited {limit} in vain until {missing}")));
                }
            }
        }
        act(step, stage, &servers, &mut marks, &failed)?;
        look(step, stage, &servers, marks, &failed)?;
        let only_acted = !step.actions.is_empty() && step.expected.is_empty();
        marks.step = if only_acted { marks.lately } else { stage.trace().len() };
    }
    Ok(())
}

fn act(
    step: &Step,
    stage: &mut impl Stage,
    servers: &[ServerId],
    marks: &mut Marks,
    failed: &impl Fn(String) -> Outcome,
) -> Result<(), Outcome> {
    if !step.actions.is_empty() {
        marks.lately = stage.trace().len();
    }
    for action in &step.actions {
        let deeds = action.deeds(servers, leader(stage, servers)).map_err(failed)?;
        for deed in deeds {
            stage.carry_out(&deed).map_err(Outcome::Violated)?;
        }
    }
    Ok(())
}

fn look(
    step: &Step,
    stage: &mut impl Stage,
    servers: &[ServerId],
    marks: Marks,
    failed: &impl Fn(String) -> Outcome,
) -> Result<(), Outcome> {
    let from = |lately| if lately { marks.lately } else { 0 };
    let mut watched = watch(&step.expected, from);
    match step.holding {
        Holding::Now if all_hold(&mut watched, servers, stage) => Ok(()),
        Holding::Now => Err(failed(format!("it is not so that {}", missing(&mut watched, servers, stage)))),
        Holding::Within(span) => {
            let limit = stage.now() + span;
            if run_until(stage, limit, |stage| all_hold(&mut watched, servers, stage))? {
                return Ok(());
            }
            Err(failed(format!("within {span} it was not so that {}", missing(&mut watched, servers, stage))))
        }
        Holding::For(span) => {
            let limit = stage.now() + span;
            if run_until(stage, limit, |stage| !all_hold(&mut watched, servers, stage))? {
                let broken = missing(&mut watched, servers, stage);
                return Err(failed(format!("at {} it was no longer so that {broken}", stage.now())));
            }
            Ok(())
        }
    }
}

/// Runs until `done` says yes, or until `limit`; returns whether `done` said yes.
fn run_until<S: Stage>(
    stage: &mut S,
    limit: Instant,
    mut done: impl FnMut(&S) -> bool,
) -> Result<bool, Outcome> {
    loop {
        if done(stage) {
            return Ok(true);
        }
        if !stage.advance(limit).map_err(Outcome::Violated)? {
            return Ok(done(stage));
        }
    }
}

fn watch<'a>(conditions: &'a [Condition], from: impl Fn(bool) -> usize) -> Vec<Watched<'a>> {
    let watched = |condition: &'a Condition| {
        let lately = matches!(condition, Condition { fact: Fact::Event { lately: true, .. }, .. });
        Watched { condition, next: from(lately), matches: 0 }
    };
    conditions.iter().map(watched).collect()
}

impl Watched<'_> {
    fn holds(&mut self, servers: &[ServerId], stage: &impl Stage) -> bool {
        let Fact::Event { pattern, relation, times, .. } = &self.condition.fact else {
            let status = |server| stage.status(server);
            let has_node = |server, path: &str| stage.has_node(server, path);
            let heard = |name: &str| stage.heard(name);
            let writes = stage.writes();
            let seen = Seen { servers, status: &status, writes, has_node: &has_node, heard: &heard };
            return self.condition.holds(&seen);
        };
        let new = &stage.trace()[self.next..];
        self.matches += new.iter().filter(|line| pattern.matches(line)).count() as u64;
        self.next = stage.trace().len();
        relation.holds(self.matches, *times)
    }
}

fn all_hold(watched: &mut [Watched<'_>], servers: &[ServerId], stage: &impl Stage) -> bool {
    // Events are counted by `holds`, from where each last looked: a short cut loses none.
    watched.iter_mut().all(|one| one.holds(servers, stage))
}

/// The conditions that do not hold, as the file words them.
fn missing(watched: &mut [Watched<'_>], servers: &[ServerId], stage: &impl Stage) -> String {
    let mut texts = Vec::new();
    for one in watched {
        if !one.holds(servers, stage) {
            texts.push(format!("`{}`", one.condition.text));
        }
    }
    texts.join(" and ")
}

/// The serving leader of the highest epoch.
fn leader(stage: &impl Stage, servers: &[ServerId]) -> Option<ServerId> {
    let leading = |status: &Status| status.role == Role::Leading && status.serving;
    let statuses = servers.iter().filter_map(|server| stage.status(*server)).filter(leading);
    statuses.max_by_key(|status| status.epoch).map(|status| status.id)
}

#[cfg(test)]
mod tests;
