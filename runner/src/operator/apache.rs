//! Our names beside those of a live server of Apache ZooKeeper 3.9.5, which `tests/operator` recorded.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use zabrus_core::event::Role;

use super::tests::{ALONE, THREE, connections, facts, measured, sessions};
use super::{Detail, Facts, Topic, commands, metrics};

/// Metrics of Apache's that are not here, or a beginning of their names, and why. It is the list that
/// `runner/README.md` sums up.
const LACKING: [(&str, &[&str]); 9] = [
    (
        "There is no such stage: one thread prepares, commits and answers.",
        &[
            "close_session_prep_time",
            "commit_commit_proc_req_queued",
            "commit_process_time",
            "concurrent_request_processing_in_commit_processor",
            "learner_request_processor_queue_size",
            "local_write_committed_time_ms",
            "om_",
            "outstanding_changes_",
            "pending_session_queue_size",
            "prep_",
            "proposal_process_time",
            "read_commit_proc_",
            "read_commitproc_time_ms",
            "read_final_proc_time_ms",
            "reads_",
            "request_commit_queued",
            "requests_in_session_queue",
            "requests_not_forwarded_to_commit_processor",
            "server_write_committed_time_ms",
            "session_queues_drained",
            "skip_learner_request_to_next_processor_count",
            "sync_process_time",
            "sync_processor_",
            "time_waiting_empty_pool_in_commit_processor_read_ms",
            "write_batch_time_in_commit_processor",
            "write_commit_proc_",
            "write_commitproc_time_ms",
            "write_final_proc_time_ms",
        ],
    ),
    ("There is no cache of answers.", &["response_packet_"]),
    ("There is no JVM and no Netty.", &["jvm_pause_time_ms", "netty_queued_buffer_capacity"]),
    (
        "Watches need no cleaner, and sockets are closed by the thread that reads them.",
        &["add_dead_watcher_stall_time", "dead_watchers_", "socket_closing_time"],
    ),
    (
        "No request is refused for its age; connection_rejected counts refused handshakes.",
        &[
            "connection_token_deficit",
            "request_throttle_queue_time_ms",
            "stale_replies",
            "stale_requests",
            "throttled_ops",
        ],
    ),
    (
        "Clocks of two machines would be compared, or what a learner receives; propagation_latency and \
         quorum_ack_latency are measured at one.",
        &[
            "commit_propagation_latency",
            "learner_commit_received_count",
            "learner_proposal_received_count",
            "proposal_ack_creation_latency",
            "proposal_latency",
        ],
    ),
    (
        "Learners are sent snapshots and differences in parts by the core, without handlers of their own.",
        &["inflight_", "learner_handler_", "quit_leading_due_to_disloyal_voter", "observer_master_id"],
    ),
    (
        "Nobody looks which paths requests name, how a server that ends treats its connections, or into a \
         recovery, whose time dbinittime is. A wrong digest is an unrecoverable_error.",
        &[
            "cnxn_closed_without_zk_server_running",
            "digest_mismatches_count",
            "read_per_namespace",
            "startup_snap_load_time",
            "startup_txns_load_time",
            "write_per_namespace",
        ],
    ),
    (
        "There are no ensemble names, no TLS, no restore over HTTP; a snapshot over HTTP that fails is in the log.",
        &["ensemble_auth_", "insecure_admin_count", "restore_", "snapshot_", "unsuccessful_handshake"],
    ),
];

/// Keys of commands that are not here: of an observer a leader knows its number and nothing more.
const LACKING_KEYS: [(&str, &str); 1] = [("observers", "observers.[].")];

/// Keys that only we have: Apache's server wants an argument here, and without one says that.
const OWN_KEYS: [(&str, &str); 1] = [("set_trace_mask", "tracemask")];

fn recorded() -> Value {
    serde_json::from_str(include_str!("../../../tests/operator/apache.json")).expect("JSON")
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// The roles as Apache names them, with a server of ours in each.
fn roles() -> [(&'static str, &'static str, Role); 4] {
    [
        ("leader", THREE, Role::Leading),
        ("follower", THREE, Role::Following),
        ("observer", THREE, Role::Observing),
        ("standalone", ALONE, Role::Leading),
    ]
}

fn is_lacking(name: &str) -> bool {
    let covers = |part: &&str| name == *part || part.ends_with('_') && name.starts_with(*part);
    LACKING.iter().any(|(_, names)| names.iter().any(covers))
}

#[test]
fn every_metric_of_apaches_is_here_in_every_role_or_on_the_list_of_those_that_are_not() {
    let recorded = recorded();
    for (mode, text, role) in roles() {
        let facts = measured(text, role);
        let flat: BTreeSet<String> = metrics::monitor_map(&facts).into_iter().map(|(key, _)| key).collect();
        let page = metrics::prometheus(&facts);
        let types: BTreeMap<_, _> = page
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')))
            .collect();
        for (name, kind) in recorded[mode]["metrics"].as_object().expect("names") {
            let kind = kind.as_str().expect("a kind");
            if is_lacking(name) {
                assert!(!types.contains_key(name.as_str()), "{name} is here now: take it off the list");
                continue;
            }
            let labelled = name.ends_with("_per_namespace");
            let in_mntr = |prefix: &str| match labelled {
                true => flat.iter().any(|key| key.ends_with(&format!("_{name}"))),
                false => flat.contains(&format!("{prefix}{name}")),
            };
            let prefixes: &[&str] = match kind {
                "single" => &[""],
                "summary" => &["avg_", "min_", "max_", "cnt_", "sum_"],
                _ => &["avg_", "min_", "max_", "cnt_", "sum_", "p50_", "p95_", "p99_", "p999_"],
            };
            for prefix in prefixes {
                assert!(in_mntr(prefix), "{mode}: {prefix}{name} is missing in mntr");
            }
            let has = |line: String| page.lines().any(|found| found.starts_with(&line));
            match (kind, types.get(name.as_str())) {
                // These are texts.
                ("single", _) if matches!(name.as_str(), "version" | "server_state" | "peer_state") => {}
                ("single", Some(found)) => assert!(matches!(*found, "gauge" | "counter"), "{name}: {found}"),
                (_, Some(found)) => {
                    assert_eq!(*found, "summary", "{name}");
                    assert!(has(format!("{name}_sum ")) && has(format!("{name}_count ")), "{name}");
                    for quantile in ["0.5", "0.9", "0.99"].iter().filter(|_| kind == "detailed") {
                        assert!(has(format!("{name}{{quantile=\"{quantile}\"}} ")), "{name} {quantile}");
                    }
                }
                (_, None) => panic!("{mode}: Prometheus does not get {name}"),
            }
        }
    }
}

#[test]
fn what_is_said_to_be_lacking_is_apaches() {
    let recorded = recorded();
    let all: BTreeSet<&String> = roles()
        .iter()
        .flat_map(|(mode, ..)| recorded[mode]["metrics"].as_object().expect("names").keys())
        .collect();
    for name in LACKING.iter().flat_map(|(_, names)| *names) {
        assert!(all.iter().any(|theirs| theirs.starts_with(name)), "{name}");
    }
}

/// What an alert of ZooKeeper's manual, or a panel of its dashboard (Grafana 10465), asks Prometheus for. Without
/// those on Java and on what [`LACKING`] names.
const DASHBOARD: [&str; 45] = [
    "approximate_data_size",
    "auth_failed_count",
    "avg_latency",
    "bytes_received_count",
    "commit_count",
    "connection_drop_count",
    "connection_drop_probability",
    "connection_rejected",
    "connection_request_count",
    "connection_revalidate_count",
    "dbinittime_sum",
    "diff_count",
    "election_time_count",
    "election_time_sum",
    "ephemerals_count",
    "follower_sync_time_sum",
    "fsynctime_sum",
    "global_sessions",
    "leader_uptime",
    "learners",
    "local_sessions",
    "looking_count",
    "max_latency",
    "min_latency",
    "node_changed_watch_count_sum",
    "node_children_watch_count_sum",
    "node_created_watch_count_sum",
    "node_deleted_watch_count_sum",
    "num_alive_connections",
    "open_file_descriptor_count",
    "outstanding_requests",
    "packets_received",
    "packets_sent",
    "proposal_count",
    "quorum_size",
    "readlatency_sum",
    "revalidate_count",
    "sessionless_connections_expired",
    "snap_count",
    "snapshottime_sum",
    "stale_sessions_expired",
    "synced_observers",
    "updatelatency_sum",
    "watch_count",
    "znode_count",
];

#[test]
fn dashboards_and_alerts_find_what_they_ask_for() {
    let page = metrics::prometheus(&measured(THREE, Role::Leading));
    for name in DASHBOARD {
        assert!(page.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}");
    }
}

/// The keys of an answer; `*` stands for those that are data.
fn keys(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                let is_data = key.starts_with('/') || key.bytes().all(|byte| byte.is_ascii_digit());
                let key = if is_data { "*" } else { key };
                found.insert(key.to_owned());
                found.extend(keys(below).into_iter().map(|below| format!("{key}.{below}")));
            }
        }
        Value::Array(list) => {
            found.extend(list.iter().flat_map(keys).map(|key| format!("[].{key}")));
        }
        _ => {}
    }
    found
}

#[test]
fn every_command_of_apaches_has_its_keys_in_every_role() {
    let recorded = recorded();
    let mut compared = 0;
    for (mode, text, role) in roles() {
        for (name, theirs) in recorded[mode]["commands"].as_object().expect("commands") {
            let Some(command) = commands::find(name) else {
                assert!(["snapshot", "restore"].contains(&name.as_str()), "{name} is missing");
                continue;
            };
            let detail = match command.topic {
                Topic::Connections => Detail::Connections(connections()),
                Topic::Sessions => sessions(role == Role::Leading),
                Topic::Watches => Detail::Watches(vec![(zabrus_core::wire::SessionId(1), "/a".into())]),
                Topic::Digests => Detail::Digests(vec![(zabrus_core::Zxid(128), 1)]),
                _ => Detail::Nothing,
            };
            let facts = Facts { detail, ..facts(text, role) };
            let mut theirs = texts(theirs);
            theirs.retain(|key| !LACKING_KEYS.iter().any(|(of, begin)| of == name && key.starts_with(begin)));
            let mut ours = keys(&command.answer(&facts).into());
            ours.retain(|key| !OWN_KEYS.contains(&(name.as_str(), key.as_str())));
            assert_eq!(ours, theirs, "{mode}: {name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 4 * 24);
}
