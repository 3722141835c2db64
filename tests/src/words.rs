//! Rules on the words of a text.

use crate::Complaint;
use crate::code::{self, shipped};
use crate::project::File;

/// The most lines that a Rust file may have.
pub const LINES_AT_MOST: usize = 700;

/// Marks of unfinished work, and what to do instead. They are spelled in two halves so that this
/// file passes its own rule.
const UNFINISHED: [(&str, &str); 7] = [
    (concat!("TO", "DO"), "do it, or open an issue and leave no mark"),
    (concat!("FIX", "ME"), "fix it, or open an issue and leave no mark"),
    (concat!("XX", "X"), "say in a sentence what is meant"),
    (concat!("unimplemented", "!"), "implement it, or leave it out"),
    (concat!("to", "do!"), "implement it, or leave it out"),
    (concat!("dbg", "!"), "remove it"),
    (concat!("#[ig", "nore"), "make the test fast and right, or remove it"),
];

/// Beginnings of paths that exist on somebody's machine only.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("C:", "\\"),
];

/// A Rust file is one idea and fits on a few screens.
#[must_use]
pub fn too_long(files: &[File]) -> Vec<Complaint> {
    let long = files.iter().filter(|file| file.is_rust() && file.text.lines().count() > LINES_AT_MOST);
    long.map(|file| {
        let lines = file.text.lines().count();
        format!("{}: {lines} lines; more than {LINES_AT_MOST} are several ideas: split it", file.path)
    })
    .collect()
}

/// Nothing says that it is unfinished, and nothing names a path of one machine.
#[must_use]
pub fn banned(files: &[File]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            let place = format!("{}:{}", file.path, number + 1);
            for (mark, advice) in UNFINISHED {
                if contains_whole(line, mark) {
                    complaints.push(format!("{place}: `{mark}`: {advice}"));
                }
            }
            for path in MACHINE_PATHS {
                if line.match_indices(path).any(|(at, _)| starts_a_path(&line[..at])) {
                    complaints.push(format!("{place}: `{path}`: name no path of one machine"));
                }
            }
        }
    }
    complaints
}

/// Whether `line` contains `mark`, not as a part of a longer word.
fn contains_whole(line: &str, mark: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(mark).any(|(at, _)| {
        let joined = |a: Option<char>, b: Option<char>| a.is_some_and(is_word) && b.is_some_and(is_word);
        !joined(line[..at].chars().next_back(), mark.chars().next())
            && !joined(mark.chars().next_back(), line[at + mark.len()..].chars().next())
    })
}

/// Whether a path that follows `before` is absolute.
fn starts_a_path(before: &str) -> bool {
    !before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || "/._-~}".contains(c))
}

/// Core and simulator compute with integers: a float may differ between machines. Files in
/// `display` only show numbers to a person.
#[must_use]
pub fn floats(files: &[File], display: &[&str]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in shipped(files, &["core/src/", "sim/src/"]) {
        if display.iter().any(|shown| file.path.starts_with(shown)) {
            continue;
        }
        for (line, word) in code::words(&file.text).filter(|(_, word)| matches!(*word, "f32" | "f64")) {
            complaints.push(format!("{}:{line}: `{word}`: use integers, per mille for chances", file.path));
        }
    }
    complaints
}

/// What ships says why a value cannot be missing: `expect` with the reason, never a bare unwrap.
/// The core stays without std.
#[must_use]
pub fn careless_code(files: &[File]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in shipped(files, &["core/src/", "sim/src/", "runner/src/"]) {
        for (number, line) in file.text.lines().enumerate() {
            let place = format!("{}:{}", file.path, number + 1);
            if line.contains(".unwrap()") {
                complaints
                    .push(format!("{place}: bare unwrap: handle it, or say in `expect` why it cannot fail"));
            }
            if file.path.starts_with("core/") && line.contains("extern crate std") {
                complaints.push(format!("{place}: the core is no_std: leave std to its drivers"));
            }
        }
    }
    complaints
}

/// Whoever silences a lint says why; clocks and entropy are for the files in `drivers` alone.
#[must_use]
pub fn silenced_lints(files: &[File], drivers: &[&str]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let code = code::without_comments_and_literals(&file.text);
        for (at, _) in code.match_indices("allow(").chain(code.match_indices("expect(")) {
            let is_attribute = code[..at].ends_with("#[") || code[..at].ends_with("#![");
            if !is_attribute {
                continue;
            }
            let attribute = &code[at..at + code[at..].find(']').unwrap_or(code.len() - at)];
            let place = format!("{}:{}", file.path, code[..at].lines().count());
            if !code::words(attribute).any(|(_, word)| word == "reason") {
                complaints.push(format!("{place}: a silenced lint: add `reason = \"...\"`"));
            }
            if attribute.contains("disallowed_")
                && !drivers.iter().any(|driver| file.path.starts_with(driver))
            {
                complaints.push(format!("{place}: clippy.toml bans this here: take it as an input"));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(path: &str, text: &str) -> Vec<File> {
        vec![File::new(path, text)]
    }

    #[test]
    fn a_file_of_701_lines_is_too_long_and_one_of_700_is_not() {
        assert_eq!(too_long(&one("core/src/a.rs", &"\n".repeat(701))).len(), 1);
        assert_eq!(too_long(&one("core/src/a.rs", &"\n".repeat(700))), [""; 0]);
    }

    #[test]
    fn every_mark_of_unfinished_work_is_seen() {
        for (mark, _) in UNFINISHED {
            let found = banned(&one("sim/README.md", &format!("one\n// {mark}(x)")));
            assert_eq!(found.len(), 1, "{mark}");
            assert!(found[0].starts_with("sim/README.md:2"), "{found:?}");
        }
    }

    #[test]
    fn a_mark_within_a_longer_word_is_no_mark() {
        assert_eq!(banned(&one("a.rs", concat!("MAS", "TO", "DON _", "XX", "X_ my_", "dbg", "!"))), [""; 0]);
    }

    #[test]
    fn a_path_of_one_machine_is_seen_and_a_znode_path_is_not() {
        for path in MACHINE_PATHS {
            assert_eq!(banned(&one("a.rs", &format!("open(\"{path}me/x\")"))).len(), 1, "{path}");
        }
        assert_eq!(banned(&one("a.rs", concat!("create /app", "/wo", "rk/1 and /workers"))), [""; 0]);
    }

    #[test]
    fn a_float_is_seen_in_core_code_but_not_in_comments_tests_or_the_display() {
        assert_eq!(floats(&one("core/src/a.rs", "fn f(x: f64) {}"), &[]).len(), 1);
        assert_eq!(floats(&one("sim/src/a.rs", "let x = 1f32 as f32;"), &[]).len(), 1);
        assert_eq!(floats(&one("core/src/a.rs", "// f64\n#[cfg(test)]\nfn f(x: f64) {}"), &[]), [""; 0]);
        assert_eq!(floats(&one("sim/src/cli/a.rs", "fn f(x: f64) {}"), &["sim/src/cli/"]), [""; 0]);
    }

    #[test]
    fn a_bare_unwrap_is_seen_in_code_that_ships() {
        assert_eq!(careless_code(&one("core/src/a.rs", "fn f() { x.unwrap() }")).len(), 1);
        assert_eq!(careless_code(&one("core/src/a.rs", "#[cfg(test)]\nfn f() { x.unwrap() }")), [""; 0]);
    }

    #[test]
    fn std_is_seen_in_the_core_and_allowed_in_its_tests() {
        assert_eq!(careless_code(&one("core/src/lib.rs", "extern crate std;")).len(), 1);
        assert_eq!(careless_code(&one("core/src/lib.rs", "#[cfg(test)]\nextern crate std;")), [""; 0]);
    }

    #[test]
    fn a_silenced_lint_without_a_reason_is_seen() {
        assert_eq!(silenced_lints(&one("a.rs", "#[allow(dead_code)]\nfn f() {}"), &[]).len(), 1);
        assert_eq!(silenced_lints(&one("a.rs", "#![expect(\n  dead_code\n)]"), &[]).len(), 1);
        assert_eq!(
            silenced_lints(&one("a.rs", "#[allow(dead_code, reason = \"x\")]\nx.expect(y)"), &[]),
            [""; 0]
        );
    }

    #[test]
    fn a_clock_is_for_drivers_only() {
        let text = "#[allow(clippy::disallowed_methods, reason = \"progress\")]";
        assert_eq!(silenced_lints(&one("sim/src/world.rs", text), &["sim/src/cli/"]).len(), 1);
        assert_eq!(silenced_lints(&one("sim/src/cli/run.rs", text), &["sim/src/cli/"]), [""; 0]);
    }
}
