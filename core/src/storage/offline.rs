//! Files that are made and read while no server runs on them: for import, backup and inspection.

use alloc::vec::Vec;

use super::log::Log;
use super::snapshot::{self, Writer};
use super::{Epochs, FileName, FileOperation, epochs, names, pipeline};
use crate::config::Config;
use crate::identity::Position;
use crate::state::State;

/// The operations that make a data directory in an empty one: a snapshot, a log that begins after it,
/// and last of all the epochs, without which no server trusts the rest.
pub fn found(
    config: &Config,
    epochs: &Epochs,
    label: Position,
    state: &State,
) -> impl Iterator<Item = FileOperation> {
    let mut log = Log::new(config, Vec::new(), 0, label);
    let segment = log.create_segment(label);
    let end = [FileOperation::SyncDirectory].into_iter().chain(segment);
    let end = end.chain(pipeline::save(epochs).into_iter().flatten());
    write_snapshot(names::snapshot(label.zxid), label, state, config.chunk_bytes).chain(end)
}

/// The operations that write a snapshot into a new file, and sync it.
pub fn write_snapshot(
    file: FileName,
    label: Position,
    state: &State,
    chunk_bytes: usize,
) -> impl Iterator<Item = FileOperation> {
    let mut writer = Writer::new(file, label);
    let mut snapshot = Some(state.snapshot());
    let create = writer.create();
    let steps = core::iter::from_fn(move || {
        if let Some((chunk, _)) = snapshot.as_mut()?.next_chunk(chunk_bytes) {
            return Some(Vec::from([writer.chunk(&chunk)]));
        }
        snapshot = None;
        // Older than every commit of the log that follows.
        let [footer, header] = writer.finish(0, false);
        Some(Vec::from([footer, header, FileOperation::Sync { file: writer.file() }]))
    });
    [create].into_iter().chain(steps.flatten())
}

/// The label and the state of an undamaged snapshot file.
#[must_use]
pub fn read_snapshot(file: &[u8]) -> Option<(Position, State)> {
    snapshot::decode(file)
}

/// What an undamaged epochs file holds.
#[must_use]
pub fn read_epochs(file: &[u8]) -> Option<Epochs> {
    epochs::decode(file)
}
