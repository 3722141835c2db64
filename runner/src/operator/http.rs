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
/// So many bytes of an answer leave within so much time.
const PART_BYTES: usize = 1 << 20;
const LEAVES_WITHIN: Duration = Duration::from_secs(30);
/// What a question says after its head is not read, but so much of it is waited for: otherwise the
/// system would reset the connection, and the answer would be lost.
const BODY_WITHIN: Duration = Duration::from_secs(2);

/// When the system has no room for another connection, it is asked again after this time.
const PAUSE: Duration = Duration::from_millis(100);

/// A question: the head of it is all that is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// POST, and not GET.
    pub(super) posts: bool,
    /// HEAD: as GET, but only the head of the answer is sent.
    pub(super) heads: bool,
    pub(super) path: String,
    /// What follows the question mark.
    pub(super) query: String,
    /// The header `Authorization`.
    pub(super) authorization: Option<String>,
    /// The address that asks.
    pub(super) from: String,
}

#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into() }
    }

    pub(super) fn plain(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    pub(super) fn wrong_method() -> Self {
        Self::plain(405, "Only GET.\n")
    }
}

/// Listens, and lets `respond` answer on threads of their own until the process ends.
pub(super) fn serve(
    address: &HostPort,
    name: &str,
    respond: impl Fn(&Request) -> Response + Send + Sync + 'static,
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

fn converse(mut stream: TcpStream, respond: &impl Fn(&Request) -> Response) -> io::Result<()> {
    let request = read(&mut stream)?;
    let response = match &request {
        Ok(request) => respond(request),
        Err(405) => Response::wrong_method(),
        Err(status) => Response::plain(*status, "This is no request.\n"),
    };
    let Response { status, content_type, headers, body } = response;
    let more: String = headers.into_iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{more}Connection: close\r\n\r\n",
        reason(status),
        body.len()
    );
    write(&mut stream, head.as_bytes(), clock::monotonic() + LEAVES_WITHIN)?;
    let is_sent = !matches!(&request, Ok(Request { heads: true, .. }));
    for part in body.chunks(PART_BYTES).filter(|_| is_sent) {
        write(&mut stream, part, clock::monotonic() + LEAVES_WITHIN)?;
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    if request.is_ok_and(|request| request.posts) {
        ignore_body(&mut stream)?;
    }
    Ok(())
}

fn ignore_body(stream: &mut TcpStream) -> io::Result<()> {
    let deadline = clock::monotonic() + BODY_WITHIN;
    let mut part = [0; 16 << 10];
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        if stream.read(&mut part)? == 0 {
            return Ok(());
        }
    }
}

/// The request, or the status that says what is wrong with it.
fn read(stream: &mut TcpStream) -> io::Result<Result<Request, u16>> {
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
            Ok(_) if !matches!(request.method, Some("GET" | "HEAD" | "POST")) => return Ok(Err(405)),
            Ok(_) => {
                let path = request.path.unwrap_or_default();
                let (path, query) = path.split_once('?').unwrap_or((path, ""));
                let mut headers = request.headers.iter();
                let authorization = headers.find(|header| header.name.eq_ignore_ascii_case("authorization"));
                return Ok(Ok(Request {
                    posts: request.method == Some("POST"),
                    heads: request.method == Some("HEAD"),
                    path: path.into(),
                    query: query.into(),
                    authorization: authorization.map(|h| String::from_utf8_lossy(h.value).into_owned()),
                    from: stream.peer_addr()?.ip().to_canonical().to_string(),
                }));
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
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        _ => "Service Unavailable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server that repeats the path says to `request`.
    fn answer(request: &[u8]) -> String {
        let any = HostPort { host: "127.0.0.1".into(), port: 0 };
        let repeat = |request: &Request| {
            let Request { posts, path, query, authorization, from, .. } = request.clone();
            let mut response = Response::plain(200, path);
            response.headers = vec![("asked", format!("{posts} {query} {authorization:?} {from}"))];
            response
        };
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
                        asked: false a=b None 127.0.0.1\r\nConnection: close\r\n\r\n/commands/ruok";
        assert_eq!(text, expected);
    }

    #[test]
    fn who_asks_is_told_and_a_body_does_not_lose_the_answer() {
        let mut request = b"POST /x HTTP/1.1\r\nauthorization: digest a:b\r\n\r\n".to_vec();
        request.resize(1 << 20, 7);
        let text = answer(&request);
        assert!(text.contains("\r\nasked: true  Some(\"digest a:b\") 127.0.0.1\r\n"), "{text}");
        assert!(text.ends_with("/x"), "{text}");
    }

    #[test]
    fn a_probe_that_asks_for_the_head_gets_no_body() {
        let text = answer(b"HEAD /livez HTTP/1.1\r\n\r\n");
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("Content-Length: 6\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "{text}");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert!(answer(b"\x00\x01 what\r\n\r\n").starts_with("HTTP/1.1 400 "));
        assert!(answer(b"DELETE / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(HEAD_BYTES - 16));
        assert!(answer(long.as_bytes()).starts_with("HTTP/1.1 431 "));
    }
}
