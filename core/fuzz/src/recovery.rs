//! A server starts on a data directory that somebody has changed: it refuses it, or it can be repaired, led and
//! written to, and starts again with what was written.

use std::sync::OnceLock;

use zabrus_core::config::{Config, ElectionAlgorithm};
use zabrus_core::quorum::Ensemble;
use zabrus_core::storage::{DiskCompletion, FileName, Storage, recover};
use zabrus_core::wire::Transaction;
use zabrus_core::{ServerId, Zxid};

use crate::common::bench::Bench;
use crate::common::{Disk, client};
use crate::{assert_digest, number, pieces};

fn settings(config: &mut Config) {
    config.election = ElectionAlgorithm::External;
    config.sync_window = 1;
    config.snapshot_interval = 3;
    config.chunk_bytes = 100;
    config.segment_bytes = 600;
    config.preallocate_bytes = 100;
}

fn config() -> Config {
    let mut config = Config::new(ServerId(1), Ensemble::plain(1, 0));
    settings(&mut config);
    config
}

fn server(disk: &Disk) -> Bench {
    let mut bench = Bench::new(1, Ensemble::plain(1, 0), settings);
    bench.disk = Disk(disk.0.clone());
    bench.restart(|_| {});
    bench
}

/// A directory with snapshots, segments and some transactions.
fn directory() -> &'static Disk {
    static DIRECTORY: OnceLock<Disk> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let mut bench = server(&Disk::default());
        bench.elect(1);
        bench.join(1);
        for number in 0..10 {
            bench.client(1, client::create(number, &format!("/n{number}"), b"data"));
        }
        bench.disk
    })
}

/// Appends a transaction as the storage does it, whatever it holds.
fn append(disk: &mut Disk, payload: &[u8]) {
    let Ok(mut recovered) = recover(&config(), disk) else { return };
    let mut storage = Storage::new(&config(), &mut recovered, 99);
    let last = storage.last().zxid;
    let zxid = Zxid::new(last.epoch(), last.counter().saturating_add(1));
    if zxid > last {
        let transaction = Transaction::decode(payload).map(|found| Transaction { zxid, ..found }.encode());
        storage.append(zxid, transaction.unwrap_or_else(|_| payload.to_vec()).into());
    }
    while let Some(asked) = storage.poll_operation() {
        let result = disk.carry_out(asked.operation);
        storage.handle(DiskCompletion { id: asked.id, result });
    }
}

fn file_name(choice: u64) -> FileName {
    let zxid = choice >> 4 & 15;
    FileName(match choice & 15 {
        0..6 => format!("log.{zxid:016x}"),
        6..9 => format!("snapshot.{:016x}", 1_u64 << 32 | zxid),
        9 => "epochs".into(),
        10 => "epochs.tmp".into(),
        11 => "snapshot.tmp".into(),
        12 => "install.tmp".into(),
        _ => format!("log.{:016x}", 1_u64 << 32 | zxid),
    })
}

/// The first byte chooses the directory. The pieces change it: they name a file, a place and bytes.
fn change(disk: &mut Disk, tag: u8, piece: &[u8]) {
    if tag % 8 == 7 {
        return append(disk, piece);
    }
    let (choice, rest) = piece.split_at(piece.len().min(1));
    let (place, bytes) = rest.split_at(rest.len().min(2));
    let (choice, place) = (number(choice), usize::try_from(number(place)).expect("two bytes"));
    if tag % 8 == 6 {
        disk.0.insert(file_name(choice), bytes.to_vec());
        return;
    }
    let nth = usize::try_from(choice).expect("a byte") % disk.0.len().max(1);
    let Some((name, content)) = disk.0.iter_mut().nth(nth) else { return };
    match tag % 8 {
        0..3 => content.iter_mut().skip(place).zip(bytes).for_each(|(byte, new)| *byte = *new),
        3 => content.truncate(place),
        4 => content.extend_from_slice(bytes),
        _ => {
            let name = name.clone();
            disk.0.remove(&name);
        }
    }
}

pub fn run(input: &[u8]) {
    let Some((choice, input)) = input.split_first() else { return };
    let empty = Disk::default();
    let mut disk = Disk(if choice % 2 == 0 { directory() } else { &empty }.0.clone());
    for (tag, piece) in pieces(input) {
        change(&mut disk, tag, piece);
    }
    if recover(&config(), &disk).is_err() {
        return;
    }
    let mut bench = server(&disk);
    bench.elect(1);
    if bench.halted || !bench.replica.status().serving {
        return;
    }
    bench.join(7);
    bench.client(7, client::create(1, "/after", b"data"));
    assert_digest(&bench);
    let (digest, written) = (bench.replica.state().digest(), bench.replica.status().applied);
    bench.restart(|_| {});
    bench.elect(1);
    assert_eq!((bench.replica.state().digest(), bench.replica.status().applied), (digest, written));
}
