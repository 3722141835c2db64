//! What it costs to do nothing.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::client::Client;
use crate::server::{Cluster, Server, now, sleep};

/// How long each state is watched.
const WATCHED: Duration = Duration::from_secs(30);

/// Clients ping after a third of their session's timeout, as real ones do.
const PING: Duration = Duration::from_secs(10);

/// Connects so many clients to a follower of three servers, and lets them ping.
pub(crate) fn measure(connections: u64) {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).expect("as many files as allowed");
    let mut cluster = Cluster::new(3, 0);
    cluster.configure("tickTime=2000\nmaxClientCnxns=0\n");
    cluster.start();
    let server = &cluster.servers[(cluster.leader() + 1) % 3];
    sleep(Duration::from_secs(3));
    let (before, used) = (resident(server), processor(server));
    sleep(WATCHED);
    let alone = processor(server) - used;
    let mut clients: Vec<_> =
        (0..connections).map(|_| Client::connect(server.port).expect("room for it")).collect();
    // Each has pinged once, so every buffer that it needs is there.
    ping_all(&mut clients);
    let (after, used) = (resident(server), processor(server));
    for _ in 0..WATCHED.as_secs() / PING.as_secs() {
        ping_all(&mut clients);
    }
    let busy = processor(server) - used;
    println!("without clients: {before} KiB resident, {alone} ms of processor time in {WATCHED:?}");
    println!(
        "{connections} clients, each with a ping every {PING:?}: {after} KiB resident, {} bytes each, {busy} ms of processor time in {WATCHED:?}",
        after.saturating_sub(before) * 1024 / connections
    );
}

/// Every client pings, spread over the time between two pings.
fn ping_all(clients: &mut [Client]) {
    let begin = now();
    let count = clients.len() as u32;
    for (index, client) in clients.iter_mut().enumerate() {
        client.ping().expect("it is alive");
        sleep((PING * index as u32 / count).saturating_sub(begin.elapsed()));
    }
}

/// The memory of a server, in KiB.
fn resident(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// The processor time of a server, in milliseconds.
fn processor(server: &Server) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("a process");
    let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
    // The fields 14 and 15 of proc(5), in ticks of 10 ms.
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number") * 10).sum()
}
