//! What operators ask real servers: words, the admin server, metrics.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use zabrus_core::wire::{Acl, Create, Id, OpCode, PathWatch, Permissions};

use crate::client::Client;
use crate::server::{Cluster, Server, ZABRUS, free_port, wait_for};

/// A client with an ephemeral node `/e` and watches on it and on `/nope`.
fn busy_client(server: &Server) -> Client {
    let mut client = Client::connect(server.port).expect("it serves");
    let anyone = Id { scheme: "world".into(), id: "anyone".into() };
    let acl = Some(vec![Acl { perms: Permissions::ALL, id: anyone }]);
    let create = Create { path: "/e".into(), data: Some(b"x"[..].into()), acl, flags: 1 };
    client.ask(OpCode::Create, &create).expect("acknowledged").expect("created");
    for path in ["/e", "/nope"] {
        let found = client.ask(OpCode::Exists, &PathWatch { path: path.into(), watch: true });
        assert_eq!(found.expect("served").is_ok(), path == "/e");
    }
    client
}

/// The head and the body of the answer to a GET with these headers.
fn get_with(port: u16, path: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let request = format!("GET {path} HTTP/1.1\r\nHost: here\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head and a body");
    let body = bytes.split_off(end + 4);
    (String::from_utf8(bytes).expect("a head"), body)
}

/// The status line and the body of a page.
fn get(port: u16, path: &str) -> (String, String) {
    let (head, body) = get_with(port, path, "");
    (head.lines().next().unwrap_or_default().to_owned(), String::from_utf8(body).expect("a text"))
}

fn json(port: u16, command: &str) -> serde_json::Value {
    let (status, body) = get(port, &format!("/commands/{command}"));
    assert_eq!(status, "HTTP/1.1 200 OK", "{command}: {body}");
    serde_json::from_str(&body).expect("JSON")
}

/// The value of a line `key value` or `key\tvalue`.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix([' ', '\t']));
    found.unwrap_or_else(|| panic!("{key} is missing: {text}"))
}

#[test]
fn words_show_connections_sessions_and_watches_and_reset_what_they_count() {
    let mut cluster = Cluster::new(1, 0);
    cluster.configure("4lw.commands.whitelist=*\n");
    cluster.start();
    let server = &cluster.servers[0];
    let _client = busy_client(server);

    let cons = server.ask("cons");
    let own = cons.lines().find(|line| line.contains("sid=0x")).expect("a session");
    assert!(own.contains("](queued=0,recved=4,sent=4,sid=0x") && own.contains(",lop=EXIS,"), "{cons}");
    let session = own.split("sid=").nth(1).and_then(|rest| rest.split(',').next()).expect("an id");
    assert!(cons.lines().any(|line| line.ends_with("[0](queued=0,recved=1,sent=0)")), "itself: {cons}");
    let dump = server.ask("dump");
    assert!(dump.starts_with("SessionTracker dump:\nSession Sets (1)/(1):\n1 expire at "), "{dump}");
    assert!(dump.contains(&format!("Sessions with Ephemerals (1):\n{session}:\n\t/e\n")), "{dump}");
    assert!(dump.contains(&format!("sessionId: {session}\n")), "{dump}");
    assert_eq!(server.ask("wchs"), "1 connections watching 2 paths\nTotal watches:2\n");
    assert_eq!(server.ask("wchc"), format!("{session}\n\t/e\n\t/nope\n\n"));
    assert_eq!(server.ask("wchp"), format!("/e\n\t{session}\n/nope\n\t{session}\n\n"));
    assert_eq!(value(&server.ask("srvr"), "Node count:"), "6", "as Apache counts");

    assert_eq!(server.ask("crst"), "Connection stats reset.\n");
    assert!(server.ask("cons").contains("(queued=0,recved=0,sent=0,sid=0x"));
    let latency = |server: &Server| value(&server.ask("srvr"), "Latency min/avg/max:").to_owned();
    assert_ne!(latency(server), "0/0.0/0");
    assert_eq!(server.ask("srst"), "Server stats reset.\n");
    assert_eq!(latency(server), "0/0.0/0");
}

#[test]
fn a_leader_shows_its_learners_its_proposals_and_the_digests_of_all() {
    let mut cluster = Cluster::new(3, 1);
    cluster.configure("4lw.commands.whitelist=*\nsnapCount=100\n");
    cluster.start();
    let leader = &cluster.servers[cluster.leader()];
    let mut client = Client::connect(leader.port).expect("it serves");
    for number in 0..150 {
        client.create(&format!("/n{number}"), b"x").expect("acknowledged");
    }
    wait_for("all learners are there", || {
        let text = leader.ask("mntr");
        let figures = ["learners", "synced_followers", "synced_observers", "quorum_size"];
        let figures = figures.map(|key| value(&text, &format!("zk_{key}")).to_owned());
        (figures == ["3", "2", "1", "3"]).then_some(())
    });
    let text = leader.ask("mntr");
    let number = |key: &str| value(&text, key).parse::<i64>().unwrap_or_else(|_| panic!("{key}: {text}"));
    assert!(number("zk_last_proposal_size") > 0 && number("zk_min_proposal_size") > 0);
    assert!(number("zk_cnt_updatelatency") >= 151 && number("zk_commit_count") >= 151, "{text}");
    assert!(number("zk_cnt_fsynctime") > 0 && number("zk_cnt_propagation_latency") > 0, "{text}");
    assert_eq!(number("zk_cnt_dbinittime"), 1);
    wait_for("a snapshot is written", || {
        leader.ask("mntr").contains("zk_cnt_snapshottime\t1\n").then_some(())
    });
    assert!(leader.ask("dump").contains("\nSession Sets (1)/(1):\n"));
    let hash = leader.ask("hash");
    assert_eq!((hash.lines().count(), hash.starts_with("100000080: ")), (1, true), "{hash}");
    for server in &cluster.servers {
        wait_for("the same digest", || (server.ask("hash") == hash).then_some(()));
        if server.id != leader.id {
            assert!(server.ask("dump").starts_with("SessionTracker dump:\nGlobal Sessions(1):\n0x"));
        }
    }
}

#[test]
fn the_admin_server_and_the_metrics_answer() {
    let mut cluster = Cluster::new(1, 0);
    let (admin, metrics) = (free_port(), free_port());
    cluster.configure(&format!(
        "admin.enableServer=true\nadmin.serverAddress=127.0.0.1\nadmin.serverPort={admin}\n\
         metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\n\
         metricsProvider.httpHost=127.0.0.1\nmetricsProvider.httpPort={metrics}\n"
    ));
    cluster.start();
    let server = &cluster.servers[0];
    let _client = busy_client(server);

    assert_eq!(get(admin, "/livez"), ("HTTP/1.1 200 OK".into(), "ok\n".into()));
    assert_eq!(get(admin, "/readyz").0, "HTTP/1.1 200 OK");
    assert_eq!(get(admin, "/commands/ruok").1, "{\n  \"command\" : \"ruok\",\n  \"error\" : null\n}\n");
    assert!(get(admin, "/commands").1.contains("<a href=\"/commands/watches_by_path\">"));
    assert_eq!(json(admin, "nonsense")["error"], "Unknown command: nonsense");
    let stats = json(admin, "stats");
    assert_eq!(
        (&stats["server_stats"]["server_state"], &stats["node_count"]),
        (&"standalone".into(), &6.into())
    );
    let session = &json(admin, "cons")["connections"][0]["session_id"];
    assert_eq!(json(admin, "watches")["session_id_to_watched_paths"][session.to_string()][1], "/nope");
    let dump = json(admin, "dump");
    assert_eq!(dump["session_id_to_ephemeral_paths"][session.to_string()][0], "/e");
    assert_eq!(json(admin, "monitor")["ephemerals_count"], 1);
    let (status, page) = get(metrics, "/metrics");
    assert_eq!((status.as_str(), value(&page, "znode_count")), ("HTTP/1.1 200 OK", "6"));
    assert_ne!(value(&page, "zabrus_fsync_seconds_count"), "0");
    assert_ne!(value(&page, "process_resident_memory_bytes"), "0");

    assert_eq!(json(admin, "stat_reset")["error"], serde_json::Value::Null);
    assert_eq!(json(admin, "srvr")["server_stats"]["max_latency"], 0);
    assert_eq!(get(admin, "/commands/snapshot").0, "HTTP/1.1 401 Unauthorized");
    assert_eq!(get(admin, "/elsewhere").0, "HTTP/1.1 404 Not Found");
}

#[test]
fn a_snapshot_over_http_is_one_of_apaches_and_holds_what_clients_were_told_is_done() {
    let mut cluster = Cluster::new(1, 0);
    let admin = free_port();
    cluster.configure(&format!(
        "admin.enableServer=true\nadmin.serverAddress=127.0.0.1\nadmin.serverPort={admin}\n"
    ));
    cluster.start();
    let server = &cluster.servers[0];
    let mut client = Client::connect(server.port).expect("it serves");
    for number in 0..20 {
        client.create(&format!("/n{number}"), b"x").expect("acknowledged");
    }
    let zxid = value(&server.ask("srvr"), "Zxid:").to_owned();
    let ask = || get_with(admin, "/commands/snapshot?streaming=true", "Authorization: digest any:body\r\n");
    let (head, body) = ask();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nlast_zxid: {zxid}\r\nsnapshot_size: {}\r\n", body.len())), "{head}");
    assert!(ask().0.starts_with("HTTP/1.1 429 Too Many Requests\r\n"), "once in five minutes");

    let from = server.home().join("from-http");
    std::fs::create_dir_all(from.join("version-2")).expect("a folder");
    let file = from.join("version-2").join(zxid.replace("0x", "snapshot."));
    std::fs::write(file, body).expect("written");
    let to = server.home().join("imported");
    std::fs::create_dir(&to).expect("a folder");
    let mut import = std::process::Command::new(ZABRUS);
    let output =
        import.arg("import").arg("--from").arg(&from).arg("--to").arg(&to).output().expect("a process");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("24 znodes (0 ephemeral") && text.contains(&format!("last zxid {zxid},")),
        "{text}"
    );
}

#[test]
fn who_does_not_serve_is_alive_but_not_ready() {
    let mut cluster = Cluster::new(3, 0);
    let admin = free_port();
    cluster.configure(&format!("admin.enableServer=true\nadmin.serverPort={admin}\n"));
    let server = &mut cluster.servers[0];
    server.start();
    wait_for("it listens", || TcpStream::connect(("127.0.0.1", admin)).ok());
    assert_eq!(get(admin, "/livez").0, "HTTP/1.1 200 OK");
    assert_eq!(get(admin, "/readyz").0, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(json(admin, "zabstate")["zabstate"], "election");
    let not_serving = "This ZooKeeper instance is not currently serving requests";
    assert_eq!(json(admin, "srvr")["error"], not_serving);
}

#[test]
fn a_taken_port_of_the_admin_server_is_a_warning() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let mut cluster = Cluster::new(1, 0);
    cluster.configure(&format!(
        "admin.enableServer=true\nadmin.serverAddress=127.0.0.1\nadmin.serverPort={port}\n"
    ));
    cluster.start();
    let log = cluster.servers[0].log();
    assert!(log.contains(&format!("admin: nothing is served on 127.0.0.1:{port}")), "{log}");
}
