//! Import, export, backup, restore, verify and dump, as an operator uses them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::client::Client;
use crate::server::{Cluster, Server, ZABRUS, wait_for};

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/migration/recorded").join(name)
}

fn run<I: AsRef<OsStr>>(words: impl IntoIterator<Item = I>) -> (Option<i32>, String) {
    let output = Command::new(ZABRUS).args(words).output().expect("a process");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[track_caller]
pub(crate) fn done<I: AsRef<OsStr>>(words: impl IntoIterator<Item = I>) -> String {
    let (code, text) = run(words);
    assert_eq!(code, Some(0), "{text}");
    text
}

pub(crate) fn word(path: &Path) -> &str {
    path.to_str().expect("a name")
}

fn import(server: &Server, name: &str) -> String {
    done(["import", "--from", word(&recorded(name)), "--to", word(&server.zoo_cfg)])
}

/// A node of the recorded directories, which their last transactions wrote.
fn has_recorded_data(server: &Server) {
    let mut client = Client::connect(server.port).expect("it serves");
    assert_eq!(client.get("/second/gone").expect("served").as_deref(), Some(&b"by a multi"[..]));
}

#[test]
fn a_start_on_apaches_data_names_the_command_that_imports_them() {
    let mut cluster = Cluster::new(1, 0);
    let server = &mut cluster.servers[0];
    let data = server.home().join("data");
    fs::create_dir(data.join("version-2")).expect("a folder");
    for file in ["snapshot.2d", "log.1", "log.2e"] {
        fs::copy(recorded("plain/version-2").join(file), data.join("version-2").join(file)).expect("copied");
    }
    server.start();
    assert_eq!(wait_for("it ends", || server.exit_code()), 1);
    let command = format!("zabrus import --from {} --to {}", word(&data), word(&server.zoo_cfg));
    assert!(server.log().contains(&command), "{}", server.log());
    done(command.split(' ').skip(1));
    server.start();
    assert_eq!(wait_for("a mode", || server.mode()), "standalone");
    has_recorded_data(server);
}

#[test]
fn three_servers_import_one_directory_and_go_on_in_a_later_epoch() {
    let mut cluster = Cluster::new(3, 0);
    for server in &cluster.servers {
        assert!(import(server, "quorum").contains("epoch 2 (accepted 2)"));
    }
    cluster.start();
    for server in &cluster.servers {
        has_recorded_data(server);
        assert!(server.ask("srvr").contains("Zxid: 0x3000000"), "{}", server.ask("srvr"));
    }
}

#[test]
fn a_server_goes_on_from_a_snapshot_that_is_named_after_the_start_of_an_epoch() {
    let mut cluster = Cluster::new(1, 0);
    let server = &mut cluster.servers[0];
    let apache = server.home().join("version-2");
    fs::create_dir(&apache).expect("a folder");
    let snapshot = recorded("quorum/version-2/snapshot.10000002d");
    fs::copy(snapshot, apache.join("snapshot.200000000")).expect("copied");
    done(["import", "--from", word(server.home()), "--to", word(&server.zoo_cfg)]);
    server.start();
    wait_for("a mode", || server.mode());
    let mut client = Client::connect(server.port).expect("it serves");
    assert_eq!(client.get("/first/gone").expect("served").as_deref(), Some(&b"by a multi"[..]));
    assert!(server.ask("srvr").contains("Zxid: 0x300000001"), "the session: {}", server.ask("srvr"));
}

#[test]
fn a_running_server_is_backed_up_and_verified_and_its_backup_restored() {
    let mut cluster = Cluster::new(2, 0);
    let home = cluster.servers[0].home().to_owned();
    let backup = home.join("backup");
    let [first, second] = &mut cluster.servers[..] else { unreachable!("two servers") };
    // Each alone.
    for server in [&*first, &*second] {
        let text = fs::read_to_string(&server.zoo_cfg).expect("zoo.cfg");
        let lines = text.lines().filter(|line| !line.starts_with("server.")).collect::<Vec<_>>();
        fs::write(&server.zoo_cfg, lines.join("\n")).expect("zoo.cfg");
    }
    import(first, "plain");
    first.start();
    wait_for("a mode", || first.mode());
    let mut client = Client::connect(first.port).expect("it serves");
    client.create("/later", b"x").expect("acknowledged");
    let mut beside = Command::new(ZABRUS);
    beside.args(["backup", "--to", "backup", word(&first.zoo_cfg)]).current_dir(&home);
    let output = beside.output().expect("a process");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for whole in [&first.zoo_cfg, &backup] {
        let text = done(["verify", word(whole)]);
        assert!(text.contains("Everything is whole."), "{text}");
    }
    let damaged = home.join("damaged");
    let mut bytes = fs::read(&backup).expect("a backup");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(&damaged, bytes).expect("written");
    let (code, text) = run(["verify", word(&damaged)]);
    assert!(code == Some(1) && text.contains("it is no backup, or damaged"), "{text}");
    client.create("/too-late", b"x").expect("acknowledged");

    done(["restore", "--from", word(&backup), "--to", word(&second.zoo_cfg)]);
    let (code, text) = run(["restore", "--from", word(&backup), "--to", word(&second.zoo_cfg)]);
    assert!(code == Some(1) && text.contains("there are data already"), "{text}");
    second.start();
    wait_for("a mode", || second.mode());
    has_recorded_data(second);
    let mut client = Client::connect(second.port).expect("it serves");
    assert_eq!(client.get("/later").expect("served").as_deref(), Some(&b"x"[..]));
    assert_eq!(client.get("/too-late").expect("served"), None);
}

#[test]
fn an_export_can_be_looked_at_and_imported_again() {
    let cluster = Cluster::new(1, 0);
    let server = &cluster.servers[0];
    import(server, "gzip");
    let out = server.home().join("out");
    let text = done(["export", "--to", word(&out), word(&server.zoo_cfg)]);
    assert!(text.contains("extendedTypesEnabled=true"), "{text}");
    let before = done([
        "dump",
        "snapshot",
        "--json",
        word(&server.home().join("data/zabrus/snapshot.0000000000000059")),
    ]);
    let after = done(["dump", "snapshot", "--json", word(&out.join("version-2/snapshot.59"))]);
    assert!(before.lines().count() > 40);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&before), sorted(&after));
    let text = done(["verify", word(&out)]);
    assert!(text.contains("an import would read this"), "{text}");
}

#[test]
fn dump_prints_a_log_and_says_where_it_is_damaged() {
    let log = recorded("plain/version-2/log.2e");
    let text = done(["dump", "log", word(&log)]);
    let first = text.lines().next().expect("a line");
    assert!(first.contains("zxid=0x2e ") && first.contains("type=create path=/second "), "{first}");
    let cluster = Cluster::new(1, 0);
    let copy = cluster.servers[0].home().join("log.2e");
    let mut bytes = fs::read(log).expect("recorded");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&copy, bytes).expect("written");
    let (code, text) = run(["dump", "log", word(&copy)]);
    assert!(code == Some(1) && text.contains("its checksum is wrong"), "{text}");
    let (code, text) = run(["dump", "snapshot", word(&copy)]);
    assert!(code == Some(1) && text.contains("no snapshot"), "{text}");
}
