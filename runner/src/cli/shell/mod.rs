//! `zabrus cli`: the shell of zkCli, with its commands and its output (client.md section 24).

mod acl;
mod answer;
mod command;
mod editor;
mod nodes;
mod options;
mod quota;
mod screen;
mod watches;
mod words;

use std::cell::RefCell;
use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use clap::Args;

use super::Done;
use crate::client::{Client, ConnectString, Error, Event, Link, State};
use answer::{Answer, Failure};
use command::{COMMANDS, Command};
use editor::{Input, Terminal};
use screen::{Screen, Use};

const WRONG_USAGE: u8 = 2;
/// As zkCli, and as every shell.
const COMMAND_NOT_FOUND: u8 = 127;

/// How long somebody at a terminal waits for the first prompt.
const FIRST_GLANCE: Duration = Duration::from_secs(1);

/// How many lines `history` shows besides its own.
const HISTORY_SHOWN: usize = 10;

#[derive(Args)]
#[command(
    override_usage = "zabrus cli [-server host:port,...[/chroot]] [-timeout ms] [-r] [-waitforconnection] [--json] [command]",
    after_help = "\
Options, as zkCli has them:
  -server host:port,...[/chroot]  the servers, and the node that is the root [localhost:2181]
  -timeout ms                     the session timeout to ask for [30000]
  -r                              a server without a quorum will do, for reading
  -waitforconnection              start with a connection, or not at all
  --json                          one JSON object a line: results, refusals and watch events

Without a command it reads commands from the terminal, or from a pipe. `help` lists them.

Exit codes (of the last command):
  0    done
  1    refused, or no connection
  2    the command line is wrong
  127  no such command"
)]
pub(super) struct Arguments {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// The command line, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Settings {
    servers: String,
    timeout: Duration,
    read_only: bool,
    waits: bool,
    json: bool,
    command: Vec<String>,
}

impl Settings {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut settings = Self {
            servers: "localhost:2181".into(),
            timeout: Duration::from_secs(30),
            read_only: false,
            waits: false,
            json: false,
            command: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value =
                || words.next().cloned().ok_or(format!("Error: no argument found for option {word}"));
            match word.as_str() {
                "-server" | "--server" => settings.servers = value()?,
                "-timeout" | "--timeout" => {
                    let millis = value()?;
                    let wrong = |_| format!("`{millis}` is no timeout: say milliseconds");
                    settings.timeout =
                        Duration::from_millis(u64::from(millis.parse::<u32>().map_err(wrong)?));
                }
                "-r" => settings.read_only = true,
                "-waitforconnection" | "--waitforconnection" => settings.waits = true,
                "--json" | "-json" => settings.json = true,
                option if option.starts_with('-') => return Err(format!("there is no option {option}")),
                command => {
                    settings.command =
                        std::iter::once(command.to_owned()).chain(words.by_ref().cloned()).collect();
                }
            }
        }
        Ok(settings)
    }
}

/// Runs the shell until its end.
pub(super) fn run(arguments: &Arguments) -> Done {
    let complain = |code: u8, why: &dyn std::fmt::Display| {
        eprintln!("{why}");
        ExitCode::from(code)
    };
    let settings = Settings::parse(&arguments.words).map_err(|why| complain(WRONG_USAGE, &why))?;
    let is_interactive =
        settings.command.is_empty() && io::stdin().is_terminal() && io::stdout().is_terminal();
    let usage = if is_interactive { Use::Interactive } else { Use::Program };
    let screen = Arc::new(Screen::new(usage, settings.json));
    screen.remark(&format!("Connecting to {}", settings.servers));
    let client = match address(&settings.servers).and_then(|servers| connect(&settings, servers, &screen)) {
        Ok(client) => Rc::new(RefCell::new(client)),
        Err(failure) => {
            screen.failure(&failure);
            return Err(ExitCode::from(failure.exit_code));
        }
    };
    let servers = settings.servers.clone();
    let mut shell =
        Shell { settings, screen, client, servers, history: Vec::new(), exit_code: 0, ended: false };
    if !shell.settings.command.is_empty() {
        let words = shell.settings.command.clone();
        shell.perform(&words);
    } else if is_interactive {
        shell.converse().map_err(|error| complain(1, &error))?;
    } else {
        for line in io::stdin().lock().lines() {
            match line {
                Ok(line) => shell.line(&line),
                Err(error) => {
                    shell.conclude(Err(Failure::new(format!("standard input: {error}"))));
                    break;
                }
            }
            if shell.ended {
                break;
            }
        }
    }
    shell.client.borrow().close();
    if shell.exit_code == 0 { Ok(()) } else { Err(ExitCode::from(shell.exit_code)) }
}

fn address(servers: &str) -> Result<ConnectString, Failure> {
    let wrong = |error: Error| Failure { exit_code: WRONG_USAGE, ..Failure::new(error.to_string()) };
    ConnectString::parse(servers).map_err(wrong)
}

/// A session, whose events go to the screen.
fn connect(settings: &Settings, servers: ConnectString, screen: &Arc<Screen>) -> Result<Client, Failure> {
    let (send, connected) = mpsc::channel();
    let listener = Arc::clone(screen);
    let listen = move |event: Event| {
        if matches!(event.link, Link::SyncConnected | Link::ConnectedReadOnly) {
            // Nobody may be waiting for it.
            let _ = send.send(());
        }
        listener.event(&event);
    };
    let failed = |error: io::Error| Failure::new(error.to_string());
    let client = Client::open(servers, settings.timeout, settings.read_only, listen).map_err(failed)?;
    let patience = match screen.usage() {
        _ if settings.waits => settings.timeout,
        // So that the first prompt tells that there is a connection.
        Use::Interactive => FIRST_GLANCE,
        Use::Program => Duration::ZERO,
    };
    if connected.recv_timeout(patience).is_err() && settings.waits {
        client.close();
        return Err(Error::Keeper { code: Error::CONNECTION_LOSS, path: None }.into());
    }
    Ok(client)
}

struct Shell {
    settings: Settings,
    screen: Arc<Screen>,
    /// Shared with the completion of paths.
    client: Rc<RefCell<Client>>,
    servers: String,
    history: Vec<String>,
    exit_code: u8,
    ended: bool,
}

impl Shell {
    /// Reads lines from a terminal.
    fn converse(&mut self) -> rustyline::Result<()> {
        self.screen.remark("Welcome to Zabrus! `help` lists the commands; Tab completes commands and paths.");
        let mut terminal = Terminal::open(Rc::clone(&self.client), &self.screen)?;
        while !self.ended {
            match terminal.read(&self.prompt()) {
                Input::Line(line) => self.line(&line),
                Input::Nothing => {}
                Input::End => break,
            }
        }
        terminal.keep_history();
        Ok(())
    }

    fn prompt(&self) -> String {
        let state = match self.client.borrow().state() {
            State::Connecting => "CONNECTING",
            State::Connected => "CONNECTED",
            State::ConnectedReadOnly => "CONNECTEDREADONLY",
            State::Closed => "CLOSED",
            State::AuthFailed => "AUTH_FAILED",
        };
        format!("[zk: {}({state}) {}] ", self.servers, self.history.len())
    }

    fn line(&mut self, line: &str) {
        let words = words::split(line);
        if words.is_empty() {
            return;
        }
        // While it runs, its number is that of the next line, as in zkCli.
        let number = self.history.len();
        self.history.push(line.to_owned());
        if words[0] == "redo" && words.len() > 1 {
            match self.redone(&words[1], number) {
                Ok(line) => {
                    self.history[number].clone_from(&line);
                    self.perform(&words::split(&line));
                }
                Err(failure) => self.conclude(Err(failure)),
            }
        } else {
            self.perform(&words);
        }
    }

    /// The earlier line with this number.
    fn redone(&self, text: &str, number: usize) -> Result<String, Failure> {
        let out_of_range = || Failure::new("Command index out of range");
        let index: usize = text.parse().map_err(|_| out_of_range())?;
        let line = self.history[..number].get(index).ok_or_else(out_of_range)?;
        if words::split(line).first().is_some_and(|word| word == "redo") {
            return Err(Failure::new("No redoing redos"));
        }
        Ok(line.clone())
    }

    fn perform(&mut self, words: &[String]) {
        if words[0] == "quit" {
            // The exit code stays that of the command before.
            self.ended = true;
            return;
        }
        let result = self.result(words);
        self.conclude(result);
    }

    fn conclude(&mut self, result: Result<Answer, Failure>) {
        match result {
            Ok(answer) => {
                self.screen.answer(&answer);
                self.exit_code = 0;
            }
            Err(failure) => {
                self.screen.failure(&failure);
                self.exit_code = failure.exit_code;
            }
        }
    }

    fn result(&mut self, words: &[String]) -> Result<Answer, Failure> {
        let Some(command) = Command::named(&words[0]) else {
            if words[0] == "help" {
                return Ok(help());
            }
            let not_found = format!("Command not found: Command not found {}", words[0]);
            let message = match self.screen.usage() {
                Use::Interactive => format!("{not_found} (`help` lists the commands)"),
                Use::Program => format!("{}\n{not_found}", command::usage()),
            };
            return Err(Failure { exit_code: COMMAND_NOT_FOUND, ..Failure::new(message) });
        };
        let Some(run) = command.run else { return self.of_shell(command, words) };
        let client = self.client.borrow();
        if !client.state().is_alive() {
            self.screen.remark("`connect` opens a new session.");
            return Err(Failure::new("Not connected"));
        }
        run(&client, &command.parse(words)?)
    }

    /// The commands that concern the shell itself.
    fn of_shell(&mut self, command: &Command, words: &[String]) -> Result<Answer, Failure> {
        let argument = words.get(1).map(String::as_str);
        let answer = Answer::default();
        match command.name {
            "close" => self.client.borrow().close(),
            "connect" => {
                let servers = argument.unwrap_or(&self.servers).to_owned();
                let address = address(&servers)?;
                self.client.borrow().close();
                self.servers = servers;
                let client = connect(&self.settings, address, &self.screen)?;
                self.client.replace(client);
            }
            "history" => {
                let first = self.history.len().saturating_sub(HISTORY_SHOWN + 1);
                let lines = self.history.iter().enumerate().skip(first);
                let shown = lines
                    .clone()
                    .fold(answer, |answer, (number, line)| answer.line(format!("{number} - {line}")));
                return Ok(shown.field("lines", lines.map(|(_, line)| line.as_str()).collect::<Vec<_>>()));
            }
            "printwatches" => match argument {
                Some(wish) => self.screen.show_events(wish == "on"),
                None => {
                    let shows = self.screen.shows_events();
                    let word = if shows { "on" } else { "off" };
                    return Ok(answer.line(format!("printwatches is {word}")).field("printwatches", shows));
                }
            },
            "version" if words.len() > 1 => return Err(command.wrong_usage()),
            "version" => {
                let version = crate::version::FULL;
                return Ok(answer
                    .line(format!("ZooKeeper CLI version: {version}"))
                    .field("version", version));
            }
            _ => return Err(command.wrong_usage()),
        }
        Ok(answer)
    }
}

/// What can be typed, for those who ask.
fn help() -> Answer {
    let names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
    Answer::default().line(command::usage()).field("commands", names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Settings, String> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Settings::parse(&words)
    }

    #[test]
    fn options_stand_before_the_command_and_behind_it_everything_is_the_command() {
        let settings = parsed("-server a:1 -timeout 500 -r --json get -s -r /a").expect("valid");
        assert_eq!((settings.servers.as_str(), settings.timeout), ("a:1", Duration::from_millis(500)));
        assert!(settings.read_only && settings.json && !settings.waits);
        assert_eq!(settings.command, ["get", "-s", "-r", "/a"]);
        let settings = parsed("").expect("valid");
        assert_eq!((settings.servers.as_str(), settings.timeout.as_secs()), ("localhost:2181", 30));
    }

    #[test]
    fn a_wrong_command_line_is_refused() {
        for (line, why) in [
            ("-server", "Error: no argument found for option -server"),
            ("-timeout x ls /", "`x` is no timeout: say milliseconds"),
            ("-client-configuration x", "there is no option -client-configuration"),
        ] {
            assert_eq!(parsed(line), Err(why.into()), "{line}");
        }
    }
}
