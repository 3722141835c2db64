//! The line that somebody types: editing, history, completion.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::command::COMMANDS;
use super::screen::{Screen, painted};
use crate::client::{Client, State};

const HISTORY_FILE: &str = ".zabrus_history";
const HISTORY_LINES: usize = 1_000;
const GREEN: &str = "32";
const YELLOW: &str = "33";

pub(super) struct Terminal {
    editor: Editor<Assistant, FileHistory>,
    history: Option<PathBuf>,
}

/// What comes of waiting for a line.
pub(super) enum Input {
    Line(String),
    /// Ctrl-C: the line is forgotten.
    Nothing,
    /// Ctrl-D, or the terminal has gone.
    End,
}

impl Terminal {
    /// The terminal of this process. What is printed while somebody types goes through `screen`.
    pub(super) fn open(client: Rc<RefCell<Client>>, screen: &Screen) -> rustyline::Result<Self> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .history_ignore_space(true)
            .max_history_size(HISTORY_LINES)?
            .build();
        let mut editor = Editor::with_config(config)?;
        editor.set_helper(Some(Assistant { client }));
        // A terminal that cannot print above the line gets everything behind it.
        if let Ok(printer) = editor.create_external_printer() {
            screen.print_with(Box::new(printer));
        }
        let history = std::env::home_dir().map(|home| home.join(HISTORY_FILE));
        if let Some(file) = &history {
            // The first time there is none.
            let _ = editor.load_history(file);
        }
        Ok(Self { editor, history })
    }

    pub(super) fn read(&mut self, prompt: &str) -> Input {
        match self.editor.readline(prompt) {
            Ok(line) => {
                // Passwords are nothing to keep.
                if !line.trim_start().starts_with("addauth") {
                    // A line that cannot be kept can still be done.
                    let _ = self.editor.add_history_entry(&line);
                }
                Input::Line(line)
            }
            Err(ReadlineError::Interrupted) => Input::Nothing,
            Err(_) => Input::End,
        }
    }

    /// Keeps the history, for its owner alone.
    pub(super) fn keep_history(&mut self) {
        if let Some(file) = &self.history {
            // A home that is read-only is no reason to complain at the end of the day.
            let _ = self.editor.save_history(file);
        }
    }
}

/// Knows the commands, and asks the server for paths.
struct Assistant {
    client: Rc<RefCell<Client>>,
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let client = self.client.borrow();
        // Without a connection an answer might not come before the patience of who types ends.
        let children = |path: &str| match client.state() {
            State::Connected | State::ConnectedReadOnly => {
                client.children(path, false).map(|found| found.children).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        Ok(complete(&line[..position], children))
    }
}

/// Where the last word begins, and what it could become.
fn complete(line: &str, children: impl Fn(&str) -> Vec<String>) -> (usize, Vec<String>) {
    let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let word = &line[start..];
    if let Some((parent, begin)) = word.rsplit_once('/').filter(|_| word.starts_with('/')) {
        let names = children(if parent.is_empty() { "/" } else { parent });
        let matching = names.iter().filter(|name| name.starts_with(begin));
        return (start, matching.map(|name| format!("{parent}/{name}")).collect());
    }
    let is_first = line[..start].trim().is_empty();
    let names = COMMANDS.iter().map(|command| command.name).chain(["help"]);
    (start, names.filter(|name| is_first && name.starts_with(word)).map(str::to_owned).collect())
}

impl Highlighter for Assistant {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Owned(painted(if prompt.contains("(CONNECTED)") { GREEN } else { YELLOW }, prompt))
    }
}

impl Hinter for Assistant {
    type Hint = String;
}

impl Validator for Assistant {}

impl Helper for Assistant {}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(line: &str) -> (usize, Vec<String>) {
        complete(line, |path| match path {
            "/" => vec!["app".into(), "apple".into(), "b".into()],
            "/app" => vec!["x".into()],
            _ => Vec::new(),
        })
    }

    #[test]
    fn the_first_word_becomes_a_command() {
        assert_eq!(completed("getA"), (0, vec!["getAcl".into(), "getAllChildrenNumber".into()]));
        assert_eq!(completed("  h"), (2, vec!["history".into(), "help".into()]));
        assert_eq!(completed("ls hist"), (3, Vec::new()));
    }

    #[test]
    fn a_word_with_a_slash_becomes_a_path() {
        assert_eq!(completed("ls /ap"), (3, vec!["/app".into(), "/apple".into()]));
        assert_eq!(completed("ls -s /app/"), (6, vec!["/app/x".into()]));
        assert_eq!(completed("get /none/x"), (4, Vec::new()));
    }
}
