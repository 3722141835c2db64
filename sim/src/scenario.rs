//! Scenarios: files that tell a story in prose, then play it and check that it ends as told.
//! `scenarios/README.md` describes the format.

mod acting;
mod action;
mod condition;
mod events;
mod file;
pub mod library;
mod play;
mod sentence;

use std::fmt;
use std::ops::Range;

use zabrus_core::{Duration, Instant, ServerId};

pub use action::{Action, Deed, Who};
pub use condition::{Condition, Seen};
pub use play::{Stage, play};

use crate::settings::Settings;

/// A scenario, ready to be played.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The name of its file, without the extension.
    pub name: String,
    /// Where it was read from.
    pub path: String,
    /// The prose at its top.
    pub story: String,
    /// The bugs of other servers that it would show.
    pub bugs: Vec<String>,
    /// The mutants under which it must fail.
    pub kills: Vec<String>,
    /// The world in which it plays.
    pub settings: Settings,
    /// The servers that run at the beginning.
    pub start: Vec<ServerId>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

impl Scenario {
    /// The first line of the story.
    #[must_use]
    pub fn title(&self) -> &str {
        self.story.lines().next().unwrap_or_default()
    }
}

/// One step of a scenario: wait, then do, then look.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it stands in the file.
    pub line: usize,
    /// What to wait for.
    pub wait: Wait,
    /// What to do then.
    pub actions: Vec<Action>,
    /// What must be true then.
    pub expected: Vec<Condition>,
    /// When exactly.
    pub holding: Holding,
}

/// What a step waits for.
#[derive(Clone, Debug)]
pub enum Wait {
    /// A moment, counted from the beginning.
    At(Instant),
    /// Some time after the step before.
    After(Duration),
    /// That all of these are true at one moment; events count from the end of the step before.
    When {
        /// What.
        conditions: Vec<Condition>,
        /// How long at most.
        limit: Duration,
    },
}

/// When expectations must be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// At the moment of the step.
    Now,
    /// All together at some moment within this time.
    Within(Duration),
    /// All the time, for so long.
    For(Duration),
}

/// Something wrong in a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The offending bytes of the file.
    pub(crate) span: Range<usize>,
    /// What is wrong with them, and what was expected.
    pub(crate) message: String,
}

/// A mistake with its place, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// The file.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong, and what was expected.
    pub message: String,
    /// The offending line, with a mark under the offending part.
    pub excerpt: String,
}

impl ScenarioError {
    fn new(path: &str, text: &str, mistake: &Mistake) -> Self {
        let start = text.floor_char_boundary(mistake.span.start.min(text.len()));
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let end = text.floor_char_boundary(mistake.span.end.clamp(start, line_end));
        let line = text[..start].matches('\n').count() + 1;
        let column = text[line_start..start].chars().count() + 1;
        let width = text[start..end].chars().count().max(1);
        let marks = format!("{:>1$}", "^".repeat(width), column + width - 1);
        let excerpt = format!("    {}\n    {marks}", &text[line_start..line_end]);
        Self { path: path.into(), line, column, message: mistake.message.clone(), excerpt }
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}\n{}", self.path, self.line, self.column, self.message, self.excerpt)
    }
}

impl std::error::Error for ScenarioError {}
