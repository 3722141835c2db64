//! The rule on deliberate bugs. A normal build does not look at their names, so a wrong one would
//! go unseen until somebody builds with the feature.

use std::collections::{BTreeMap, BTreeSet};

use crate::Complaint;
use crate::code::{self, shipped};
use crate::project::File;

/// The file that lists the mutants.
const LIST: &str = "core/src/mutation.rs";

/// Each mutant of the list is one branch in the core, and each branch names a mutant of the list.
#[must_use]
pub fn mutants(files: &[File]) -> Vec<Complaint> {
    let mut listed = BTreeSet::new();
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in shipped(files, &["core/src/"]) {
        if file.path == LIST {
            listed.extend(
                code::words(&file.text).map(|(_, word)| word.to_owned()).filter(|word| is_mutant(word)),
            );
            continue;
        }
        for (at, mark) in file.text.match_indices("mutated!(") {
            let name: String = file.text[at + mark.len()..].chars().take_while(|c| *c != ')').collect();
            let line = file.text[..=at].lines().count();
            places.entry(name.trim().to_owned()).or_default().push(format!("{}:{line}", file.path));
        }
    }
    let mut complaints = Vec::new();
    for (name, places) in &places {
        if !listed.contains(name) {
            complaints.push(format!("{}: `{name}` is not in {LIST}: add it", places[0]));
        }
        if places.len() > 1 {
            complaints.push(format!(
                "{}: `{name}` is planted more than once: one bug is one branch",
                places.join(", ")
            ));
        }
    }
    let unused = listed.iter().filter(|name| !places.contains_key(*name));
    complaints
        .extend(unused.map(|name| format!("{LIST}: `{name}` is planted nowhere: plant it or take it out")));
    complaints
}

fn is_mutant(word: &str) -> bool {
    word.strip_prefix('M').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_unplanted_and_doubly_planted_mutants_are_seen() {
        let files = [
            File::new(LIST, "/// M09\nenum Mutation { M01 = 1, M02 = 2, M03 = 3 }"),
            File::new("core/src/a.rs", "if mutated!(M01) {}\nif crate::mutated!(M01) {}\n// mutated!(M08)"),
            File::new("core/src/b.rs", "if mutated!(M02) || mutated!(M07) {}"),
        ];
        let found = mutants(&files);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("`M01` is planted more than once"));
        assert!(found[1].starts_with("core/src/b.rs:1: `M07` is not in"));
        assert!(found[2].contains("`M03` is planted nowhere"));
    }
}
