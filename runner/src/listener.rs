//! A port on which connections come in.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use zabrus_core::{Duration, Instant};

/// When the system has no room for another connection, it is asked again after this time.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    /// When to ask again although no event says so.
    again: Instant,
}

/// The addresses of a host to try, one after the other. `0.0.0.0` stands for all addresses of the
/// machine, those of IPv6 too, as in Java.
pub(crate) fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(match host.parse() {
        Ok(Ipv4Addr::UNSPECIFIED) => {
            vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]
        }
        _ => (host, port).to_socket_addrs()?.collect(),
    })
}

impl Listener {
    /// Binds one of the addresses that a host has.
    pub(crate) fn bind(host: &str, port: u16, registry: &Registry, token: Token) -> io::Result<Self> {
        let explain = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot listen on {host}:{port}: {error}"))
        };
        let addresses = addresses(host, port).map_err(explain)?;
        let socket = std::net::TcpListener::bind(&addresses[..]).map_err(explain)?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpListener::from_std(socket);
        socket.register(registry, token, Interest::READABLE)?;
        Ok(Self { socket, again: Instant::NEVER })
    }

    /// The next one who waits. After `None` an event tells when somebody does.
    pub(crate) fn accept(&mut self, now: Instant) -> Option<(TcpStream, SocketAddr)> {
        self.again = Instant::NEVER;
        loop {
            match self.socket.accept() {
                Ok((stream, mut address)) => {
                    address.set_ip(address.ip().to_canonical());
                    return Some((stream, address));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error)
                    if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(error) => {
                    tracing::warn!(%error, "nobody can connect now");
                    self.again = now + PAUSE;
                    return None;
                }
            }
        }
    }

    /// Where it listens, also if the system has chosen the port.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// When to call [`Listener::accept`] although no event says so.
    pub(crate) fn deadline(&self) -> Instant {
        self.again
    }
}
