//! Names operations, and tells whose completion one is.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;

use super::{DiskCompletion, DiskError, DiskOperation, FileOperation, OperationId};
use crate::identity::Bytes;
use crate::mutated;

/// Who waits for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Log, epochs, and whatever must be in order with them.
    Log,
    /// A snapshot of the own state.
    Snapshot,
    /// A received snapshot.
    Install,
    /// [`super::Storage::read_log`].
    Read,
    /// Nobody: what fails here is found again by recovery.
    Nobody,
}

struct Flight {
    lane: Lane,
    operation: FileOperation,
}

/// The outcome of an operation.
pub(super) struct Landing {
    pub(super) number: u64,
    pub(super) lane: Lane,
    /// An error comes with what could not be done, for the operator.
    pub(super) result: Result<Bytes, (String, DiskError)>,
}

pub(super) struct Device {
    incarnation: u64,
    last_number: u64,
    flights: BTreeMap<u64, Flight>,
    out: VecDeque<DiskOperation>,
}

impl Device {
    pub(super) fn new(incarnation: u64) -> Self {
        Self { incarnation, last_number: 0, flights: BTreeMap::new(), out: VecDeque::new() }
    }

    /// The operation's number.
    pub(super) fn issue(&mut self, lane: Lane, operation: FileOperation) -> u64 {
        self.last_number += 1;
        self.flights.insert(self.last_number, Flight { lane, operation: operation.clone() });
        let id = OperationId { incarnation: self.incarnation, number: self.last_number };
        self.out.push_back(DiskOperation { id, operation });
        self.last_number
    }

    pub(super) fn poll(&mut self) -> Option<DiskOperation> {
        self.out.pop_front()
    }

    pub(super) fn is_idle(&self, lane: Lane) -> bool {
        self.flights.values().all(|flight| flight.lane != lane)
    }

    /// Nobody waits for the operations of `lane` any more.
    pub(super) fn disown(&mut self, lane: Lane) {
        for flight in self.flights.values_mut().filter(|flight| flight.lane == lane) {
            flight.lane = Lane::Nobody;
        }
    }

    /// Nothing is issued or awaited any more.
    pub(super) fn stop(&mut self) {
        self.flights.clear();
        self.out.clear();
    }

    /// `None` for a completion of another life (R12, ZOOKEEPER-4541).
    pub(super) fn land(&mut self, completion: DiskCompletion) -> Option<Landing> {
        if completion.id.incarnation != self.incarnation {
            return None;
        }
        let number = completion.id.number;
        let Flight { lane, operation } = self.flights.remove(&number)?;
        let result = match completion.result {
            Err(error) if is_tolerated(&operation, error) => Ok(Bytes::from([])),
            result => result.map_err(|error| (describe(&operation), error)),
        };
        Some(Landing { number, lane, result })
    }
}

fn is_tolerated(operation: &FileOperation, error: DiskError) -> bool {
    match operation {
        // The space may still be there when it is needed.
        FileOperation::Preallocate { .. } => true,
        FileOperation::Remove { .. } => error == DiskError::NotFound,
        FileOperation::Sync { .. } => mutated!(M12),
        FileOperation::Truncate { .. } => mutated!(M23),
        _ => false,
    }
}

/// For the operator, if it fails.
fn describe(operation: &FileOperation) -> String {
    match operation {
        FileOperation::Create { file } => format!("cannot create {file}"),
        FileOperation::Preallocate { file, length } => format!("cannot allocate {length} bytes for {file}"),
        FileOperation::Write { file, offset, .. } => format!("cannot write {file} at {offset}"),
        FileOperation::Truncate { file, length } => format!("cannot cut {file} to {length} bytes"),
        FileOperation::Sync { file } => format!("cannot sync {file}"),
        FileOperation::Rename { from, to } => format!("cannot rename {from} to {to}"),
        FileOperation::Remove { file } => format!("cannot remove {file}"),
        FileOperation::SyncDirectory => String::from("cannot sync the directory"),
        FileOperation::Read { file, offset, .. } => format!("cannot read {file} at {offset}"),
    }
}
