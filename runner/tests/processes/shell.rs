//! The shell, as its users run it, and what the real zkCli said to the same commands.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::server::{Cluster, ZABRUS, wait_for};

/// What `runner/tests/shell/record.py` recorded.
const RECORDED: &str = include_str!("../shell/zkcli.txt");

const OUT_MARKERS: [&str; 2] = ["printwatches is on\n", "printwatches is off\n"];
const ERR_MARKER: &str = "Command index out of range\n";

fn shell(servers: &str, words: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(ZABRUS)
        .args(["cli", "-server", servers])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // A shell that ended early does not read everything.
        let _ = stdin.write_all(input.as_bytes());
    });
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

fn local(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// What a command said, in the form of the recording, with `<...>` for what differs from run to run.
fn normal(out: &str, err: &str) -> String {
    let line = |line: &str| match line.split_once(" = ") {
        Some((key @ ("ctime" | "mtime"), _)) => format!("{key} = <time>"),
        Some((key @ ("cZxid" | "mZxid" | "pZxid"), zxid)) if zxid != "0x0" => format!("{key} = <zxid>"),
        _ => match line.rsplit_once(" zxid: ") {
            Some((event, zxid)) if zxid != "-1" => format!("{event} zxid: <zxid>"),
            _ => sorted(line),
        },
    };
    let out: Vec<_> = out.trim_end_matches('\n').split('\n').map(line).collect();
    let out = out.join("\n");
    let err = err.trim_end_matches('\n').lines().map(|line| format!("! {line}"));
    let lines = [out].into_iter().filter(|out| !out.trim_matches('\n').is_empty()).chain(err);
    lines.collect::<Vec<_>>().join("\n")
}

/// Names in a list, in order: servers give them in any.
fn sorted(line: &str) -> String {
    match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(names) => {
            let mut names: Vec<_> = names.split(", ").collect();
            names.sort_unstable();
            format!("[{}]", names.join(", "))
        }
        None => line.to_owned(),
    }
}

#[test]
fn the_shell_says_what_zkcli_says() {
    let mut cluster = Cluster::new(1, 0);
    cluster.configure("extendedTypesEnabled=true\n");
    cluster.start();
    let recorded: Vec<_> = RECORDED.split("\n> ").skip(1).collect();
    let recorded = recorded.iter().map(|block| block.split_once('\n').unwrap_or((block, "")));
    let recorded: Vec<_> = recorded.map(|(command, said)| (command, said.trim_end_matches('\n'))).collect();
    assert!(recorded.len() > 250, "{} commands", recorded.len());
    let script: String =
        recorded.iter().map(|(command, _)| format!("{command}\nredo 999999\nprintwatches\n")).collect();
    let (_, out, err) = shell(&local(cluster.servers[0].port), &[], &script);
    let out = out.replace(OUT_MARKERS[1], OUT_MARKERS[0]);
    let said: Vec<_> = out.split(OUT_MARKERS[0]).zip(err.split(ERR_MARKER)).collect();
    assert_eq!(said.len(), recorded.len() + 1, "every command has its part");
    let mut differences = String::new();
    for ((command, expected), (out, err)) in recorded.iter().zip(said) {
        let now = normal(out, err);
        if now != *expected {
            differences.push_str(&format!("> {command}\n--- zkCli\n{expected}\n--- here\n{now}\n"));
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

#[test]
fn one_command_prints_its_result_alone_and_its_exit_code_says_how_it_went() {
    let cluster = Cluster::started(1, 0);
    let servers = local(cluster.servers[0].port);
    let once = |words: &[&str]| shell(&servers, words, "");
    assert_eq!(once(&["create", "/a", "x y"]), (Some(0), String::new(), "Created /a\n".into()));
    assert_eq!(once(&["get", "/a"]), (Some(0), "x y\n".into(), String::new()));
    assert_eq!(once(&["get", "/b"]), (Some(1), String::new(), "Node does not exist: /b\n".into()));
    assert_eq!(once(&["frobnicate"]).0, Some(127));
    assert_eq!(once(&["-frobnicate"]).0, Some(2));
    let (code, out, _) = once(&["--json", "get", "/a"]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with(r#"{"data":"x y","stat":{"#) && out.lines().count() == 1, "{out}");
    let (code, out, err) = once(&["--json", "delete", "-v", "5", "/a"]);
    let refusal = r#"{"error":{"code":-103,"message":"version No is not valid : /a","name":"BadVersion"}}"#;
    assert_eq!((code, out.trim_end(), err.as_str()), (Some(1), refusal, ""));
    let (_, out, _) = shell(&servers, &["--json"], "get -w /a\nset /a z\nconnect :\nls /\n");
    let lines: Vec<_> = out.lines().skip(1).collect();
    let event = r#"{"event":{"path":"/a","state":"SyncConnected","type":"NodeDataChanged","zxid":"#;
    assert!(lines[0].starts_with(event) && lines[1].contains(r#""version":1"#), "{lines:?}");
    assert!(
        lines[2].contains("is no address of a server") && lines[3].contains(r#"["a","zookeeper"]"#),
        "{lines:?}"
    );
    assert_eq!(once(&["create", "-e", "/e"]).0, Some(0));
    assert_eq!(once(&["ls", "/"]).1, "[a, zookeeper]\n", "the session ends with the command");
}

#[test]
fn a_pipe_ends_with_the_exit_code_of_its_last_command() {
    let cluster = Cluster::started(1, 0);
    let servers = local(cluster.servers[0].port);
    let (code, out, err) = shell(&servers, &[], "create /a x\nget /a\nget /b\n");
    assert_eq!((code, out.as_str(), err.as_str()), (Some(1), "x\n", "Created /a\nNode does not exist: /b\n"));
    assert_eq!(shell(&servers, &[], "get /b\nget /a\nquit\nget /b\n").0, Some(0));
    let (_, out, err) = shell(&servers, &[], "close\nls /\nconnect\nls /\n");
    assert_eq!((out.as_str(), err.as_str()), ("[a, zookeeper]\n", "Not connected\n"));
}

#[test]
fn a_root_in_the_connection_string_stands_before_every_path() {
    let cluster = Cluster::started(1, 0);
    let servers = local(cluster.servers[0].port);
    shell(&servers, &["create", "/base"], "");
    let (code, out, err) =
        shell(&format!("{servers}/base"), &[], "create -s /a- x\nls /\nls -w /\ncreate /b\n");
    let event = "WatchedEvent state:SyncConnected type:NodeChildrenChanged path:/ zxid:";
    assert_eq!((code, err.as_str()), (Some(0), "Created /a-0000000000\nCreated /b\n"));
    assert!(out.starts_with("[a-0000000000]\n[a-0000000000]\n\nWATCHER::\n") && out.contains(event), "{out}");
    assert_eq!(shell(&servers, &["ls", "/base"], "").1, "[a-0000000000, b]\n");
}

#[test]
fn nobody_there_is_an_error_at_once() {
    let port = crate::server::free_port();
    let (code, out, err) = shell(&local(port), &["ls", "/"], "");
    assert_eq!((code, out.as_str(), err.as_str()), (Some(1), "", "KeeperErrorCode = ConnectionLoss for /\n"));
    let (code, _, err) = shell(&local(port), &["-timeout", "300", "-waitforconnection", "ls", "/"], "");
    assert_eq!((code, err.as_str()), (Some(1), "KeeperErrorCode = ConnectionLoss\n"));
}

#[test]
fn a_session_with_its_watches_and_ephemeral_nodes_moves_to_another_server() {
    let mut cluster = Cluster::started(3, 0);
    let all: Vec<_> = cluster.servers.iter().map(|server| local(server.port)).collect();
    let mut child = Command::new(ZABRUS)
        .args(["cli", "-server", &all.join(",")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut stdin = child.stdin.take().expect("piped");
    let mut say = |line: &str| writeln!(stdin, "{line}").expect("it reads");
    say("addauth digest u:p");
    say("create /a x");
    say("create /secret y auth::cdrwa");
    say("create -e /mine");
    say("get -w /a");
    let (mut out, errors) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    read_until(&mut out, "x\n");
    let server = wait_for("the server that has the session", || {
        cluster.servers.iter().position(|server| server.ask("srvr").contains("Connections: 2"))
    });
    cluster.servers[server].kill();
    let other = local(cluster.servers[(server + 1) % 3].port);
    wait_for("the rest serves", || {
        let (code, ..) = shell(&other, &["set", "/a", "z"], "");
        (code == Some(0)).then_some(())
    });
    // The watch fires on the new server, and everything else is as it was.
    let event = "WatchedEvent state:SyncConnected type:NodeDataChanged path:/a zxid:";
    say("sync /a");
    assert!(read_until(&mut out, "Sync is OK\n").contains(event));
    say("get /secret");
    say("getEphemerals");
    drop(stdin);
    assert_eq!(read_until(&mut out, ""), "y\n[/mine]\n");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let errors = std::io::read_to_string(errors).expect("text");
    let lines: Vec<_> = errors.lines().filter(|line| line.contains("type:None")).collect();
    let expected = ["Disconnected", "SyncConnected", "Closed"]
        .map(|state| format!("WatchedEvent state:{state} type:None path:null zxid: -1"));
    assert_eq!(lines, expected);
}

/// What comes up to and with `end`; with an empty `end` everything.
fn read_until(from: &mut impl std::io::Read, end: &str) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while (end.is_empty() || !bytes.ends_with(end.as_bytes())) && from.read(&mut byte).expect("readable") > 0
    {
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).expect("text")
}
