//! One connection that never blocks: frames in, bytes out.
//!
//! A frame is a length of four bytes, big-endian, and as many bytes (client.md section 2). Peers
//! use the same form.

use std::io::{self, ErrorKind, Read, Write};

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use zabrus_core::Bytes;

/// The buffer into which all connections are read, one after the other.
pub(crate) const SCRATCH_BYTES: usize = 64 << 10;

/// Bytes that one connection may bring in before the others have their turn.
const TURN_BYTES: usize = 256 << 10;

/// A buffer that has grown beyond this is given back when it is empty.
const KEPT_BYTES: usize = 16 << 10;

/// Why a connection is no longer readable.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The other end closed it.
    Closed,
    /// The system says so.
    Io(io::Error),
    /// A frame's length is not within the limit.
    BadLength(i32),
}

/// What a turn of reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing more is there; the system tells when something is.
    Blocked,
    /// There may be more: ask again.
    More,
}

#[derive(Debug)]
pub(crate) struct Channel {
    stream: TcpStream,
    incoming: Vec<u8>,
    /// Bytes of `incoming` that are used up.
    used: usize,
    outgoing: Vec<u8>,
    /// Bytes of `outgoing` that are sent.
    sent: usize,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("the other end closed it"),
            Self::Io(error) => error.fmt(f),
            Self::BadLength(length) => write!(f, "a frame of {length} bytes"),
        }
    }
}

impl Channel {
    /// Takes over a connection. Readiness is edge-triggered: read until it blocks.
    pub(crate) fn new(mut stream: TcpStream, registry: &Registry, token: Token) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.register(registry, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, incoming: Vec::new(), used: 0, outgoing: Vec::new(), sent: 0 })
    }

    /// Reads what is there, up to a limit that keeps the others alive. `scratch` is anybody's.
    pub(crate) fn read(&mut self, scratch: &mut [u8]) -> Result<Turn, Broken> {
        self.incoming.drain(..self.used);
        self.used = 0;
        if self.incoming.is_empty() && self.incoming.capacity() > KEPT_BYTES {
            self.incoming = Vec::new();
        }
        let mut taken = 0;
        while taken < TURN_BYTES {
            match self.stream.read(scratch) {
                Ok(0) => return Err(Broken::Closed),
                Ok(count) => {
                    self.incoming.extend_from_slice(&scratch[..count]);
                    taken += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Turn::Blocked),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Broken::Io(error)),
            }
        }
        Ok(Turn::More)
    }

    /// What was read and is not used up.
    pub(crate) fn unused(&self) -> &[u8] {
        &self.incoming[self.used..]
    }

    /// Uses up `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.used += count;
    }

    /// The next whole frame without its length, `None` if it is not there yet.
    pub(crate) fn next_frame(&mut self, limit: usize) -> Result<Option<Bytes>, Broken> {
        let Some((length, rest)) = self.unused().split_first_chunk::<4>() else { return Ok(None) };
        let length = i32::from_be_bytes(*length);
        let bytes = usize::try_from(length).ok().filter(|bytes| *bytes <= limit);
        let bytes = bytes.ok_or(Broken::BadLength(length))?;
        let Some(frame) = rest.get(..bytes) else { return Ok(None) };
        let frame = Bytes::from(frame);
        self.consume(4 + bytes);
        Ok(Some(frame))
    }

    /// Queues bytes; [`Channel::flush`] sends them.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if self.sent > self.outgoing.len() / 2 {
            self.outgoing.drain(..self.sent);
            self.sent = 0;
        }
        self.outgoing.extend_from_slice(bytes);
    }

    /// Queues a frame.
    pub(crate) fn send_frame(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).expect("a frame is bounded by its encoder");
        self.send(&length.to_be_bytes());
        self.send(bytes);
    }

    /// Bytes that wait to be sent.
    pub(crate) fn queued(&self) -> usize {
        self.outgoing.len() - self.sent
    }

    /// Sends what the system takes now.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while self.queued() > 0 {
            match self.stream.write(&self.outgoing[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outgoing.clear();
        self.sent = 0;
        if self.outgoing.capacity() > KEPT_BYTES {
            self.outgoing = Vec::new();
        }
        Ok(())
    }

    /// Nothing more will be sent.
    pub(crate) fn finish(&self) {
        // On a connection that is gone there is nobody to tell.
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, TcpListener};

    use super::*;

    /// A channel, and the blocking other end of it.
    fn pair() -> (Channel, std::net::TcpStream, mio::Poll) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let other = std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (stream, _) = listener.accept().expect("accepted");
        stream.set_nonblocking(true).expect("a socket");
        let poll = mio::Poll::new().expect("a poll");
        let channel =
            Channel::new(TcpStream::from_std(stream), poll.registry(), Token(0)).expect("registered");
        (channel, other, poll)
    }

    /// Reads until `wanted` bytes are there: loopback delivers when it likes.
    fn receive(channel: &mut Channel, poll: &mut mio::Poll, wanted: usize) {
        let mut events = mio::Events::with_capacity(8);
        while channel.unused().len() < wanted {
            poll.poll(&mut events, Some(std::time::Duration::from_secs(10))).expect("polled");
            while channel.read(&mut [0; 7]).expect("open") == Turn::More {}
        }
    }

    #[test]
    fn frames_come_out_whole_however_they_arrive() {
        let (mut channel, mut other, mut poll) = pair();
        other.write_all(b"\0\0\0\x03abc\0\0\0\0\0\0\0\x02d").expect("sent");
        receive(&mut channel, &mut poll, 16);
        assert_eq!(channel.next_frame(10).expect("valid").as_deref(), Some(&b"abc"[..]));
        assert_eq!(channel.next_frame(10).expect("valid").as_deref(), Some(&b""[..]));
        assert_eq!(channel.next_frame(10).expect("valid"), None);
        other.write_all(b"e").expect("sent");
        receive(&mut channel, &mut poll, 6);
        assert_eq!(channel.next_frame(10).expect("valid").as_deref(), Some(&b"de"[..]));
    }

    #[test]
    fn a_length_beyond_the_limit_breaks_the_connection_before_the_bytes_arrive() {
        for (length, valid) in [(10, true), (11, false), (-1, false), (i32::MAX, false)] {
            let (mut channel, mut other, mut poll) = pair();
            other.write_all(&i32::to_be_bytes(length)).expect("sent");
            receive(&mut channel, &mut poll, 4);
            assert_eq!(channel.next_frame(10).is_ok(), valid, "{length}");
        }
    }

    #[test]
    fn what_the_system_does_not_take_waits() {
        let (mut channel, mut other, _poll) = pair();
        let big = vec![7; 16 << 20];
        channel.send_frame(&big);
        channel.flush().expect("open");
        assert!(channel.queued() > 0, "16 MiB are more than a socket holds");
        let reader = std::thread::spawn(move || {
            let mut received = Vec::new();
            other.read_to_end(&mut received).expect("readable");
            received
        });
        while channel.queued() > 0 {
            channel.flush().expect("open");
            std::thread::yield_now();
        }
        channel.finish();
        let received = reader.join().expect("no panic");
        assert_eq!(received.len(), big.len() + 4);
        assert!(received.ends_with(&big));
    }

    #[test]
    fn a_closed_connection_is_seen_after_its_last_bytes() {
        let (mut channel, mut other, mut poll) = pair();
        other.write_all(b"ruok").expect("sent");
        receive(&mut channel, &mut poll, 4);
        other.shutdown(Shutdown::Write).expect("shut down");
        let mut events = mio::Events::with_capacity(8);
        let broken = loop {
            match channel.read(&mut [0; 64]) {
                Ok(_) => poll.poll(&mut events, None).expect("polled"),
                Err(broken) => break broken,
            }
        };
        assert!(matches!(broken, Broken::Closed));
        assert_eq!(channel.unused(), b"ruok");
    }
}
