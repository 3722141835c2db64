//! Real processes elect, serve, die and come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::client::Client;
use crate::server::{Cluster, wait_for};

#[test]
fn five_servers_elect_a_leader_and_status_says_who_it_is() {
    let voters = 5;
    let cluster = Cluster::started(voters, 2);
    let leader = cluster.leader();
    for (index, server) in cluster.servers.iter().enumerate() {
        let mode = match index as u64 {
            observer if observer >= voters => "observer",
            _ if index == leader => "leader",
            _ => "follower",
        };
        let (code, text) = server.verb("status");
        let port = server.port;
        let expected = format!(
            "Client port found: {port}. Client address: 127.0.0.1. Client SSL: false.\nMode: {mode}\n"
        );
        assert_eq!((code, text), (Some(0), expected));
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9_of_the_leader_and_the_leader_comes_back() {
    let mut cluster = Cluster::started(3, 0);
    let leader = cluster.leader();
    let mut client = Client::connect(cluster.servers[leader].port).expect("it serves");
    for number in 0..50 {
        client.create(&format!("/before-{number}"), b"x").expect("acknowledged");
    }
    cluster.servers[leader].kill();
    let successor = cluster.leader();
    assert_ne!(successor, leader);
    let follower = (0..3).find(|index| ![leader, successor].contains(index)).expect("three servers");
    let mut client = wait_for("a follower takes writes", || {
        let mut client = Client::connect(cluster.servers[follower].port).ok()?;
        client.ensure("/after", b"y").ok().map(|()| client)
    });
    for number in 0..50 {
        assert_eq!(client.get(&format!("/before-{number}")).expect("served").as_deref(), Some(&b"x"[..]));
    }
    cluster.servers[leader].start();
    cluster.wait_until_all_serve();
    assert_eq!(cluster.servers[leader].mode().as_deref(), Some("follower"));
    let mut client = Client::connect(cluster.servers[leader].port).expect("it serves");
    assert_eq!(client.get("/after").expect("served").as_deref(), Some(&b"y"[..]));
}

#[test]
fn all_servers_killed_at_once_come_back_with_everything() {
    let mut cluster = Cluster::started(3, 0);
    let mut client = Client::connect(cluster.servers[0].port).expect("it serves");
    let big = vec![7; 900_000];
    client.create("/big", &big).expect("acknowledged");
    for server in &mut cluster.servers {
        server.kill();
    }
    cluster.start();
    for server in &cluster.servers {
        let mut client = Client::connect(server.port).expect("it serves");
        assert_eq!(client.get("/big").expect("served").as_ref(), Some(&big), "server {}", server.id);
    }
}

#[test]
fn a_leader_that_stands_still_is_replaced_and_follows_when_it_wakes() {
    let cluster = Cluster::started(3, 0);
    let leader = cluster.leader();
    cluster.servers[leader].signal(Signal::STOP);
    let others: Vec<_> = (0..3).filter(|index| *index != leader).collect();
    wait_for("another leader", || {
        others.iter().find(|index| cluster.servers[**index].mode().as_deref() == Some("leader"))
    });
    cluster.servers[leader].signal(Signal::CONT);
    wait_for("the old leader follows", || {
        (cluster.servers[leader].mode().as_deref() == Some("follower")).then_some(())
    });
}

#[test]
fn an_observer_serves_and_does_not_vote() {
    let mut cluster = Cluster::started(2, 1);
    assert_eq!(cluster.servers[2].mode().as_deref(), Some("observer"));
    let mut client = Client::connect(cluster.servers[2].port).expect("it serves");
    client.create("/a", b"x").expect("acknowledged");
    cluster.servers[1].kill();
    wait_for("one of two voters does not serve", || cluster.servers[0].mode().is_none().then_some(()));
    cluster.servers[1].start();
    cluster.wait_until_all_serve();
}

#[test]
fn a_server_with_another_list_of_voters_is_refused_and_told_why() {
    let mut cluster = Cluster::new(3, 0);
    let path = cluster.servers[0].zoo_cfg.clone();
    let text = std::fs::read_to_string(&path).expect("a file");
    std::fs::write(path, text + "server.4=127.0.0.1:1:2\n").expect("written");
    for server in &mut cluster.servers {
        server.start();
    }
    let reason = "names other participants";
    wait_for("the reason in the log", || cluster.servers[0].log().contains(reason).then_some(()));
    wait_for("the others serve", || cluster.servers[2].mode());
    assert_eq!(cluster.servers[0].mode(), None);
}

#[test]
fn a_leader_whose_disk_is_full_makes_room_for_another_and_comes_back_when_there_is_space() {
    let mut cluster = Cluster::new(3, 0);
    for server in &mut cluster.servers[..2] {
        server.start();
    }
    // The largest id leads when all are empty. No file of it can have more blocks of 512 bytes.
    cluster.servers[2].start_limited("trap '' XFSZ; ulimit -S -f 1000");
    cluster.wait_until_all_serve();
    let leader = cluster.leader();
    if leader != 2 {
        cluster.servers[leader].kill();
        cluster.leader();
        cluster.servers[leader].start();
        cluster.wait_until_all_serve();
    }
    let block = vec![7; 100_000];
    for number in 0..10 {
        wait_for("a write", || {
            let mut client = Client::connect(cluster.servers[0].port).ok()?;
            client.ensure(&format!("/{number}"), &block).ok()
        });
    }
    wait_for("the full disk is seen", || cluster.servers[2].log().contains("stops serving").then_some(()));
    let pid = Pid::from_raw(cluster.servers[2].pid() as i32).expect("a process");
    let endless = Rlimit { current: None, maximum: None };
    prlimit(Some(pid), Resource::Fsize, endless).expect("the limit can be raised");
    wait_for("it serves again", || cluster.servers[2].mode());
    let mut client = Client::connect(cluster.servers[2].port).expect("it serves");
    for number in 0..10 {
        let data = client.get(&format!("/{number}")).expect("served");
        assert_eq!(data.as_ref(), Some(&block), "/{number}");
    }
}

#[test]
fn a_server_has_room_for_more_clients_than_programs_get_by_default() {
    let mut cluster = Cluster::new(1, 0);
    cluster.configure("maxClientCnxns=0\n");
    cluster.servers[0].start_limited("ulimit -S -n 64");
    wait_for("it serves", || cluster.servers[0].mode());
    let port = cluster.servers[0].port;
    let mut clients: Vec<_> = (0..100).map(|_| Client::connect(port).expect("room for it")).collect();
    for client in &mut clients {
        client.ping().expect("all are served at the same time");
    }
}

#[test]
fn clients_beyond_the_limit_of_open_files_are_refused_and_the_disk_still_has_some() {
    let mut cluster = Cluster::new(1, 0);
    cluster.configure("maxClientCnxns=0\nsnapCount=20\ntxnLogSizeLimitInKb=64\npreAllocSize=64\n");
    let server = &mut cluster.servers[0];
    server.start_limited("ulimit -n 60");
    wait_for("it serves", || server.mode());
    let mut clients = Vec::new();
    while let Ok(client) = Client::connect(server.port) {
        clients.push(client);
        assert!(clients.len() < 60, "there are no more files");
    }
    for number in 0..100 {
        clients[0].create(&format!("/{number}"), &[7; 1_000]).expect("acknowledged");
    }
    wait_for("a snapshot", || server.log().contains("a snapshot was written").then_some(()));
    let log = server.log();
    assert!(log.contains("too many connections") && !log.contains("the disk says"), "{log}");
}

#[test]
fn a_follower_that_missed_more_than_memory_holds_gets_a_snapshot_and_old_files_are_purged() {
    let mut cluster = Cluster::new(3, 0);
    cluster.configure("snapCount=100\ncommitLogCount=10\n");
    cluster.start();
    let follower = (cluster.leader() + 1) % 3;
    cluster.servers[follower].kill();
    let mut client = Client::connect(cluster.servers[cluster.leader()].port).expect("it serves");
    let data = vec![7; 1_000];
    for number in 0..1_000 {
        client.create(&format!("/{number}"), &data).expect("acknowledged");
    }
    cluster.servers[follower].start();
    cluster.wait_until_all_serve();
    let log = cluster.servers[follower].log();
    assert!(log.contains("the leader's snapshot is in place"), "{log}");
    let mut client = Client::connect(cluster.servers[follower].port).expect("it serves");
    for number in 0..1_000 {
        assert_eq!(client.get(&format!("/{number}")).expect("served").as_ref(), Some(&data), "/{number}");
    }
    let files =
        std::fs::read_dir(cluster.servers[cluster.leader()].home().join("data/zabrus")).expect("a folder");
    let names = files.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let snapshots = names.filter(|name| name.starts_with("snapshot.") && name != "snapshot.tmp").count();
    assert!((1..=3).contains(&snapshots), "{snapshots} snapshots of about ten");
}

#[test]
fn nothing_acknowledged_is_lost_while_one_server_after_the_other_is_killed() {
    let mut cluster = Cluster::started(3, 0);
    let ports: Vec<_> = cluster.servers.iter().map(|server| server.port).collect();
    // How many writes were acknowledged, and how many there shall be.
    let progress = Arc::new((AtomicUsize::new(0), AtomicUsize::new(usize::MAX)));
    let shared = Arc::clone(&progress);
    let writer = std::thread::spawn(move || {
        let (done, goal) = &*shared;
        let mut ports = ports.iter().cycle();
        let is_done = || done.load(Ordering::SeqCst) >= goal.load(Ordering::SeqCst);
        while !is_done() {
            let Ok(mut client) = Client::connect(*ports.next().expect("a cycle")) else { continue };
            while !is_done() {
                let name = format!("/{}", done.load(Ordering::SeqCst));
                if client.ensure(&name, name.as_bytes()).is_err() {
                    break;
                }
                done.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    for round in 0..6 {
        let goal = progress.0.load(Ordering::SeqCst) + 30;
        wait_for("some writes", || (progress.0.load(Ordering::SeqCst) >= goal).then_some(()));
        // The leader in every second round, and the others in turn.
        let victim = if round % 2 == 0 { cluster.leader() } else { round % 3 };
        cluster.servers[victim].kill();
        cluster.leader();
        cluster.servers[victim].start();
        cluster.wait_until_all_serve();
    }
    progress.1.store(0, Ordering::SeqCst);
    writer.join().expect("no refusal");
    let acknowledged: Vec<_> =
        (0..progress.0.load(Ordering::SeqCst)).map(|number| format!("/{number}")).collect();
    for server in &cluster.servers {
        let mut client = Client::connect(server.port).expect("it serves");
        for name in &acknowledged {
            let data = client.get(name).expect("served");
            assert_eq!(data.as_deref(), Some(name.as_bytes()), "{name} on server {}", server.id);
        }
    }
}
