//! What recovery reads, recorded and read again.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;

use super::{PIECE_BYTES, Record, Records};
use crate::storage::{Directory, DiskError, FileName};

/// A data directory that tells what is read from it.
pub struct Watched<'a, F> {
    directory: &'a dyn Directory,
    tell: RefCell<F>,
}

impl<F> fmt::Debug for Watched<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

impl<'a, F: FnMut(&Record)> Watched<'a, F> {
    /// `directory`, with what is read from it told to `tell`.
    pub fn new(directory: &'a dyn Directory, tell: F) -> Self {
        Self { directory, tell: RefCell::new(tell) }
    }
}

impl<F: FnMut(&Record)> Directory for Watched<'_, F> {
    fn list(&self) -> Vec<(FileName, u64)> {
        let files = self.directory.list();
        (self.tell.borrow_mut())(&Record::Listed(files.clone()));
        files
    }

    fn read(&self, file: &FileName, offset: u64, length: u64) -> Result<Vec<u8>, DiskError> {
        let answer = self.directory.read(file, offset, length);
        let mut tell = self.tell.borrow_mut();
        if let Ok(bytes) = &answer {
            // Space that was allocated ahead is zeros.
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            for piece in bytes[..used].chunks(PIECE_BYTES) {
                tell(&Record::Piece(piece.into()));
            }
        }
        let got = answer.as_ref().map(|bytes| bytes.len() as u64).map_err(|error| *error);
        tell(&Record::Read { file: file.clone(), offset, length, answer: got });
        answer
    }
}

/// The data directory that a recording remembers: it gives the same answers to the same questions.
pub(super) struct Remembered<'a> {
    pub(super) records: RefCell<Records<'a>>,
    /// Recovery asked something else.
    pub(super) diverged: Cell<bool>,
}

impl Remembered<'_> {
    fn answer(&self, question: (&FileName, u64, u64)) -> Option<Result<Vec<u8>, DiskError>> {
        let mut bytes = Vec::new();
        loop {
            match self.records.borrow_mut().next()? {
                Record::Piece(piece) => bytes.extend_from_slice(&piece),
                Record::Read { file, offset, length, answer } if (&file, offset, length) == question => {
                    return match answer {
                        Ok(total) if total > length => None,
                        Ok(total) => {
                            bytes.resize(total as usize, 0);
                            Some(Ok(bytes))
                        }
                        Err(error) => Some(Err(error)),
                    };
                }
                _ => return None,
            }
        }
    }
}

impl Directory for Remembered<'_> {
    fn list(&self) -> Vec<(FileName, u64)> {
        if let Some(Record::Listed(files)) = self.records.borrow_mut().next() {
            return files;
        }
        self.diverged.set(true);
        Vec::new()
    }

    fn read(&self, file: &FileName, offset: u64, length: u64) -> Result<Vec<u8>, DiskError> {
        self.answer((file, offset, length)).unwrap_or_else(|| {
            self.diverged.set(true);
            Err(DiskError::NotFound)
        })
    }
}
