//! Observers come and go while the ensemble runs, and servers start with the members of the last reconfig.

use std::fs;

use zabrus_core::jute;
use zabrus_core::wire::{ErrorCode, GetDataResponse, OpCode, Reconfig};

use crate::client::Client;
use crate::server::{Cluster, wait_for};

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
    cluster.servers[..3].iter_mut().for_each(crate::server::Server::start);
    cluster.wait_until_all_serve();
    cluster.servers[3].start();
    wait_for("the fourth is refused", || cluster.servers[3].log().contains("no such server").then_some(()));
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
    wait_for("it serves no more", || cluster.servers[3].mode().is_none().then_some(()));
    assert!(!cluster.servers[1].ask("conf").contains("server.4="));
    assert_eq!(reconfig(&cluster, &leave("3")), Err(ErrorCode::NewConfigNoQuorum), "voters stay");
    assert_eq!(reconfig(&cluster, &leave("x")), Err(ErrorCode::MarshallingError));
    reconfig(&cluster, &join(&fourth)).expect("it comes back");
    wait_for("it observes again", || (cluster.servers[3].mode()? == "observer").then_some(()));
}
