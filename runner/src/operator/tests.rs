use std::sync::Arc;

use serde_json::{Value, json};
use zabrus_core::event::{Phase, Role};
use zabrus_core::replica::{Leading, Status};
use zabrus_core::state::{QuotaLimits, QuotaUsage};
use zabrus_core::watches::WatchFigures;
use zabrus_core::wire::SessionId;
use zabrus_core::{Config, Duration, Instant, Now, Replica, ServerId, Zxid};

use super::words::Word;
use super::{
    ConnectionFacts, Detail, Facts, LISTED_AT_MOST, MetricFacts, QuotaFacts, ReplicaFacts, SessionFacts,
    Topic, commands, metrics,
};
use crate::clients::ClientFigures;
use crate::clients::fired::Fired;
use crate::clients::traffic::Answers;
use crate::disk::DataDirectory;
use crate::figures::{Summary, Tally};
use crate::progress::Progress;
use crate::version;
use crate::zoo_cfg::for_test;

pub(super) const THREE: &str = "dataDir=/d\ntickTime=2000\ninitLimit=10\nsyncLimit=5\nclientPort=2181\n\
    server.1=a:2888:3888\nserver.2=[::1]:2889:3889:observer;0.0.0.0:2182\nserver.3=c:1:2|d:3:4\n\
    4lw.commands.whitelist=*\n";
pub(super) const ALONE: &str = "dataDir=/d\nclientPort=1\n4lw.commands.whitelist=*";

/// What a server that has just started knows of itself.
fn status(id: u64, role: Role, serving: bool) -> Status {
    use zabrus_core::quorum::Ensemble;
    let folder = tempfile::TempDir::new().expect("a folder");
    let directory = DataDirectory::open(folder.path(), folder.path(), true).expect("opened");
    let config = Config::new(ServerId(id), Ensemble::plain(3, 0));
    let recovered = zabrus_core::storage::recover(&config, &directory.contents().expect("listed"));
    let replica = Replica::new(config, recovered.expect("empty"), [0; 32], Now::default());
    let applied = zabrus_core::Position { zxid: Zxid(0x1_0000_0019), ..Default::default() };
    let leader = Some(ServerId(3));
    Status { role, serving, phase: Phase::Broadcast, applied, links: 2, leader, ..replica.status() }
}

fn tally(values: &[u64]) -> Tally {
    let mut tally = Tally::default();
    values.iter().for_each(|value| tally.record(*value));
    tally
}

/// Server 1 of a file, at noon of a day, a minute after its start.
pub(super) fn facts(text: &str, role: Role) -> Facts {
    let leading = Leading {
        learners: 2,
        synced_followers: 1,
        synced_observers: 1,
        pending_syncs: 0,
        expired_sessions: 9,
    };
    let replica = ReplicaFacts {
        status: status(1, role, true),
        leading: (role == Role::Leading).then_some(leading),
        znodes: 6,
        ephemerals: 2,
        sessions: 3,
        data_size: 44,
        watches: WatchFigures { clients: 1, paths: 2, watches: 3 },
        watch_count: 4,
        data_bytes: 10,
        log_bytes: 20,
        slow_syncs: 0,
    };
    Facts {
        settings: Arc::new(for_test(text, 1)),
        now: Now { monotonic: Instant(60_000_000), wall_millis: 1_795_262_400_000 },
        replica: Some(replica),
        clients: ClientFigures {
            received: 7,
            sent: 8,
            latency: tally(&[1_000, 13_000, 500]),
            ..Default::default()
        },
        open_connections: 2,
        proposal_sizes: [62, 48, 89],
        leading_since: Some(Instant(20_000_000)),
        last_snapshot: None,
        detail: Detail::Nothing,
    }
}

fn leading() -> Facts {
    facts(THREE, Role::Leading)
}

fn with(detail: Detail) -> Facts {
    Facts { detail, ..leading() }
}

fn answer(facts: &Facts, word: &'static str) -> String {
    facts.answer(Word::Known(word))
}

/// One connection with a session, and one without.
pub(super) fn connections() -> Vec<ConnectionFacts> {
    let fresh = ConnectionFacts {
        address: "127.0.0.1:37904".parse().expect("an address"),
        interest: 0,
        outstanding: 0,
        received: 1,
        sent: 0,
        session: SessionId(0),
        timeout: 0,
        established: Instant(59_000_000),
        expires: Instant(69_000_000),
        answers: Answers::default(),
    };
    let answers = Answers {
        operation: "CREA",
        last_cxid: 4,
        last_zxid: 0xbb,
        last: Instant(50_000_000),
        latency: tally(&[0, 3_000]),
    };
    let session = ConnectionFacts {
        address: "127.0.0.1:37834".parse().expect("an address"),
        interest: 1,
        received: 5,
        sent: 7,
        session: SessionId(0x1_0000_0e94),
        timeout: 10_000,
        established: Instant(30_000_000),
        expires: Instant(62_000_000),
        answers,
        ..fresh
    };
    vec![session, fresh]
}

#[test]
fn srvr_has_the_shape_that_parsers_know() {
    let expected = format!(
        "Zookeeper version: {}\nLatency min/avg/max: 0/4.8333/13\nReceived: 7\nSent: 8\nConnections: 2\n\
         Outstanding: 0\nZxid: 0x100000019\nMode: leader\nNode count: 6\nProposal sizes last/min/max: 62/48/89\n",
        version::FULL
    );
    assert_eq!(answer(&leading(), "srvr"), expected);
}

#[test]
fn the_version_has_the_form_that_go_zk_parses() {
    let (version, built) = version::FULL.split_once(", built on ").expect("the form");
    assert!(version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)));
    let form: String = built.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(form, "0000-00-00 00:00 UTC");
}

#[test]
fn every_role_has_its_mode() {
    let mode = |text: &str, role| facts(text, role).mode();
    assert_eq!(mode(THREE, Role::Leading), Some("leader"));
    assert_eq!(mode(THREE, Role::Following), Some("follower"));
    assert_eq!(mode(THREE, Role::Observing), Some("observer"));
    assert_eq!(mode(ALONE, Role::Leading), Some("standalone"));
}

#[test]
fn who_does_not_serve_says_so_and_is_alive_all_the_same() {
    let mut looking = leading();
    looking.replica.as_mut().expect("there is one").status = status(1, Role::Looking, false);
    for facts in [looking, Facts { replica: None, ..leading() }] {
        for word in ["srvr", "stat", "conf", "mntr", "dirs", "cons", "dump", "wchs", "wchc", "crst", "srst"] {
            let expected = "This ZooKeeper instance is not currently serving requests\n";
            assert_eq!(answer(&facts, word), expected, "{word}");
            assert_eq!(Word::Known(word).topic(&facts.settings, false), Topic::Server, "{word}");
        }
        assert_eq!(answer(&facts, "hash"), "This ZooKeeper instance is not currently serving requests");
        assert_eq!(answer(&facts, "ruok"), "imok");
        assert_eq!(answer(&facts, "isro"), "null");
        assert!(answer(&facts, "envi").starts_with("Environment:\nzookeeper.version="));
        let leader = commands::find("mntr").expect("known").answer(&facts);
        assert_eq!(leader["error"], "This ZooKeeper instance is not currently serving requests");
        assert_eq!(commands::find("ruok").expect("known").answer(&facts)["error"], Value::Null);
    }
}

#[test]
fn words_that_are_not_allowed_say_so_and_do_nothing() {
    let only = facts(&THREE.replace("whitelist=*", "whitelist=ruok"), Role::Leading);
    assert_eq!(answer(&only, "srst"), "srst is not executed because it is not in the whitelist.\n");
    assert_eq!(Word::Known("srst").topic(&only.settings, true), Topic::Server);
    assert_eq!(Word::Known("srst").topic(&leading().settings, true), Topic::ResetServer);
}

#[test]
fn conf_lists_the_settings_and_the_members() {
    let expected = "clientPort=2181\nsecureClientPort=-1\ndataDir=/d/zabrus\ndataDirSize=10\n\
        dataLogDir=/d/zabrus\ndataLogSize=20\ntickTime=2000\nmaxClientCnxns=60\nminSessionTimeout=4000\n\
        maxSessionTimeout=40000\nclientPortListenBacklog=-1\nserverId=1\ninitLimit=10\nsyncLimit=5\n\
        electionAlg=3\nelectionPort=3888\nquorumPort=2888\npeerType=0\nmembership: \n\
        server.1=a:2888:3888:participant\nserver.2=[::1]:2889:3889:observer;0.0.0.0:2182\n\
        server.3=c:1:2|d:3:4:participant\nversion=0";
    assert_eq!(answer(&leading(), "conf"), expected);
    let alone = answer(&facts(ALONE, Role::Leading), "conf");
    assert!(alone.ends_with("serverId=0\n"), "{alone}");
}

#[test]
fn connections_are_listed_as_zookeeper_lists_them() {
    let facts = with(Detail::Connections(connections()));
    let fresh = " /127.0.0.1:37904[0](queued=0,recved=1,sent=0)\n";
    let brief = " /127.0.0.1:37834[1](queued=0,recved=5,sent=7)\n";
    let stat = answer(&facts, "stat");
    let start = format!("Zookeeper version: {}\nClients:\n{brief}{fresh}\nLatency min", version::FULL);
    assert!(stat.starts_with(&start), "{stat}");
    let session = " /127.0.0.1:37834[1](queued=0,recved=5,sent=7,sid=0x100000e94,lop=CREA,est=1795262370000,\
                   to=10000,lcxid=0x4,lzxid=0xbb,lresp=50000,llat=3,minlat=0,avglat=1,maxlat=3)\n";
    assert_eq!(answer(&facts, "cons"), format!("{session}{fresh}\n"));
    let json = commands::find("cons").expect("known").answer(&facts);
    assert_eq!(json["connections"][0]["session_id"], 0x1_0000_0e94_i64);
    assert_eq!(json["connections"][0]["last_operation"], "CREA");
    assert_eq!(json["connections"][1]["session_id"], 0);
    let json = commands::find("stat").expect("known").answer(&facts);
    assert_eq!(json["connections"][0].get("session_id"), None);
}

#[test]
fn a_connection_without_requests_has_the_figures_of_a_reset_one() {
    let mut list = connections();
    list[0].answers = Answers::default();
    let text = answer(&with(Detail::Connections(list)), "cons");
    let fields = "lop=NA,est=1795262370000,to=10000,lzxid=0xffffffffffffffff,lresp=0,llat=0,minlat=0,avglat=0,maxlat=0)";
    assert!(text.contains(fields), "{text}");
}

pub(super) fn sessions(expiring: bool) -> Detail {
    let (one, two) = (SessionId(0x10), SessionId(0x20));
    Detail::Sessions(SessionFacts {
        expiring: expiring.then(|| vec![(Instant(66_000_000), vec![two]), (Instant(68_000_000), vec![one])]),
        all: vec![(one, 4_000), (two, 6_000)],
        ephemerals: vec![(one, vec!["/a".into(), "/b".into()])],
        connections: connections(),
    })
}

#[test]
fn dump_shows_when_sessions_end_at_a_leader_and_their_timeouts_elsewhere() {
    let rest = "ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x10:\n\t/a\n\t/b\nConnections dump:\n\
        Connections Sets (1)/(2):\n2 expire at Sat Nov 21 12:00:10 UTC 2026:\n\
        \tip: /127.0.0.1:37834 sessionId: 0x100000e94\n\tip: /127.0.0.1:37904 sessionId: 0x0\n";
    let leader = "SessionTracker dump:\nSession Sets (2)/(2):\n1 expire at Sat Nov 21 12:00:06 UTC 2026:\n\t0x20\n\
        1 expire at Sat Nov 21 12:00:08 UTC 2026:\n\t0x10\n";
    assert_eq!(answer(&with(sessions(true)), "dump"), format!("{leader}{rest}"));
    let follower = "SessionTracker dump:\nGlobal Sessions(2):\n0x10\t4000ms\n0x20\t6000ms\n";
    let facts = Facts { detail: sessions(false), ..facts(THREE, Role::Following) };
    assert_eq!(answer(&facts, "dump"), format!("{follower}{rest}"));
    let json = commands::find("dump").expect("known").answer(&with(sessions(true)));
    assert_eq!(json["expiry_time_to_session_ids"], json!({ "1795262406000": [32], "1795262408000": [16] }));
    assert_eq!(json["session_id_to_ephemeral_paths"], json!({ "16": ["/a", "/b"] }));
}

#[test]
fn watches_are_listed_by_session_and_by_path() {
    let (one, two) = (SessionId(0x10), SessionId(0x20));
    let facts = with(Detail::Watches(vec![(two, "/a".into()), (one, "/b".into()), (one, "/a".into())]));
    assert_eq!(answer(&facts, "wchs"), "1 connections watching 2 paths\nTotal watches:3\n");
    assert_eq!(answer(&facts, "wchc"), "0x10\n\t/a\n\t/b\n0x20\n\t/a\n\n");
    assert_eq!(answer(&facts, "wchp"), "/a\n\t0x10\n\t0x20\n/b\n\t0x10\n\n");
    let json = commands::find("wchc").expect("known").answer(&facts);
    assert_eq!(json["session_id_to_watched_paths"], json!({ "16": ["/a", "/b"], "32": ["/a"] }));
    let json = commands::find("watches_by_path").expect("known").answer(&facts);
    assert_eq!(json["path_to_session_ids"], json!({ "/a": [16, 32], "/b": [16] }));
}

#[test]
fn what_would_be_too_long_is_refused_with_its_number() {
    let facts = with(Detail::TooMany(1_000_000));
    let reason = format!("lists at most {LISTED_AT_MOST}, and this server has 1000000");
    assert_eq!(answer(&facts, "wchp"), format!("wchp {reason}.\n"));
    let json = commands::find("wchp").expect("known").answer(&facts);
    assert_eq!(
        (&json["command"], &json["error"]),
        (&"watches_by_path".into(), &format!("watches_by_path {reason}").into())
    );
}

#[test]
fn small_words_answer_as_zookeepers() {
    let facts = with(Detail::Digests(vec![(Zxid(0x80), 12), (Zxid(0x1_0000_0100), u64::MAX)]));
    assert_eq!(answer(&facts, "hash"), format!("80: 12\n100000100: {}\n", u64::MAX));
    assert_eq!(answer(&facts, "dirs"), "datadir_size: 10\nlogdir_size: 20\n");
    assert_eq!(answer(&facts, "crst"), "Connection stats reset.\n");
    assert_eq!(answer(&facts, "srst"), "Server stats reset.\n");
    assert_eq!((answer(&facts, "gtmk").as_str(), answer(&facts, "stmk").as_str()), ("0", "0"));
    assert_eq!(answer(&facts, "isro"), "rw");
}

pub(super) fn measured(text: &str, role: Role) -> Facts {
    let mut updates = Summary::default();
    [1_000, 2_000, 3_000].into_iter().for_each(|micros| updates.record(Duration(micros)));
    let (progress, reads, syncs) = (Progress::default(), Summary::default(), Summary::default());
    let limits = QuotaLimits { count: Some(5), count_hard: Some(7), ..Default::default() };
    let quotas = vec![QuotaFacts { name: "a\"b".into(), limits, usage: QuotaUsage { count: 3, bytes: 9 } }];
    let fired = Fired::default();
    let detail = Detail::Metrics(Box::new(MetricFacts { progress, reads, updates, syncs, fired, quotas }));
    Facts { detail, ..facts(text, role) }
}

#[test]
fn mntr_is_keys_and_values() {
    let text = answer(&measured(THREE, Role::Leading), "mntr");
    let values: Vec<_> = text.lines().map(|line| line.split_once('\t').expect("a tab")).collect();
    for pair in [
        ("zk_version", version::FULL),
        ("zk_server_state", "leader"),
        ("zk_peer_state", "leading - broadcast"),
        ("zk_avg_latency", "4.8333"),
        ("zk_quorum_size", "2"),
        ("zk_znode_count", "6"),
        ("zk_learners", "2"),
        ("zk_followers", "2"),
        ("zk_synced_followers", "1"),
        ("zk_leader_uptime", "40000"),
        ("zk_max_proposal_size", "89"),
        ("zk_avg_updatelatency", "2.0"),
        ("zk_cnt_updatelatency", "3"),
        ("zk_p999_updatelatency", "3"),
        ("zk_avg_readlatency", "0.0"),
        ("zk_stale_sessions_expired", "9"),
        ("zk_sum_node_created_watch_count", "0"),
        ("zk_a\"b_quota_count_limit_per_namespace", "7"),
        ("zk_a\"b_quota_bytes_limit_per_namespace", "-1"),
    ] {
        assert!(values.contains(&pair), "{pair:?}: {text}");
    }
    assert!(values.iter().all(|(key, _)| key.starts_with("zk_")));
    let follower = answer(&measured(THREE, Role::Following), "mntr");
    assert!(!follower.contains("learners") && !follower.contains("proposal_size"), "{follower}");
    let json = commands::find("monitor").expect("known").answer(&measured(THREE, Role::Leading));
    assert_eq!((&json["znode_count"], &json["avg_updatelatency"]), (&6.into(), &2.0.into()));
}

#[test]
fn prometheus_gets_every_metric_once_with_its_type() {
    let text = metrics::prometheus(&measured(THREE, Role::Leading));
    for line in [
        "# TYPE znode_count gauge",
        "znode_count 6",
        "# TYPE connection_rejected counter",
        "# TYPE updatelatency summary",
        "updatelatency{quantile=\"0.5\"} 2",
        "updatelatency{quantile=\"0.9\"} 3",
        "# TYPE quota_count_usage_per_namespace gauge",
        "quota_count_usage_per_namespace{key=\"a\\\"b\"} 3",
        "updatelatency_count 3",
        "updatelatency_sum 6",
        "# TYPE zabrus_request_seconds histogram",
        "zabrus_request_seconds_bucket{type=\"update\",le=\"0.001\"} 1",
        "zabrus_request_seconds_bucket{type=\"update\",le=\"+Inf\"} 3",
        "zabrus_request_seconds_sum{type=\"update\"} 0.006",
        "zabrus_request_seconds_count{type=\"read\"} 0",
        "zabrus_fsync_seconds_bucket{le=\"10\"} 0",
        "zabrus_fsync_seconds_count 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    let mut types: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let count = types.len();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), count);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(value.parse::<f64>().is_ok() && !name.contains(' '), "{line}");
    }
}

#[test]
fn commands_have_zookeepers_keys() {
    let facts = leading();
    let keys = |name: &str| {
        let answer = commands::find(name).expect("known").answer(&facts);
        assert_eq!(answer["error"], Value::Null, "{name}");
        answer
    };
    let stats = keys("srvr");
    assert_eq!(stats["command"], "server_stats");
    assert_eq!(stats["server_stats"]["server_state"], "leader");
    assert_eq!(stats["server_stats"]["last_processed_zxid"], 0x1_0000_0019_u64);
    assert_eq!(stats["proposal_stats"]["max_buffer_size"], 89);
    let leader = keys("leader");
    assert_eq!(
        (&leader["is_leader"], &leader["leader_id"], &leader["leader_ip"]),
        (&false.into(), &3.into(), &"c".into())
    );
    let zab = keys("zabstate");
    assert_eq!(
        (&zab["zabstate"], &zab["zab_epoch"], &zab["zab_counter"]),
        (&"broadcast".into(), &1.into(), &0x19.into())
    );
    assert_eq!(
        (&zab["quorum_address"]["one"], &zab["client_address"]),
        (&"a:2888".into(), &"0.0.0.0:2181".into())
    );
    let view = &keys("voting_view")["current_config"];
    assert_eq!(view["3"]["server_addresses"], json!(["c:1", "d:3"]));
    assert_eq!(view.get("2"), None, "it observes");
    assert_eq!(keys("conf")["max_session_timeout"], 40_000);
    assert_eq!(keys("icfg")["initial_configuration"], THREE);
    assert_eq!(keys("isro")["read_only"], false);
    assert_eq!(keys("wchs")["num_total_watches"], 3);
    let alone = commands::find("lead").expect("known").answer(&super::tests::facts(ALONE, Role::Leading));
    assert_eq!(alone["error"], "server is not initialized");
}

#[test]
fn commands_are_in_the_order_of_their_names() {
    assert!(commands::COMMANDS.windows(2).all(|pair| pair[0].name < pair[1].name));
}

#[test]
fn a_telnet_interrupt_is_a_word_without_an_answer() {
    assert_eq!(Word::recognize(&[0xff, 0xf4, 0xff, 0xfd]), Some(Word::TelnetInterrupt));
    assert_eq!(Word::recognize(b"RUOK"), None);
    assert_eq!(Word::recognize(b"lsnr"), None);
    assert_eq!(Word::recognize(&[0, 0, 0, 44]), None);
}
