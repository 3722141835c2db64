//! What a person sees while a campaign runs: a bar on a terminal, else a line every ten seconds.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::campaign::Totals;
use super::summary::speed;
use crate::units;

const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// The progress of one campaign, on the standard error output.
pub(super) enum Progress {
    Hidden,
    Bar { bar: ProgressBar, budget: Option<Duration> },
    Lines { last: Instant, goal: String },
}

#[expect(clippy::disallowed_methods, reason = "progress is shown in wall time; no run sees it")]
impl Progress {
    /// Of `seeds` seeds, or of a campaign that ends with its `budget`.
    pub(super) fn new(shown: bool, seeds: u64, budget: Option<Duration>) -> Self {
        if !shown {
            return Self::Hidden;
        }
        if !io::stderr().is_terminal() {
            let goal = match budget {
                Some(budget) => units::span(zabrus_core::Duration(budget.as_micros() as u64)),
                None => format!("{} seeds", units::count(seeds)),
            };
            return Self::Lines { last: Instant::now(), goal };
        }
        let length = budget.map_or(seeds, |budget| budget.as_millis() as u64);
        let style = ProgressStyle::with_template("[{elapsed}] [{bar:20}] {wide_msg}");
        let bar = ProgressBar::new(length);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        Self::Bar { bar, budget }
    }

    /// One more seed is done.
    pub(super) fn seen(&mut self, totals: &Totals) {
        match self {
            Self::Hidden => {}
            Self::Bar { bar, budget } => {
                bar.set_position(budget.map_or(totals.seeds, |_| totals.wall.as_millis() as u64));
                bar.set_message(told(totals));
            }
            Self::Lines { last, goal } if last.elapsed() >= LINE_INTERVAL => {
                *last = Instant::now();
                let wall = units::span(zabrus_core::Duration(totals.wall.as_micros() as u64));
                eprintln!("progress: {wall} of {goal}: {}", told(totals));
            }
            Self::Lines { .. } => {}
        }
    }

    /// Removes the bar.
    pub(super) fn finish(self) {
        if let Self::Bar { bar, .. } = self {
            bar.finish_and_clear();
        }
    }
}

fn told(totals: &Totals) -> String {
    format!(
        "{} seeds done, {} simulated, {} times real time",
        units::count(totals.seeds),
        units::span(zabrus_core::Duration(totals.simulated)),
        units::count(speed(totals.simulated, totals.wall)),
    )
}
