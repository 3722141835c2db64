//! The pause after the death of a leader.

use std::time::Duration;

use crate::load::Load;
use crate::server::{Cluster, now};

/// Kills the leader of three servers so many times, as often as it takes writes.
pub(crate) fn measure(times: u64) {
    let mut cluster = Cluster::new(3, 0);
    cluster.configure("tickTime=2000\ninitLimit=10\nsyncLimit=5\n");
    cluster.start();
    let ports: Vec<_> = cluster.servers.iter().map(|server| server.port).collect();
    let load = Load::start(&ports, 6);
    let mut pauses = Vec::new();
    for _ in 0..times {
        load.wait_for_writes(1_000, "before the next one dies");
        let leader = cluster.leader();
        let moment = now();
        cluster.servers[leader].kill();
        let pause = load.pause_after(moment);
        println!("server {}: {} ms", leader + 1, pause.as_millis());
        pauses.push(pause);
        cluster.servers[leader].start();
        cluster.wait_until_all_serve();
    }
    pauses.sort();
    let millis = |pause: Option<&Duration>| pause.map_or(0, Duration::as_millis);
    println!(
        "first write after kill -9 of the leader, {times} times: median {} ms, worst {} ms",
        millis(pauses.get(pauses.len() / 2)),
        millis(pauses.last())
    );
    println!("{}", load.finish(&cluster));
}
