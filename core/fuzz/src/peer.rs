//! The peers of one server of three, and an observer, say arbitrary bytes.

use zabrus_core::quorum::Ensemble;
use zabrus_core::{Duration, Epoch, Zxid, codec};

use crate::common::bench::{Bench, zxid};
use crate::{assert_digest, number, pieces};

/// A server that looks, leads, or follows server 3.
fn server(stage: u8) -> Bench {
    let mut bench = Bench::new(1, Ensemble::plain(3, 1), |config| {
        config.sync_window = 1;
        config.snapshot_interval = 2;
        config.disk_sync_percent = 1000;
        config.chunk_bytes = 20;
        config.segment_bytes = 200;
        config.preallocate_bytes = 100;
    });
    match stage % 6 {
        0 => {}
        1 => bench.promise_to(3, 1),
        2 => bench.synchronize_with(3, 1),
        3 => {
            bench.follow(3, 1);
            bench.propose(3, 1, Zxid::ZERO, zxid(1, 1));
        }
        4 => bench.elect(1),
        _ => {
            bench.lead(&[2, 3]);
            for counter in 1..=3 {
                bench.write();
                bench.say(2, zabrus_core::message::Message::Ack { epoch: Epoch(1), zxid: zxid(1, counter) });
            }
        }
    }
    bench
}

/// The first byte chooses the server's role. The pieces are frames and messages of its peers, and what
/// happens to it besides.
pub fn run(input: &[u8]) {
    let Some((stage, input)) = input.split_first() else { return };
    let mut bench = server(*stage);
    for (tag, bytes) in pieces(input) {
        let before = bench.replica.status();
        let peer = 2 + u64::from(tag >> 4) % 3;
        let message = codec::decode(bytes);
        match (tag & 15, message) {
            (0, _) => bench.bytes(peer, bytes.to_vec()),
            (1..5, Ok(message)) if bench.has_link(peer) => bench.say(peer, message),
            (5..9, Ok(message)) if bench.has_link(peer) => bench.say_fitting(peer, message),
            (9, _) => bench.wait(Duration::from_millis(number(bytes))),
            (10, _) => bench.try_open(peer),
            (11, _) => bench.connect(peer),
            (12, _) if tag < 128 => bench.elect(1),
            (12, _) => drop(bench.try_link_to(peer)),
            (13, _) => bench.hold_disk = true,
            (14, _) => bench.release_disk(),
            (15, _) => bench.join(number(bytes)),
            _ => {}
        }
        let after = bench.replica.status();
        assert!(after.applied.zxid >= before.applied.zxid, "applied went back (Y8)");
        assert!(after.epochs.accepted_epoch >= before.epochs.accepted_epoch, "E10");
        assert!(after.epochs.current_epoch >= before.epochs.current_epoch, "E10");
    }
    assert_digest(&bench);
}
