//! `zabrus ensemble`: a whole ensemble on this machine, as processes of this program.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::control::foreground;
use super::four_letter::ask;
use super::{Done, Ensemble, load};
use crate::clock;
use crate::zoo_cfg::HostPort;

/// How often the servers are asked for their modes: before all have one, and later.
const IMPATIENT: Duration = Duration::from_millis(50);
const PATIENT: Duration = Duration::from_secs(1);

/// How long servers may take to end before they are killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The usual distances of the other ports from the client port.
const QUORUM_OFFSET: u16 = 2888 - 2181;
const ELECTION_OFFSET: u16 = 3888 - 2181;
const ADMIN_OFFSET: u16 = 8080 - 2181;

struct Server {
    id: u64,
    folder: PathBuf,
    client: HostPort,
    child: Child,
    mode: String,
}

pub(super) fn run(arguments: &Ensemble) -> Done {
    let complain = |error: io::Error| {
        eprintln!("{}: {error}", arguments.dir.display());
        ExitCode::FAILURE
    };
    // Before any server runs, so that none is left behind.
    let (send, stop) = mpsc::channel();
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(complain)?;
    thread::spawn(move || signals.forever().take_while(|_| send.send(()).is_ok()).count());

    let folders = prepare(arguments).map_err(complain)?;
    let mut servers = Vec::new();
    for (id, folder) in (1..).zip(folders) {
        let settings = load(&folder.join("zoo.cfg"))?;
        let log =
            File::options().create(true).append(true).open(folder.join("server.log")).map_err(complain)?;
        let errors = log.try_clone().map_err(complain)?;
        let child = foreground(&folder.join("zoo.cfg")).and_then(|mut command| {
            command.arg("--with-parent").stdin(Stdio::null()).stdout(log).stderr(errors).spawn()
        });
        let child = child.map_err(complain)?;
        servers.push(Server { id, folder, client: settings.client.address, child, mode: String::new() });
    }
    explain(&servers);
    let done = watch(&mut servers, &stop);
    end(&mut servers);
    done
}

/// The folders of all servers. Those that exist are taken as they are.
fn prepare(arguments: &Ensemble) -> io::Result<Vec<PathBuf>> {
    if arguments.nodes == 1 && arguments.observers > 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "observers need at least two nodes that vote",
        ));
    }
    let count = arguments.nodes + arguments.observers;
    let folder = |id: u64| arguments.dir.join(format!("server-{id}"));
    let folders: Vec<_> = (1..=count).map(folder).collect();
    let present = folders.iter().filter(|folder| folder.join("zoo.cfg").exists()).count() as u64;
    if present == count && !folder(count + 1).exists() {
        return Ok(folders);
    }
    if present > 0 {
        let text = "it holds an ensemble of another size: use its size, or another --dir";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    let mut ports = Vec::new();
    for offset in [0, QUORUM_OFFSET, ELECTION_OFFSET, ADMIN_OFFSET] {
        // From a high client port on there may be no room above.
        ports.push(free_ports(arguments.client_port.wrapping_add(offset).max(1024), count)?);
    }
    let servers: String = (1..=count)
        .filter(|_| count > 1)
        .map(|id| {
            let at = id as usize - 1;
            let role = if id > arguments.nodes { ":observer" } else { "" };
            format!("server.{id}=127.0.0.1:{}:{}{role}\n", ports[1][at], ports[2][at])
        })
        .collect();
    for (id, folder) in (1..).zip(&folders) {
        let data = folder.join("data");
        fs::create_dir_all(&data)?;
        fs::write(data.join("myid"), format!("{id}\n"))?;
        let data = data.canonicalize()?;
        let text = format!(
            "# Server {id} of an ensemble on one machine, made by `zabrus ensemble`.\n\
             tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir={}\n\
             clientPort={}\nclientPortAddress=127.0.0.1\n\
             admin.serverPort={}\nadmin.serverAddress=127.0.0.1\n{servers}",
            escaped(&data),
            ports[0][id as usize - 1],
            ports[3][id as usize - 1],
        );
        fs::write(folder.join("zoo.cfg"), text)?;
    }
    Ok(folders)
}

/// A path as the value of a property.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace('\\', "\\\\")
}

/// The first free ports from `first` on.
fn free_ports(first: u16, count: u64) -> io::Result<Vec<u16>> {
    let free = (first..=u16::MAX).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let ports: Vec<_> = free.take(count as usize).collect();
    if ports.len() as u64 == count {
        return Ok(ports);
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, format!("there are no {count} free ports from {first} on")))
}

fn explain(servers: &[Server]) {
    println!("server  client port       folder");
    for server in servers {
        let client = format!("{}:{}", server.client.host, server.client.port);
        println!("{:>6}  {client:16}  {}", server.id, server.folder.display());
    }
    let all: Vec<_> =
        servers.iter().map(|server| format!("{}:{}", server.client.host, server.client.port)).collect();
    println!();
    println!("Clients connect to  {}", all.join(","));
    println!(
        "Each folder holds zoo.cfg (with the ports for servers and for the admin server), server.log and data."
    );
    println!("Ctrl-C stops all; the same command goes on with the same data.");
    println!();
}

/// Tells what becomes of the servers, until somebody asks to stop.
fn watch(servers: &mut [Server], stop: &mpsc::Receiver<()>) -> Done {
    loop {
        for server in &mut *servers {
            if let Ok(Some(status)) = server.child.try_wait() {
                let log = server.folder.join("server.log");
                let text = fs::read_to_string(&log).unwrap_or_default();
                eprintln!("server {} ended by itself ({status}), see {}; all stop", server.id, log.display());
                eprintln!("{}", text.lines().last().unwrap_or_default());
                return Err(ExitCode::FAILURE);
            }
            let answer = ask(&server.client, "srvr").unwrap_or_default();
            let mode = answer.lines().find_map(|line| line.strip_prefix("Mode: ")).unwrap_or("").to_owned();
            if mode != server.mode {
                match mode.as_str() {
                    "" => println!("server {} does not serve", server.id),
                    mode => println!("server {} is {mode}", server.id),
                }
                server.mode = mode;
            }
        }
        let all_serve = servers.iter().all(|server| !server.mode.is_empty());
        match stop.recv_timeout(if all_serve { PATIENT } else { IMPATIENT }) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Stops all servers.
fn end(servers: &mut [Server]) {
    println!("stopping");
    for server in &*servers {
        if let Some(pid) = Pid::from_raw(server.child.id() as i32) {
            // Whoever has ended already needs no signal.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
    let begin = clock::monotonic();
    for server in servers {
        while !matches!(server.child.try_wait(), Ok(Some(_))) {
            if begin.elapsed() > PATIENCE {
                let _ = server.child.kill();
            }
            clock::wait(Duration::from_millis(5));
        }
    }
}
