use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::testing::{Dice, Disk};
use super::*;
use crate::config::Config;
use crate::identity::Bytes;
use crate::quorum::Ensemble;
use crate::wire::{Change, OpCode, Origin, SessionId, Transaction};

mod crashes;
mod damage;
mod founding;

const ALL: usize = usize::MAX;

fn config() -> Config {
    let mut config = Config::new(ServerId(1), Ensemble::plain(3, 0));
    config.segment_bytes = 300;
    config.preallocate_bytes = 128;
    config.chunk_bytes = 40;
    config.snapshots_kept = 2;
    config
}

/// One life of a storage on a disk.
struct Life {
    storage: Storage,
    recovered: Recovered,
}

fn start(disk: &Disk, incarnation: u64) -> Life {
    let mut recovered = recover(&config(), disk).expect("the directory can be used");
    let storage = Storage::new(&config(), &mut recovered, incarnation);
    Life { storage, recovered }
}

/// A disk after its first start, and the life on it.
fn first_life() -> (Disk, Life) {
    let mut disk = Disk::default();
    let mut life = start(&disk, 1);
    assert_eq!(disk.serve(&mut life.storage, ALL), [StorageEvent::Ready]);
    (disk, life)
}

fn zxid(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

fn payload(zxid: Zxid, flavour: u64) -> Bytes {
    Bytes::from(format!("transaction {zxid} {}", "x".repeat(flavour as usize % 50)).into_bytes())
}

fn append(storage: &mut Storage, epoch: u32, count: u32) {
    for _ in 0..count {
        let last = storage.last().zxid;
        let counter = if last.epoch() == Epoch(epoch) { last.counter() + 1 } else { 1 };
        storage.append(zxid(epoch, counter), payload(zxid(epoch, counter), 7));
    }
}

/// A state that names the position whose state it is.
fn state(position: Position) -> State {
    let mut state = State::default();
    for number in 0..4 {
        let change = Change::Create {
            op: OpCode::Create,
            path: format!("/{number} {position:?}"),
            data: Some(Bytes::from([7; 30])),
            acl: Vec::new(),
            ephemeral: false,
            parent_cversion: number + 1,
            ttl: 0,
        };
        let origin = Origin { server: ServerId(1), boot: 1, client: 1, number: 1 };
        let (session, zxid) = (SessionId(1), position.zxid);
        let transaction = Transaction { origin, session, cxid: 1, zxid, time: 0, change, digest: None };
        state.apply(&transaction, &mut |_| {});
    }
    state
}

fn epochs(accepted: u32, current: u32) -> Epochs {
    Epochs {
        server: ServerId(1),
        accepted_epoch: Epoch(accepted),
        accepted_leader: Some(ServerId(2)),
        current_epoch: Epoch(current),
        standing: Standing::Sound,
    }
}

fn install(storage: &mut Storage, label: Position) {
    storage.begin_install(label);
    let mut snapshot = state(label).snapshot();
    let mut index = 0;
    while let Some((chunk, last)) = snapshot.next_chunk(40) {
        storage.install_chunk(index, chunk.into(), last);
        index += 1;
    }
}

fn last_of(recovered: &Recovered) -> Position {
    let label = recovered.snapshot.as_ref().map_or(Position::EMPTY, |(label, _)| *label);
    recovered.entries.last().map_or(label, |entry| entry.position)
}

fn names(disk: &Disk) -> Vec<String> {
    disk.list().into_iter().map(|(name, _)| name.0).collect()
}

#[test]
fn what_is_reported_durable_is_recovered_in_order() {
    let (mut disk, mut life) = first_life();
    append(&mut life.storage, 1, 30);
    assert_eq!(disk.serve(&mut life.storage, ALL), [StorageEvent::Durable(zxid(1, 30))]);
    disk.lose_power(&mut Dice(1));
    let entries: Vec<Entry> = life.storage.entries_after(Zxid::ZERO).cloned().collect();
    let again = recover(&config(), &disk).unwrap();
    assert_eq!(again.entries, entries);
    assert_eq!(again.epochs.standing, Standing::Sound);
    assert_eq!(again.cut_bytes, 0);
    assert!(again.findings.is_empty());
}

#[test]
fn what_is_appended_during_a_sync_is_one_group_commit() {
    let (mut disk, mut life) = first_life();
    append(&mut life.storage, 1, 1);
    assert_eq!(disk.serve(&mut life.storage, 1), []);
    append(&mut life.storage, 1, 2);
    life.storage.save_snapshot(Position::EMPTY, state(Position::EMPTY).snapshot());
    append(&mut life.storage, 1, 2);
    let durable: Vec<StorageEvent> = disk.serve(&mut life.storage, ALL);
    assert_eq!(durable[..2], [StorageEvent::Durable(zxid(1, 1)), StorageEvent::Durable(zxid(1, 5))]);
}

#[test]
fn the_log_is_cut_in_memory_at_once_and_on_the_disk_when_truncated_is_reported() {
    let (mut disk, mut life) = first_life();
    for _ in 0..8 {
        append(&mut life.storage, 1, 5);
        disk.serve(&mut life.storage, ALL);
    }
    let files = names(&disk).len();
    life.storage.truncate(zxid(1, 5));
    assert_eq!(life.storage.last().zxid, zxid(1, 5));
    assert_eq!(life.storage.durable(), zxid(1, 5));
    append(&mut life.storage, 2, 2);
    let cut = life.storage.position_at(zxid(1, 5)).unwrap();
    assert_eq!(
        disk.serve(&mut life.storage, ALL),
        [StorageEvent::Truncated(cut), StorageEvent::Durable(zxid(2, 2))]
    );
    disk.lose_power(&mut Dice(1));
    let again = recover(&config(), &disk).unwrap();
    assert_eq!(last_of(&again), life.storage.last());
    assert_eq!(again.entries.len(), 7);
    assert_eq!(again.epochs.standing, Standing::Sound);
    assert!(names(&disk).len() < files);
}

#[test]
fn a_truncation_removes_the_snapshots_beyond_the_cut_and_leaves_the_others() {
    let (mut disk, mut life) = first_life();
    for _ in 0..2 {
        append(&mut life.storage, 1, 2);
        disk.serve(&mut life.storage, ALL);
        let last = life.storage.last();
        life.storage.save_snapshot(last, state(last).snapshot());
        disk.serve(&mut life.storage, ALL);
    }
    life.storage.truncate(zxid(1, 3));
    disk.serve(&mut life.storage, ALL);
    let is_there = |label: Zxid| names(&disk).contains(&names::snapshot(label).0);
    assert!(is_there(zxid(1, 2)) && !is_there(zxid(1, 4)));
}

#[test]
#[cfg(feature = "mutants")]
fn a_truncation_that_leaves_snapshots_beyond_the_cut_is_seen() {
    let test = a_truncation_removes_the_snapshots_beyond_the_cut_and_leaves_the_others;
    crate::mutation::fails(crate::mutation::Mutation::M26, test);
}

#[test]
fn a_commit_that_was_cut_meanwhile_is_reported_only_up_to_the_cut() {
    let (mut disk, mut life) = first_life();
    append(&mut life.storage, 1, 3);
    assert_eq!(disk.serve(&mut life.storage, 1), []);
    append(&mut life.storage, 1, 3);
    life.storage.truncate(zxid(1, 2));
    let cut = life.storage.last();
    assert_eq!(
        disk.serve(&mut life.storage, ALL),
        [StorageEvent::Durable(zxid(1, 2)), StorageEvent::Truncated(cut)]
    );
}

#[test]
fn epochs_are_saved_after_everything_appended_before() {
    let (mut disk, mut life) = first_life();
    append(&mut life.storage, 1, 3);
    life.storage.save_epochs(epochs(1, 1));
    assert_eq!(life.storage.epochs().accepted_epoch, Epoch(0));
    assert!(!life.storage.is_settled());
    assert_eq!(
        disk.serve(&mut life.storage, ALL),
        [StorageEvent::Durable(zxid(1, 3)), StorageEvent::EpochsSaved(epochs(1, 1))]
    );
    assert_eq!(life.storage.epochs(), epochs(1, 1));
    assert!(life.storage.is_settled());
    disk.lose_power(&mut Dice(1));
    assert_eq!(recover(&config(), &disk).unwrap().epochs, epochs(1, 1));
}

#[test]
fn the_data_of_another_server_are_refused() {
    let (disk, _) = first_life();
    let mut other = config();
    other.id = ServerId(2);
    let refused = recover(&other, &disk).unwrap_err();
    assert_eq!(refused, RecoveryError::ForeignData { owner: ServerId(1), this: ServerId(2) });
}

#[test]
fn an_empty_directory_that_is_not_expected_is_blank_and_stays_so() {
    let mut disk = Disk::default();
    let mut unexpected = config();
    unexpected.empty_is_expected = false;
    let mut recovered = recover(&unexpected, &disk).unwrap();
    assert!(recovered.empty);
    assert_eq!(recovered.epochs.standing, Standing::Blank);
    disk.serve(&mut Storage::new(&unexpected, &mut recovered, 1), ALL);
    disk.lose_power(&mut Dice(1));
    let again = recover(&config(), &disk).unwrap();
    assert!(!again.empty);
    assert_eq!(again.epochs.standing, Standing::Blank);
}

#[test]
fn the_current_epoch_is_raised_to_the_epoch_of_the_log() {
    let (mut disk, mut life) = first_life();
    life.storage.save_epochs(epochs(3, 0));
    append(&mut life.storage, 3, 1);
    disk.serve(&mut life.storage, ALL);
    assert_eq!(recover(&config(), &disk).unwrap().epochs, epochs(3, 3));
}

#[test]
fn snapshots_shorten_the_log_and_only_the_wanted_number_is_kept() {
    let (mut disk, mut life) = first_life();
    for round in 1..=4 {
        append(&mut life.storage, 1, 20);
        disk.serve(&mut life.storage, ALL);
        let label = life.storage.last();
        life.storage.save_snapshot(label, state(label).snapshot());
        append(&mut life.storage, 1, 1);
        let events = disk.serve(&mut life.storage, ALL);
        assert!(events.contains(&StorageEvent::SnapshotSaved(label)), "round {round}: {events:?}");
    }
    assert!(life.storage.snapshot_bytes() > 100);
    let last = life.storage.last();
    let again = recover(&config(), &disk).unwrap();
    let (label, found) = again.snapshot.clone().unwrap();
    assert_eq!(label.zxid, zxid(1, 83));
    assert_eq!(found.digest(), state(label).digest());
    assert_eq!(last_of(&again), last);
    assert_eq!(again.entries.len(), 1);
    let snapshots: Vec<String> = names(&disk).into_iter().filter(|name| name.starts_with("snap")).collect();
    assert_eq!(snapshots.len(), 2);
    assert!(!names(&disk).contains(&names::log(Zxid::ZERO).0));

    // The older snapshot is no use without the log behind it.
    let newest = names::snapshot(label.zxid);
    disk.bytes_mut(&newest)[60] ^= 1;
    let older = recover(&config(), &disk).unwrap();
    assert_eq!(older.snapshot.as_ref().unwrap().0.zxid, zxid(1, 62));
    assert_eq!(last_of(&older), last);
    assert_eq!(older.epochs.standing, Standing::Sound);
    assert_eq!(older.findings.len(), 1);
}

#[test]
fn a_full_disk_ends_a_snapshot_but_not_the_log() {
    let (mut disk, mut life) = first_life();
    append(&mut life.storage, 1, 5);
    disk.serve(&mut life.storage, ALL);
    let label = life.storage.last();
    disk.full = true;
    life.storage.save_snapshot(label, state(label).snapshot());
    let events = disk.serve(&mut life.storage, ALL);
    assert_eq!(events, [StorageEvent::SnapshotAbandoned(label, Some(DiskError::Full))]);
    disk.full = false;
    append(&mut life.storage, 1, 1);
    assert_eq!(disk.serve(&mut life.storage, ALL), [StorageEvent::Durable(zxid(1, 6))]);
    assert!(!names(&disk).contains(&String::from("snapshot.tmp")));
}

#[test]
fn nothing_is_asked_for_after_a_failed_write_of_the_log() {
    let (mut disk, mut life) = first_life();
    disk.full = true;
    append(&mut life.storage, 1, 5);
    let events = disk.serve(&mut life.storage, ALL);
    assert!(
        matches!(&events[..], [StorageEvent::Failed(why)] if why.contains("log.0000000000000000") && why.contains("no space")),
        "{events:?}"
    );
    append(&mut life.storage, 1, 1);
    life.storage.save_epochs(epochs(1, 1));
    assert_eq!(life.storage.poll_operation(), None);
    assert!(!life.storage.is_settled());
}

#[test]
fn what_a_failed_sync_left_in_the_cache_is_written_again_before_it_counts() {
    let (mut disk, mut life) = first_life();
    append(&mut life.storage, 1, 5);
    disk.serve(&mut life.storage, ALL);
    append(&mut life.storage, 1, 5);
    disk.fail_sync = true;
    assert!(matches!(disk.serve(&mut life.storage, ALL)[..], [StorageEvent::Failed(_)]));
    let mut next = start(&disk, 2);
    assert_eq!(next.storage.last().zxid, zxid(1, 10));
    assert_eq!(next.storage.durable(), Zxid::ZERO);
    assert_eq!(disk.serve(&mut next.storage, ALL), [StorageEvent::Ready]);
    assert_eq!(next.storage.durable(), zxid(1, 10));
    disk.lose_power(&mut Dice(1));
    assert_eq!(last_of(&recover(&config(), &disk).unwrap()), next.storage.last());
}

#[test]
fn a_received_snapshot_replaces_log_and_snapshots() {
    let (mut disk, mut life) = first_life();
    append(&mut life.storage, 1, 50);
    disk.serve(&mut life.storage, ALL);
    let own = life.storage.last();
    life.storage.save_snapshot(own, state(own).snapshot());
    disk.serve(&mut life.storage, ALL);
    // The leader's history is shorter, and another one.
    let label = Position::EMPTY.extend(zxid(1, 12), b"of another history");
    install(&mut life.storage, label);
    assert_eq!(life.storage.last(), label);
    assert_eq!(life.storage.durable(), Zxid::ZERO);
    append(&mut life.storage, 3, 1);
    let events = disk.serve(&mut life.storage, ALL);
    assert_eq!(events[0], StorageEvent::ChunkStored(0));
    assert_eq!(
        events[events.len() - 2..],
        [StorageEvent::Installed(label), StorageEvent::Durable(zxid(3, 1))]
    );
    disk.lose_power(&mut Dice(1));
    let again = recover(&config(), &disk).unwrap();
    let (found, installed) = again.snapshot.as_ref().unwrap();
    assert_eq!((*found, installed.digest()), (label, state(label).digest()));
    assert_eq!(last_of(&again), life.storage.last());
    assert_eq!(again.epochs.standing, Standing::Sound);
    let kept = [names::log(label.zxid).0, names::snapshot(label.zxid).0];
    assert_eq!(names(&disk), [String::from("epochs"), kept[0].clone(), kept[1].clone()]);
}

#[test]
fn an_aborted_received_snapshot_leaves_no_trace() {
    let (mut disk, mut life) = first_life();
    append(&mut life.storage, 1, 5);
    disk.serve(&mut life.storage, ALL);
    life.storage.begin_install(Position::EMPTY.extend(zxid(1, 12), b"other"));
    life.storage.install_chunk(0, Bytes::from([1, 2, 3]), false);
    life.storage.abort_install();
    assert_eq!(disk.serve(&mut life.storage, ALL), []);
    assert!(life.storage.is_settled());
    assert_eq!(life.storage.last().zxid, zxid(1, 5));
    assert!(!names(&disk).contains(&String::from("install.tmp")));
}

#[test]
fn old_entries_are_read_back_from_the_disk_if_they_continue_the_given_position() {
    let (mut disk, mut life) = first_life();
    for _ in 0..20 {
        append(&mut life.storage, 1, 3);
        disk.serve(&mut life.storage, ALL);
    }
    let entries: Vec<Entry> = life.storage.entries_after(Zxid::ZERO).cloned().collect();
    life.storage.forget(zxid(1, 60));
    assert_eq!(life.storage.entries_after(Zxid::ZERO).len(), 0);
    assert_eq!(life.storage.base().zxid, zxid(1, 60));
    let mut read = |after: Position, upto: u32, limit: u64| {
        life.storage.read_log(9, after, zxid(1, upto), limit);
        match &disk.serve(&mut life.storage, ALL)[..] {
            [StorageEvent::LogRead(9, entries)] => entries.clone(),
            events => panic!("{events:?}"),
        }
    };
    for after in [0, 1, 6, 7, 8, 30, 58] {
        let position = if after == 0 { Position::EMPTY } else { entries[after - 1].position };
        assert_eq!(read(position, 59, 1 << 20).unwrap(), entries[after..59], "after {after}");
    }
    let foreign = Position::EMPTY.extend(zxid(1, 7), b"foreign");
    assert_eq!(read(foreign, 59, 1 << 20), None);
    assert_eq!(read(entries[6].position, 59, 100), None);
    assert_eq!(read(entries[6].position, 61, 1 << 20), None);
}

#[test]
fn completions_of_another_life_have_no_effect() {
    let (mut disk, mut life) = first_life();
    append(&mut life.storage, 1, 1);
    let mut operations: Vec<DiskOperation> = core::iter::from_fn(|| life.storage.poll_operation()).collect();
    for operation in &mut operations {
        operation.id.incarnation += 1;
        life.storage.handle(DiskCompletion { id: operation.id, result: Err(DiskError::Failed) });
    }
    assert_eq!(life.storage.poll_event(), None);
    assert_eq!(disk.serve(&mut life.storage, ALL), vec![]);
    assert_eq!(life.storage.durable(), Zxid::ZERO);
}

#[test]
#[should_panic(expected = "does not follow")]
fn a_gap_cannot_be_appended() {
    let (_, mut life) = first_life();
    life.storage.append(zxid(1, 2), payload(zxid(1, 2), 1));
}

#[test]
fn nothing_is_known_to_be_durable_before_the_repair_is_done() {
    let (mut disk, mut life) = first_life();
    append(&mut life.storage, 1, 3);
    disk.serve(&mut life.storage, ALL);
    let mut next = start(&disk, 2);
    assert_eq!(next.recovered.cut_bytes, 0);
    assert_eq!((next.storage.last().zxid, next.storage.durable()), (zxid(1, 3), Zxid::ZERO));
    assert!(!next.storage.is_settled());
    disk.serve(&mut next.storage, ALL);
    assert_eq!(next.storage.durable(), zxid(1, 3));
}

#[test]
fn a_snapshot_whose_name_is_not_synced_does_not_count_as_durable_before_the_repair() {
    let (mut disk, mut life) = first_life();
    let label = Position::EMPTY.extend(zxid(1, 12), b"of another history");
    install(&mut life.storage, label);
    while !names(&disk).contains(&names::snapshot(label.zxid).0) {
        disk.serve(&mut life.storage, 1);
    }
    disk.kill();
    let mut next = start(&disk, 2);
    assert_eq!((next.storage.last(), next.storage.durable()), (label, Zxid::ZERO));
    assert_eq!(disk.serve(&mut next.storage, ALL), [StorageEvent::Ready]);
    assert_eq!(next.storage.durable(), label.zxid);
}
