//! Rules on the packages' manifests: who may depend on whom, and on what.

use std::collections::BTreeSet;

use crate::Complaint;

/// Each package's folder, its manifest, and the packages of this project that it may name.
pub const DIRECTION: [(&str, &[&str]); 4] = [
    ("core", &[]),
    ("sim", &["zabrus-core"]),
    ("runner", &["zabrus-core"]),
    ("tests", &["zabrus-core", "zabrus-sim", "zabrus"]),
];

/// One dependency of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The crate.
    pub name: String,
    /// What the manifest says of it.
    pub value: String,
}

/// All dependencies of a manifest, of every kind and target.
#[must_use]
pub fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut found: Vec<Dependency> = Vec::new();
    let mut section = "";
    for line in manifest.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
            if let Some((_, name)) = section.rsplit_once("dependencies.") {
                found.push(Dependency { name: name.to_owned(), value: String::new() });
            }
        } else if section.ends_with("dependencies")
            && let Some((key, value)) = line.split_once('=')
        {
            let (name, attribute) = key.trim().split_once('.').unwrap_or((key.trim(), ""));
            found.push(Dependency { name: name.to_owned(), value: format!("{attribute} ={value}") });
        } else if section.contains("dependencies.")
            && let Some(last) = found.last_mut()
        {
            last.value.push_str(line);
        }
    }
    found
}

/// Simulator and runner depend on the core and never on each other; the core depends on none.
#[must_use]
pub fn direction(folder: &str, manifest: &str) -> Vec<Complaint> {
    let allowed = DIRECTION.iter().find(|(name, _)| *name == folder).map_or(&[][..], |(_, allowed)| *allowed);
    let ours =
        dependencies(manifest).into_iter().filter(|d| d.name == "zabrus" || d.name.starts_with("zabrus-"));
    ours.filter(|d| !allowed.contains(&d.name.as_str()))
        .map(|d| {
            format!(
                "{folder}/Cargo.toml: `{}`: {folder} must not depend on it (see the README's picture)",
                d.name
            )
        })
        .collect()
}

/// Versions stand once, in the workspace.
#[must_use]
pub fn versions(folder: &str, manifest: &str) -> Vec<Complaint> {
    let own =
        dependencies(manifest).into_iter().filter(|d| !d.value.replace(' ', "").contains("workspace=true"));
    own.map(|d| {
        format!(
            "{folder}/Cargo.toml: `{}`: put the version into the workspace and `workspace = true` here",
            d.name
        )
    })
    .collect()
}

/// Every crate of others that a package or the workspace names is a row of the README's table with
/// its reason, and the table has no other rows.
#[must_use]
pub fn reasons(readme: &str, manifests: &[&str]) -> Vec<Complaint> {
    let named: BTreeSet<_> = manifests.iter().flat_map(|m| dependencies(m)).map(|d| d.name).collect();
    let used: BTreeSet<_> = named.into_iter().filter(|name| !name.starts_with("zabrus")).collect();
    let mut listed = BTreeSet::new();
    let mut complaints = Vec::new();
    let table = readme.lines().skip_while(|line| !line.starts_with("| Crate |"));
    for row in table.skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let name = cells.get(1).copied().unwrap_or("").trim_matches('`').to_owned();
        if cells.last() != Some(&"") || cells.len() < 4 || cells[cells.len() - 2].is_empty() {
            complaints.push(format!("README.md: the row of `{name}` gives no reason: add it"));
        }
        listed.insert(name);
    }
    let missing = used.difference(&listed);
    complaints.extend(
        missing.map(|name| {
            format!("README.md: the dependency table has no row for `{name}`: say why we need it")
        }),
    );
    let stale = listed.difference(&used);
    complaints.extend(
        stale.map(|name| {
            format!("README.md: no manifest names `{name}`: take it out of the dependency table")
        }),
    );
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = { workspace = true }\n\
        [target.'cfg(unix)'.dependencies]\nc = \"1\"\n[dev-dependencies.d]\nversion = \"2\"\n[features]\ne = []\n";

    #[test]
    fn dependencies_of_every_kind_are_read() {
        let names: Vec<_> = dependencies(MANIFEST).into_iter().map(|d| d.name).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
    }

    #[test]
    fn versions_outside_the_workspace_are_seen() {
        let found = versions("core", MANIFEST);
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("`c`") && found[1].contains("`d`"), "{found:?}");
    }

    #[test]
    fn a_dependency_against_the_direction_is_seen() {
        for (folder, wrong) in
            [("core", "zabrus-sim"), ("sim", "zabrus"), ("runner", "zabrus-sim"), ("sim", "zabrus-tests")]
        {
            let manifest = format!("[dev-dependencies]\n{wrong}.workspace = true\n");
            assert_eq!(direction(folder, &manifest).len(), 1, "{folder} on {wrong}");
        }
        assert_eq!(direction("sim", "[dependencies]\nzabrus-core.workspace = true\n"), [""; 0]);
    }

    #[test]
    fn a_crate_without_a_reason_and_a_reason_without_a_crate_are_seen() {
        let table =
            "| Crate | For | Why |\n|---|---|---|\n| `a` | core | x |\n| `b` | core | |\n| `z` | sim | y |\n";
        let found =
            reasons(table, &["[dependencies]\na = \"1\"\nb = \"1\"\nc = \"1\"\nzabrus-core = \"1\"\n"]);
        assert_eq!(found.len(), 3);
        assert!(
            found[0].contains("`b`") && found[1].contains("`c`") && found[2].contains("`z`"),
            "{found:?}"
        );
    }
}
