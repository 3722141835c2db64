//! What watches cost in memory and in time, and how many reads one core answers.
//!
//! `cargo run --release -p zabrus-core --example reads`. Linux only: memory and processor time are what the
//! system counts. It fails if a watch costs more than its budget.
#![allow(clippy::float_arithmetic, reason = "figures for a person")]

use std::hint::black_box;
use std::time::Duration;

use zabrus_core::config::ServiceSettings;
use zabrus_core::io::ClientId;
use zabrus_core::reads::{ReadContext, answer};
use zabrus_core::state::State;
use zabrus_core::watches::{WatchKind, Watches};
use zabrus_core::wire::{Acl, Change, EventType, Id, OpCode, Origin, SessionId, Transaction};
use zabrus_core::{Bytes, ServerId, Zxid, auth, jute};

/// The budget for one more watch on a node that others watch too, in bytes.
const BYTES_PER_WATCH: f64 = 32.0;

const READS: u32 = 2_000_000;

fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux counts nanoseconds");
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).map_or(Duration::ZERO, Duration::from_nanos)
}

/// The result of something, and how long the processor worked for it.
fn worked<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let start = processor_time();
    let result = what();
    (result, processor_time().saturating_sub(start))
}

fn resident_bytes() -> i64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux counts pages");
    text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).map_or(0, |pages: i64| pages * 4096)
}

fn path(number: u32) -> String {
    format!("/app/service-{number:07}")
}

/// `clients` clients watch each of `nodes` nodes. The first client's watches, and so the paths, are there
/// before the measurement.
fn watches_in_memory(nodes: u32, clients: u64, kind: WatchKind) -> Watches {
    let mut watches = Watches::default();
    let paths: Vec<_> = (0..nodes).map(path).collect();
    let mut watch = |client| paths.iter().for_each(|path| watches.add(ClientId(client), path, kind));
    watch(0);
    let before = resident_bytes();
    let ((), time) = worked(|| (1..=clients).for_each(watch));
    let bytes = (resident_bytes() - before) as f64;
    let count = f64::from(nodes) * clients as f64;
    let (bytes, nanos) = (bytes / count, time.as_nanos() as f64 / count);
    println!(
        "{clients} clients, {nodes} nodes, {kind:?}: {bytes:.1} bytes and {nanos:.0} ns for each more watch"
    );
    // A client that watches little costs more: it is a client, not only a watch.
    assert!(nodes < 100 || bytes <= BYTES_PER_WATCH, "a watch costs {bytes} bytes");
    watches
}

fn watches() {
    let shapes = [(1_000, 1_000, WatchKind::Data), (100, 10_000, WatchKind::Persistent)];
    // All are kept, so that none lies where an earlier one was.
    let _kept = shapes.map(|(nodes, clients, kind)| watches_in_memory(nodes, clients, kind));
    let mut watches = watches_in_memory(1, 1_000_000, WatchKind::Data);
    let mut told = 0_u32;
    let ((), time) = worked(|| watches.trigger(EventType::NodeDataChanged, &path(0), &mut |_| told += 1));
    println!("an event for {told} clients: {time:?}");
    let mut watches = watches_in_memory(1_000_000, 1, WatchKind::Child);
    let ((), time) = worked(|| watches.remove_client(ClientId(1)));
    println!("a client with a million watches goes: {time:?}");
}

fn filled(nodes: u32) -> State {
    let mut state = State::default();
    let acl = vec![Acl { perms: 31, id: Id { scheme: "world".into(), id: "anyone".into() } }];
    let mut create = |zxid: u32, path: String| {
        let (data, acl, op) = (Some(Bytes::from([7; 100])), acl.clone(), OpCode::Create);
        let parent_cversion = zxid.cast_signed();
        let change = Change::Create { op, path, data, acl, ephemeral: false, parent_cversion, ttl: 0 };
        let origin = Origin { server: ServerId(1), boot: 1, client: 1, number: 1 };
        let (session, zxid) = (SessionId(1), Zxid(zxid.into()));
        let transaction = Transaction { origin, session, cxid: 1, zxid, time: 0, change, digest: None };
        state.apply(&transaction, &mut |_| ());
    };
    create(1, "/app".into());
    (0..nodes).for_each(|number| create(number + 2, path(number)));
    state
}

fn reads(nodes: u32) {
    let (state, mut watches) = (filled(nodes), Watches::default());
    let settings = ServiceSettings::new(zabrus_core::Duration::from_millis(2_000));
    let identities = [auth::address_identity("127.0.0.1")];
    let operations = [
        (OpCode::GetData, false),
        (OpCode::GetData, true),
        (OpCode::Exists, false),
        (OpCode::GetChildren2, false),
    ];
    for (op, watch) in operations {
        let step = 7_919;
        let bodies: Vec<_> =
            (0..nodes).map(|number| jute::encode(&(path(number * step % nodes), watch))).collect();
        let mut bytes = 0;
        let ((), time) = worked(|| {
            for (body, xid) in bodies.iter().cycle().zip(0..READS.cast_signed()) {
                let context = ReadContext {
                    state: &state,
                    watches: &mut watches,
                    client: ClientId(1),
                    session: SessionId(1),
                    identities: &identities,
                    zxid: Zxid(u64::from(nodes)),
                    settings: &settings,
                };
                answer(context, xid, op, body, &mut |frame| bytes += black_box(frame).len());
            }
        });
        let rate = f64::from(READS) / time.as_secs_f64() / 1e6;
        println!("{nodes} nodes, {op:?}, watch {watch}: {rate:.2} million per second, {bytes} bytes");
    }
}

fn main() {
    watches();
    // As many as lie in the processor's caches, and more.
    reads(1_000);
    reads(100_000);
}
