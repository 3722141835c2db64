//! Asks a server a four-letter word.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::zoo_cfg::HostPort;

const PATIENCE: Duration = Duration::from_secs(5);

/// Where to reach a server that listens on `address`.
pub(super) fn reachable(address: &HostPort) -> &str {
    if matches!(address.host.as_str(), "0.0.0.0" | "::") { "localhost" } else { &address.host }
}

/// The whole answer.
pub(super) fn ask(address: &HostPort, word: &str) -> io::Result<String> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for resolved in (reachable(address), address.port).to_socket_addrs()? {
        let connected = TcpStream::connect_timeout(&resolved, PATIENCE);
        match connected.and_then(|stream| converse(stream, word)) {
            Ok(answer) => return Ok(answer),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn converse(mut stream: TcpStream, word: &str) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
