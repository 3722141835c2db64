//! Two clients of a server alone say arbitrary bytes. Afterwards the server starts again, and its log gives
//! the same state.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use zabrus_core::config::Config;
use zabrus_core::io::ClientId;
use zabrus_core::quorum::Ensemble;
use zabrus_core::wire::Frames;
use zabrus_core::{Duration, Input};

use crate::common::bench::Bench;
use crate::{assert_digest, number, pieces};

/// The first byte chooses settings.
fn settings(config: &mut Config, choice: u8) {
    config.preallocate_bytes = 0;
    config.snapshot_interval = 8;
    config.service.extended_types = choice & 1 != 0;
    config.service.enforce_quota = choice & 2 != 0;
    config.service.linearizable_reads = choice & 4 != 0;
    config.service.skip_acl = choice & 8 != 0;
    config.service.outstanding_limit = usize::from(choice >> 4);
}

/// The pieces are bytes of the one client or the other, new connections, and time that passes.
pub fn run(input: &[u8]) {
    let Some((choice, input)) = input.split_first() else { return };
    let mut bench = Bench::new(1, Ensemble::plain(1, 0), |config| settings(config, *choice));
    bench.elect(1);
    let mut streams: BTreeMap<u8, (ClientId, Frames)> = BTreeMap::new();
    let mut opened = 0;
    for (tag, bytes) in pieces(input) {
        match tag % 8 {
            6 => bench.wait(Duration::from_millis(number(bytes))),
            client @ (4 | 5) => {
                if let Some((client, _)) = streams.remove(&(client - 4)) {
                    bench.step(Input::ClientGone { client });
                }
            }
            other => {
                let (client, frames) = streams.entry(other % 2).or_insert_with(|| {
                    opened += 1;
                    let (client, address) = (ClientId(opened), IpAddr::V4(Ipv4Addr::LOCALHOST));
                    bench.step(Input::ClientConnected { client, address });
                    (client, Frames::new(1 << 16))
                });
                frames.push(bytes);
                while let Ok(Some(frame)) = frames.next_frame() {
                    bench.client(client.0, frame.to_vec());
                }
            }
        }
    }
    assert!(!bench.halted && bench.replica.status().serving);
    assert_digest(&bench);
    let digest = bench.replica.state().digest();
    bench.restart(|_| {});
    bench.elect(1);
    assert_digest(&bench);
    assert_eq!(bench.replica.state().digest(), digest, "the log gives the same state");
}
