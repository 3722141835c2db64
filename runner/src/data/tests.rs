use tempfile::TempDir;
use zabrus_core::ServerId;
use zabrus_core::storage::{FileName, FileOperation};

use super::ours::{Backup, Place, back_up, open_backup, read, write};
use super::verify::verify;
use super::*;
use crate::disk::DataDirectory;

fn recorded() -> Image {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/migration/recorded/quorum");
    apache::read(&directory, &directory, false).expect("it is recorded")
}

/// The data directory of server 7, and what is in it.
fn imported() -> (TempDir, Place, Image) {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("myid"), "7\n").expect("written");
    let place = Place::directory(folder.path()).expect("a directory");
    let image = recorded();
    write(&image, &place).expect("written");
    (folder, place, image)
}

fn file(folder: &TempDir, beginning: &str) -> PathBuf {
    let files = fs::read_dir(folder.path().join("zabrus")).expect("listed");
    let mut paths = files.map(|entry| entry.expect("listed").path());
    let is_it =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(beginning));
    paths.find(is_it).expect("there is such a file")
}

fn damage(path: &Path) {
    let mut bytes = fs::read(path).expect("readable");
    bytes[12] ^= 1;
    fs::write(path, bytes).expect("written");
}

#[track_caller]
fn equal(one: &Image, two: &Image) {
    assert_eq!((one.position, one.state.digest()), (two.position, two.state.digest()));
    assert_eq!(one.to_string(), two.to_string());
}

#[test]
fn what_is_written_is_read_again_and_never_overwritten() {
    let (folder, place, image) = imported();
    equal(&read(&place, false).expect("it is whole"), &image);
    assert_eq!(Place::directory(folder.path()).expect("a directory").config.id, ServerId(7));
    let refused = write(&image, &place).expect_err("there are data").to_string();
    assert!(refused.contains("there are data already"), "{refused}");
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("listed")
        .map(|entry| entry.expect("listed").file_name())
        .collect();
    assert_eq!(left.len(), 2, "myid and the data: {left:?}");
}

#[test]
fn an_interrupted_attempt_is_done_again() {
    let folder = TempDir::new().expect("a folder");
    let unfinished = folder.path().join("zabrus.unfinished/zabrus");
    fs::create_dir_all(&unfinished).expect("a folder");
    fs::write(unfinished.join("epochs"), "half of it").expect("written");
    let place = Place::directory(folder.path()).expect("a directory");
    let image = recorded();
    write(&image, &place).expect("written");
    equal(&read(&place, false).expect("it is whole"), &image);
    assert!(!folder.path().join("zabrus.unfinished").exists());
}

#[test]
fn the_log_goes_into_its_own_directory_if_there_is_one() {
    let (data, log) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let place = Place { log: log.path().into(), ..Place::directory(data.path()).expect("a directory") };
    let image = recorded();
    write(&image, &place).expect("written");
    assert!(file(&log, "log.").exists() && file(&data, "snapshot.").exists());
    equal(&read(&place, false).expect("it is whole"), &image);
    assert!(verify(&place).expect("readable").is_whole);
}

#[test]
fn a_backup_is_restored() {
    let (folder, place, image) = imported();
    let saved = read(&place, false).expect("it is whole");
    let backup = folder.path().join("zabrus-backup.000000020000002d");
    assert_eq!(back_up(&saved, folder.path()).expect("written"), Backup::Written(backup.clone()));
    assert_eq!(back_up(&saved, folder.path()).expect("there"), Backup::There(backup.clone()));
    assert!(back_up(&image, &backup).is_err(), "nothing is overwritten");
    let restored = open_backup(&backup).expect("a backup");
    equal(&restored, &image);
    let other = TempDir::new().expect("a folder");
    let place = Place::directory(other.path()).expect("a directory");
    write(&restored, &place).expect("written");
    equal(&read(&place, false).expect("it is whole"), &image);
    damage(&backup);
    let refused = open_backup(&backup).expect_err("it is damaged").to_string();
    assert!(refused.contains("no backup, or damaged"), "{refused}");
    assert!(back_up(&saved, folder.path()).is_err(), "a damaged one does not hold the same");
}

#[test]
fn verify_finds_every_damaged_file_and_changes_nothing() {
    for beginning in ["epochs", "snapshot.", "log."] {
        let (folder, place, _) = imported();
        assert!(verify(&place).expect("readable").is_whole);
        let path = file(&folder, beginning);
        damage(&path);
        let bytes = fs::read(&path).expect("readable");
        let report = verify(&place).expect("readable");
        assert!(!report.is_whole, "{}", report.text);
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(report.text.contains(&format!("{name}: DAMAGED")), "{}", report.text);
        assert_eq!(fs::read(&path).expect("readable"), bytes);
        if beginning == "epochs" {
            assert!(read(&place, false).is_err(), "what was acknowledged is unknown");
            equal_but_epochs(&read(&place, true).expect("if it must be"));
        }
    }
}

fn equal_but_epochs(image: &Image) {
    assert_eq!(image.position, recorded().position);
    assert!(image.notes.iter().any(|note| note.contains("epochs: damaged")), "{:?}", image.notes);
}

#[test]
fn verify_tells_what_a_start_would_remove() {
    let (_folder, place, _) = imported();
    let mut directory = DataDirectory::open(&place.data, &place.log, true).expect("nobody uses it");
    let name = FileName("log.0000000900000000".into());
    directory.execute(&FileOperation::Create { file: name.clone() }).expect("created");
    let report = verify(&place).expect("readable, also while it is locked");
    assert!(report.text.contains(&format!("  remove {name}")), "{}", report.text);
    assert!(!report.is_whole);
}

#[test]
fn what_is_not_there_is_refused_and_not_made() {
    let folder = TempDir::new().expect("a folder");
    let place = Place::directory(folder.path()).expect("a directory");
    for refused in [verify(&place).map(drop), read(&place, false).map(drop)] {
        assert!(refused.expect_err("there is nothing").to_string().contains("there is no such directory"));
    }
    assert!(!folder.path().join("zabrus").exists());
    fs::write(folder.path().join("myid"), "seven").expect("written");
    assert!(
        Place::directory(folder.path()).expect_err("no number").to_string().contains("`seven` is no number")
    );
}
