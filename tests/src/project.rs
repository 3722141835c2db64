//! The files of the project.

use std::fs;
use std::io;
use std::path::Path;

/// What is built or fetched, and so not ours to judge.
const FOREIGN: [&str; 2] = [".git", "target"];

/// A text file of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path from the top of the project, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl File {
    /// A file made of its parts.
    #[must_use]
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether it is Rust source.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// Every file below `root` in the order of their paths; bytes that are no UTF-8 are replaced.
///
/// # Errors
/// If a file or folder cannot be read.
pub fn read(root: &Path) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    read_folder(root, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if prefix.is_empty() && FOREIGN.contains(&name.as_str()) {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), files)?;
        } else {
            files.push(File { path, text: String::from_utf8_lossy(&fs::read(entry.path())?).into_owned() });
        }
    }
    Ok(())
}
