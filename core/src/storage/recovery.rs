//! Recovery: what a data directory proves, from its bytes alone.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::names::{self, Kind};
use super::segment::{self, BLOCK_BYTES, NEW_SLOTS, Records, Slot};
use super::{
    Directory, DiskError, Entry, Epochs, FileName, Recovered, RecoveryError, Standing, epochs, snapshot,
};
use crate::config::Config;
use crate::identity::{Epoch, Position, ServerId, Zxid};
use crate::mutated;
use crate::state::State;

/// One segment of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// The position before its first record.
    pub(super) base: Position,
    /// The number in its header.
    pub(super) number: u64,
    /// The offset behind its last record. Only right from the segment that holds the end of the
    /// newest snapshot on.
    pub(super) end: u64,
}

/// One snapshot file.
#[derive(Clone, Copy, Debug)]
pub(super) struct SnapshotFile {
    pub(super) label: Zxid,
    pub(super) bytes: u64,
    /// Its checksums are known to be right.
    pub(super) valid: bool,
}

/// What the storage must know about the directory to repair it and to go on.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The log, oldest first. If there is none, one must be made.
    pub(super) segments: Vec<Segment>,
    /// The highest number of a commit.
    pub(super) number: u64,
    /// The records after this one may be in the page cache only.
    pub(super) synced: Zxid,
    /// Oldest first.
    pub(super) snapshots: Vec<SnapshotFile>,
    /// To be removed, in this order.
    pub(super) leftovers: Vec<FileName>,
    /// What the epochs file holds.
    pub(super) stored: Option<Epochs>,
}

struct LogFile {
    base: Zxid,
    name: FileName,
    length: u64,
    header: Option<segment::Header>,
    has_slot: bool,
}

/// The directory, with what went wrong while reading it.
struct Reader<'a> {
    directory: &'a dyn Directory,
    findings: Vec<String>,
    successes: usize,
    error: Option<DiskError>,
}

impl Reader<'_> {
    fn read(&mut self, file: &FileName, length: u64) -> Option<Vec<u8>> {
        match self.directory.read(file, 0, length) {
            Ok(bytes) => {
                self.successes += 1;
                Some(bytes)
            }
            Err(error) => {
                self.findings.push(format!("{file}: {error}"));
                self.error = Some(error);
                None
            }
        }
    }

    fn find(&mut self, file: &FileName, what: &str) {
        self.findings.push(format!("{file}: {what}"));
    }
}

/// Reads a data directory. Pure: depends on the bytes alone, and changes nothing (R4).
///
/// # Errors
/// If the directory must not be used; nothing in it is changed then.
pub fn recover(config: &Config, directory: &dyn Directory) -> Result<Recovered, RecoveryError> {
    let mut reader = Reader { directory, findings: Vec::new(), successes: 0, error: None };
    let mut layout = Layout::default();
    let (mut logs, mut snapshots, mut epochs_file) = (Vec::new(), Vec::new(), None);
    for (name, length) in directory.list() {
        match names::kind(&name) {
            Kind::Epochs => epochs_file = Some((name, length)),
            Kind::Log(base) => logs.push((base, name, length)),
            Kind::Snapshot(label) => snapshots.push((label, name, length)),
            Kind::Temporary => layout.leftovers.push(name),
            Kind::Unknown => {}
        }
    }
    logs.sort();
    snapshots.sort();
    let empty = logs.is_empty() && snapshots.is_empty() && epochs_file.is_none();

    if let Some((name, length)) = &epochs_file {
        layout.stored = reader.read(name, *length).and_then(|bytes| epochs::decode(&bytes));
        if layout.stored.is_none() {
            reader.find(name, "damaged: what this server promised is unknown");
        }
    }
    if let Some(stored) = layout.stored.filter(|stored| stored.server != config.id) {
        return Err(RecoveryError::ForeignData { owner: stored.server, this: config.id });
    }

    let mut authority: Option<Slot> = None;
    let mut consider = |slot: Slot| {
        if authority.is_none_or(|best| best.number < slot.number) {
            authority = Some(slot);
        }
    };
    let had_snapshots = !snapshots.is_empty();
    let (snapshot, received) = recover_snapshots(config, &mut reader, &mut layout, snapshots);
    if let Some(header) = received {
        consider(Slot { number: header.number, intent: header.label.zxid, durable: header.label.zxid });
    }
    let mut live = Vec::new();
    for (base, name, length) in logs {
        let block = reader.read(&name, length.min(BLOCK_BYTES)).unwrap_or_default();
        let header = segment::Header::decode(&block).filter(|header| header.base.zxid == base);
        let mut has_slot = false;
        for slot in Slot::all(&block) {
            has_slot = true;
            consider(slot);
        }
        let replaced =
            header.zip(received).is_some_and(|(segment, snapshot)| segment.number < snapshot.number);
        if replaced && !mutated!(M24) {
            layout.leftovers.insert(0, name);
        } else {
            live.push(LogFile { base, name, length, header, has_slot });
        }
    }
    if live.last().is_some_and(|newest| newest.header.is_none()) && mutated!(M97) {
        return Err(RecoveryError::Unreadable(DiskError::Failed));
    }
    layout.number = authority.map_or(0, |slot| slot.number);
    layout.synced = authority.map_or(Zxid::ZERO, |slot| slot.durable);

    let start = snapshot.as_ref().map_or(Position::EMPTY, |(label, _)| *label);
    let log = recover_log(&mut reader, &live, start, layout.number);
    let reached = log.end.zxid;
    let mut standing = if empty && config.empty_is_expected {
        Standing::Sound
    } else {
        judge(&mut reader, layout.stored, authority, received, &live, &log)
    };
    if had_snapshots && authority.is_none() {
        standing = Standing::Blank;
    }
    reader.findings.extend(match standing {
        Standing::Sound => None,
        Standing::Torn(zxid) => {
            Some(format!("the log ends at {reached}; a write up to {zxid} was under way"))
        }
        Standing::Damaged(zxid) => {
            Some(format!("the log ends at {reached}, but was acknowledged up to {zxid}"))
        }
        Standing::Blank => Some(format!("the log ends at {reached}; what was acknowledged is unknown")),
    });
    if mutated!(M32) && snapshot.is_none() {
        standing = Standing::Sound;
    }
    if let (Some(error), 0) = (reader.error, reader.successes) {
        return Err(RecoveryError::Unreadable(error));
    }

    for file in live.iter().rev() {
        if !log.segments.iter().any(|segment| segment.base.zxid == file.base) {
            reader.find(&file.name, "does not continue the log");
            layout.leftovers.push(file.name.clone());
        }
    }
    if layout.stored.is_some_and(|stored| stored.current_epoch < reached.epoch()) && mutated!(M44) {
        return Err(RecoveryError::Unreadable(DiskError::Failed));
    }
    layout.segments = log.segments;
    Ok(Recovered {
        epochs: recover_epochs(config, layout.stored, standing, reached),
        snapshot,
        entries: log.entries,
        empty,
        findings: reader.findings,
        cut_bytes: log.cut_bytes,
        layout,
    })
}

/// The newest valid snapshot, and the header of the last one that a leader sent.
fn recover_snapshots(
    config: &Config,
    reader: &mut Reader<'_>,
    layout: &mut Layout,
    files: Vec<(Zxid, FileName, u64)>,
) -> (Option<(Position, State)>, Option<snapshot::Header>) {
    let mut candidates = Vec::new();
    for (label, name, length) in files {
        let bytes = reader.read(&name, length.min(snapshot::HEADER_BYTES as u64)).unwrap_or_default();
        match snapshot::Header::decode(&bytes).filter(|header| header.label.zxid == label) {
            Some(header) => candidates.push((header, name, length)),
            None => {
                reader.find(&name, "the snapshot is damaged");
                layout.leftovers.push(name);
            }
        }
    }
    let received =
        candidates.iter().map(|(header, ..)| *header).filter(|h| h.received).max_by_key(|h| h.number);
    // Retention leaves this many. Were there more, one that is never checked could count for ever.
    let validate_all = candidates.len() > config.snapshots_kept;
    let mut newest = None;
    for (header, name, bytes) in candidates.into_iter().rev() {
        let label = header.label.zxid;
        if received.is_some_and(|received| header.number < received.number) {
            layout.leftovers.push(name);
            continue;
        }
        let mut valid = false;
        if newest.is_none() {
            newest = reader.read(&name, bytes).and_then(|bytes| snapshot::decode(&bytes));
            valid = newest.is_some();
        } else if validate_all {
            valid = reader.read(&name, bytes).is_some_and(|bytes| snapshot::is_valid(&bytes));
        }
        if valid || (newest.is_some() && !validate_all) {
            layout.snapshots.insert(0, SnapshotFile { label, bytes, valid });
        } else {
            reader.find(&name, "the snapshot is damaged");
            layout.leftovers.push(name);
        }
    }
    (newest, received)
}

struct Log {
    segments: Vec<Segment>,
    entries: Vec<Entry>,
    end: Position,
    cut_bytes: u64,
}

/// The log that continues `start`, and the older segments before it. `number` is the highest of all
/// commits.
fn recover_log(reader: &mut Reader<'_>, files: &[LogFile], start: Position, number: u64) -> Log {
    let nothing = Log { segments: Vec::new(), entries: Vec::new(), end: start, cut_bytes: 0 };
    let may_be_first = |file: &LogFile| {
        let base = file.header.map(|header| header.base);
        base.map_or(file.base == start.zxid, |base| base.zxid <= start.zxid)
    };
    let Some(first) = files.iter().rposition(may_be_first) else { return nothing };
    let older = files[..first].iter().filter_map(|file| file.header);
    let mut segments: Vec<Segment> =
        older.map(|header| Segment { base: header.base, number: header.number, end: BLOCK_BYTES }).collect();
    let mut entries = Vec::new();
    let mut end = files[first].header.map_or(start, |header| header.base);
    let mut connected = end == start;
    let mut cut_bytes = 0;
    for file in &files[first..] {
        // A torn or damaged header can be made again when the name says where the segment belongs.
        let continues = file.header.map_or(file.base == end.zxid, |header| header.base == end);
        if !continues {
            break;
        }
        let Some(bytes) = reader.read(&file.name, file.length) else { break };
        let base = end;
        let mut records =
            Records::new(base, BLOCK_BYTES, bytes.get(BLOCK_BYTES as usize..).unwrap_or_default());
        for record in records.by_ref() {
            if connected {
                entries.push(Entry { position: record.position, payload: record.payload.into() });
            }
            connected |= record.position == start;
        }
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        let end_offset;
        (end, end_offset) = records.end();
        cut_bytes = used.saturating_sub(end_offset);
        let number = file.header.map_or(number + 1, |header| header.number);
        segments.push(Segment { base, number, end: end_offset });
    }
    if connected { Log { segments, entries, end, cut_bytes } } else { nothing }
}

/// What the log proves about what this server acknowledged: `authority` says how far it must reach.
fn judge(
    reader: &mut Reader<'_>,
    stored: Option<Epochs>,
    authority: Option<Slot>,
    received: Option<snapshot::Header>,
    files: &[LogFile],
    log: &Log,
) -> Standing {
    let Some(Epochs { accepted_epoch, .. }) = stored else { return Standing::Blank };
    let reached = log.end.zxid;
    let is_used = accepted_epoch > Epoch(0);
    let mut standing = match authority {
        Some(slot) if reached >= slot.intent => Standing::Sound,
        Some(slot) if reached >= slot.durable => Standing::Torn(slot.intent),
        Some(slot) => Standing::Damaged(slot.intent),
        // The first start makes the log before any promise, so it may have been interrupted.
        None if !is_used => Standing::Sound,
        None => Standing::Blank,
    };
    // Older segments are removed, and promises made, only when a new one is synced.
    let number = authority.map_or(0, |slot| slot.number);
    let may_be_new = !is_used || received.is_some_and(|header| number <= header.number + NEW_SLOTS);
    if files.first().is_some_and(|oldest| !may_be_new && oldest.length < BLOCK_BYTES) {
        return Standing::Blank;
    }
    let last_base = log.segments.last().map_or(Zxid::ZERO, |segment| segment.base.zxid);
    for file in files.iter().filter(|file| file.base >= last_base) {
        if file.has_slot && standing == Standing::Sound {
            continue;
        }
        let Some(bytes) = reader.read(&file.name, file.length) else { return Standing::Blank };
        let area = bytes.get(BLOCK_BYTES as usize..).unwrap_or_default();
        // A new segment is synced with its slots before its first record: this is not a torn one.
        if !file.has_slot && area.iter().any(|byte| *byte != 0) {
            return Standing::Blank;
        }
        // Records behind a hole were acknowledged too, though their slot may be lost.
        let missing = Zxid(reached.0.saturating_add(1))..=Zxid::new(accepted_epoch, u32::MAX);
        let behind = segment::highest_record(BLOCK_BYTES, area, missing).unwrap_or(Zxid::ZERO);
        standing = match standing {
            Standing::Torn(zxid) | Standing::Damaged(zxid) if behind > zxid => Standing::Damaged(behind),
            standing => standing,
        };
    }
    standing
}

fn recover_epochs(config: &Config, stored: Option<Epochs>, standing: Standing, last: Zxid) -> Epochs {
    let mut epochs = stored.unwrap_or(Epochs::new(config.id));
    // R3: a transaction of an epoch sits on top of that epoch's whole initial history, so a crash
    // between log and epochs is repaired here (ZOOKEEPER-1653).
    epochs.current_epoch = epochs.current_epoch.max(last.epoch());
    if epochs.accepted_epoch < epochs.current_epoch {
        epochs.accepted_epoch = epochs.current_epoch;
        epochs.accepted_leader = None;
    }
    epochs.standing = epochs.standing.worse(standing);
    epochs
}

impl Epochs {
    /// Those of a server that has promised nothing.
    pub(super) fn new(server: ServerId) -> Self {
        let (accepted_leader, standing) = (None, Standing::Sound);
        Self { server, accepted_epoch: Epoch(0), accepted_leader, current_epoch: Epoch(0), standing }
    }
}

impl Standing {
    /// What both together prove. Only synchronization makes a standing better.
    fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Blank, _) | (_, Self::Blank) => Self::Blank,
            (Self::Sound, standing) | (standing, Self::Sound) => standing,
            (Self::Torn(one), Self::Torn(two)) => Self::Torn(one.max(two)),
            (Self::Torn(one) | Self::Damaged(one), Self::Torn(two) | Self::Damaged(two)) => {
                Self::Damaged(one.max(two))
            }
        }
    }
}
