//! Real processes elect, serve, die and come back.

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::client::Client;
use crate::server::{Cluster, wait_for};

#[test]
fn three_servers_elect_a_leader_and_status_says_who_it_is() {
    let cluster = Cluster::started(3, 0);
    let leader = cluster.leader();
    for (index, server) in cluster.servers.iter().enumerate() {
        let mode = if index == leader { "leader" } else { "follower" };
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
    for server in &mut cluster.servers {
        server.start();
    }
    cluster.wait_until_all_serve();
    for server in &cluster.servers {
        let mut client = Client::connect(server.port).expect("it serves");
        assert_eq!(client.get("/big").expect("served").as_ref(), Some(&big), "server {}", server.id);
    }
}

#[test]
fn a_leader_that_stands_still_is_replaced_and_follows_when_it_wakes() {
    let cluster = Cluster::started(3, 0);
    let leader = cluster.leader();
    let pid = Pid::from_raw(cluster.servers[leader].pid() as i32).expect("a process");
    kill_process(pid, Signal::STOP).expect("it can be stopped");
    let others: Vec<_> = (0..3).filter(|index| *index != leader).collect();
    wait_for("another leader", || {
        others.iter().find(|index| cluster.servers[**index].mode().as_deref() == Some("leader"))
    });
    kill_process(pid, Signal::CONT).expect("it can go on");
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
    std::fs::write(&path, text + "server.4=127.0.0.1:1:2\n").expect("written");
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
    // The largest id leads when all are empty.
    cluster.servers[2].start_with_short_files(1_000);
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
