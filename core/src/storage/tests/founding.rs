//! Data directories that are made without a server.

use super::*;
use crate::storage::offline::{found, read_epochs, read_snapshot, write_snapshot};

fn founded(label: Position) -> Disk {
    let mut disk = Disk::default();
    for operation in found(&config(), &epochs(5, 5), label, &state(label)) {
        disk.carry_out(&operation).unwrap();
    }
    disk
}

#[test]
fn a_founded_directory_is_sound_and_survives_a_power_loss() {
    // A leader's snapshot may be named after the start of its epoch.
    for last in [zxid(0, 7), zxid(5, 0), zxid(5, 3)] {
        let label = Position::EMPTY.extend(last, b"imported");
        let mut disk = founded(label);
        disk.lose_power(&mut Dice(3));
        let mut life = start(&disk, 1);
        let (found, found_state) = life.recovered.snapshot.take().unwrap();
        assert_eq!((found, found_state.digest()), (label, state(label).digest()));
        assert_eq!(life.recovered.findings, Vec::<String>::new());
        assert_eq!(life.recovered.leftovers(), []);
        let Epochs { accepted_epoch, current_epoch, standing, .. } = life.recovered.epochs;
        assert_eq!((accepted_epoch, current_epoch, standing), (Epoch(5), Epoch(5), Standing::Sound));
        let storage = &mut life.storage;
        disk.serve(storage, ALL);
        append(storage, 6, 3);
        disk.serve(storage, ALL);
        assert_eq!(last_of(&recover(&config(), &disk).unwrap()).zxid, zxid(6, 3));
    }
}

#[test]
fn a_directory_whose_founding_was_interrupted_has_no_vote() {
    let label = Position::EMPTY.extend(zxid(5, 3), b"imported");
    let operations: Vec<_> = found(&config(), &epochs(5, 5), label, &state(label)).collect();
    let is_rename = |operation: &FileOperation| matches!(operation, FileOperation::Rename { .. });
    let end = operations.iter().position(is_rename).unwrap();
    for done in 1..end {
        let mut disk = Disk::default();
        for operation in &operations[..done] {
            disk.carry_out(operation).unwrap();
        }
        assert_eq!(recover(&config(), &disk).unwrap().epochs.standing, Standing::Blank, "after {done}");
    }
}

#[test]
fn the_files_of_a_founded_directory_can_be_read_alone() {
    let label = Position::EMPTY.extend(zxid(5, 3), b"imported");
    let disk = founded(label);
    let read = |name: &str| disk.read(&FileName(name.into()), 0, 1 << 20).unwrap();
    assert_eq!(read_epochs(&read("epochs")), Some(epochs(5, 5)));
    let snapshot = read("snapshot.0000000500000003");
    let (found, found_state) = read_snapshot(&snapshot).unwrap();
    assert_eq!((found, found_state.digest()), (label, state(label).digest()));
    let mut copy = Disk::default();
    for operation in write_snapshot(FileName("copy".into()), label, &found_state, 40) {
        copy.carry_out(&operation).unwrap();
    }
    assert!(read_snapshot(&copy.read(&FileName("copy".into()), 0, 1 << 20).unwrap()).is_some());
    assert!(read_snapshot(&snapshot[..snapshot.len() - 1]).is_none());
}
