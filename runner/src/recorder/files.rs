//! The files of the recorder: one for each life, the oldest out.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zabrus_core::recording::{MAGIC, Record, encode};

use super::RecordSettings;

/// With the number of the life behind it, in 16 hexadecimal digits.
const PREFIX: &str = "life.";

/// The recording of one life.
#[derive(Debug)]
pub(super) struct Recording {
    settings: RecordSettings,
    path: PathBuf,
    file: BufWriter<File>,
    /// Those of earlier lives with their sizes, oldest first.
    earlier: VecDeque<(PathBuf, u64)>,
    /// All of them together, this one included.
    bytes: u64,
}

impl Recording {
    pub(super) fn create(settings: &RecordSettings) -> io::Result<Self> {
        let directory = &settings.directory;
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let lives = lives(directory)?;
        let number = lives.last().map_or(1, |(number, ..)| number + 1);
        let path = directory.join(format!("{PREFIX}{number:016x}"));
        // It holds what clients say, their passwords too.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let bytes = lives.iter().map(|(.., bytes)| bytes).sum();
        let earlier = lives.into_iter().map(|(_, path, bytes)| (path, bytes)).collect();
        let file = BufWriter::new(file);
        let mut recording = Self { settings: settings.clone(), path, file, earlier, bytes };
        recording.write(&MAGIC)?;
        Ok(recording)
    }

    pub(super) fn settings(&self) -> &RecordSettings {
        &self.settings
    }

    pub(super) fn add(&mut self, record: &Record) -> io::Result<()> {
        let bytes = encode(record).ok_or_else(|| io::Error::other("an input is too large"))?;
        self.write(&bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        while self.bytes > self.settings.limit {
            let Some((oldest, size)) = self.earlier.pop_front() else {
                self.flush()?;
                let limit = self.settings.limit >> 20;
                return Err(io::Error::other(format!("this life has reached recordSizeLimitInMb={limit}")));
            };
            match fs::remove_file(oldest) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.bytes -= size,
            }
        }
        self.file.write_all(bytes)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// Nobody needs it.
    pub(super) fn discard(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("{}: {error}", self.path.display());
        }
    }
}

/// The recordings in a directory: number, file and bytes, oldest first. Other files are left alone.
fn lives(directory: &Path) -> io::Result<Vec<(u64, PathBuf, u64)>> {
    let mut lives = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let number = digits.filter(|digits| digits.len() == 16).map(|digits| u64::from_str_radix(digits, 16));
        if let Some(Ok(number)) = number {
            lives.push((number, entry.path(), entry.metadata()?.len()));
        }
    }
    lives.sort();
    Ok(lives)
}
