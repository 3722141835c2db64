//! The verbs, as an operator uses them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::client::Client;
use crate::server::{Cluster, ZABRUS, ensemble_port, free_port, wait_for};

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[test]
fn a_server_alone_starts_stops_and_restarts_with_its_data() {
    let cluster = Cluster::new(1, 0);
    let server = &cluster.servers[0];
    let not_running = "Error contacting service. It is probably not running.";
    let (code, text) = server.verb("status");
    assert_eq!((code, text.lines().last()), (Some(1), Some(not_running)));
    let (code, text) = server.verb("stop");
    assert_eq!(code, Some(0));
    assert!(text.starts_with("Stopping zookeeper ... no zookeeper to stop"), "{text}");

    assert_eq!(server.verb("start"), (Some(0), "Starting zookeeper ... STARTED\n".into()));
    let (code, text) = server.verb("start");
    assert_eq!(code, Some(1));
    assert!(text.contains("already running as process"), "{text}");
    assert_eq!(wait_for("a mode", || server.mode()), "standalone");
    assert_eq!(server.verb("status").1.lines().last(), Some("Mode: standalone"));
    Client::connect(server.port).expect("it serves").create("/a", b"x").expect("acknowledged");

    let (code, text) = server.verb("restart");
    assert_eq!(
        (code, text.as_str()),
        (Some(0), "Stopping zookeeper ... STOPPED\nStarting zookeeper ... STARTED\n")
    );
    wait_for("a mode", || server.mode());
    let mut client = Client::connect(server.port).expect("it serves");
    assert_eq!(client.get("/a").expect("served").as_deref(), Some(&b"x"[..]));
    assert_eq!(server.verb("stop"), (Some(0), "Stopping zookeeper ... STOPPED\n".into()));
    assert!(!server.home().join("data/zookeeper_server.pid").exists());
}

#[test]
fn a_second_server_on_the_same_data_refuses_to_start() {
    let cluster = Cluster::started(1, 0);
    let server = &cluster.servers[0];
    let other = server.home().join("other.cfg");
    let text = fs::read_to_string(&server.zoo_cfg).expect("a file");
    let text = text.replace(&format!("clientPort={}", server.port), &format!("clientPort={}", free_port()));
    fs::write(&other, text).expect("written");
    let output = Command::new(ZABRUS).arg("start-foreground").arg(&other).output().expect("a process");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("another server uses this directory"), "{text}");
    assert_eq!(server.mode().as_deref(), Some("standalone"), "the first one does not mind");
}

#[test]
fn a_server_whose_log_cannot_be_written_serves_on() {
    let mut cluster = Cluster::new(1, 0);
    cluster.configure("noSuchKey=1\n");
    let server = &mut cluster.servers[0];
    // Every write to this file says that the disk is full.
    server.start_limited("exec >/dev/full 2>&1");
    wait_for("a mode", || server.mode());
    let mut client = Client::connect(server.port).expect("it serves");
    client.create("/a", b"x").expect("acknowledged");
    assert_eq!(server.exit_code(), None);
    assert_eq!(server.log(), "", "no line of the log arrived");
}

#[test]
fn a_log_whose_reader_stalls_holds_nobody_up() {
    let mut cluster = Cluster::new(1, 0);
    let server = &mut cluster.servers[0];
    let pipe = server.home().join("pipe");
    let pipe = pipe.display();
    // Nobody reads from it, and it is full.
    server.start_limited(&format!("mkfifo {pipe} && exec 1<>{pipe} && head -c 65536 /dev/zero"));
    wait_for("a mode", || server.mode());
    let mut client = Client::connect(server.port).expect("it serves");
    client.create("/a", b"x").expect("acknowledged");
    server.signal(Signal::TERM);
    assert_eq!(wait_for("it ends", || server.exit_code()), 0);
}

#[test]
fn a_verb_whose_output_nobody_reads_ends_quietly() {
    let cluster = Cluster::new(1, 0);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(ZABRUS);
    command.arg("check-config").arg(&cluster.servers[0].zoo_cfg).stdout(writer).stderr(Stdio::piped());
    let output = command.output().expect("a process");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.signal(), Some(Signal::PIPE.as_raw()));
}

#[test]
fn a_session_that_expires_is_in_the_log_with_its_number_in_hex() {
    let mut cluster = Cluster::new(1, 0);
    cluster.configure("maxSessionTimeout=1000\n");
    cluster.start();
    let server = &cluster.servers[0];
    drop(Client::connect(server.port).expect("it serves"));
    let line = wait_for("an expiry", || {
        let log = server.log();
        log.lines().find(|line| line.contains("Expiring session 0x")).map(str::to_owned)
    });
    assert!(line.ends_with("ms exceeded"), "{line}");
}

#[test]
fn a_start_that_fails_says_so() {
    let mut cluster = Cluster::started(1, 0);
    let server = &mut cluster.servers[0];
    let (code, text) = server.verb("start");
    assert_eq!((code, text.as_str()), (Some(1), "Starting zookeeper ... FAILED TO START\n"));
    server.kill();
    let out = server.home().join("data/zabrus.out");
    fs::write(&out, "an earlier line\n".repeat(2 << 20)).expect("written");
    fs::write(server.home().join("data/myid"), "9\n").expect("written");
    let output = Command::new(ZABRUS).arg("start").arg(&server.zoo_cfg).output().expect("a process");
    assert_eq!(output.status.code(), Some(1));
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(why.contains("dataDir holds the data of server 1, but myid says 9"), "{why}");
    assert!(!why.contains("an earlier line"), "{why}");
    assert!(server.home().join("data/zabrus.out.old").exists(), "a long output is put aside");
}

#[test]
fn data_of_another_server_are_refused() {
    let mut cluster = Cluster::started(1, 0);
    let server = &mut cluster.servers[0];
    server.kill();
    fs::write(server.home().join("data/myid"), "9\n").expect("written");
    server.start();
    assert_eq!(wait_for("it ends", || server.exit_code()), 1);
    assert!(server.log().contains("dataDir holds the data of server 1, but myid says 9"), "{}", server.log());
}

#[test]
fn a_termination_signal_ends_a_server_in_order() {
    let mut cluster = Cluster::started(1, 0);
    let server = &mut cluster.servers[0];
    let pid = Pid::from_raw(server.pid() as i32).expect("a process");
    kill_process(pid, Signal::TERM).expect("it runs");
    assert_eq!(wait_for("it ends", || server.exit_code()), 0);
}

#[test]
fn check_config_explains_every_line_and_fails_on_an_error() {
    let cluster = Cluster::new(3, 0);
    let server = &cluster.servers[1];
    let (code, text) = server.verb("check-config");
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("one tick is 500 ms") && text.contains("server 2, this server, participant"),
        "{text}"
    );
    let broken = fs::read_to_string(&server.zoo_cfg).expect("a file") + "dynamicConfigFile=zoo.cfg.dynamic\n";
    fs::write(&server.zoo_cfg, broken).expect("written");
    let (code, text) = server.verb("check-config");
    assert_eq!(code, Some(2));
    assert!(text.contains("ERROR: zoo.cfg.dynamic is missing"), "{text}");
    assert_eq!(server.verb("start-foreground").0, Some(2));
}

#[test]
fn an_ensemble_serves_stops_on_ctrl_c_and_goes_on_with_its_data() {
    let folder = TempDir::new().expect("a folder");
    let port = ensemble_port();
    let mut created = false;
    for _ in 0..2 {
        let mut child = Command::new(ZABRUS)
            .args([
                "ensemble",
                "--nodes",
                "3",
                "--observers",
                "1",
                "--client-port",
                &port.to_string(),
                "--dir",
            ])
            .arg(folder.path().join("ensemble"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut lines =
            BufReader::new(child.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
        let all = lines.find_map(|line| line.strip_prefix("Clients connect to  ").map(str::to_owned));
        let all = all.expect("the ports are explained");
        let ports: Vec<u16> = all
            .split(',')
            .map(|address| address.rsplit(':').next().expect("a port").parse().expect("a port"))
            .collect();
        assert_eq!(ports.len(), 4);
        let modes: Vec<_> = lines.by_ref().filter(|line| line.contains(" is ")).take(4).collect();
        assert!(modes.contains(&"server 4 is observer".to_owned()), "{modes:?}");
        assert_eq!(modes.iter().filter(|line| line.ends_with("leader")).count(), 1, "{modes:?}");
        let mut client = Client::connect(ports[3]).expect("it serves");
        if !created {
            client.create("/a", b"x").expect("acknowledged");
            created = true;
        }
        assert_eq!(client.get("/a").expect("served").as_deref(), Some(&b"x"[..]));
        kill_process(Pid::from_raw(child.id() as i32).expect("a process"), Signal::INT).expect("it runs");
        assert_eq!(first_line(&lines.by_ref().collect::<Vec<_>>().join("\n")), "stopping");
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
        assert!(std::net::TcpStream::connect(("127.0.0.1", ports[0])).is_err(), "no server is left behind");
    }
}
