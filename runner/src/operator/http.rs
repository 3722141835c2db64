//! A very small HTTP server: short questions, whole answers, one per connection.
//!
//! Everything is bounded: the threads, the size of a question, the time that it may take to arrive
//! and that its answer may take to leave. `tiny_http` has none of these bounds, so only the parser
//! is somebody else's.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::listener;
use crate::zoo_cfg::HostPort;

/// Questions that are answered at the same time; others wait.
const THREADS: usize = 4;

const HEAD_BYTES: usize = 8 << 10;
const HEADERS: usize = 64;
const ARRIVES_WITHIN: Duration = Duration::from_secs(5);
const LEAVES_WITHIN: Duration = Duration::from_secs(30);

/// When the system has no room for another connection, it is asked again after this time.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Response {
    pub(super) fn plain(status: u16, body: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: body.into() }
    }
}

/// Listens, and lets `respond` answer for each path on threads of their own until the process ends.
pub(super) fn serve(
    address: &HostPort,
    name: &str,
    respond: impl Fn(&str) -> Response + Send + Sync + 'static,
) -> io::Result<u16> {
    let addresses = listener::addresses(&address.host, address.port)?;
    let shared = Arc::new((TcpListener::bind(&addresses[..])?, respond));
    for _ in 0..THREADS {
        let shared = Arc::clone(&shared);
        thread::Builder::new().name(name.into()).spawn(move || {
            let (listener, respond) = &*shared;
            loop {
                match listener.accept() {
                    // Whoever does not listen to its answer has none.
                    Ok((stream, _)) => _ = converse(stream, respond),
                    Err(_) => clock::wait(PAUSE),
                }
            }
        })?;
    }
    Ok(shared.0.local_addr()?.port())
}

fn converse(mut stream: TcpStream, respond: &impl Fn(&str) -> Response) -> io::Result<()> {
    let response = match read(&mut stream)? {
        Ok(path) => respond(&path),
        Err(405) => Response::plain(405, "Only GET.\n"),
        Err(status) => Response::plain(status, "This is no request.\n"),
    };
    let Response { status, content_type, body } = response;
    let head = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        reason(status),
        body.len()
    );
    let deadline = clock::monotonic() + LEAVES_WITHIN;
    write(&mut stream, head.as_bytes(), deadline)?;
    write(&mut stream, body.as_bytes(), deadline)?;
    stream.shutdown(std::net::Shutdown::Write)
}

/// The path that is asked for, or the status that says what is wrong with the request.
fn read(stream: &mut TcpStream) -> io::Result<Result<String, u16>> {
    let deadline = clock::monotonic() + ARRIVES_WITHIN;
    let mut head = Vec::new();
    let mut part = [0; 1024];
    while head.len() < HEAD_BYTES {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut part)? {
            0 => return Ok(Err(400)),
            count => head.extend_from_slice(&part[..count]),
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&head) {
            Ok(status) if status.is_partial() => {}
            Ok(_) if request.method != Some("GET") => return Ok(Err(405)),
            Ok(_) => {
                let path = request.path.unwrap_or_default();
                return Ok(Ok(path.split_once('?').map_or(path, |(path, _)| path).to_owned()));
            }
            Err(_) => return Ok(Err(400)),
        }
    }
    Ok(Err(431))
}

fn write(stream: &mut TcpStream, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        let count = stream.write(bytes)?;
        bytes = &bytes[count..];
    }
    Ok(())
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(clock::monotonic());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server that repeats the path says to `request`.
    fn answer(request: &[u8]) -> String {
        let any = HostPort { host: "127.0.0.1".into(), port: 0 };
        let repeat = |path: &str| Response::plain(200, path);
        let port = serve(&any, "test", repeat).expect("it listens");
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        stream.write_all(request).expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text
    }

    #[test]
    fn a_request_is_answered_and_the_connection_closed() {
        let text = answer(b"GET /commands/ruok?a=b HTTP/1.1\r\nHost: here\r\n\r\n");
        let expected = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 14\r\n\
                        Connection: close\r\n\r\n/commands/ruok";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert!(answer(b"\x00\x01 what\r\n\r\n").starts_with("HTTP/1.1 400 "));
        assert!(answer(b"DELETE / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(HEAD_BYTES - 16));
        assert!(answer(long.as_bytes()).starts_with("HTTP/1.1 431 "));
    }
}
