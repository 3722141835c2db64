//! The commands: names, options and usage as zkCli has them (client.md section 24).

use super::answer::{Answer, Failure};
use super::options::{Opt, Parsed, parse};
use super::{nodes, quota, watches};
use crate::client::Client;

/// What somebody can type.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) name: &'static str,
    syntax: &'static str,
    options: &'static [Opt],
    /// How many words must follow.
    least: usize,
    /// What it does; `None` for what concerns the shell itself.
    pub(super) run: Option<Run>,
}

pub(super) type Run = fn(&Client, &Parsed) -> Result<Answer, Failure>;

const fn flag(name: &'static str) -> Opt {
    Opt { name, has_value: false, about: "" }
}

const fn value(name: &'static str) -> Opt {
    Opt { name, has_value: true, about: "" }
}

const fn command(
    name: &'static str,
    syntax: &'static str,
    options: &'static [Opt],
    least: usize,
    run: Run,
) -> Command {
    Command { name, syntax, options, least, run: Some(run) }
}

const fn of_shell(name: &'static str, syntax: &'static str) -> Command {
    Command { name, syntax, options: &[], least: 0, run: None }
}

/// In the order in which they are listed.
pub(super) static COMMANDS: [Command; 28] = [
    command(
        "addWatch",
        "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is \
         PERSISTENT_RECURSIVE",
        &[value("m")],
        1,
        watches::add,
    ),
    command("addauth", "scheme auth", &[], 1, nodes::add_auth),
    of_shell("close", ""),
    command("config", "[-c] [-w] [-s]", &[flag("c"), flag("w"), flag("s")], 0, nodes::config),
    of_shell("connect", "host:port"),
    command(
        "create",
        "[-s] [-e] [-c] [-t ttl] path [data] [acl]",
        &[flag("s"), flag("e"), flag("c"), value("t")],
        1,
        nodes::create,
    ),
    command("delete", "[-v version] path", &[value("v")], 1, nodes::delete),
    command("deleteall", "path [-b batch size]", &[value("b")], 1, nodes::delete_all),
    command(
        "delquota",
        "[-n|-b|-N|-B] path",
        &[flag("n"), flag("b"), flag("N"), flag("B")],
        1,
        quota::delete,
    ),
    command(
        "get",
        "[-s] [-w] [-b] [-x] path",
        &[
            Opt { name: "b", has_value: false, about: "Output data in base64 format" },
            Opt { name: "s", has_value: false, about: "Print znode stats additionally" },
            Opt { name: "w", has_value: false, about: "Watch for changes on the znode" },
            Opt { name: "x", has_value: false, about: "Output data in hexdump format" },
        ],
        1,
        nodes::get,
    ),
    command("getAcl", "[-s] path", &[flag("s")], 1, nodes::get_acl),
    command("getAllChildrenNumber", "path", &[], 1, nodes::all_children_number),
    command("getEphemerals", "path", &[], 0, nodes::ephemerals),
    of_shell("history", ""),
    command("listquota", "path", &[], 1, quota::list),
    command("ls", "[-s] [-w] [-R] path", &[flag("s"), flag("w"), flag("R")], 1, nodes::ls),
    of_shell("printwatches", "on|off"),
    of_shell("quit", ""),
    command(
        "reconfig",
        "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | [-add \
         serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
        &[flag("s"), value("v"), value("file"), value("members"), value("add"), value("remove")],
        0,
        nodes::reconfig,
    ),
    of_shell("redo", "cmdno"),
    command(
        "removewatches",
        "path [-c|-d|-a] [-l]",
        &[flag("c"), flag("d"), flag("p"), flag("r"), flag("a"), flag("l")],
        1,
        watches::remove,
    ),
    command(
        "set",
        "path data [-s] [-v version] [-b]",
        &[
            Opt { name: "b", has_value: false, about: "Supply data in base64 format" },
            Opt { name: "s", has_value: false, about: "Print znode stats additionally" },
            Opt { name: "v", has_value: true, about: "Set with an expected version" },
        ],
        2,
        nodes::set,
    ),
    command(
        "setAcl",
        "[-s] [-v version] [-R] path acl",
        &[flag("s"), value("v"), flag("R")],
        2,
        nodes::set_acl,
    ),
    command(
        "setquota",
        "-n|-b|-N|-B val path",
        &[value("n"), value("b"), value("N"), value("B")],
        1,
        quota::set,
    ),
    command("stat", "[-w] path", &[flag("w")], 1, nodes::stat),
    command("sync", "path", &[], 1, nodes::sync),
    of_shell("version", ""),
    command("whoami", "", &[], 0, nodes::who_am_i),
];

impl Command {
    /// The one that is called so.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name == name)
    }

    /// The words behind it, taken apart.
    ///
    /// # Errors
    /// What is wrong with them, or how it is used.
    pub(super) fn parse(&self, words: &[String]) -> Result<Parsed, Failure> {
        // At most one quota at a time can be set or taken away.
        let parsed = parse(self.options, self.name.ends_with("quota"), words).map_err(Failure::new)?;
        if self.name == "setquota" && !self.options.iter().any(|option| parsed.has(option.name)) {
            return Err(Failure::new(
                "Missing required option: [-n num soft quota, -b bytes soft quota, -N num hard quota, \
                 -B bytes hard quota]",
            ));
        }
        if parsed.words.len() <= self.least { Err(self.wrong_usage()) } else { Ok(parsed) }
    }

    /// How it is used, as the reason why it was not done.
    pub(super) fn wrong_usage(&self) -> Failure {
        let mut text = format!("{} {}", self.name, self.syntax);
        let told = self.options.iter().filter(|option| !option.about.is_empty());
        let shown =
            |option: &Opt| format!("-{}{}", option.name, if option.has_value { " <arg>" } else { "" });
        let width = told.clone().map(|option| shown(option).len()).max().unwrap_or(0);
        for option in told {
            text.push_str(&format!("\n {:<width$}   {}", shown(option), option.about));
        }
        Failure::new(text)
    }
}

/// All commands with their words.
pub(super) fn usage() -> String {
    let lines = COMMANDS.iter().map(|command| format!("\n\t{} {}", command.name, command.syntax));
    "ZooKeeper -server host:port -client-configuration properties-file cmd args".to_owned()
        + &lines.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str) -> String {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Command::named(&words[0]).expect("a command").parse(&words).expect_err("it is wrong").message
    }

    #[test]
    fn a_command_with_too_few_words_says_how_it_is_used() {
        assert_eq!(refusal("ls"), "ls [-s] [-w] [-R] path");
        assert_eq!(
            refusal("set /a"),
            "set path data [-s] [-v version] [-b]\n -b         Supply data in base64 format\n \
             -s         Print znode stats additionally\n -v <arg>   Set with an expected version"
        );
        assert!(refusal("setquota /a").starts_with("Missing required option: [-n num soft quota, "));
    }

    #[test]
    fn the_commands_are_listed_in_order() {
        assert!(COMMANDS.is_sorted_by_key(|command| command.name));
        assert!(usage().contains("\n\tls [-s] [-w] [-R] path\n\tprintwatches on|off\n"));
    }
}
