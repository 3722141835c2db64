//! A server's life is recorded, and lived again from the recording alone.

mod common;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use common::{Disk, client};
use zabrus_core::config::Config;
use zabrus_core::io::ClientId;
use zabrus_core::quorum::Ensemble;
use zabrus_core::recording::{
    Chain, Landmark, MAGIC, Progress, Record, Records, Replay, ReplayError, Watched, encode,
};
use zabrus_core::storage::{DiskCompletion, recover};
use zabrus_core::{Input, Instant, Now, Output, Replica, ServerId};

/// A server alone that records its life.
struct Life {
    replica: Replica,
    disk: Disk,
    recording: Vec<u8>,
    chain: Chain,
    now: Now,
    inputs: VecDeque<Input>,
}

fn add(recording: &mut Vec<u8>, record: &Record) {
    recording.extend(encode(record).expect("a small record"));
}

impl Life {
    fn begin(disk: Disk) -> Self {
        let mut config = Config::new(ServerId(1), Ensemble::plain(1, 0));
        config.snapshot_interval = 7;
        let mut recording = MAGIC.to_vec();
        add(&mut recording, &Record::Program("this test".into()));
        add(&mut recording, &Record::Config(config.clone().into()));
        let watched = Watched::new(&disk, |record: &Record| add(&mut recording, record));
        let recovered = recover(&config, &watched).expect("a good disk");
        let (seed, now) = ([7; 32], Now { monotonic: Instant(5), wall_millis: 1_000 });
        add(&mut recording, &Record::Start { seed, now });
        let replica = Replica::new(config, recovered, seed, now);
        let inputs = VecDeque::new();
        let mut life = Self { replica, disk, recording, chain: Chain::default(), now, inputs };
        life.drain();
        life.settle();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        life.handle(Input::ClientConnected { client: ClientId(1), address });
        life.say(client::hello());
        life
    }

    fn handle(&mut self, input: Input) {
        let record = Record::Input { chain: self.chain.value(), now: self.now, input: input.clone() };
        add(&mut self.recording, &record);
        self.replica.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.replica.poll() {
            self.chain.output(&output);
            if let Output::Disk(operation) = output {
                let result = self.disk.carry_out(operation.operation);
                self.inputs.push_back(Input::Disk(DiskCompletion { id: operation.id, result }));
            }
        }
        self.chain.drained(&Landmark::of(&self.replica));
    }

    /// Lets the disk do everything, and half a second pass.
    fn settle(&mut self) {
        let end = self.now.monotonic.0 + 500_000;
        loop {
            while let Some(input) = self.inputs.pop_front() {
                self.handle(input);
            }
            let due = self.replica.deadline();
            if due.0 > end {
                self.now.monotonic = Instant(end);
                return;
            }
            self.now.monotonic = due.max(self.now.monotonic);
            self.handle(Input::Tick);
        }
    }

    fn say(&mut self, frame: Vec<u8>) {
        self.handle(Input::ClientFrame { client: ClientId(1), bytes: frame.into() });
        self.settle();
    }

    fn create(&mut self, names: std::ops::Range<u8>) {
        for name in names {
            self.say(client::create(1, &format!("/n{name}"), &[name; 100]));
        }
    }

    fn end(mut self) -> (Vec<u8>, Replica, Chain, Disk) {
        add(&mut self.recording, &Record::End { chain: self.chain.value() });
        (self.recording, self.replica, self.chain, self.disk)
    }
}

fn nothing(_: Now, _: &Replica, _: &Output) {}

/// Replays all that there is.
fn replay(recording: &[u8]) -> Result<(Replay<'_>, Progress), ReplayError> {
    let mut replay = Replay::new(recording, nothing)?;
    loop {
        match replay.step(nothing)? {
            Progress::Handled => {}
            end => return Ok((replay, end)),
        }
    }
}

/// A recording with its records changed.
fn changed(recording: &[u8], mut change: impl FnMut(usize, &mut Record)) -> Vec<u8> {
    let mut copy = MAGIC.to_vec();
    for (index, mut record) in Records::new(recording).expect("a recording").enumerate() {
        change(index, &mut record);
        add(&mut copy, &record);
    }
    copy
}

#[test]
fn a_replay_from_an_empty_disk_and_one_from_a_full_one_reach_the_same_state() {
    let mut disk = Disk::default();
    for names in [0..20, 20..40] {
        let mut life = Life::begin(disk);
        life.create(names.clone());
        let (recording, replica, chain, left) = life.end();
        disk = left;
        let (replay, end) = replay(&recording).expect("the same life");
        assert_eq!(end, Progress::Ended);
        assert_eq!(replay.chain(), chain);
        assert_eq!(replay.replica().status(), replica.status());
        assert_eq!(replay.replica().state().node_count(), replica.state().node_count());
        assert!(replica.state().node_count() > usize::from(names.end), "the client was served");
    }
}

#[test]
fn a_recording_that_breaks_off_anywhere_is_replayed_up_to_there() {
    let mut life = Life::begin(Disk::default());
    life.create(0..3);
    let (recording, ..) = life.end();
    let start = (0..recording.len()).find(|end| Replay::new(&recording[..*end], nothing).is_ok());
    let start = start.expect("it starts somewhere");
    let mut before = 0;
    for end in start..recording.len() {
        let (replay, progress) = replay(&recording[..end]).expect("a prefix");
        assert!(matches!(progress, Progress::BrokenOff(_)), "{progress:?}");
        assert!(replay.inputs() == before || replay.inputs() == before + 1, "one more at a time");
        before = replay.inputs();
    }
    assert!(before > 10, "{before} inputs");
    for end in 0..start {
        let error = Replay::new(&recording[..end], nothing).expect_err("no start");
        let expected = if end < MAGIC.len() { ReplayError::NoRecording } else { ReplayError::NoStart };
        assert_eq!(error, expected, "at {end}");
    }
}

#[test]
fn damage_in_the_middle_ends_a_recording_there() {
    let mut life = Life::begin(Disk::default());
    life.create(0..3);
    let (mut recording, ..) = life.end();
    let (whole, _) = replay(&recording).expect("the same life");
    let inputs = whole.inputs();
    let middle = recording.len() * 3 / 4;
    recording[middle] ^= 1;
    let (replay, progress) = replay(&recording).expect("the part before");
    assert!(replay.inputs() < inputs);
    assert!(matches!(progress, Progress::BrokenOff(bytes) if bytes >= recording.len() - middle));
}

#[test]
fn the_first_input_that_leads_to_something_else_is_named() {
    let mut life = Life::begin(Disk::default());
    life.create(0..3);
    let (recording, ..) = life.end();
    let (mut inputs, mut victim) = (0, 0);
    let copy = changed(&recording, |_, record| {
        if let Record::Input { input, .. } = record {
            inputs += 1;
            if let Input::ClientFrame { bytes, .. } = input
                && bytes.windows(3).any(|part| part == b"/n1")
            {
                victim = inputs;
                *bytes = client::create(1, "/n1", &[200; 100]).into();
            }
        }
    });
    assert!(victim > 1);
    match replay(&copy).map(|_| ()) {
        Err(error @ ReplayError::Diverged { number, .. }) => {
            assert_eq!(number, victim);
            assert!(error.to_string().contains("from client 1"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_seed_and_other_bytes_on_the_disk_are_seen() {
    let mut life = Life::begin(Disk::default());
    life.create(0..10);
    let (_, _, _, disk) = life.end();
    let mut life = Life::begin(disk);
    life.create(10..12);
    let (recording, ..) = life.end();
    let other_seed = changed(&recording, |_, record| {
        if let Record::Start { seed, .. } = record {
            seed[0] ^= 1;
        }
    });
    let is_start =
        |result: Result<_, ReplayError>| matches!(result, Err(ReplayError::Diverged { number: 0, .. }));
    assert!(is_start(replay(&other_seed).map(|_| ())));
    let mut pieces = 0;
    let other_disk = changed(&recording, |_, record| {
        if let Record::Piece(bytes) = record {
            pieces += 1;
            let mut copy = bytes.to_vec();
            copy.iter_mut().for_each(|byte| *byte ^= 0x55);
            *bytes = copy.into();
        }
    });
    assert!(pieces > 0);
    let error = replay(&other_disk).map(|_| ()).expect_err("another disk");
    assert!(
        matches!(error, ReplayError::RecoveryDiffers | ReplayError::Diverged { number: 0, .. }),
        "{error:?}"
    );
}
