use std::ffi::OsString;

use serde_json::Value;
use zabrus_core::config::Config;
use zabrus_core::io::Input;
use zabrus_core::quorum::Ensemble;
use zabrus_core::recording::{Chain, Landmark, MAGIC, Watched, encode};
use zabrus_core::storage::{Directory, DiskCompletion, DiskError, FileName, recover};
use zabrus_core::{Instant, ServerId};

use super::super::run;
use super::*;
use crate::engine::Simulator;

struct Empty;

impl Directory for Empty {
    fn list(&self) -> Vec<(FileName, u64)> {
        Vec::new()
    }

    fn read(&self, _: &FileName, _: u64, _: u64) -> Result<Vec<u8>, DiskError> {
        Err(DiskError::NotFound)
    }
}

/// The life of a server alone that elects itself, on a disk that does everything at once. With
/// `change` the recording says that the disk failed, though it did not.
fn life(change: bool) -> Vec<u8> {
    let config = Config::new(ServerId(1), Ensemble::plain(1, 0));
    let mut recording = MAGIC.to_vec();
    let mut add = |record: &Record| recording.extend(encode(record).unwrap());
    add(&Record::Program("this test".into()));
    add(&Record::Config(config.clone().into()));
    let recovered = recover(&config, &Watched::new(&Empty, &mut add)).unwrap();
    let (seed, now) = ([1; 32], Now { monotonic: Instant(0), wall_millis: 1_700_000_000_000 });
    add(&Record::Start { seed, now });
    let mut replica = Replica::new(config, recovered, seed, now);
    let (mut chain, mut asked) = (Chain::default(), std::collections::VecDeque::new());
    for number in 0.. {
        while let Some(output) = replica.poll() {
            chain.output(&output);
            if let Output::Disk(operation) = output {
                asked.push_back(operation.id);
            }
        }
        chain.drained(&Landmark::of(&replica));
        let Some(id) = asked.pop_front() else { break };
        let input = |result| Input::Disk(DiskCompletion { id, result });
        let done = input(Ok(Vec::new().into()));
        let told = if change && number == 2 { input(Err(DiskError::Failed)) } else { done.clone() };
        add(&Record::Input { chain: chain.value(), now, input: told });
        replica.handle(now, done);
    }
    add(&Record::End { chain: chain.value() });
    recording
}

/// A folder, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("zabrus-sim-log-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.join(name), bytes).unwrap();
    }

    fn replay(&self, options: &str) -> (u8, String) {
        let mut out = Vec::new();
        let mut console = Console { out: &mut out, colours: false, progress: false };
        let words = ["zabrus-sim", "replay-log"].into_iter().chain(options.split_whitespace());
        let words = words.map(OsString::from).chain([self.0.clone().into_os_string()]);
        let code = run(words, &Simulator, &mut console);
        (code, String::from_utf8(out).unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_lives_of_a_server_are_told_in_order_with_the_state_that_they_reached() {
    let folder = Folder::new("order");
    let whole = life(false);
    folder.put("life.0000000000000001", &whole[..whole.len() - 1]);
    folder.put("life.0000000000000002", &whole);
    folder.put("other", b"not mine");
    let (code, text) = folder.replay("");
    assert_eq!(code, GREEN, "{text}");
    let order = [
        "LEADING/broadcast",
        "life.0000000000000001: the recording breaks off; ",
        "server 1, from 2023-11-14 22:13:20.000 UTC on",
        "recorded by this test",
        "LEADING/broadcast",
        "AS RECORDED",
        "life.0000000000000002: the server was stopped",
    ];
    let mut rest = &*text;
    for part in order {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("{part} in {text}")).1;
    }
}

#[test]
fn json_has_a_line_for_each_event_and_one_for_each_life() {
    let folder = Folder::new("json");
    folder.put("life.0000000000000001", &life(false));
    let (code, text) = folder.replay("--json");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, &lines[0]["server"]), (GREEN, &1.into()));
    assert!(lines[0]["what"]["Event"].is_object());
    let end = lines.last().unwrap();
    assert_eq!(end["started"], 1_700_000_000_000_u64);
    assert!(end["inputs"].as_u64().unwrap() > 5, "{end}");
    assert_eq!(end["state_digest"].as_str().unwrap().len(), 16);
}

#[test]
fn the_first_input_that_differs_is_named() {
    let folder = Folder::new("diverges");
    folder.put("life.0000000000000001", &life(true));
    let (code, text) = folder.replay("");
    assert_eq!(code, DIVERGED);
    assert!(
        text.contains("DIVERGED") && text.contains("input 3 at 0.000s, the disk's answer Err(Failed)"),
        "{text}"
    );
}

#[test]
fn what_is_no_recording_is_refused() {
    let folder = Folder::new("refused");
    assert_eq!(folder.replay("").0, USAGE, "an empty folder");
    folder.put("life.0000000000000001", b"a story");
    let (code, text) = folder.replay("");
    assert_eq!(code, USAGE);
    assert!(text.contains("this is no recording"), "{text}");
}
