//! Where the shell's words go. Results go to standard output, everything else to standard error. What
//! comes while somebody types stands above the line that is typed.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustyline::ExternalPrinter;
use serde_json::{Value, json};

use super::answer::{Answer, Failure};
use crate::client::{Event, Kind, Link};

/// How the shell is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// By somebody at a terminal.
    Interactive,
    /// By a program, or for one command.
    Program,
}

const RED: &str = "31";
const YELLOW: &str = "33";
const CYAN: &str = "36";

pub(super) struct Screen {
    usage: Use,
    json: bool,
    shows_events: AtomicBool,
    /// Whether the connection was lost once: before that a program needs no word about it.
    had_trouble: AtomicBool,
    /// While somebody types.
    printer: Mutex<Option<Box<dyn ExternalPrinter + Send>>>,
}

impl Screen {
    pub(super) fn new(usage: Use, json: bool) -> Self {
        Self {
            usage,
            json,
            shows_events: AtomicBool::new(true),
            had_trouble: AtomicBool::new(false),
            printer: Mutex::new(None),
        }
    }

    pub(super) fn usage(&self) -> Use {
        self.usage
    }

    /// From now on this prints what comes while somebody types.
    pub(super) fn print_with(&self, printer: Box<dyn ExternalPrinter + Send>) {
        *self.printer.lock().unwrap_or_else(PoisonError::into_inner) = Some(printer);
    }

    pub(super) fn show_events(&self, shows: bool) {
        self.shows_events.store(shows, Ordering::Relaxed);
    }

    pub(super) fn shows_events(&self) -> bool {
        self.shows_events.load(Ordering::Relaxed)
    }

    /// The result of a command.
    pub(super) fn answer(&self, answer: &Answer) {
        if self.json {
            self.out(&format!("{}\n", Value::from(answer.json.clone())));
            return;
        }
        self.err(&answer.aside);
        self.out(&answer.text);
    }

    /// Why a command was not done.
    pub(super) fn failure(&self, failure: &Failure) {
        if self.json {
            self.out(&format!("{}\n", failure.json()));
            return;
        }
        self.answer(&failure.before);
        let line = format!("{}\n", failure.message);
        self.err(&if io::stderr().is_terminal() { painted(RED, &line) } else { line });
    }

    /// Something that nobody has asked for.
    pub(super) fn event(&self, event: &Event) {
        if !self.shows_events() {
            return;
        }
        let text = format!("\nWATCHER::\n\n{event}\n");
        if self.usage == Use::Interactive {
            let color = if event.kind == Kind::None { YELLOW } else { CYAN };
            self.above(&painted(color, &text));
        } else if event.kind == Kind::None {
            let had_trouble = self.had_trouble.load(Ordering::Relaxed);
            let is_normal =
                matches!(event.link, Link::SyncConnected | Link::ConnectedReadOnly | Link::Closed);
            self.had_trouble.store(had_trouble || !is_normal, Ordering::Relaxed);
            if had_trouble || !is_normal {
                self.err(&text);
            }
        } else if self.json {
            let event = json!({
                "state": format!("{:?}", event.link),
                "type": format!("{:?}", event.kind),
                "path": event.path,
                "zxid": event.zxid,
            });
            self.out(&format!("{}\n", json!({ "event": event })));
        } else {
            self.out(&text);
        }
    }

    /// A line for somebody at a terminal only.
    pub(super) fn remark(&self, line: &str) {
        if self.usage == Use::Interactive {
            self.err(&format!("{line}\n"));
        }
    }

    fn above(&self, text: &str) {
        let mut printer = self.printer.lock().unwrap_or_else(PoisonError::into_inner);
        match printer.as_mut() {
            Some(printer) => drop(printer.print(text.to_owned())),
            None => self.out(text),
        }
    }

    /// Whoever reads it may have gone.
    fn out(&self, text: &str) {
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn err(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// `text` in a color, line by line, so that every line ends plain.
pub(super) fn painted(color: &str, text: &str) -> String {
    let paint =
        |line: &str| if line.is_empty() { String::new() } else { format!("\x1b[{color}m{line}\x1b[0m") };
    text.split('\n').map(paint).collect::<Vec<_>>().join("\n")
}
