//! Opens connections to one peer, on a thread of its own: names take their time to resolve.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use super::handshake::{Hello, LENGTH, Verdict};

/// What came of an attempt.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The peer is there, and has said welcome.
    Connected(TcpStream),
    /// The peer is there, and opens the connection itself.
    CallBack,
    /// Why not, for the operator.
    Failed(String),
}

/// The core thread's end of the thread.
#[derive(Debug)]
pub(super) struct Dialer {
    attempts: Sender<()>,
}

impl Dialer {
    /// `report` is called on the thread after each attempt.
    pub(super) fn start(
        hello: Hello,
        addresses: Vec<(String, u16)>,
        timeout: Duration,
        report: impl Fn(Outcome) + Send + 'static,
    ) -> io::Result<Self> {
        let (attempts, asked) = mpsc::channel();
        let name = format!("dial-{}", hello.receiver);
        thread::Builder::new().name(name).spawn(move || {
            for () in asked {
                report(dial_any(&hello, &addresses, timeout));
            }
        })?;
        Ok(Self { attempts })
    }

    /// Asks for one attempt.
    pub(super) fn dial(&self) {
        self.attempts.send(()).expect("the thread runs as long as it may be asked");
    }
}

/// Names are resolved at every attempt: addresses change while servers run.
fn dial_any(hello: &Hello, addresses: &[(String, u16)], timeout: Duration) -> Outcome {
    let mut problems = Vec::new();
    for (host, port) in addresses {
        let resolved = match (host.as_str(), *port).to_socket_addrs() {
            Ok(resolved) => resolved,
            Err(error) => {
                problems.push(format!("{host}: {error}"));
                continue;
            }
        };
        for address in resolved {
            match dial(hello, address, timeout) {
                Ok((stream, Verdict::Welcome)) => return Outcome::Connected(stream),
                Ok((_, Verdict::CallBack)) => return Outcome::CallBack,
                Ok((_, verdict)) => problems.push(format!("{address}: {verdict}")),
                Err(error) => problems.push(format!("{address}: {error}")),
            }
        }
    }
    Outcome::Failed(problems.join("; "))
}

fn dial(hello: &Hello, address: SocketAddr, timeout: Duration) -> io::Result<(TcpStream, Verdict)> {
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let mut answer = [0; LENGTH];
    stream.write_all(&hello.encode()).and_then(|()| stream.read_exact(&mut answer)).map_err(hung_up)?;
    let no_server = || io::Error::new(ErrorKind::InvalidData, "whoever answers is no zabrus server");
    let answer = Hello::decode(&answer).ok_or_else(no_server)?;
    let is_right = answer.sender == hello.receiver && answer.ensemble == hello.ensemble;
    let verdict = match answer.verdict {
        Verdict::Welcome if !is_right => Verdict::WrongReceiver,
        verdict => verdict,
    };
    stream.set_nonblocking(true)?;
    Ok((stream, verdict))
}

/// However the end of the connection looks: the operator is told once, and not at every attempt.
fn hung_up(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => io::Error::new(
            error.kind(),
            "it hangs up before it greets, as a server does that cannot use its disk: see its log",
        ),
        _ => error,
    }
}
