//! Bytes that are not what was written.

use proptest::prelude::*;

use super::*;

/// A directory with several segments, two snapshots and several epochs, and its history.
fn directory() -> (Disk, Vec<Position>) {
    let (mut disk, mut life) = first_life();
    let mut history = vec![Position::EMPTY];
    for epoch in 1..=3 {
        life.storage.save_epochs(epochs(epoch, epoch));
        for _ in 0..4 {
            append(&mut life.storage, epoch, 3);
            disk.serve(&mut life.storage, ALL);
        }
        if epoch < 3 {
            let label = life.storage.last();
            life.storage.save_snapshot(label, state(label).snapshot());
            disk.serve(&mut life.storage, ALL);
        }
    }
    history.extend(life.storage.entries_after(Zxid::ZERO).map(|entry| entry.position));
    disk.lose_power(&mut Dice(1));
    (disk, history)
}

/// What was recovered is a part of the history, and nothing is missing silently.
fn check(recovered: &Recovered, history: &[Position]) -> Result<(), TestCaseError> {
    let last = last_of(recovered);
    prop_assert!(history.contains(&last), "{last} is not of this history");
    if let Some((label, found)) = &recovered.snapshot {
        prop_assert!(history.contains(label));
        prop_assert_eq!(found.digest(), state(*label).digest());
    }
    let missing = last != history[history.len() - 1];
    prop_assert!(!missing || recovered.epochs.standing != Standing::Sound, "silent loss after {}", last);
    prop_assert!(recovered.epochs.standing == Standing::Sound || !recovered.findings.is_empty());
    Ok(())
}

/// The repair of a damaged directory leaves what recovery said.
fn check_repaired(disk: &mut Disk, history: &[Position]) -> Result<(), TestCaseError> {
    let mut life = start(disk, 77);
    check(&life.recovered_again(disk), history)?;
    let (last, epochs) = (life.storage.last(), life.recovered.epochs);
    prop_assert_eq!(disk.serve(&mut life.storage, ALL), [StorageEvent::Ready]);
    disk.lose_power(&mut Dice(3));
    let again = recover(&config(), disk).unwrap();
    prop_assert_eq!(last_of(&again), last);
    prop_assert_eq!(again.epochs, epochs);
    Ok(())
}

impl Life {
    fn recovered_again(&self, disk: &Disk) -> Recovered {
        recover(&config(), disk).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_flipped_bit_loses_anything_silently(file in any::<u64>(), at in any::<u64>(), bit in 0..8_u8) {
        let (mut disk, history) = directory();
        let files: Vec<(FileName, u64)> = disk.list().into_iter().filter(|(_, length)| *length > 0).collect();
        let (name, length) = &files[(file % files.len() as u64) as usize];
        disk.bytes_mut(name)[(at % length) as usize] ^= 1 << bit;
        check_repaired(&mut disk, &history)?;
    }

    #[test]
    fn no_garbage_in_one_place_loses_anything_silently(file in any::<u64>(), at in any::<u64>(), garbage in proptest::collection::vec(any::<u8>(), 1..2000)) {
        let (mut disk, history) = directory();
        let files = disk.list();
        let (name, length) = &files[(file % files.len() as u64) as usize];
        // Slots and records are never next to each other on a real disk's page.
        let bytes = disk.bytes_mut(name);
        let start = (at % (length + 1)) as usize;
        let page = if start < 4096 { 4096.min(bytes.len()) } else { bytes.len() };
        let end = (start + garbage.len()).min(page);
        let overwritten = end - start;
        bytes[start..end].copy_from_slice(&garbage[..overwritten]);
        if end == bytes.len() {
            bytes.extend(&garbage[overwritten..]);
        }
        check_repaired(&mut disk, &history)?;
    }

    #[test]
    fn a_log_that_was_cut_anywhere_is_a_prefix_and_not_sound(length in 0_usize..6000) {
        let mut config = config();
        config.segment_bytes = 1 << 20;
        let mut disk = Disk::default();
        let mut storage = Storage::new(&config, &mut recover(&config, &disk).unwrap(), 1);
        storage.save_epochs(epochs(1, 1));
        for _ in 0..4 {
            append(&mut storage, 1, 7);
            disk.serve(&mut storage, ALL);
        }
        let positions: Vec<Position> = storage.entries_after(Zxid::ZERO).map(|entry| entry.position).collect();
        disk.bytes_mut(&names::log(Zxid::ZERO)).truncate(length);
        let recovered = recover(&config, &disk).unwrap();
        let found: Vec<Position> = recovered.entries.iter().map(|entry| entry.position).collect();
        prop_assert!(positions.starts_with(&found));
        prop_assert_eq!(found.len() < positions.len(), recovered.epochs.standing != Standing::Sound);
    }

    #[test]
    fn no_bytes_make_recovery_panic(files in proptest::collection::vec((0..5_usize, proptest::collection::vec(any::<u8>(), 0..5000)), 0..6)) {
        let (mut disk, _) = first_life();
        let (donor, _) = directory();
        let names: Vec<FileName> = donor.list().into_iter().map(|(name, _)| name).collect();
        for (name, bytes) in files {
            disk.put(&names[name % names.len()], bytes);
        }
        let life = recover(&config(), &disk);
        prop_assert!(life.is_ok());
    }
}

#[test]
fn a_number_at_the_end_of_the_number_space_is_no_slot() {
    let (mut disk, mut life) = first_life();
    append(&mut life.storage, 1, 1);
    disk.serve(&mut life.storage, ALL);
    let slot = segment::Slot { number: u64::MAX, intent: zxid(1, 1), durable: zxid(1, 1) };
    let header = segment::Header { base: Position::EMPTY, number: u64::MAX };
    let bytes = disk.bytes_mut(&FileName("log.0000000000000000".into()));
    let at = slot.offset() as usize;
    bytes[at..at + slot.encode().len()].copy_from_slice(&slot.encode());
    bytes[..header.encode().len()].copy_from_slice(&header.encode());
    let mut life = start(&disk, 2);
    assert_eq!(disk.serve(&mut life.storage, ALL), [StorageEvent::Ready]);
    append(&mut life.storage, 1, 1);
    assert_eq!(disk.serve(&mut life.storage, ALL), [StorageEvent::Durable(zxid(1, 2))]);
}

#[test]
fn a_torn_tail_that_was_never_synced_is_cut_silently() {
    let (mut disk, mut life) = first_life();
    append(&mut life.storage, 1, 3);
    disk.serve(&mut life.storage, ALL);
    let (_, end) = *disk.list().iter().find(|(name, _)| name.0.starts_with("log")).unwrap();
    let record = 24 + payload(zxid(1, 1), 7).len() as u64;
    let behind = 4096 + 3 * record;
    assert!(behind < end);
    disk.bytes_mut(&names::log(Zxid::ZERO))[behind as usize..][..5].copy_from_slice(&[9; 5]);
    let mut next = start(&disk, 2);
    assert_eq!(next.recovered.cut_bytes, 5);
    assert_eq!(next.recovered.epochs.standing, Standing::Sound);
    disk.serve(&mut next.storage, ALL);
    assert_eq!(recover(&config(), &disk).unwrap().cut_bytes, 0);
}

#[test]
fn a_mark_without_its_bytes_is_torn_and_a_hole_below_it_is_damage() {
    let (mut disk, mut life) = first_life();
    append(&mut life.storage, 1, 3);
    disk.serve(&mut life.storage, ALL);
    append(&mut life.storage, 1, 3);
    disk.serve(&mut life.storage, ALL);
    let record = 24 + payload(zxid(1, 1), 7).len();
    let log = names::log(Zxid::ZERO);
    disk.bytes_mut(&log)[4096 + 4 * record] ^= 1;
    let torn = recover(&config(), &disk).unwrap();
    assert_eq!((torn.entries.len(), torn.epochs.standing), (4, Standing::Torn(zxid(1, 6))));
    disk.bytes_mut(&log)[4096 + 2 * record] ^= 1;
    let damaged = recover(&config(), &disk).unwrap();
    assert_eq!((damaged.entries.len(), damaged.epochs.standing), (2, Standing::Damaged(zxid(1, 6))));
}

#[test]
fn records_behind_a_hole_count_even_if_their_slot_is_lost() {
    let (mut disk, mut life) = first_life();
    life.storage.save_epochs(epochs(1, 1));
    append(&mut life.storage, 1, 3);
    disk.serve(&mut life.storage, ALL);
    append(&mut life.storage, 1, 3);
    disk.serve(&mut life.storage, ALL);
    let record = 24 + payload(zxid(1, 1), 7).len();
    let file = disk.bytes_mut(&names::log(Zxid::ZERO));
    let newest = segment::Slot::all(file).max_by_key(|slot| slot.number).unwrap();
    assert_eq!(newest.intent, zxid(1, 6));
    file[newest.offset() as usize] ^= 1;
    file[4096 + record] ^= 1;
    assert_eq!(recover(&config(), &disk).unwrap().epochs.standing, Standing::Damaged(zxid(1, 6)));
}

#[test]
fn a_file_that_cannot_be_read_is_damage_and_a_disk_that_cannot_be_read_is_refused() {
    let (mut disk, history) = directory();
    let all: Vec<FileName> = disk.list().into_iter().map(|(name, _)| name).collect();
    for name in &all {
        disk.unreadable = vec![name.clone()];
        let recovered = recover(&config(), &disk).unwrap();
        check(&recovered, &history).unwrap();
        assert!(!recovered.findings.is_empty());
    }
    disk.unreadable = all;
    assert_eq!(recover(&config(), &disk).unwrap_err(), RecoveryError::Unreadable(DiskError::Failed));
}

#[test]
fn lost_epochs_leave_a_blank_server() {
    let (mut disk, history) = directory();
    disk.bytes_mut(&FileName("epochs".into())).clear();
    let recovered = recover(&config(), &disk).unwrap();
    assert_eq!(recovered.epochs.standing, Standing::Blank);
    assert_eq!(recovered.epochs.current_epoch, Epoch(3));
    assert_eq!(last_of(&recovered), history[history.len() - 1]);
}
