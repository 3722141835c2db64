//! The ways between servers: forwarders on loopback that can be cut.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use crate::server::sleep;

/// How soon a forwarder notices that its way was cut.
const GLANCE: Duration = Duration::from_millis(20);

/// What becomes of bytes on a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Way {
    /// They get through.
    Open,
    /// They wait, as in a network that loses packets and in which nobody says so.
    Silent,
    /// Connections are closed.
    Severed,
    /// The test is over.
    Over,
}

/// All ways between a number of servers, each in one direction.
pub(crate) struct Network {
    ways: Vec<Vec<Arc<AtomicU8>>>,
}

impl Network {
    pub(crate) fn new(servers: usize) -> Self {
        let way = |_| Arc::new(AtomicU8::new(Way::Open as u8));
        Self { ways: (0..servers).map(|_| (0..servers).map(way).collect()).collect() }
    }

    /// A port at which `from` reaches `port` of `to`.
    pub(crate) fn way(&self, from: usize, to: usize, port: u16) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let (there, back) = (Arc::clone(&self.ways[from][to]), Arc::clone(&self.ways[to][from]));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if is(&there, Way::Over) {
                    return;
                }
                // A connection that cannot be made is closed, and the server tries again.
                let _ = stream.and_then(|stream| forward(stream, port, &there, &back));
            }
        });
        own
    }

    pub(crate) fn set(&self, from: usize, to: usize, way: Way) {
        self.ways[from][to].store(way as u8, Ordering::SeqCst);
    }

    pub(crate) fn set_all(&self, way: Way) {
        self.ways.iter().flatten().for_each(|each| each.store(way as u8, Ordering::SeqCst));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.set_all(Way::Over);
    }
}

fn is(way: &AtomicU8, state: Way) -> bool {
    way.load(Ordering::SeqCst) == state as u8
}

fn forward(near: TcpStream, port: u16, there: &Arc<AtomicU8>, back: &Arc<AtomicU8>) -> io::Result<()> {
    let far = TcpStream::connect(("127.0.0.1", port))?;
    for stream in [&near, &far] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(GLANCE))?;
    }
    for (from, to, way) in [(near.try_clone()?, far.try_clone()?, there), (far, near, back)] {
        let way = Arc::clone(way);
        thread::spawn(move || {
            let _ = carry(&from, &to, &way);
            // Both ends hear that it is over.
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        });
    }
    Ok(())
}

fn carry(mut from: &TcpStream, mut to: &TcpStream, way: &AtomicU8) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        if is(way, Way::Severed) || is(way, Way::Over) {
            return Ok(());
        }
        if is(way, Way::Silent) {
            sleep(GLANCE);
            continue;
        }
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                while is(way, Way::Silent) {
                    sleep(GLANCE);
                }
                to.write_all(&buffer[..length])?;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
}
