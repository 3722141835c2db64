//! The house rules, applied to this project.

use std::path::Path;

use zabrus_tests::project::{self, File};
use zabrus_tests::{Complaint, layout, manifests, mutants, words};

/// Files that show numbers to a person and decide nothing, and one that refuses floats by their name.
const DISPLAY: [&str; 5] =
    ["core/src/jute/ser.rs", "sim/src/cli/", "sim/src/grid.rs", "sim/src/main.rs", "sim/src/report.rs"];

/// Files that may read a clock or ask the system for a seed.
const DRIVERS: [&str; 7] = [
    "core/examples/",
    "runner/benches/",
    "runner/src/",
    "runner/tests/",
    "sim/examples/",
    "sim/src/cli/",
    "sim/src/main.rs",
];

fn files() -> Vec<File> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is a folder of the project");
    project::read(root).expect("the project can be read")
}

fn text(path: &str) -> String {
    let file = files().into_iter().find(|file| file.path == path);
    file.unwrap_or_else(|| panic!("{path} is missing: put it back")).text
}

#[track_caller]
fn none(complaints: &[Complaint]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn no_rust_file_is_too_long() {
    none(&words::too_long(&files()));
}

#[test]
fn nothing_is_marked_unfinished_or_names_a_path_of_one_machine() {
    none(&words::banned(&files()));
}

#[test]
fn core_and_simulator_use_no_floats() {
    none(&words::floats(&files(), &DISPLAY));
}

#[test]
fn code_that_ships_says_why_a_value_cannot_be_missing() {
    none(&words::careless_code(&files()));
}

#[test]
fn every_silenced_lint_has_its_reason_and_only_drivers_touch_the_system() {
    none(&words::silenced_lints(&files(), &DRIVERS));
}

#[test]
fn the_top_level_holds_what_the_design_says() {
    none(&layout::top_level(&files()));
}

#[test]
fn every_folder_explains_itself() {
    none(&layout::readmes(&files()));
}

#[test]
fn the_readme_begins_with_the_two_commands() {
    none(&layout::first_commands(&text("README.md")));
}

#[test]
fn the_readmes_name_only_what_exists() {
    none(&layout::named_places(&files()));
}

#[test]
fn every_check_cites_its_rule_and_is_tested() {
    none(&layout::checks(&files()));
}

#[test]
fn every_deviation_is_cited_where_the_readme_says() {
    none(&layout::deviations(&text("core/README.md"), &files()));
}

#[test]
fn dependencies_point_to_the_core() {
    for (folder, _) in manifests::DIRECTION {
        none(&manifests::direction(folder, &text(&format!("{folder}/Cargo.toml"))));
    }
}

#[test]
fn versions_stand_once_in_the_workspace() {
    for (folder, _) in manifests::DIRECTION {
        none(&manifests::versions(folder, &text(&format!("{folder}/Cargo.toml"))));
    }
}

#[test]
fn every_dependency_has_its_reason_in_the_readme() {
    let folders = manifests::DIRECTION.iter().map(|(folder, _)| text(&format!("{folder}/Cargo.toml")));
    let all: Vec<_> = folders.chain([text("Cargo.toml"), text("core/fuzz/Cargo.toml")]).collect();
    none(&manifests::reasons(&text("README.md"), &all.iter().map(String::as_str).collect::<Vec<_>>()));
}

#[test]
fn every_mutant_is_planted_and_listed() {
    none(&mutants::mutants(&files()));
}

#[test]
fn the_museum_says_what_became_of_every_mutant() {
    none(&mutants::museum(&files()));
}
