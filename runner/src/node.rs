//! The core thread: it owns the replica, carries out its outputs in order, and reports what
//! happened.
//!
//! One turn: wait until something is ready or due; take what arrived; let the replica handle it;
//! send what it said. Nothing here waits for anything else, so nobody holds up anybody.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;

use mio::{Events, Poll, Waker};
use zabrus_core::io::{ClientId, Input};
use zabrus_core::membership::Membership;
use zabrus_core::storage::{DiskCompletion, RecoveryError};
use zabrus_core::{Duration, Instant, Now, Output, ServerId};

use crate::channel::SCRATCH_BYTES;
use crate::clients::Clients;
use crate::clock::Clock;
use crate::disk::{DataDirectory, Disk, OpenError};
use crate::events;
use crate::operator::collect::Sources;
use crate::operator::words::Word;
use crate::operator::{Facts, Topic};
use crate::peers::{Outcome, Peers};
use crate::port::Port;
use crate::progress::Progress;
use crate::recorder::{Beginning, Recorded};
use crate::zoo_cfg::{ServerLine, Settings, dynamic};

/// When the disk has more than this to write, nothing more is read from anybody until it has less.
const DISK_QUEUE_LIMIT: u64 = 64 << 20;

/// A replica whose disk failed is started again after a while, which doubles.
const FIRST_REST: Duration = Duration::from_seconds(1);
const LONGEST_REST: Duration = Duration::from_seconds(30);

/// The file that allows an empty data directory, as ZooKeeper has it (ZOOKEEPER-261).
const INITIALIZE: &str = "initialize";

/// What another thread says to this one.
#[derive(Debug)]
pub(crate) enum Notice {
    Disk(DiskCompletion),
    Dialed(ServerId, Outcome),
    /// Somebody wants to know something.
    Question(Topic, SyncSender<Box<Facts>>),
    /// The answer to a client's four-letter word.
    Answer(ClientId, String),
    /// Finish what is on its way to the disk, and end.
    Stop,
}

/// How other threads reach this one.
#[derive(Clone, Debug)]
pub(crate) struct Notices {
    sender: Sender<Notice>,
    waker: Arc<Waker>,
}

/// Why a server cannot start.
#[derive(Debug)]
pub(crate) enum StartError {
    Directory(OpenError),
    Recovery(RecoveryError),
    Io(io::Error),
}

/// One server.
#[derive(Debug)]
pub(crate) struct Node {
    settings: Arc<Settings>,
    clock: Clock,
    poll: Poll,
    received: Receiver<Notice>,
    notices: Notices,
    peers: Peers,
    clients: Clients,
    progress: Progress,
    /// Four-letter words that wait for their turn, and the thread that writes the answers, one at a
    /// time: a long one never fills the memory twice.
    questions: VecDeque<(ClientId, Word)>,
    writer: Sender<(ClientId, Word, Box<Facts>)>,
    writing: bool,
    life: Life,
    rest: Duration,
}

enum Life {
    Running { replica: Box<Recorded>, disk: Disk, since: Instant },
    Resting { until: Instant },
}

impl Notices {
    pub(crate) fn send(&self, notice: Notice) {
        // If nobody receives any more, the server has ended.
        if self.sender.send(notice).is_ok()
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "the core thread cannot be woken");
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(error) => error.fmt(f),
            Self::Recovery(RecoveryError::ForeignData { owner, this }) => {
                write!(
                    f,
                    "dataDir holds the data of server {owner}, but myid says {this}: correct myid or dataDir"
                )
            }
            Self::Recovery(RecoveryError::Unreadable(error)) => write!(f, "dataDir cannot be read: {error}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        Self::Directory(error)
    }
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running { .. } => "Running",
            Self::Resting { .. } => "Resting",
        })
    }
}

impl Node {
    /// Listens, opens the data directory, and recovers.
    pub(crate) fn start(settings: Arc<Settings>) -> Result<Self, StartError> {
        let clock = Clock::start();
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), Port::Wake.token(0))?);
        let (sender, received) = mpsc::channel();
        let notices = Notices { sender, waker };
        let dialed = notices.clone();
        let report = move |peer, outcome| dialed.send(Notice::Dialed(peer, outcome));
        let peers = Peers::start(&settings, poll.registry(), clock.monotonic(), report)?;
        let clients = Clients::start(&settings.client, poll.registry())?;
        let writer = start_writer(notices.clone())?;
        let mut node = Self {
            settings,
            clock,
            poll,
            received,
            notices,
            peers,
            clients,
            progress: Progress::default(),
            questions: VecDeque::new(),
            writer,
            writing: false,
            life: Life::Resting { until: Instant(0) },
            rest: FIRST_REST,
        };
        node.wake_up()?;
        Ok(node)
    }

    /// For threads that want to say something to this one.
    pub(crate) fn notices(&self) -> Notices {
        self.notices.clone()
    }

    /// Serves until [`Notice::Stop`].
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut scratch = Box::new([0; SCRATCH_BYTES]);
        let (mut inputs, mut asked) = (Vec::new(), Vec::new());
        self.drain(self.clock.now());
        loop {
            let has_work = !inputs.is_empty()
                || self.listens() && (self.peers.has_work() || self.clients.has_work(self.room()));
            let timeout = if has_work { Some(std::time::Duration::ZERO) } else { self.patience() };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let registry = self.poll.registry();
            let now = self.clock.monotonic();
            for event in &events {
                match Port::of(event.token()) {
                    (Port::Wake, _) => {}
                    (Port::Clients, _) => self.clients.accept(registry, now),
                    (Port::Client, number) => self.clients.is_ready(number),
                    (Port::Peers, _) => self.peers.accept(registry, now),
                    (Port::Peer, number) => self.peers.is_ready(number),
                }
            }
            for notice in self.received.try_iter() {
                match notice {
                    Notice::Disk(completion) => inputs.push(Input::Disk(completion)),
                    Notice::Dialed(peer, outcome) => {
                        self.peers.dialed(registry, now, peer, outcome, &mut inputs)
                    }
                    Notice::Question(topic, reply) => asked.push((topic, reply)),
                    Notice::Answer(client, text) => {
                        self.clients.answer(client, &text, now);
                        self.writing = false;
                    }
                    Notice::Stop => {
                        self.stop();
                        return Ok(());
                    }
                }
            }
            self.peers.advance(registry, now);
            self.clients.advance(registry, now, &mut inputs);
            if self.listens() {
                self.peers.read(now, &mut scratch, &mut inputs);
                let room = self.room();
                self.clients.read(now, &mut scratch, &mut inputs, &mut self.questions, room);
            }
            if matches!(&self.life, Life::Running { replica, .. } if replica.deadline() <= now) {
                inputs.push(Input::Tick);
            }
            self.feed(&mut inputs);
            if matches!(self.life, Life::Resting { until } if until <= now) {
                self.try_again();
            }
            for (topic, reply) in asked.drain(..) {
                // Who asked may have lost patience.
                let _ = reply.try_send(Box::new(self.facts(topic)));
            }
            self.next_word();
            self.peers.flush(now, &mut inputs);
            self.clients.flush(now, &mut inputs);
        }
    }

    /// Whether anything is read: not while the disk is far behind.
    fn listens(&self) -> bool {
        match &self.life {
            Life::Running { disk, .. } => disk.waiting() <= DISK_QUEUE_LIMIT,
            Life::Resting { .. } => true,
        }
    }

    /// How many requests of clients may come now. When none may, those under way make room: their end is an
    /// input of its own.
    fn room(&self) -> usize {
        match (&self.life, self.settings.client.requests.under_way) {
            (Life::Resting { .. }, _) | (_, usize::MAX) => usize::MAX,
            (Life::Running { replica, .. }, limit) => limit.saturating_sub(replica.status().waiting),
        }
    }

    /// How long to wait if nothing happens.
    fn patience(&self) -> Option<std::time::Duration> {
        let own = match &self.life {
            Life::Running { replica, .. } => replica.deadline(),
            Life::Resting { until } => *until,
        };
        let deadline = own.min(self.peers.deadline()).min(self.clients.deadline());
        let left = deadline.since(self.clock.monotonic());
        (deadline != Instant::NEVER).then_some(std::time::Duration::from_micros(left.0))
    }

    /// Lets the replica handle everything, one by one.
    fn feed(&mut self, inputs: &mut Vec<Input>) {
        let mut closed = BTreeSet::new();
        for input in inputs.drain(..) {
            let Life::Running { replica, .. } = &mut self.life else {
                refuse(&mut self.clients, &input, self.clock.monotonic());
                continue;
            };
            // Frames that came together with the one for which their connection was closed.
            if matches!(&input, Input::ClientFrame { client, .. } if closed.contains(client)) {
                continue;
            }
            let now = self.clock.now();
            replica.handle(now, input);
            self.progress.logged(replica.storage().last().zxid, now.monotonic);
            closed.extend(self.drain(now));
        }
        if let Life::Running { replica, .. } = &mut self.life {
            replica.hand_over();
        }
    }

    /// Carries out everything that the replica asks for. Returns the clients whose connections it
    /// closed.
    fn drain(&mut self, now: Now) -> Vec<ClientId> {
        let mut closed = Vec::new();
        while let Life::Running { replica, disk, .. } = &mut self.life {
            let output = replica.poll();
            if let Some(output) = &output {
                self.progress.observe(output, now);
            }
            match output {
                None => break,
                Some(Output::Send { connection, frame, .. }) => self.peers.send(connection, &frame),
                Some(Output::Disconnect { connection, .. }) => {
                    self.peers.disconnect(connection, now.monotonic);
                }
                Some(Output::Disk(operation)) => disk.submit(operation),
                Some(Output::ClientFrame { client, bytes }) => {
                    self.clients.send(client, &bytes, now.monotonic)
                }
                Some(Output::ClientClose { client }) => {
                    self.clients.close(client, now.monotonic);
                    closed.push(client);
                }
                Some(Output::ClientPause { client }) => self.clients.pause(client, true),
                Some(Output::ClientResume { client }) => self.clients.pause(client, false),
                Some(Output::Members(members)) => self.reconfigure(*members),
                Some(Output::Peers(lines)) => {
                    if let Err(error) = self.peers.reconfigure(&lines, now.monotonic) {
                        tracing::error!(%error, "not all servers can be connected: start this one again");
                    }
                }
                Some(Output::Event(event)) => events::log(&event),
                Some(Output::Halt { reason }) => self.rest(&reason),
            }
        }
        closed
    }

    /// The members are others from now on.
    fn reconfigure(&mut self, members: Membership) {
        let (own, old) = (self.settings.core.id, &self.settings);
        let (lines, version) = (members.servers.len(), members.ensemble.version);
        tracing::info!("the ensemble has {lines} servers from reconfig {version:x} on:\n{}", members.lines());
        let places = |servers: &BTreeMap<ServerId, ServerLine>| {
            servers.get(&own).map(|line| (line.addresses.clone(), line.client.clone()))
        };
        let place = places(&members.servers);
        // Its file names the others and itself, and starts it as long as it waits to become a member.
        let waits = place.is_none() && (old.core.ensemble.version == 0 || !old.servers.contains_key(&own));
        if waits {
            tracing::info!(
                "this server, {own}, is no member yet: it has no vote until a reconfig makes it one"
            );
        } else if place.is_none() {
            tracing::warn!(
                "this server, {own}, is no member any more: it has no vote until it is one again, or is stopped"
            );
        } else if place != places(&old.servers) {
            tracing::warn!("this server, {own}, listens at its new addresses when it is started again");
        }
        let clients = place.is_some_and(|(_, client)| client.is_some());
        if !waits && let Err(error) = dynamic::save(&old.file, &members, clients) {
            tracing::warn!(file = %old.file.display(), %error, "the members are not written down beside it");
        }
        let mut settings = Settings::clone(old);
        settings.core.service.ensemble_text = members.text();
        settings.core.ensemble = members.ensemble;
        settings.servers = members.servers;
        self.settings = Arc::new(settings);
    }

    /// The disk failed under the replica: hangs up everywhere, and waits.
    fn rest(&mut self, reason: &str) {
        let now = self.clock.monotonic();
        let resting = Life::Resting { until: Instant::NEVER };
        let Life::Running { disk, since, .. } = std::mem::replace(&mut self.life, resting) else { return };
        if now.since(since) > LONGEST_REST.times(2) {
            self.rest = FIRST_REST;
        }
        tracing::error!("this server stops serving, and tries again in {}: {reason}", self.rest);
        self.peers.suspend();
        self.clients.close_all(now);
        disk.abandon().forget_cached();
        self.life = Life::Resting { until: now + self.rest };
        self.rest = self.rest.times(2).min(LONGEST_REST);
    }

    fn try_again(&mut self) {
        match self.wake_up() {
            Ok(()) => {
                let now = self.clock.now();
                self.peers.resume(now.monotonic);
                self.drain(now);
            }
            Err(error) => {
                tracing::error!("this server still cannot start: {error}");
                self.life = Life::Resting { until: self.clock.monotonic() + self.rest };
            }
        }
    }

    /// Opens the data directory, recovers from it, and starts a replica.
    fn wake_up(&mut self) -> Result<(), StartError> {
        let Settings { data_directory, log_directory, force_sync, .. } = &*self.settings;
        let directory = DataDirectory::open(data_directory, log_directory, *force_sync)?;
        let initialize = data_directory.join(INITIALIZE);
        let mut config = self.settings.core.clone();
        config.empty_is_expected = self.settings.autocreate || initialize.exists();
        let begin = self.clock.monotonic();
        let mut beginning = Beginning::new(self.settings.record.as_ref(), &config);
        let recovered = beginning.recover(&config, &directory.contents()?).map_err(StartError::Recovery)?;
        self.progress.recoveries.record(self.clock.monotonic().since(begin));
        if !recovered.entries.is_empty() {
            self.progress.recovered.record(recovered.entries.len() as u64);
        }
        if !recovered.empty && initialize.exists() {
            // It was for the first start.
            std::fs::remove_file(initialize)?;
        }
        for finding in &recovered.findings {
            tracing::warn!("recovery: {finding}");
        }
        let mut seed = [0; 32];
        rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty()).map_err(io::Error::from)?;
        let notices = self.notices.clone();
        let report = move |completion| notices.send(Notice::Disk(completion));
        let disk = Disk::start(directory, self.settings.sync_warning, report)?;
        let now = self.clock.now();
        let replica = Box::new(beginning.start(config, recovered, seed, now));
        self.progress.started(replica.storage().last().zxid);
        self.life = Life::Running { replica, disk, since: now.monotonic };
        Ok(())
    }

    /// Collects what the next four-letter word needs, if the answer to the last one is written.
    fn next_word(&mut self) {
        if self.writing {
            return;
        }
        let Some((client, word)) = self.questions.pop_front() else { return };
        let serves = match &self.life {
            Life::Running { replica, .. } => replica.status().serving || replica.status().read_only,
            Life::Resting { .. } => false,
        };
        let facts = Box::new(self.facts(word.topic(&self.settings, serves)));
        self.writing = self.writer.send((client, word, facts)).is_ok();
    }

    fn facts(&mut self, topic: Topic) -> Facts {
        let running = match &self.life {
            Life::Running { replica, disk, .. } => Some((&***replica, disk)),
            Life::Resting { .. } => None,
        };
        let Self { settings, clients, progress, clock, .. } = self;
        Sources { settings, running, clients, progress, now: clock.now() }.collect(topic)
    }

    /// Ends in order: what is on its way to the disk gets there.
    fn stop(self) {
        if let Life::Running { disk, .. } = self.life {
            disk.stop();
        }
    }
}

/// The thread that writes the answers to four-letter words.
fn start_writer(notices: Notices) -> io::Result<Sender<(ClientId, Word, Box<Facts>)>> {
    let (sender, received) = mpsc::channel::<(ClientId, Word, Box<Facts>)>();
    thread::Builder::new().name("words".into()).spawn(move || {
        for (client, word, facts) in received {
            notices.send(Notice::Answer(client, facts.answer(word)));
        }
    })?;
    Ok(sender)
}

/// Without a replica nobody is served.
fn refuse(clients: &mut Clients, input: &Input, now: Instant) {
    if let Input::ClientFrame { client, .. } = input {
        clients.close(*client, now);
    }
}
