//! Clients that write as fast as they get answers, and remember what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use zabrus_core::jute;
use zabrus_core::wire::{CheckVersion, Delete, ErrorCode, MultiHeader, OpCode, SetData};

use crate::client::{Answer, Client, Tree, creation};
use crate::server::{Cluster, Server, now, sleep, wait_for};

/// After this time without an answer a client tries another server.
const PATIENCE: Duration = Duration::from_secs(2);

/// Until then, writes without an answer are done, or never will be.
const SETTLING: Duration = Duration::from_secs(10);

/// What each path may hold in the end, `None` for no node. An answer leaves one possibility; without
/// one, the write may be done or not.
#[derive(Debug, Default)]
pub(crate) struct Ledger(BTreeMap<String, BTreeSet<Option<Vec<u8>>>>);

/// Writers, each with its own part of the tree.
pub(crate) struct Load {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<Ledger>>,
}

struct Shared {
    begin: Instant,
    over: AtomicBool,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    unanswered: AtomicU64,
    /// In microseconds, as the next one.
    mark: AtomicU64,
    /// The first answer to a write that was sent after the mark.
    first: AtomicU64,
}

impl Load {
    /// Starts `writers` clients of the servers at these ports.
    pub(crate) fn start(ports: &[u16], writers: usize) -> Self {
        let shared = Arc::new(Shared {
            begin: now(),
            over: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            mark: AtomicU64::new(u64::MAX),
            first: AtomicU64::new(u64::MAX),
        });
        let writer = |number| {
            let (shared, ports) = (Arc::clone(&shared), ports.to_vec());
            thread::spawn(move || Writer::new(number, shared).run(&ports))
        };
        Self { writers: (0..writers).map(writer).collect(), shared }
    }

    /// How many writes were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::SeqCst)
    }

    /// Waits until so many more writes are acknowledged.
    #[track_caller]
    pub(crate) fn wait_for_writes(&self, count: u64, when: &str) {
        let goal = self.acknowledged() + count;
        wait_for(&format!("writes {when}"), || (self.acknowledged() >= goal).then_some(()));
    }

    /// From `moment` to the first answer to a write that was sent after it.
    #[track_caller]
    pub(crate) fn pause_after(&self, moment: Instant) -> Duration {
        let moment = moment.duration_since(self.shared.begin);
        self.shared.first.store(u64::MAX, Ordering::SeqCst);
        self.shared.mark.store(moment.as_micros() as u64, Ordering::SeqCst);
        let first = wait_for("a write", || {
            Some(self.shared.first.load(Ordering::SeqCst)).filter(|first| *first != u64::MAX)
        });
        self.shared.mark.store(u64::MAX, Ordering::SeqCst);
        Duration::from_micros(first) - moment
    }

    /// Ends the load, and judges what all servers hold: they agree, everything acknowledged is there, and
    /// nothing that was refused.
    #[track_caller]
    pub(crate) fn finish(self, cluster: &Cluster) -> String {
        self.shared.over.store(true, Ordering::SeqCst);
        let mut ledger = Ledger::default();
        for writer in self.writers {
            ledger.0.extend(writer.join().expect("a writer sees only what it may see").0);
        }
        // A write without an answer may still be on its way.
        let begin = now();
        let trees = loop {
            let tree = |server: &Server| Client::connect(server.port).and_then(|mut client| client.tree());
            let trees: Vec<_> = cluster.servers.iter().map(|server| tree(server).expect("a tree")).collect();
            let differences = differences(&trees);
            if differences.is_empty() {
                break trees;
            }
            assert!(begin.elapsed() < SETTLING, "servers differ: {differences:#?}");
        };
        ledger.judge(&trees[0]);
        let Shared { acknowledged, refused, unanswered, .. } = &*self.shared;
        format!(
            "{} writes acknowledged, {} refused, {} without an answer; {} nodes, equal on {} servers",
            acknowledged.load(Ordering::SeqCst),
            refused.load(Ordering::SeqCst),
            unanswered.load(Ordering::SeqCst),
            trees[0].len(),
            trees.len()
        )
    }
}

impl Ledger {
    /// Compares with what is there.
    pub(crate) fn judge(&self, tree: &Tree) {
        for (path, possible) in &self.0 {
            let found = tree.get(path).map(|(data, _)| data.clone().unwrap_or_default());
            assert!(possible.contains(&found), "{path}: {found:?} is there, and not one of {possible:?}");
        }
        let ours = |path: &&String| *path != "/" && !path.starts_with("/zookeeper");
        let unasked: Vec<_> = tree.keys().filter(ours).filter(|path| !self.0.contains_key(*path)).collect();
        assert!(unasked.is_empty(), "nobody asked for {unasked:?}");
    }

    fn set(&mut self, path: &str, possible: impl IntoIterator<Item = Option<Vec<u8>>>) {
        self.0.insert(path.to_owned(), possible.into_iter().collect());
    }
}

struct Writer {
    name: usize,
    shared: Arc<Shared>,
    ledger: Ledger,
}

impl Writer {
    fn new(name: usize, shared: Arc<Shared>) -> Self {
        Self { name, shared, ledger: Ledger::default() }
    }

    fn run(mut self, ports: &[u16]) -> Ledger {
        let mut ports = ports.iter().cycle().skip(self.name);
        let mut number = 0;
        while !self.shared.over.load(Ordering::SeqCst) {
            let port = *ports.next().expect("a cycle");
            let Ok(mut client) = Client::connect_patiently(port, PATIENCE) else {
                sleep(Duration::from_millis(5));
                continue;
            };
            while !self.shared.over.load(Ordering::SeqCst) {
                number += 1;
                if self.write(&mut client, number).is_err() {
                    // What happens to this path later is not known, so it is left alone.
                    self.shared.unanswered.fetch_add(1, Ordering::SeqCst);
                    break;
                }
            }
        }
        self.ledger
    }

    /// Writes to a fresh path, in one of several ways.
    fn write(&mut self, client: &mut Client, number: u64) -> io::Result<()> {
        let path = format!("/{}-{number}", self.name);
        let first = path.clone().into_bytes();
        self.ledger.set(&path, [None, Some(first.clone())]);
        self.acknowledged(|| client.try_create(&path, &first))?;
        self.ledger.set(&path, [Some(first.clone())]);
        match number % 4 {
            0 => assert_eq!(client.read(&path)?, Some(first), "a client sees what it has written"),
            1 => {
                let second = b"second".to_vec();
                self.ledger.set(&path, [Some(first), Some(second.clone())]);
                self.acknowledged(|| client.ask(OpCode::SetData, &set_data(&path, &second, 0)))?;
                self.ledger.set(&path, [Some(second)]);
            }
            2 => {
                self.ledger.set(&path, [Some(first), None]);
                let delete = Delete { path: path.clone(), version: 0 };
                self.acknowledged(|| client.ask(OpCode::Delete, &delete))?;
                self.ledger.set(&path, [None]);
            }
            _ => {
                // Nothing of this may ever be seen, whether an answer comes or not.
                let ghost = format!("{path}-refused");
                self.ledger.set(&ghost, [None]);
                let wrong = client.ask(OpCode::SetData, &set_data(&path, b"wrong", 7))?;
                assert_eq!(wrong, Err(ErrorCode::BadVersion));
                let twice = client.try_create(&path, b"twice")?;
                assert_eq!(twice, Err(ErrorCode::NodeExists));
                let header = |op: OpCode| MultiHeader { op: op.code(), done: false, err: -1 };
                let check = CheckVersion { path: path.clone(), version: 7 };
                let both = (
                    (header(OpCode::Create), creation(&ghost, b"ghost")),
                    (header(OpCode::Check), check, MultiHeader::END),
                );
                let results = client.ask(OpCode::Multi, &both)?.expect("a multi answers each part");
                let first: MultiHeader = jute::decode(&results[..9]).expect("a result");
                assert_eq!(first.op, -1, "none of the parts was done");
                self.shared.refused.fetch_add(3, Ordering::SeqCst);
            }
        }
        Ok(())
    }

    /// A write that nothing can be against.
    fn acknowledged(&self, write: impl FnOnce() -> Answer) -> io::Result<()> {
        let time = || now().duration_since(self.shared.begin).as_micros() as u64;
        let sent = time();
        write()?.expect("nothing is against it");
        if sent >= self.shared.mark.load(Ordering::SeqCst) {
            self.shared.first.fetch_min(time(), Ordering::SeqCst);
        }
        self.shared.acknowledged.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// A few nodes that servers do not hold alike.
fn differences(trees: &[Tree]) -> Vec<String> {
    // It shows the server lines of each zoo.cfg, which name forwarders of its own.
    let is_common = |path: &&String| *path != "/zookeeper/config";
    let paths: BTreeSet<_> = trees.iter().flat_map(Tree::keys).filter(is_common).collect();
    let differ = |path: &&String| trees.iter().any(|tree| tree.get(*path) != trees[0].get(*path));
    let show = |path: &String| {
        let held: Vec<_> = trees.iter().map(|tree| tree.get(path)).collect();
        format!("{path}: {held:?}")
    };
    paths.into_iter().filter(differ).take(5).map(show).collect()
}

fn set_data(path: &str, data: &[u8], version: i32) -> SetData {
    SetData { path: path.to_owned(), data: Some(data.into()), version }
}

/// A tree with one node.
#[cfg(test)]
fn grown(path: &str, data: &[u8]) -> Tree {
    Tree::from([(path.to_owned(), (Some(data.to_vec()), zabrus_core::wire::Stat::default()))])
}

#[test]
fn a_write_without_an_answer_may_be_done_or_not() {
    let mut ledger = Ledger::default();
    ledger.set("/a", [None, Some(b"x".to_vec())]);
    ledger.judge(&grown("/a", b"x"));
    ledger.judge(&Tree::new());
}

#[test]
#[should_panic(expected = "/a: None is there")]
fn a_lost_write_is_seen() {
    let mut ledger = Ledger::default();
    ledger.set("/a", [Some(b"x".to_vec())]);
    ledger.judge(&Tree::new());
}

#[test]
#[should_panic(expected = "/a-refused: Some")]
fn a_refused_write_is_seen() {
    let mut ledger = Ledger::default();
    ledger.set("/a-refused", [None]);
    ledger.judge(&grown("/a-refused", b"ghost"));
}

#[test]
#[should_panic(expected = "nobody asked for [\"/b\"]")]
fn a_write_from_nowhere_is_seen() {
    Ledger::default().judge(&grown("/b", b""));
}

#[test]
fn servers_that_differ_are_seen() {
    assert_eq!(differences(&[grown("/a", b"x"), grown("/a", b"x")]), [""; 0]);
    assert_eq!(differences(&[grown("/a", b"x"), grown("/a", b"y")]).len(), 1);
    assert_eq!(differences(&[grown("/a", b"x"), Tree::new()]).len(), 1);
}
