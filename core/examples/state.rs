//! What a million znodes of 100 bytes cost: memory, snapshots, loading, lookups, writes.
//!
//! `cargo run --release -p zabrus-core --example state`. Linux only: memory and processor time are what
//! the system counts. Other programs interrupt, so a single operation counts with the shortest of the times
//! that it took in several equal rounds.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![allow(clippy::float_arithmetic, reason = "figures for a person")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use zabrus_core::state::{State, StateBuilder};
use zabrus_core::wire::{Acl, Change, Id, OpCode, Origin, SessionId, Transaction};
use zabrus_core::{Bytes, ServerId, Zxid};

const GROUPS: u32 = 1_000;
const GROUP: u32 = 1_000;
const NODES: u32 = GROUPS * GROUP;
const NAME_BYTES: usize = 15;
const DATA: [u8; 100] = [7; 100];
const CHUNK_BYTES: usize = 64 << 10;
const ROUNDS: u32 = 5;

fn path(number: u32) -> String {
    format!("/app/group-{:04}/node-{number:010}", number / GROUP)
}

fn transaction(zxid: u64, change: Change) -> Transaction {
    let origin = Origin { server: ServerId(1), boot: 1, client: 1, number: zxid };
    let (session, time) = (SessionId(1), 1_700_000_000_000);
    Transaction { origin, session, cxid: 1, zxid: Zxid(zxid), time, change, digest: Some(0) }
}

fn create(zxid: u64, path: String, parent_cversion: u32) -> Transaction {
    let acl = vec![Acl { perms: 31, id: Id { scheme: "world".into(), id: "anyone".into() } }];
    let (data, parent_cversion) = (Some(Bytes::from(DATA)), parent_cversion.cast_signed());
    let op = OpCode::Create;
    transaction(zxid, Change::Create { op, path, data, acl, ephemeral: false, parent_cversion, ttl: 0 })
}

/// A write to some node, made as the log has it.
fn write(random: &mut ChaCha8Rng, zxid: u64) -> Transaction {
    let path = path(random.next_u32() % NODES);
    transaction(zxid, Change::SetData { path, data: Some(Bytes::from(DATA)), version: 1 })
}

/// Does it, and says for how long the processor worked.
fn worked<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let start = processor_time();
    let result = what();
    (result, processor_time().saturating_sub(start))
}

fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux counts nanoseconds");
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).map_or(Duration::ZERO, Duration::from_nanos)
}

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux counts pages");
    text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).map_or(0, |pages: usize| pages * 4096)
}

fn per_second(count: u32, elapsed: Duration) -> String {
    format!("{:.2} million per second", f64::from(count) / elapsed.as_secs_f64() / 1e6)
}

/// For each operation of a round the shortest time of all rounds.
#[derive(Default)]
struct Times {
    best: Vec<Duration>,
    next: usize,
}

impl Times {
    /// Room for so many, there from now on, lest it counts as memory of the state.
    fn with_room(count: usize) -> Self {
        Self { best: vec![Duration::MAX; count], next: 0 }
    }

    fn time<T>(&mut self, what: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = what();
        let elapsed = start.elapsed();
        match self.best.get_mut(self.next) {
            Some(best) => *best = elapsed.min(*best),
            None => self.best.push(elapsed),
        }
        self.next += 1;
        result
    }

    fn longest(&self) -> Duration {
        self.best.iter().copied().max().unwrap_or_default()
    }
}

fn filled(times: &mut Times) -> State {
    times.next = 0;
    let mut state = State::default();
    let mut apply = |path, parent_cversion| {
        let transaction = create(1 + times.next as u64, path, parent_cversion);
        times.time(|| state.apply(&transaction, &mut |_| ()));
    };
    apply("/app".into(), 1);
    for group in 0..GROUPS {
        apply(format!("/app/group-{group:04}"), group + 1);
    }
    for number in 0..NODES {
        apply(path(number), number % GROUP + 1);
    }
    state
}

/// What holds up requests while a snapshot is there.
#[derive(Default)]
struct Holds {
    taking: Times,
    chunks: Times,
    writes: Times,
    dropping: Times,
}

impl Holds {
    fn round(&mut self, state: &mut State) {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        for times in [&mut self.taking, &mut self.chunks, &mut self.writes, &mut self.dropping] {
            times.next = 0;
        }
        let mut snapshot = self.taking.time(|| state.snapshot());
        while self.chunks.time(|| snapshot.next_chunk(CHUNK_BYTES)).is_some() {
            for _ in 0..100 {
                let transaction = write(&mut random, 10_000_000);
                self.writes.time(|| state.apply(&transaction, &mut |_| ()));
            }
        }
        self.dropping.time(|| drop(snapshot));
    }
}

fn main() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut times = Times::with_room((NODES + GROUPS + 1) as usize);
    let before = resident_bytes();
    let (mut state, filling) = worked(|| filled(&mut times));
    let each = (resident_bytes() - before) / NODES as usize;
    println!(
        "memory           {each} bytes per znode, {} besides data and name",
        each - DATA.len() - NAME_BYTES
    );
    for _ in 1..ROUNDS {
        drop(state);
        state = filled(&mut times);
    }
    println!("create           {}, made and applied", per_second(NODES, filling));
    println!("                 longest {:.1?}", times.longest());

    let mut holds = Holds::default();
    for _ in 0..ROUNDS {
        holds.round(&mut state);
    }
    let Holds { taking, chunks, writes, dropping } = holds;
    println!("snapshot         taken in {:.1?}, dropped in {:.1?}", taking.longest(), dropping.longest());
    println!("                 longest chunk {:.1?}", chunks.longest());
    println!("                 longest write meanwhile {:.1?}", writes.longest());

    let mut snapshot = state.snapshot();
    let chunks: Vec<_> =
        std::iter::from_fn(|| snapshot.next_chunk(CHUNK_BYTES)).map(|(chunk, _)| chunk).collect();
    let bytes: usize = chunks.iter().map(Vec::len).sum();
    let (loaded, loading) = worked(|| {
        let mut builder = StateBuilder::default();
        for chunk in &chunks {
            builder.add(chunk).expect("a chunk of our own");
        }
        builder.finish().expect("chunks of our own")
    });
    assert_eq!(loaded.digest(), state.digest());
    println!(
        "load             {loading:.1?} for {} chunks, {} bytes per znode",
        chunks.len(),
        bytes / NODES as usize
    );
    drop((loaded, chunks));

    let paths: Vec<_> = (0..NODES).map(|_| path(random.next_u32() % NODES)).collect();
    let (found, looking) = worked(|| {
        paths
            .iter()
            .filter(|path| state.node(path).is_some_and(|node| black_box(node.stat()).czxid > 0))
            .count()
    });
    assert_eq!(found, paths.len());
    println!("lookup and stat  {}, at random", per_second(NODES, looking));

    let writes: Vec<_> =
        (0..NODES).map(|number| write(&mut random, 20_000_000 + u64::from(number))).collect();
    let ((), writing) = worked(|| {
        for transaction in &writes {
            black_box(state.apply(transaction, &mut |_| ()));
        }
    });
    println!("setData          {}, at random", per_second(NODES, writing));
    assert_eq!(state.digest(), state.recomputed_digest());
}
