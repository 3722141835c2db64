//! Servers come and go while the ensemble runs, and start with the members of the last reconfig.

use std::fs;
use std::path::Path;
use std::process::Command;

use zabrus_core::jute;
use zabrus_core::wire::{ErrorCode, GetDataResponse, OpCode, Reconfig};

use crate::client::Client;
use crate::data::{done, word};
use crate::load::Load;
use crate::server::{Cluster, Server, ZABRUS, wait_for};

fn reconfig(cluster: &Cluster, change: &Reconfig) -> Result<String, ErrorCode> {
    let answer = wait_for("an answer", || {
        let mut client = Client::connect(cluster.servers[0].port).ok()?;
        client.ask(OpCode::Reconfig, change).ok()
    })?;
    let answer: GetDataResponse = jute::decode(&answer).expect("an answer");
    Ok(String::from_utf8(answer.data.expect("members").to_vec()).expect("text"))
}

fn join(line: &str) -> Reconfig {
    Reconfig { joining: Some(line.into()), version: -1, ..Reconfig::default() }
}

fn leave(ids: &str) -> Reconfig {
    Reconfig { leaving: Some(ids.into()), version: -1, ..Reconfig::default() }
}

/// Three servers that know nothing of a fourth, which has a file that names all four; and its line.
fn three_and_one() -> (Cluster, String) {
    let mut cluster = Cluster::new(3, 1);
    cluster.configure("reconfigEnabled=true\nskipACL=yes\n");
    let mut fourth = String::new();
    for server in &cluster.servers[..3] {
        let text = fs::read_to_string(&server.zoo_cfg).expect("zoo.cfg");
        let line = text.lines().find(|line| line.starts_with("server.4=")).expect("a line");
        fourth = format!("{line};127.0.0.1:{}", cluster.servers[3].port);
        fs::write(&server.zoo_cfg, text.replace(&format!("{line}\n"), "")).expect("zoo.cfg");
    }
    (cluster, fourth)
}

#[test]
fn an_observer_joins_is_restarted_leaves_and_the_files_say_so() {
    let (mut cluster, fourth) = three_and_one();
    cluster.servers[..3].iter_mut().for_each(Server::start);
    cluster.wait_until_all_serve();
    cluster.servers[3].start();
    wait_for("it observes as a stranger", || (cluster.servers[3].mode()? == "observer").then_some(()));
    wait_for("it knows who belongs", || cluster.servers[3].log().contains("no member").then_some(()));
    cluster.servers[3].kill();
    cluster.servers[3].start();
    wait_for("and again", || (cluster.servers[3].mode()? == "observer").then_some(()));
    let members = reconfig(&cluster, &join(&fourth)).expect("it joins");
    assert!(members.contains(&format!("{fourth}\n")), "{members}");
    wait_for("it observes", || (cluster.servers[3].mode()? == "observer").then_some(()));
    let mut client = Client::connect(cluster.servers[3].port).expect("it serves");
    client.ensure("/through-the-new-one", b"x").expect("acknowledged");
    assert!(cluster.servers[1].ask("conf").contains(&fourth));

    let version = members.rsplit_once("version=").expect("a version").1;
    for server in &cluster.servers {
        let name = format!("zoo.cfg.dynamic.{version}");
        let lines = wait_for("the members on disk", || fs::read_to_string(server.home().join(&name)).ok());
        assert_eq!(format!("{lines}version={version}"), members, "server {}", server.id);
        let zoo_cfg = wait_for("zoo.cfg names them", || {
            fs::read_to_string(&server.zoo_cfg).ok().filter(|text| text.contains(&name))
        });
        assert!(!zoo_cfg.contains("server."), "{zoo_cfg}");
        assert!(
            fs::read_to_string(server.home().join("zoo.cfg.bak")).expect("the old one").contains("server.1=")
        );
    }
    for server in &mut cluster.servers {
        server.kill();
    }
    cluster.start();
    assert_eq!(cluster.servers[3].mode().as_deref(), Some("observer"), "also after a restart");

    let members = reconfig(&cluster, &leave("4")).expect("it leaves");
    assert!(!members.contains("server.4="), "{members}");
    wait_for("it hears of that", || cluster.servers[3].log().contains("no member any more").then_some(()));
    assert!(!cluster.servers[1].ask("conf").contains("server.4="));
    assert_eq!(reconfig(&cluster, &leave("x")), Err(ErrorCode::MarshallingError));
    reconfig(&cluster, &join(&fourth)).expect("it comes back");
    wait_for("it observes again", || (cluster.servers[3].mode()? == "observer").then_some(()));
}

/// Six servers of which the last three know the first three and themselves; and the lines of all.
fn three_and_three() -> (Cluster, Vec<String>) {
    let mut cluster = Cluster::new(6, 0);
    cluster.configure("reconfigEnabled=true\nskipACL=yes\n");
    let mut lines = Vec::new();
    for (at, server) in cluster.servers.iter().enumerate() {
        let text = fs::read_to_string(&server.zoo_cfg).expect("zoo.cfg");
        let is_known =
            |line: &&str| (4..=6).all(|id| id == server.id || !line.starts_with(&format!("server.{id}=")));
        let known: Vec<_> = text.lines().filter(is_known).collect();
        let own = known.iter().find(|line| line.starts_with(&format!("server.{}=", at + 1)));
        lines.push(format!("{};127.0.0.1:{}", own.expect("its line"), server.port));
        fs::write(&server.zoo_cfg, known.join("\n") + "\n").expect("zoo.cfg");
    }
    (cluster, lines)
}

/// What the shell's `reconfig` does, as soon as all that it needs are there.
fn reconfig_by_hand(server: &Server, words: [&str; 2]) {
    let address = format!("127.0.0.1:{}", server.port);
    wait_for("a reconfig", || {
        let output = Command::new(ZABRUS).args(["cli", "-server", &address, "reconfig"]).args(words).output();
        let output = output.expect("a process");
        String::from_utf8_lossy(&output.stdout).contains("Committed new configuration").then_some(())
    });
}

#[test]
fn voters_come_and_go_under_load_until_no_server_is_of_the_first_ones() {
    let (mut cluster, lines) = three_and_three();
    cluster.servers[..5].iter_mut().for_each(Server::start);
    cluster.wait_until_all_serve();
    let ports: Vec<_> = cluster.servers.iter().map(|server| server.port).collect();
    let load = Load::start(&ports, 4);
    load.wait_for_writes(100, "of three");
    reconfig_by_hand(&cluster.servers[0], ["-add", &lines[3..5].join(",")]);
    for server in &cluster.servers[3..5] {
        wait_for("it votes", || (server.mode()? == "follower").then_some(()));
    }
    load.wait_for_writes(100, "of five");
    cluster.servers[5].start();
    cluster.wait_until_all_serve();
    assert!(cluster.leader() < 3, "the leader is one that is left out");
    reconfig_by_hand(&cluster.servers[4], ["-members", &lines[3..].join(",")]);
    for mut server in cluster.servers.drain(..3) {
        server.kill();
    }
    load.wait_for_writes(100, "of three others");
    cluster.wait_until_all_serve();
    println!("{}", load.finish(&cluster));
    for server in &mut cluster.servers {
        server.kill();
    }
    cluster.start();
    reconfig_by_hand(&cluster.servers[0], ["-remove", "5"]);
}

#[test]
fn who_is_left_of_a_majority_that_is_lost_goes_on_from_a_backup() {
    let (mut cluster, lines) = three_and_three();
    cluster.servers[..5].iter_mut().for_each(Server::start);
    cluster.wait_until_all_serve();
    reconfig_by_hand(&cluster.servers[0], ["-add", &lines[3..5].join(",")]);
    let mut client = Client::connect(cluster.servers[0].port).expect("it serves");
    client.ensure("/kept", b"x").expect("acknowledged");
    client.ask(OpCode::Sync, &"/").expect("an answer").expect("it has everything");
    for mut server in cluster.servers.drain(2..5) {
        server.kill();
    }
    for server in &mut cluster.servers[..2] {
        wait_for("two of five serve nobody", || server.mode().is_none().then_some(()));
        server.kill();
    }

    let backup = cluster.servers[0].home().join("backup");
    done(["backup", "--to", word(&backup), word(&cluster.servers[0].zoo_cfg)]);
    for server in &cluster.servers[..2] {
        let zoo_cfg = fs::read_to_string(&server.zoo_cfg).expect("zoo.cfg");
        let members = zoo_cfg.lines().find_map(|line| line.strip_prefix("dynamicConfigFile="));
        let members = Path::new(members.expect("it took part in a reconfig"));
        let left: Vec<_> = lines[..2].iter().map(String::as_str).collect();
        fs::write(members, left.join("\n")).expect("written");
        let data = server.home().join("data");
        fs::rename(data.join("zabrus"), data.join("lost")).expect("moved away");
        done(["restore", "--from", word(&backup), "--to", word(&server.zoo_cfg)]);
    }
    cluster.start();
    let mut client = Client::connect(cluster.servers[1].port).expect("it serves");
    assert_eq!(client.get("/kept").expect("served").as_deref(), Some(&b"x"[..]));
    reconfig_by_hand(&cluster.servers[1], ["-add", &lines[5]]);
}
