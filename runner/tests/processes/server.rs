//! Real servers on loopback: each is a process with a zoo.cfg of its own.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) const ZABRUS: &str = env!("CARGO_BIN_EXE_zabrus");

/// How long anything may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// Servers that are killed when they are dropped.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
    _folder: TempDir,
}

pub(crate) struct Server {
    pub(crate) id: u64,
    pub(crate) port: u16,
    pub(crate) zoo_cfg: PathBuf,
    child: Option<Child>,
}

#[allow(clippy::disallowed_methods, reason = "real processes take real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Asks until there is an answer.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(10));
    }
}

#[allow(clippy::disallowed_methods, reason = "real processes take real time")]
pub(crate) fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// The ports of this run of the tests, below those that the system gives to outgoing connections.
fn first_port() -> u16 {
    10_000 + (std::process::id() * 61 % 16_000) as u16
}

/// A port that is free now, and that no other test gets.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let mut ports = (0..2_000).map(|_| first_port() + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// Where an ensemble may take the ports that it chooses by itself: no other test gets them.
pub(crate) fn ensemble_port() -> u16 {
    first_port() + 2_000
}

impl Cluster {
    /// Writes the files for `voters` servers and `observers` more; starts none.
    pub(crate) fn new(voters: u64, observers: u64) -> Self {
        Self::connected(voters, observers, |_, _, port| port)
    }

    /// As [`Cluster::new`]; `way(from, to, port)` is the port at which the server `from` reaches the
    /// one that is at `port` of the server `to`. Servers are counted from 0 here.
    pub(crate) fn connected(voters: u64, observers: u64, way: impl Fn(usize, usize, u16) -> u16) -> Self {
        let folder = TempDir::new().expect("a folder");
        let count = voters + observers;
        let ports: Vec<_> = (0..count).map(|_| free_port()).collect();
        let server = |id: u64| {
            let mut lines = String::new();
            for (other, port) in ports.iter().enumerate().filter(|_| count > 1) {
                let (from, role) = (id as usize - 1, if other as u64 >= voters { ":observer" } else { "" });
                let port = if other == from { *port } else { way(from, other, *port) };
                // The quorum port is not used.
                writeln!(lines, "server.{}=127.0.0.1:1:{port}{role}", other + 1).expect("a string");
            }
            let (home, port) = (folder.path().join(id_text(id)), free_port());
            fs::create_dir_all(home.join("data")).expect("a folder");
            fs::write(home.join("data/myid"), format!("{id}\n")).expect("myid");
            let text = format!(
                "tickTime=500\ninitLimit=20\nsyncLimit=10\ndataDir={}\nclientPort={port}\n\
                 clientPortAddress=127.0.0.1\nadmin.enableServer=false\n{lines}",
                home.join("data").display()
            );
            fs::write(home.join("zoo.cfg"), text).expect("zoo.cfg");
            Server { id, port, zoo_cfg: home.join("zoo.cfg"), child: None }
        };
        Self { servers: (1..=count).map(server).collect(), _folder: folder }
    }

    /// Adds lines to every zoo.cfg.
    pub(crate) fn configure(&mut self, lines: &str) {
        for server in &self.servers {
            let text = fs::read_to_string(&server.zoo_cfg).expect("zoo.cfg");
            fs::write(&server.zoo_cfg, text + lines).expect("zoo.cfg");
        }
    }

    /// Starts all, and waits until all serve.
    pub(crate) fn started(voters: u64, observers: u64) -> Self {
        let mut cluster = Self::new(voters, observers);
        cluster.start();
        cluster
    }

    /// Starts all, and waits until all serve.
    pub(crate) fn start(&mut self) {
        self.servers.iter_mut().for_each(Server::start);
        self.wait_until_all_serve();
    }

    #[track_caller]
    pub(crate) fn wait_until_all_serve(&self) {
        for server in self.servers.iter().filter(|server| server.child.is_some()) {
            wait_for(&format!("server {} serves\n{}", server.id, server.log()), || server.mode());
        }
    }

    /// The index of the server that leads.
    #[track_caller]
    pub(crate) fn leader(&self) -> usize {
        wait_for("somebody leads", || {
            self.servers.iter().position(|server| server.mode().as_deref() == Some("leader"))
        })
    }
}

fn id_text(id: u64) -> String {
    format!("server-{id}")
}

impl Server {
    /// Starts the process.
    pub(crate) fn start(&mut self) {
        self.run(Command::new(ZABRUS));
    }

    /// Starts the process with limits that these commands of a shell set.
    pub(crate) fn start_limited(&mut self, commands: &str) {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{commands}; exec \"$0\" \"$@\"")).arg(ZABRUS);
        self.run(command);
    }

    fn run(&mut self, mut command: Command) {
        let log = File::options().create(true).append(true).open(self.log_file()).expect("a log");
        let errors = log.try_clone().expect("a log");
        command.arg("start-foreground").arg(&self.zoo_cfg).stdin(Stdio::null()).stdout(log).stderr(errors);
        self.child = Some(command.spawn().expect("a process"));
    }

    /// Ends the process as kill -9 does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid() as i32).expect("a process");
        kill_process(pid, signal).expect("it is there");
    }

    /// The exit code, if the process has ended by itself.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.as_mut()?.try_wait().expect("a child").map(|status| status.code().expect("no signal"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    pub(crate) fn home(&self) -> &Path {
        self.zoo_cfg.parent().expect("a file in a folder")
    }

    fn log_file(&self) -> PathBuf {
        self.home().join("server.log")
    }

    /// What a four-letter word answers; empty if nobody does.
    pub(crate) fn ask(&self, word: &str) -> String {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
            // A server that was killed in between answers nothing, or not all of it.
            let _ = stream.write_all(word.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
        }
        answer
    }

    /// The mode, while it serves.
    pub(crate) fn mode(&self) -> Option<String> {
        self.ask("srvr").lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
    }

    /// Runs a verb on the server's zoo.cfg.
    pub(crate) fn verb(&self, verb: &str) -> (Option<i32>, String) {
        let output: Output = Command::new(ZABRUS).arg(verb).arg(&self.zoo_cfg).output().expect("a process");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
