use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;
use zabrus_core::io::ClientId;
use zabrus_core::quorum::Ensemble;
use zabrus_core::recording::{Progress, Replay};
use zabrus_core::storage::{DiskCompletion, DiskError, FileName};
use zabrus_core::{Instant, ServerId};

use super::*;

struct Empty;

impl Directory for Empty {
    fn list(&self) -> Vec<(FileName, u64)> {
        Vec::new()
    }

    fn read(&self, _: &FileName, _: u64, _: u64) -> Result<Vec<u8>, DiskError> {
        Err(DiskError::NotFound)
    }
}

fn settings(directory: &Path, limit: u64) -> RecordSettings {
    RecordSettings { directory: directory.to_owned(), limit }
}

fn now(millis: u64) -> Now {
    Now { monotonic: Instant(millis * 1_000), wall_millis: millis }
}

fn begin(settings: &RecordSettings) -> Recorded {
    let config = Config::new(ServerId(1), Ensemble::plain(1, 0));
    let mut beginning = Beginning::new(Some(settings), &config);
    let recovered = beginning.recover(&config, &Empty).expect("an empty directory");
    beginning.start(config, recovered, [3; 32], now(0))
}

/// Does what a driver does, with a disk that does everything at once.
fn drain(replica: &mut Recorded, time: u64) {
    let mut done = Vec::new();
    loop {
        while let Some(output) = replica.poll() {
            if let Output::Disk(asked) = output {
                done.push(asked.id);
            }
        }
        if done.is_empty() {
            return;
        }
        let id = done.remove(0);
        replica.handle(now(time), Input::Disk(DiskCompletion { id, result: Ok(Vec::new().into()) }));
    }
}

/// A server that elects itself, and takes `frames` of a client, which are garbage.
fn live(replica: &mut Recorded, frames: u64) {
    drain(replica, 0);
    for millis in 0..frames {
        let client = ClientId(millis);
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        replica.handle(now(millis), Input::ClientConnected { client, address });
        drain(replica, millis);
        replica.handle(now(millis), Input::ClientFrame { client, bytes: vec![7; 1_000].into() });
        drain(replica, millis);
        replica.hand_over();
    }
}

fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

/// The end of the replay of a recording, with the number of its inputs.
fn replay(file: &Path) -> (Progress, u64) {
    let bytes = fs::read(file).expect("a recording");
    let mut replay = Replay::new(&bytes, |_, _, _| {}).expect("a start");
    loop {
        match replay.step(|_, _, _| {}).expect("the same life") {
            Progress::Handled => {}
            end => return (end, replay.inputs()),
        }
    }
}

#[test]
fn each_life_is_a_file_of_its_own_that_can_be_replayed_and_that_only_its_owner_can_read() {
    let folder = TempDir::new().expect("a folder");
    let directory = folder.path().join("new/recordings");
    for _ in 0..2 {
        live(&mut begin(&settings(&directory, 1 << 30)), 10);
    }
    assert_eq!(files(&directory), ["life.0000000000000001", "life.0000000000000002"]);
    for name in files(&directory) {
        let file = directory.join(name);
        let (end, inputs) = replay(&file);
        assert_eq!(end, Progress::Ended);
        assert!(inputs > 20, "{inputs}");
        assert_eq!(fs::metadata(file).expect("a file").permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn the_oldest_lives_make_room_and_other_files_stay() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("life.story"), "mine").expect("written");
    // Three lives fit.
    let settings = settings(folder.path(), 100_000);
    for _ in 0..7 {
        live(&mut begin(&settings), 20);
    }
    let left = files(folder.path());
    assert_eq!(left.last().map(String::as_str), Some("life.story"));
    assert!((3..6).contains(&left.len()), "{left:?}");
    assert!(left.contains(&"life.0000000000000007".to_owned()), "{left:?}");
    for name in &left[..left.len() - 1] {
        assert_eq!(replay(&folder.path().join(name)).0, Progress::Ended);
    }
}

#[test]
fn a_life_that_reaches_the_limit_goes_on_without_its_recording() {
    let folder = TempDir::new().expect("a folder");
    let mut replica = begin(&settings(folder.path(), 20_000));
    live(&mut replica, 100);
    assert!(replica.status().serving, "the server does not mind");
    drop(replica);
    let file = folder.path().join("life.0000000000000001");
    assert!(fs::metadata(&file).expect("a file").len() <= 20_000);
    let (end, inputs) = replay(&file);
    assert_eq!(end, Progress::BrokenOff(0));
    assert!((20..100).contains(&inputs), "{inputs}: 20 frames at most");
}

#[test]
fn a_server_whose_recording_cannot_begin_runs_without_it() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "in the way").expect("written");
    for (directory, limit) in [(&*file, 1 << 30), (folder.path(), 10), (folder.path(), 100)] {
        let mut replica = begin(&settings(directory, limit));
        live(&mut replica, 1);
        assert!(replica.status().serving);
    }
    assert_eq!(files(folder.path()), ["file"], "what is no start is not left behind");
}

#[test]
fn a_recorder_whose_thread_is_far_behind_is_given_up() {
    let folder = TempDir::new().expect("a folder");
    let mut replica = begin(&settings(folder.path(), 1 << 30));
    let recorder = replica.recorder.as_ref().expect("it records");
    recorder.waiting.fetch_add(QUEUE_LIMIT + 1, Ordering::Relaxed);
    live(&mut replica, 1);
    assert!(replica.recorder.is_none());
    assert!(replica.status().serving);
}

#[test]
fn an_input_after_which_the_core_broke_is_recorded() {
    let folder = TempDir::new().expect("a folder");
    let settings = settings(folder.path(), 1 << 30);
    let broken = std::panic::catch_unwind(|| {
        let mut replica = begin(&settings);
        live(&mut replica, 3);
        replica.handle(now(9), Input::Tick);
        panic!("as if the core had seen its own mistake");
    });
    assert!(broken.is_err());
    let mut whole = begin(&settings);
    live(&mut whole, 3);
    drop(whole);
    let (_, inputs) = replay(&folder.path().join("life.0000000000000002"));
    let end = replay(&folder.path().join("life.0000000000000001"));
    assert_eq!(end, (Progress::BrokenOff(0), inputs + 1));
}
