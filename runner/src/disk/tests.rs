use std::fs;
use std::path::Path;

use tempfile::TempDir;
use zabrus_core::Config;
use zabrus_core::identity::{Bytes, ServerId};
use zabrus_core::quorum::Ensemble;
use zabrus_core::storage::{Directory, FileName, OperationId, recover};

use super::*;

fn name(text: &str) -> FileName {
    FileName(text.into())
}

fn open(path: &Path) -> DataDirectory {
    DataDirectory::open(path, path, true).expect("a fresh directory")
}

fn write(file: &str, offset: u64, bytes: &[u8]) -> FileOperation {
    FileOperation::Write { file: name(file), offset, bytes: bytes.into() }
}

fn read(directory: &mut DataDirectory, file: &str) -> Vec<u8> {
    let operation = FileOperation::Read { file: name(file), offset: 0, length: 1 << 20 };
    directory.execute(&operation).expect("readable").to_vec()
}

#[track_caller]
fn done(directory: &mut DataDirectory, operations: &[FileOperation]) {
    for operation in operations {
        let result = directory.execute(operation);
        assert_eq!(result.as_deref().ok(), Some(&[][..]), "{operation:?}: {result:?}");
    }
}

#[test]
fn operations_do_what_they_say() {
    let folder = TempDir::new().expect("a folder");
    let mut directory = open(folder.path());
    let file = || name("log.1");
    done(
        &mut directory,
        &[
            FileOperation::Create { file: file() },
            write("log.1", 2, b"cdef"),
            write("log.1", 0, b"ab"),
            FileOperation::Preallocate { file: file(), length: 8 },
            FileOperation::Sync { file: file() },
            FileOperation::SyncDirectory,
        ],
    );
    assert_eq!(read(&mut directory, "log.1"), b"abcdef\0\0");
    let middle = FileOperation::Read { file: file(), offset: 1, length: 3 };
    assert_eq!(*directory.execute(&middle).expect("readable"), *b"bcd");
    let beyond = FileOperation::Read { file: file(), offset: 100, length: 3 };
    assert_eq!(*directory.execute(&beyond).expect("readable"), *b"");
    done(&mut directory, &[FileOperation::Truncate { file: file(), length: 3 }]);
    assert_eq!(read(&mut directory, "log.1"), b"abc");
    done(&mut directory, &[FileOperation::Create { file: file() }]);
    assert_eq!(read(&mut directory, "log.1"), b"", "a file that exists is emptied");
}

#[test]
fn preallocation_never_makes_a_file_shorter() {
    let folder = TempDir::new().expect("a folder");
    let mut directory = open(folder.path());
    let allocate = FileOperation::Preallocate { file: name("a"), length: 2 };
    done(&mut directory, &[FileOperation::Create { file: name("a") }, write("a", 0, b"abcd"), allocate]);
    assert_eq!(read(&mut directory, "a"), b"abcd");
}

#[test]
fn a_renamed_file_takes_the_place_of_the_old_one() {
    let folder = TempDir::new().expect("a folder");
    let mut directory = open(folder.path());
    for (file, text) in [("epochs", b"old"), ("epochs.tmp", b"new")] {
        done(&mut directory, &[FileOperation::Create { file: name(file) }, write(file, 0, text)]);
    }
    done(&mut directory, &[FileOperation::Rename { from: name("epochs.tmp"), to: name("epochs") }]);
    assert_eq!(read(&mut directory, "epochs"), b"new");
    done(&mut directory, &[write("epochs", 0, b"NEW")]);
    assert_eq!(read(&mut directory, "epochs"), b"NEW", "the open file is the one with the name");
    done(&mut directory, &[FileOperation::Remove { file: name("epochs") }]);
    let gone = directory.execute(&FileOperation::Sync { file: name("epochs") }).expect_err("it is gone");
    assert_eq!(disk_error(&gone), DiskError::NotFound);
}

#[test]
fn errors_of_the_system_become_those_of_the_core() {
    let error = |kind| disk_error(&io::Error::from(kind));
    assert_eq!(error(io::ErrorKind::StorageFull), DiskError::Full);
    assert_eq!(error(io::ErrorKind::QuotaExceeded), DiskError::Full);
    assert_eq!(error(io::ErrorKind::NotFound), DiskError::NotFound);
    assert_eq!(error(io::ErrorKind::ReadOnlyFilesystem), DiskError::Failed);
    assert_eq!(disk_error(&io::Error::from_raw_os_error(5)), DiskError::Failed, "EIO");
}

#[test]
fn a_disk_that_is_full_is_reported_and_not_a_panic() {
    let folder = TempDir::new().expect("a folder");
    let mut directory = open(folder.path());
    let link = folder.path().join("zabrus/log.1");
    std::os::unix::fs::symlink("/dev/full", link).expect("a link");
    let error = directory.execute(&write("log.1", 0, b"x")).expect_err("it is full");
    assert_eq!(disk_error(&error), DiskError::Full);
}

#[test]
fn two_servers_cannot_use_one_directory() {
    let folder = TempDir::new().expect("a folder");
    let first = open(folder.path());
    let again = || DataDirectory::open(folder.path(), folder.path(), true);
    assert!(matches!(again(), Err(OpenError::Locked(_))));
    drop(first);
    assert!(again().is_ok());
}

#[test]
fn a_directory_with_only_data_of_apache_zookeeper_is_refused() {
    let folder = TempDir::new().expect("a folder");
    fs::create_dir(folder.path().join("version-2")).expect("a directory");
    drop(open(folder.path()));
    fs::remove_dir_all(folder.path().join("zabrus")).expect("removed");
    fs::write(folder.path().join("version-2/log.1"), "x").expect("written");
    let refused = DataDirectory::open(folder.path(), folder.path(), true);
    assert!(matches!(refused, Err(OpenError::Apache(_))));
    assert!(!folder.path().join("zabrus").exists(), "a refused start leaves nothing behind");
}

#[test]
fn the_log_lives_in_its_own_directory_if_there_is_one() {
    let (data, log) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let mut directory = DataDirectory::open(data.path(), log.path(), true).expect("fresh directories");
    for file in ["log.1", "snapshot.1", "epochs"] {
        done(&mut directory, &[FileOperation::Create { file: name(file) }, write(file, 0, b"x")]);
    }
    done(&mut directory, &[FileOperation::SyncDirectory]);
    assert!(log.path().join("zabrus/log.1").exists());
    assert!(data.path().join("zabrus/snapshot.1").exists());
    let mut listed = directory.contents().expect("listed").list();
    listed.sort();
    let expected = ["epochs", "log.1", "snapshot.1"].map(|file| (name(file), 1));
    assert_eq!(listed, expected);
    assert_eq!(directory.sizes(), (2, 1));
    drop(directory);
    fs::rename(log.path().join("zabrus/log.1"), data.path().join("zabrus/log.1")).expect("moved");
    let directory = DataDirectory::open(data.path(), log.path(), true).expect("opened");
    assert!(
        matches!(directory.contents(), Err(OpenError::StrayLog(..))),
        "a log in the wrong place is not lost"
    );
}

#[test]
fn the_lock_is_no_file_of_the_core() {
    let folder = TempDir::new().expect("a folder");
    assert_eq!(open(folder.path()).contents().expect("listed").list(), []);
}

#[test]
fn the_thread_reports_every_operation_in_order_and_gives_the_directory_back() {
    let folder = TempDir::new().expect("a folder");
    let (send, completions) = mpsc::channel();
    let report = move |completion| send.send(completion).expect("the test waits");
    let disk = Disk::start(open(folder.path()), Duration::from_secs(60), report).expect("a thread");
    let operations = [
        FileOperation::Create { file: name("a") },
        write("a", 0, b"abc"),
        FileOperation::Sync { file: name("b") },
        FileOperation::Read { file: name("a"), offset: 0, length: 9 },
        FileOperation::SyncDirectory,
    ];
    for (number, operation) in (1..).zip(operations) {
        disk.submit(DiskOperation { id: OperationId { incarnation: 7, number }, operation });
    }
    let sizes = Arc::clone(&disk.sizes);
    let mut directory = disk.stop();
    let nothing = Bytes::from([]);
    let expected = [
        Ok(nothing.clone()),
        Ok(nothing.clone()),
        Err(DiskError::NotFound),
        Ok(b"abc"[..].into()),
        Ok(nothing),
    ];
    let reported: Vec<_> =
        completions.iter().map(|completion| (completion.id.number, completion.result)).collect();
    assert_eq!(reported, (1..).zip(expected).collect::<Vec<_>>());
    assert_eq!(sizes.waiting.load(Ordering::Relaxed), 0);
    assert_eq!(sizes.data.load(Ordering::Relaxed), 3);
    assert_eq!(read(&mut directory, "a"), b"abc");
}

#[test]
fn syncs_are_timed_and_slow_ones_counted() {
    for (threshold, slow) in [(Duration::ZERO, 2), (Duration::from_secs(600), 0)] {
        let folder = TempDir::new().expect("a folder");
        let (send, completions) = mpsc::channel();
        let report = move |completion| send.send(completion).expect("the test waits");
        let disk = Disk::start(open(folder.path()), threshold, report).expect("a thread");
        let create = FileOperation::Create { file: name("a") };
        let operations = [create, FileOperation::Sync { file: name("a") }, FileOperation::SyncDirectory];
        for (number, operation) in (1..).zip(operations) {
            disk.submit(DiskOperation { id: OperationId { incarnation: 7, number }, operation });
        }
        assert_eq!(completions.iter().take(3).count(), 3);
        assert_eq!(disk.syncs().tally.count, 2);
        assert_eq!(disk.sizes.slow_syncs.load(Ordering::Relaxed), slow);
        disk.reset();
        assert_eq!((disk.syncs().tally.count, disk.sizes.slow_syncs.load(Ordering::Relaxed)), (0, 0));
    }
}

#[test]
fn an_empty_directory_is_recovered() {
    let folder = TempDir::new().expect("a folder");
    let directory = open(folder.path());
    let config = Config::new(ServerId(1), Ensemble::plain(3, 0));
    let recovered =
        recover(&config, &directory.contents().expect("listed")).expect("an empty directory is good");
    assert!(recovered.empty);
}
