//! What real servers record is lived again without them.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use zabrus_core::Zxid;
use zabrus_core::recording::{Progress, Replay};
use zabrus_core::replica::Status;

use crate::client::Client;
use crate::server::{Cluster, Server, wait_for};

fn recordings(server: &Server) -> Vec<PathBuf> {
    let files = fs::read_dir(server.home().join("recordings")).expect("a folder");
    let mut paths: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn record(server: &Server) {
    let directory = server.home().join("recordings");
    let text = fs::read_to_string(&server.zoo_cfg).expect("zoo.cfg");
    fs::write(&server.zoo_cfg, format!("{text}record={}\n", directory.display())).expect("zoo.cfg");
}

/// Lives a recorded life again, and says how it ended, how many inputs there were, and where the
/// replica is.
fn replay(file: &PathBuf) -> (Progress, u64, Status) {
    let bytes = fs::read(file).expect("a recording");
    let mut replay = Replay::new(&bytes, |_, _, _| {}).expect("a start");
    loop {
        match replay.step(|_, _, _| {}).expect("the same life") {
            Progress::Handled => {}
            end => return (end, replay.inputs(), replay.replica().status()),
        }
    }
}

#[test]
fn all_that_servers_lived_through_under_load_and_kill_9_is_replayed_to_the_same_state() {
    let mut cluster = Cluster::new(3, 0);
    // So that recovery reads snapshots, and a learner gets one.
    cluster.configure("snapCount=50\ncommitLogCount=10\n");
    cluster.servers.iter().for_each(record);
    cluster.start();
    let victim = cluster.leader();
    let mut client = Client::connect(cluster.servers[victim].port).expect("it serves");
    for number in 0..120 {
        client.create(&format!("/before-{number}"), &[number; 500]).expect("acknowledged");
    }
    cluster.servers[victim].kill();
    let mut client = Client::connect(cluster.servers[cluster.leader()].port).expect("it serves");
    for number in 0..120 {
        client.create(&format!("/after-{number}"), &[number; 500]).expect("acknowledged");
    }
    cluster.servers[victim].start();
    cluster.wait_until_all_serve();
    let zxid = |server: &Server| {
        server.ask("srvr").lines().find_map(|line| line.strip_prefix("Zxid: 0x").map(str::to_owned))
    };
    let last = wait_for("all have everything", || {
        let first = zxid(&cluster.servers[0])?;
        cluster.servers.iter().all(|server| zxid(server).as_ref() == Some(&first)).then_some(first)
    });
    let last = Zxid(u64::from_str_radix(&last, 16).expect("hexadecimal"));
    for server in &mut cluster.servers {
        let pid = Pid::from_raw(server.pid() as i32).expect("a process");
        kill_process(pid, Signal::STOP).expect("it can be stopped");
    }
    for server in &mut cluster.servers {
        server.kill();
    }

    let (mut digests, mut all_inputs) = (Vec::new(), 0);
    for (index, server) in cluster.servers.iter().enumerate() {
        let lives = recordings(server);
        assert_eq!(lives.len(), if index == victim { 2 } else { 1 }, "server {}", server.id);
        for life in &lives {
            let (end, inputs, status) = replay(life);
            assert!(matches!(end, Progress::BrokenOff(_)), "{end:?}: it was killed");
            all_inputs += inputs;
            if life == lives.last().expect("a life") {
                assert!(status.serving);
                assert_eq!(status.applied.zxid, last, "server {}", server.id);
                digests.push((status.applied.digest, status.state_digest));
            }
        }
    }
    assert!(all_inputs > 1_000, "{all_inputs} inputs");
    assert_eq!(digests, [digests[0]; 3], "the same history and the same state");
}

#[test]
fn a_server_that_is_stopped_ends_its_recording_in_order() {
    let mut cluster = Cluster::new(1, 0);
    let server = &mut cluster.servers[0];
    record(server);
    server.start();
    wait_for("it serves", || server.mode());
    Client::connect(server.port).expect("it serves").create("/a", b"x").expect("acknowledged");
    let pid = Pid::from_raw(server.pid() as i32).expect("a process");
    kill_process(pid, Signal::TERM).expect("it runs");
    assert_eq!(wait_for("it ends", || server.exit_code()), 0);
    let [life] = &recordings(server)[..] else { panic!("one life") };
    let (end, _, status) = replay(life);
    assert_eq!(end, Progress::Ended);
    assert_eq!(status.applied.zxid.counter(), 2, "the session and the node");
}

#[test]
fn a_server_whose_recorder_has_no_space_left_serves_on_without_it() {
    let mut cluster = Cluster::new(1, 0);
    cluster.configure("txnLogSizeLimitInKb=64\npreAllocSize=64\n");
    let server = &mut cluster.servers[0];
    record(server);
    server.start_limited("trap '' XFSZ; ulimit -S -f 1000");
    wait_for("it serves", || server.mode());
    // What is refused is recorded too, and takes no space in the log.
    let mut client = Client::connect(server.port).expect("it serves");
    for _ in 0..100 {
        client.ensure("/a", &[7; 10_000]).expect("served");
    }
    assert!(server.log().contains("recordings stops until this server starts again"), "{}", server.log());
    let [life] = &recordings(server)[..] else { panic!("one life") };
    let (end, inputs, _) = replay(life);
    assert!(matches!(end, Progress::BrokenOff(_)), "{end:?}");
    assert!(inputs > 60, "{inputs}");
    assert_eq!(server.mode().as_deref(), Some("standalone"));
}
