//! The thread that carries out what a [`Session`] says: it dials servers, and moves bytes.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};

use super::event::Event;
use super::session::{Broken, Output, Session};
use crate::channel::{Channel, SCRATCH_BYTES, Turn};
use crate::clock;

const SOCKET: Token = Token(0);
const WAKER: Token = Token(1);

/// The longest answer. The children of a node may be many.
const FRAME_LIMIT: usize = 256 << 20;

/// Between two rounds through all servers: at first, and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// What the callers and the thread share.
#[derive(Debug)]
pub(super) struct Shared {
    session: Mutex<Session>,
    waker: Waker,
}

impl Shared {
    /// The session. What is done with it is done at once, and nothing waits in between.
    pub(super) fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session has something to do.
    pub(super) fn wake(&self) {
        // A thread that is gone has given all its answers.
        let _ = self.waker.wake();
    }
}

/// The thread's own.
pub(super) struct Connection<F> {
    shared: Arc<Shared>,
    poll: Poll,
    /// The servers, in the order in which this client tries them.
    servers: Vec<(String, u16)>,
    next: usize,
    /// Attempts since there was a connection that held.
    attempts: usize,
    pause: Duration,
    listen: F,
}

impl<F: FnMut(Event)> Connection<F> {
    pub(super) fn new(session: Session, listen: F) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let servers = shuffled(session.address().servers.clone())?;
        let shared = Arc::new(Shared { session: Mutex::new(session), waker });
        Ok(Self { shared, poll, servers, next: 0, attempts: 0, pause: FIRST_PAUSE, listen })
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Keeps the session until it ends.
    pub(super) fn run(mut self) {
        while self.shared.session().state().is_alive() {
            let (host, port) = self.servers[self.next].clone();
            self.next = (self.next + 1) % self.servers.len();
            self.attempts += 1;
            let patience = self.shared.session().patience();
            if let Ok(stream) = dial(&host, port, patience) {
                let begin = clock::monotonic();
                self.shared.session().connected(begin);
                // Whatever broke it, another server is tried.
                let _ = self.serve(stream);
                // One that breaks at once is no better than none.
                if self.shared.session().is_greeted() && begin.elapsed() > LAST_PAUSE {
                    (self.attempts, self.pause) = (0, FIRST_PAUSE);
                }
                self.shared.session().lost();
                self.carry_out(None);
            }
            if self.attempts >= self.servers.len() {
                self.attempts = 0;
                self.shared.session().nobody_there(clock::monotonic());
                self.carry_out(None);
                if self.wait(&mut Events::with_capacity(1), Some(self.pause)).is_err() {
                    break;
                }
                self.pause = (self.pause * 2).min(LAST_PAUSE);
            }
        }
        self.shared.session().stop();
        self.carry_out(None);
    }

    /// Until the socket is ready, somebody has a request, or so much time has passed.
    fn wait(&mut self, events: &mut Events, span: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(events, span) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    fn serve(&mut self, stream: TcpStream) -> Result<(), Broken> {
        let broken = |_: io::Error| Broken;
        stream.set_nonblocking(true).map_err(broken)?;
        let stream = mio::net::TcpStream::from_std(stream);
        let mut channel = Channel::new(stream, self.poll.registry(), SOCKET).map_err(broken)?;
        let mut events = Events::with_capacity(8);
        let mut scratch = vec![0; SCRATCH_BYTES];
        loop {
            self.shared.session().tick(clock::monotonic())?;
            self.carry_out(Some(&mut channel));
            channel.flush().map_err(broken)?;
            if !self.shared.session().state().is_alive() {
                return Ok(());
            }
            let turn = channel.read(&mut scratch);
            // What came before the end counts.
            while let Some(frame) = channel.next_frame(FRAME_LIMIT).map_err(|_| Broken)? {
                let received = self.shared.session().received(clock::monotonic(), &frame);
                self.carry_out(Some(&mut channel));
                received?;
            }
            channel.flush().map_err(broken)?;
            if turn.map_err(|_| Broken)? == Turn::Blocked {
                let deadline = self.shared.session().deadline();
                let span = deadline.map(|deadline| deadline.saturating_duration_since(clock::monotonic()));
                self.wait(&mut events, span).map_err(broken)?;
            }
        }
    }

    /// Does what the session says. Without a channel there is nobody to send frames to.
    fn carry_out(&mut self, mut channel: Option<&mut Channel>) {
        loop {
            let output = self.shared.session().poll();
            match output {
                None => return,
                Some(Output::Frame(frame)) => {
                    if let Some(channel) = &mut channel {
                        channel.send_frame(&frame);
                    }
                }
                Some(Output::Event(event)) => (self.listen)(event),
                // Whoever does not wait any more needs no answer.
                Some(Output::Answer(sender, answer)) => drop(sender.send(answer)),
            }
        }
    }
}

/// Names are resolved at every attempt: addresses change while clients run.
fn dial(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Clients with the same list spread over the servers.
fn shuffled<T>(mut items: Vec<T>) -> io::Result<Vec<T>> {
    let mut random = [0; 8];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).map_err(io::Error::from)?;
    let mut random = u64::from_ne_bytes(random);
    for end in (1..items.len()).rev() {
        let count = end as u64 + 1;
        items.swap(end, (random % count) as usize);
        random /= count;
    }
    Ok(items)
}
