//! The folder with the scenario files.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::Scenario;

const EXTENSION: &str = "scenario";

/// The scenario with this name in the folder, or in the file of this name.
///
/// # Errors
/// If there is none, or something is wrong in it.
pub fn find(folder: Option<&Path>, name: &str) -> Result<Scenario, String> {
    if name.contains(std::path::MAIN_SEPARATOR) || name.ends_with(".scenario") {
        return read(Path::new(name));
    }
    let folder = locate(folder)?;
    let path = folder.join(name).with_extension(EXTENSION);
    if path.is_file() {
        return read(&path);
    }
    Err(format!("there is no scenario `{name}` in {}; `zabrus-sim list` names them", folder.display()))
}

/// All scenarios of the folder, by name.
///
/// # Errors
/// If there is no folder, or something is wrong in one of them.
pub fn all(folder: Option<&Path>) -> Result<Vec<Scenario>, String> {
    let folder = locate(folder)?;
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let is_scenario = |path: &PathBuf| path.extension().is_some_and(|extension| extension == EXTENSION);
    let mut paths: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_scenario).collect();
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<Scenario, String> {
    let shown = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let name = path.file_stem().map_or(shown.clone(), |stem| stem.to_string_lossy().into_owned());
    Scenario::parse(&name, &shown, &text).map_err(|error| error.to_string())
}

/// The nearest folder `scenarios`, from the present one upwards, unless another is given.
fn locate(folder: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(folder) = folder {
        return Ok(folder.to_owned());
    }
    let here = env::current_dir().map_err(|error| format!("the present folder is gone: {error}"))?;
    let found = here.ancestors().map(|folder| folder.join("scenarios")).find(|folder| folder.is_dir());
    let found =
        found.ok_or("there is no folder `scenarios` here or above; name one with --scenario-folder")?;
    Ok(found.strip_prefix(&here).map_or(found.clone(), Path::to_owned))
}
