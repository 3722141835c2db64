//! The flight recorder: the lives of this server's replica, each as a file that `zabrus-sim
//! replay-log` lives again.
//!
//! What recovery reads is written before the replica starts. From then on the core thread only
//! hands over what it has anyway; a thread of its own hashes and writes it. Whatever goes wrong
//! there ends the recording with a warning, never the server.

mod files;
#[cfg(test)]
mod tests;

use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread;
use std::time::Duration;

use zabrus_core::message::{Frame, Message};
use zabrus_core::recording::{Chain, Landmark, Record, Watched};
use zabrus_core::storage::{Directory, FileOperation, Recovered, RecoveryError, recover};
use zabrus_core::{Config, Input, Now, Output, Replica};

use crate::version;
use files::Recording;

/// When more than this waits to be recorded, the recorder's disk is too slow.
const QUEUE_LIMIT: u64 = 64 << 20;

/// What anything that waits takes besides its bytes.
const ITEM_BYTES: u64 = 200;

/// How long the end of a life waits for its recording.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// `record` and `recordSizeLimitInMb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordSettings {
    pub(crate) directory: PathBuf,
    /// All recordings together, in bytes.
    pub(crate) limit: u64,
}

/// A life that is about to begin; perhaps it is recorded.
#[derive(Debug)]
pub(crate) struct Beginning {
    recording: Option<Recording>,
}

/// A replica, with a recording of its life. Everybody may look at the replica; only from here it
/// takes inputs and gives outputs.
pub(crate) struct Recorded {
    replica: Replica,
    recorder: Option<Recorder>,
}

/// The core thread's end of the recorder's thread.
#[derive(Debug)]
struct Recorder {
    /// What the thread was not told yet.
    items: Vec<Item>,
    /// `None` if nothing is recorded any more.
    queue: Option<Sender<Vec<Item>>>,
    /// Bytes that the thread has not taken yet.
    waiting: Arc<AtomicU64>,
    /// Says nothing, and is gone when the thread is.
    done: Receiver<()>,
}

#[derive(Debug)]
enum Item {
    Input(Now, Input),
    Output(Output),
    Drained(Landmark),
    End,
}

impl Beginning {
    /// Opens the recording of a life with these settings, if lives are recorded.
    pub(crate) fn new(settings: Option<&RecordSettings>, config: &Config) -> Self {
        let create = |settings| Recording::create(settings).map_err(|error| give_up(settings, &error)).ok();
        let mut beginning = Self { recording: settings.and_then(create) };
        beginning.add(&Record::Program(version::FULL.into()));
        beginning.add(&Record::Config(config.clone().into()));
        beginning
    }

    /// Recovers from `directory`, and records what is read.
    pub(crate) fn recover(
        &mut self,
        config: &Config,
        directory: &dyn Directory,
    ) -> Result<Recovered, RecoveryError> {
        let watched = Watched::new(directory, |record: &Record| self.add(record));
        let recovered = recover(config, &watched);
        if recovered.is_err() {
            self.discard();
        }
        recovered
    }

    fn add(&mut self, record: &Record) {
        if let Some(recording) = &mut self.recording
            && let Err(error) = recording.add(record)
        {
            give_up(recording.settings(), &error);
            self.discard();
        }
    }

    /// Without a start there is no life to live again.
    fn discard(&mut self) {
        if let Some(recording) = self.recording.take() {
            recording.discard();
        }
    }

    /// Starts the replica.
    pub(crate) fn start(
        mut self,
        config: Config,
        recovered: Recovered,
        seed: [u8; 32],
        now: Now,
    ) -> Recorded {
        self.add(&Record::Start { seed, now });
        let recorder = self.recording.and_then(|recording| {
            let settings = recording.settings().clone();
            Recorder::start(recording).map_err(|error| give_up(&settings, &error)).ok()
        });
        Recorded { replica: Replica::new(config, recovered, seed, now), recorder }
    }
}

impl Deref for Recorded {
    type Target = Replica;

    fn deref(&self) -> &Replica {
        &self.replica
    }
}

impl Recorded {
    /// Takes one input. It is noted before, as it may be the last one.
    pub(crate) fn handle(&mut self, now: Now, input: Input) {
        if let Some(recorder) = &mut self.recorder {
            recorder.items.push(Item::Input(now, input.clone()));
        }
        self.replica.handle(now, input);
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        let output = self.replica.poll();
        if let Some(recorder) = &mut self.recorder {
            recorder.items.push(match &output {
                Some(output) => Item::Output(output.clone()),
                None => Item::Drained(Landmark::of(&self.replica)),
            });
        }
        output
    }

    /// Hands over what was noted since the last time.
    pub(crate) fn hand_over(&mut self) {
        if let Some(recorder) = &mut self.recorder
            && !recorder.hand_over()
        {
            self.recorder = None;
        }
    }
}

impl Recorder {
    fn start(mut recording: Recording) -> io::Result<Self> {
        let (queue, items) = mpsc::channel();
        let (ends, done) = mpsc::channel();
        let waiting = Arc::new(AtomicU64::new(0));
        let shared = Arc::clone(&waiting);
        thread::Builder::new().name("recorder".into()).spawn(move || {
            let _ends: Sender<()> = ends;
            if let Err(error) = write(&mut recording, &items, &shared) {
                give_up(recording.settings(), &error);
            }
        })?;
        Ok(Self { items: Vec::new(), queue: Some(queue), waiting, done })
    }

    /// False if nothing is recorded any more.
    fn hand_over(&mut self) -> bool {
        let Some(queue) = &self.queue else { return false };
        if self.items.is_empty() {
            return true;
        }
        let items = std::mem::take(&mut self.items);
        let bytes = items.iter().map(weight).sum();
        if self.waiting.fetch_add(bytes, Ordering::Relaxed) > QUEUE_LIMIT {
            tracing::warn!("recording stops until this server starts again: its disk is too slow");
            self.queue = None;
        } else if queue.send(items).is_err() {
            self.queue = None; // The thread has said why.
        }
        self.queue.is_some()
    }
}

impl Drop for Recorder {
    /// The life is over, or the core broke an assertion: then the last input is what matters most.
    fn drop(&mut self) {
        if !thread::panicking() {
            self.items.push(Item::End);
        }
        if self.hand_over() {
            self.queue = None;
            if self.done.recv_timeout(LAST_WORDS) == Err(RecvTimeoutError::Timeout) {
                tracing::warn!("the end of a recording may be missing: its disk is too slow");
            }
        }
    }
}

/// Records what comes, until nothing more does.
fn write(recording: &mut Recording, queue: &Receiver<Vec<Item>>, waiting: &AtomicU64) -> io::Result<()> {
    let mut chain = Chain::default();
    loop {
        let items = match queue.try_recv() {
            Ok(items) => items,
            Err(TryRecvError::Disconnected) => return recording.flush(),
            Err(TryRecvError::Empty) => {
                recording.flush()?;
                let Ok(items) = queue.recv() else { return Ok(()) };
                items
            }
        };
        waiting.fetch_sub(items.iter().map(weight).sum(), Ordering::Relaxed);
        for item in items {
            match item {
                Item::Input(now, input) => {
                    recording.add(&Record::Input { chain: chain.value(), now, input })?
                }
                Item::Output(output) => chain.output(&output),
                Item::Drained(landmark) => chain.drained(&landmark),
                Item::End => recording.add(&Record::End { chain: chain.value() })?,
            }
        }
    }
}

/// What an item keeps in memory, about. A transaction's bytes are counted where it is written.
fn weight(item: &Item) -> u64 {
    let bytes = match item {
        Item::Input(_, Input::Frame { bytes, .. } | Input::ClientFrame { bytes, .. })
        | Item::Output(Output::ClientFrame { bytes, .. }) => bytes.len(),
        Item::Input(_, Input::Disk(completion)) => completion.result.as_ref().map_or(0, |bytes| bytes.len()),
        Item::Output(Output::Disk(asked)) => match &asked.operation {
            FileOperation::Write { bytes, .. } => bytes.len(),
            _ => 0,
        },
        Item::Output(Output::Send {
            frame: Frame::Data { message: Message::SnapChunk { bytes, .. }, .. },
            ..
        }) => bytes.len(),
        _ => 0,
    };
    bytes as u64 + ITEM_BYTES
}

fn give_up(settings: &RecordSettings, error: &io::Error) {
    let directory = settings.directory.display();
    tracing::warn!("recording in {directory} stops until this server starts again: {error}");
}
