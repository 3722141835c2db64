//! The rule on deliberate bugs. A normal build does not look at their names, so a wrong one would
//! go unseen until somebody builds with the feature.

use std::collections::{BTreeMap, BTreeSet};

use crate::Complaint;
use crate::code::{self, shipped};
use crate::project::File;

/// The file that lists the mutants.
const LIST: &str = "core/src/mutation.rs";

/// The file that says what kills each.
const MUSEUM: &str = "scenarios/museum.md";

/// Each mutant of the list is planted in the core, and each that is planted is on the list.
#[must_use]
pub fn mutants(files: &[File]) -> Vec<Complaint> {
    let mut listed = BTreeSet::new();
    let mut planted = BTreeMap::new();
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
            planted.entry(name.trim().to_owned()).or_insert_with(|| format!("{}:{line}", file.path));
        }
    }
    let unknown = planted.iter().filter(|(name, _)| !listed.contains(*name));
    let unknown = unknown.map(|(name, place)| format!("{place}: `{name}` is not in {LIST}: add it"));
    let unplanted = listed.iter().filter(|name| !planted.contains_key(*name));
    let unplanted =
        unplanted.map(|name| format!("{LIST}: `{name}` is planted nowhere: plant it or take it out"));
    unknown.chain(unplanted).collect()
}

/// The museum has a row for each mutant of the list, and the catalogue's first 129 are all in it: planted, or
/// with the reason why they cannot be.
#[must_use]
pub fn museum(files: &[File]) -> Vec<Complaint> {
    let text = |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| &file.text);
    let rows: Vec<&str> =
        text(MUSEUM).lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()).collect();
    let known: BTreeSet<&str> = rows.iter().flat_map(|row| row.split(", ")).collect();
    let listed = code::words(text(LIST)).map(|(_, word)| word.to_owned()).filter(|word| is_mutant(word));
    let wanted: BTreeSet<String> = listed.chain((1..=129).map(|number| format!("M{number:02}"))).collect();
    let missing = wanted.iter().filter(|name| !known.contains(name.as_str()));
    missing
        .map(|name| format!("{MUSEUM}: `{name}` is missing: say what kills it, or why it is not planted"))
        .collect()
}

fn is_mutant(word: &str) -> bool {
    word.strip_prefix(['M', 'Z']).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_without_a_row_in_the_museum_is_seen() {
        let rows: Vec<String> = (1..=128).map(|number| format!("| M{number:02} | A01 |")).collect();
        let museum_of =
            |last: &str| [File::new(MUSEUM, &format!("{}\n{last}", rows.join("\n"))), File::new(LIST, "Z01")];
        assert_eq!(museum(&museum_of("| M129, Z01 | A01 |")), Vec::<Complaint>::new());
        assert_eq!(museum(&museum_of("M129, Z01")).len(), 2);
    }

    #[test]
    fn unknown_and_unplanted_mutants_are_seen() {
        let files = [
            File::new(LIST, "/// M09\nenum Mutation { M01 = 1, M02 = 2, M03 = 3 }"),
            File::new("core/src/a.rs", "if mutated!(M01) {}\nif !mutated!(M01) {}\n// mutated!(M08)"),
            File::new("core/src/b.rs", "if mutated!(M02) || mutated!(M07) {}"),
        ];
        let found = mutants(&files);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("core/src/b.rs:1: `M07` is not in"));
        assert!(found[1].contains("`M03` is planted nowhere"));
    }
}
