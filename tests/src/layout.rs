//! Rules on where things are, and on the tables and commands that the READMEs promise.

use std::collections::BTreeSet;

use crate::Complaint;
use crate::code;
use crate::project::File;

/// What the top level holds, all of it.
pub const TOP_LEVEL: [&str; 14] = [
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "core",
    "deny.toml",
    "runner",
    "rustfmt.toml",
    "scenarios",
    "sim",
    "tests",
];

/// The folders that explain themselves in a README.
pub const FOLDERS_WITH_README: [&str; 5] = ["core", "runner", "scenarios", "sim", "tests"];

/// The commands of the top README, in its order: the first runs a campaign, the second all tests.
pub const FIRST_COMMANDS: [&str; 2] =
    ["cargo run --release --bin zabrus-sim -- run", "cargo test --workspace"];

/// The checks that the project started with (invariants.md); there are more.
const FIRST_CHECKS: [&str; 7] = ["R1", "R2", "B7", "Y4", "B9", "E6", "E10"];

/// The top level holds the folders of the design and what tools need there, nothing else.
#[must_use]
pub fn top_level(files: &[File]) -> Vec<Complaint> {
    let present: BTreeSet<_> = files.iter().filter_map(|file| file.path.split('/').next()).collect();
    let allowed = BTreeSet::from(TOP_LEVEL);
    let extra = present.difference(&allowed).map(|name| {
        format!(
            "{name}: nothing else lives at the top: move it into a folder, or change the design and this rule"
        )
    });
    let missing = allowed.difference(&present).map(|name| format!("{name}: missing at the top: put it back"));
    extra.chain(missing).collect()
}

/// Every folder explains itself.
#[must_use]
pub fn readmes(files: &[File]) -> Vec<Complaint> {
    let missing = FOLDERS_WITH_README.iter().filter(|folder| {
        let path = format!("{folder}/README.md");
        !files.iter().any(|file| file.path == path && !file.text.trim().is_empty())
    });
    missing
        .map(|folder| format!("{folder}: it has no README.md: write down what it is and how to use it"))
        .collect()
}

/// The top README begins with the two commands that need no preparation.
#[must_use]
pub fn first_commands(readme: &str) -> Vec<Complaint> {
    let mut in_block = false;
    let mut commands = Vec::new();
    for line in readme.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block && line.starts_with("cargo ") {
            commands.push(line.split('#').next().unwrap_or(line).trim());
        }
    }
    if commands.starts_with(&FIRST_COMMANDS) {
        return Vec::new();
    }
    vec![format!(
        "README.md: its first commands must be, each in a code block: {}",
        FIRST_COMMANDS.join("; ")
    )]
}

/// The only rules that share a file, and the first of them: what clients see is one idea.
const TOGETHER: (&str, &str) = ("l_clients.rs", "L1");

/// Each file of `sim/src/checks/` is one rule and named after it: its first comment cites the rule of
/// `invariants.md`, and it has a test with a bad history. The checks that we started with are all
/// there.
#[must_use]
pub fn checks(files: &[File]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut checked = BTreeSet::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let Some(name) = file.path.strip_prefix("sim/src/checks/").filter(|name| *name != "mod.rs") else {
            continue;
        };
        let together = (name == TOGETHER.0).then(|| TOGETHER.1.to_owned());
        let Some(rule) = rule_of(name).or(together) else {
            complaints.push(format!("{}: name it after its rule: `y04_what_it_checks.rs`", file.path));
            continue;
        };
        let opening: Vec<_> = file.text.lines().take_while(|line| line.starts_with("//!")).collect();
        let opening = opening.join("\n");
        let source = if rule.starts_with('P') { "ZooKeeper's recipes" } else { "invariants.md" };
        if !opening.contains(source) || !code::words(&opening).any(|(_, word)| word == rule) {
            complaints.push(format!("{}: its first comment must cite {rule} of {source}", file.path));
        }
        if !file.text.contains("#[test]") {
            complaints
                .push(format!("{}: it has no test: show a hand-made bad history that it refuses", file.path));
        }
        checked.insert(rule);
    }
    let missing = FIRST_CHECKS.iter().filter(|rule| !checked.contains(**rule));
    complaints
        .extend(missing.map(|rule| format!("sim/src/checks/: no file checks {rule}: put the check back")));
    complaints
}

/// `Y4` for `y04_what_it_checks.rs`.
fn rule_of(file_name: &str) -> Option<String> {
    let (short, _) = file_name.split_once('_')?;
    let letter = short.chars().next().filter(char::is_ascii_lowercase)?;
    let number: u8 = short[1..].parse().ok()?;
    Some(format!("{}{number}", letter.to_ascii_uppercase()))
}

/// The core's README lists the deviations R1 to R16, each with a file or folder that cites it.
#[must_use]
pub fn deviations(core_readme: &str, files: &[File]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for number in 1..=16 {
        let name = format!("R{number}");
        let Some(row) = core_readme.lines().find(|line| line.starts_with(&format!("| {name} |"))) else {
            complaints.push(format!("core/README.md: the table of deviations has no row {name}: add it"));
            continue;
        };
        let place = row.split('`').nth_back(1).unwrap_or("");
        let is_cited = |file: &&File| {
            let below =
                file.path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            below && code::words(&file.text).any(|(_, word)| word == name)
        };
        if place.is_empty() || !files.iter().any(|file| is_cited(&file)) {
            complaints
                .push(format!("core/README.md: {name} is said to live in `{place}`, which does not cite it"));
        }
    }
    complaints
}

/// A README names only files and folders that exist: each `src/...` of its own folder, and each
/// path from the top.
#[must_use]
pub fn named_places(files: &[File]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for readme in files.iter().filter(|file| file.path.ends_with("README.md")) {
        let folder = readme.path.trim_end_matches("README.md");
        for (number, line) in readme.text.lines().enumerate() {
            for place in line.split('`').skip(1).step_by(2).filter(|place| is_place(place)) {
                let path =
                    if place.starts_with("src/") { format!("{folder}{place}") } else { place.to_owned() };
                let below =
                    |file: &File| file.path.strip_prefix(path.trim_end_matches('/')).is_some_and(ends_a_name);
                if !files.iter().any(below) {
                    complaints.push(format!("{}:{}: `{place}` does not exist", readme.path, number + 1));
                }
            }
        }
    }
    complaints
}

fn is_place(text: &str) -> bool {
    let starts = ["src/", "core/", "sim/", "runner/", "scenarios/", "tests/"];
    let is_path = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    starts.iter().any(|start| text.starts_with(start)) && text.chars().all(is_path)
}

/// Whether a name that is followed by `rest` was whole.
fn ends_a_name(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stray_entry_and_a_missing_one_are_seen_at_the_top() {
        let mut files: Vec<_> = TOP_LEVEL.iter().map(|name| File::new(name, "")).collect();
        assert_eq!(top_level(&files), [""; 0]);
        files[0] = File::new("notes/plan.md", "");
        let found = top_level(&files);
        assert!(
            found.len() == 2 && found[0].starts_with("notes") && found[1].starts_with(".ci"),
            "{found:?}"
        );
    }

    #[test]
    fn a_folder_without_a_readme_is_seen() {
        let files = [File::new("core/README.md", "text"), File::new("sim/README.md", " \n")];
        assert_eq!(readmes(&files).len(), FOLDERS_WITH_README.len() - 1);
    }

    #[test]
    fn another_first_command_is_seen() {
        let good =
            format!("```\n{}  # half a minute\n```\n```\n{}\n```", FIRST_COMMANDS[0], FIRST_COMMANDS[1]);
        assert_eq!(first_commands(&good), [""; 0]);
        assert_eq!(first_commands(&format!("```\ncargo build\n```\n{good}")).len(), 1);
        assert_eq!(first_commands("").len(), 1);
    }

    #[test]
    fn a_place_that_does_not_exist_is_seen() {
        let text = "`src/a.rs` `src/disk/` `core/src/b.rs` `cargo test` `src/c.rs`\n`sim/src/a`";
        let files = [
            File::new("sim/README.md", text),
            File::new("sim/src/a.rs", ""),
            File::new("sim/src/disk/page.rs", ""),
            File::new("core/src/b.rs", ""),
        ];
        let found = named_places(&files);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("sim/README.md:1: `src/c.rs`"));
        assert!(found[1].starts_with("sim/README.md:2: `sim/src/a`"));
    }

    #[test]
    fn a_check_without_name_citation_or_test_is_seen() {
        let path = |rule: &str| format!("sim/src/checks/{}0{}_x.rs", rule[..1].to_lowercase(), &rule[1..]);
        let good = |rule: &&str| File::new(&path(rule), &format!("//! {rule} (invariants.md)\n#[test]"));
        let mut files: Vec<_> = FIRST_CHECKS.iter().map(good).collect();
        files.push(File::new("sim/src/checks/l_clients.rs", "//! L1 to L8 (invariants.md)\n#[test]"));
        assert_eq!(checks(&files), [""; 0]);
        files.push(File::new("sim/src/checks/common.rs", "//! B8 (invariants.md)\n#[test]"));
        files.push(File::new("sim/src/checks/b08_x.rs", "//! Nothing is lost, see B8.\n#[test]"));
        files.push(File::new("sim/src/checks/b09_x.rs", "//! B8 (invariants.md)\n#[test]"));
        files.push(File::new("sim/src/checks/b10_x.rs", "//! B10 (invariants.md)"));
        assert_eq!(checks(&files).len(), 4);
    }

    #[test]
    fn a_missing_check_is_seen() {
        assert_eq!(checks(&[]).len(), FIRST_CHECKS.len());
    }

    #[test]
    fn a_deviation_without_row_or_without_citation_is_seen() {
        let mut readme: String = (1..=16).map(|n| format!("| R{n} | what | `core/src/log` |\n")).collect();
        let text: String = (1..=15).map(|n| format!("// R{n}\n")).collect();
        let files = [File::new("core/src/log/tail.rs", &text), File::new("core/src/logs.rs", "// R16")];
        assert_eq!(deviations(&readme, &files).len(), 1);
        readme = readme.replace("| R3 |", "| R33 |");
        assert_eq!(deviations(&readme, &files).len(), 2);
    }
}
