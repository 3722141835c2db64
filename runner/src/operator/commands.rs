//! The admin server's commands, with ZooKeeper's names and keys (client.md section 20).

use serde_json::{Map, Value, json};
use zabrus_core::ServerId;

use super::{
    ConnectionFacts, Detail, Facts, LISTED_AT_MOST, ReplicaFacts, Topic, metrics, phase_name, words,
};
use crate::version;
use crate::zoo_cfg::{Address, HostPort, ServerLine, bracketed};

/// One command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Command {
    pub(super) name: &'static str,
    aliases: &'static [&'static str],
    pub(super) topic: Topic,
    /// It names sessions or paths, or changes something: not for everybody.
    pub(super) delicate: bool,
    /// It needs a server that serves.
    serving: bool,
    keys: fn(&Facts) -> Keys,
}

type Keys = Map<String, Value>;

const fn harmless(name: &'static str, aliases: &'static [&'static str], keys: fn(&Facts) -> Keys) -> Command {
    Command { name, aliases, topic: Topic::Server, delicate: false, serving: true, keys }
}

const fn delicate(
    name: &'static str,
    aliases: &'static [&'static str],
    topic: Topic,
    keys: fn(&Facts) -> Keys,
) -> Command {
    Command { name, aliases, topic, delicate: true, serving: true, keys }
}

const fn always(command: Command) -> Command {
    Command { serving: false, ..command }
}

/// In the order of their names.
pub(super) const COMMANDS: [Command; 26] = [
    harmless("configuration", &["conf", "config"], configuration),
    delicate("connection_stat_reset", &["crst"], Topic::ResetConnections, none),
    delicate("connections", &["cons"], Topic::Connections, connections),
    harmless("dirs", &[], dirs),
    delicate("dump", &[], Topic::Sessions, dump),
    always(harmless("environment", &["env", "envi"], environment)),
    always(harmless("get_trace_mask", &["gtmk"], trace_mask)),
    delicate("hash", &[], Topic::Digests, hash),
    delicate("initial_configuration", &["icfg"], Topic::Server, initial_configuration),
    harmless("is_read_only", &["isro"], is_read_only),
    harmless("last_snapshot", &["lsnp"], last_snapshot),
    harmless("leader", &["lead"], leader),
    Command { topic: Topic::Metrics, ..harmless("monitor", &["mntr"], metrics::monitor_map) },
    delicate("observer_connection_stat_reset", &["orst"], Topic::Server, none),
    harmless("observers", &["obsr"], observers),
    always(harmless("ruok", &[], none)),
    harmless("server_stats", &["srvr"], server_stats),
    always(delicate("set_trace_mask", &["stmk"], Topic::Server, trace_mask)),
    delicate("stat_reset", &["srst"], Topic::ResetServer, none),
    Command { topic: Topic::Connections, ..harmless("stats", &["stat"], stats) },
    always(harmless("system_properties", &["sysp"], none)),
    harmless("voting_view", &[], voting_view),
    harmless("watch_summary", &["wchs"], watch_summary),
    delicate("watches", &["wchc"], Topic::Watches, watches),
    delicate("watches_by_path", &["wchp"], Topic::Watches, watches_by_path),
    always(harmless("zabstate", &[], zabstate)),
];

/// The command with this name or alias.
pub(super) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name || command.aliases.contains(&name))
}

impl Command {
    /// The whole answer.
    pub(super) fn answer(&self, facts: &Facts) -> Keys {
        let error = match facts.detail {
            _ if self.serving && facts.mode().is_none() => {
                "This ZooKeeper instance is not currently serving requests".into()
            }
            Detail::TooMany(count) => {
                format!("{} lists at most {LISTED_AT_MOST}, and this server has {count}", self.name)
            }
            _ => return self.finish((self.keys)(facts)),
        };
        self.refuse(error)
    }

    /// An answer that says only why there is none.
    pub(super) fn refuse(&self, error: String) -> Keys {
        let mut keys = self.finish(Keys::new());
        keys.insert("error".into(), error.into());
        keys
    }

    fn finish(&self, mut keys: Keys) -> Keys {
        keys.insert("command".into(), self.name.into());
        keys.entry("error").or_insert(Value::Null);
        keys
    }
}

/// The keys of an object.
fn keys(value: Value) -> Keys {
    match value {
        Value::Object(keys) => keys,
        _ => Keys::new(),
    }
}

fn none(_: &Facts) -> Keys {
    Keys::new()
}

fn configuration(facts: &Facts) -> Keys {
    let settings = &facts.settings;
    let place = |path: &std::path::Path| path.join("zabrus").display().to_string();
    keys(json!({
        "client_port": settings.client.address.port,
        "data_dir": place(&settings.data_directory),
        "data_log_dir": place(&settings.log_directory),
        "tick_time": settings.core.tick_time.as_millis(),
        "max_client_cnxns": settings.client.per_address,
        "min_session_timeout": settings.client.min_session_timeout,
        "max_session_timeout": settings.client.max_session_timeout,
        "server_id": if settings.standalone { 0 } else { settings.core.id.0 },
        "client_port_listen_backlog": settings.client.backlog,
    }))
}

fn connection(connection: &ConnectionFacts) -> Keys {
    keys(json!({
        "remote_socket_address": connection.address.to_string(),
        "interest_ops": connection.interest,
        "outstanding_requests": connection.outstanding,
        "packets_received": connection.received,
        "packets_sent": connection.sent,
    }))
}

fn connection_with_session(facts: &Facts, one: &ConnectionFacts) -> Keys {
    let answers = &one.answers;
    let latency = &answers.latency;
    let mut all = connection(one);
    all.extend(keys(json!({
        "session_id": one.session.0,
        "last_operation": answers.operation,
        "established": facts.wall_millis(one.established),
        "session_timeout": one.timeout,
        "last_cxid": answers.last_cxid,
        "last_zxid": answers.last_zxid,
        "last_response_time": zabrus_core::Duration(answers.last.0).as_millis(),
        "last_latency": latency.last / 1_000,
        "min_latency": latency.min / 1_000,
        "avg_latency": latency.sum / latency.count.max(1) / 1_000,
        "max_latency": latency.max / 1_000,
    })));
    all
}

fn connections(facts: &Facts) -> Keys {
    listed(facts, |one| connection_with_session(facts, one))
}

fn listed(facts: &Facts, describe: impl Fn(&ConnectionFacts) -> Keys) -> Keys {
    let all: Vec<_> = match &facts.detail {
        Detail::Connections(all) => all.iter().map(describe).collect(),
        _ => Vec::new(),
    };
    keys(json!({ "connections": all, "secure_connections": [] }))
}

fn dirs(facts: &Facts) -> Keys {
    let (data, log) = facts.replica.map_or((0, 0), |replica| (replica.data_bytes, replica.log_bytes));
    keys(json!({ "datadir_size": data, "logdir_size": log }))
}

fn dump(facts: &Facts) -> Keys {
    let Detail::Sessions(sessions) = &facts.detail else { return Keys::new() };
    let expiring = sessions.expiring.iter().flatten().map(|(end, sessions)| {
        let ids: Vec<_> = sessions.iter().map(|session| session.0).collect();
        (facts.wall_millis(*end).to_string(), json!(ids))
    });
    let ephemerals = sessions.ephemerals.iter().map(|(session, paths)| (session.0.to_string(), json!(paths)));
    keys(json!({
        "expiry_time_to_session_ids": Keys::from_iter(expiring),
        "session_id_to_ephemeral_paths": Keys::from_iter(ephemerals),
    }))
}

fn environment(_: &Facts) -> Keys {
    words::environment().into_iter().map(|(key, value)| (key, value.into())).collect()
}

fn trace_mask(_: &Facts) -> Keys {
    keys(json!({ "tracemask": 0 }))
}

fn hash(facts: &Facts) -> Keys {
    let Detail::Digests(digests) = &facts.detail else { return Keys::new() };
    let digest = |(zxid, digest): &(zabrus_core::Zxid, u64)| json!({ "zxid": zxid.0, "digest": digest, "digest_version": 2 });
    keys(json!({ "digests": digests.iter().map(digest).collect::<Vec<_>>() }))
}

fn initial_configuration(facts: &Facts) -> Keys {
    keys(json!({ "initial_configuration": facts.settings.text }))
}

fn is_read_only(_: &Facts) -> Keys {
    keys(json!({ "read_only": false }))
}

fn last_snapshot(facts: &Facts) -> Keys {
    let (zxid, millis) = facts.last_snapshot.unwrap_or_default();
    keys(json!({ "zxid": format!("{:x}", zxid.0), "timestamp": millis / 1_000 }))
}

fn leader(facts: &Facts) -> Keys {
    let status = facts.replica.map(|replica| replica.status).filter(|_| !facts.settings.standalone);
    let Some((status, leader)) = status.and_then(|status| Some((status, status.leader?))) else {
        return keys(json!({ "error": "server is not initialized" }));
    };
    let line = facts.settings.servers.get(&leader);
    keys(json!({
        "is_leader": leader == status.id,
        "leader_id": leader.0,
        "leader_ip": line.map_or("", |line| line.addresses[0].host.as_str()),
    }))
}

/// Who observes is known to this server only by number.
fn observers(facts: &Facts) -> Keys {
    let leading = facts.replica.and_then(|replica| replica.leading).unwrap_or_default();
    keys(json!({ "synced_observers": leading.synced_observers, "observers": [] }))
}

fn server_stats(facts: &Facts) -> Keys {
    let (Some(replica), Some(mode)) = (&facts.replica, facts.mode()) else { return Keys::new() };
    let sizes = |[last, min, max]: [i64; 3]| json!({ "last_buffer_size": last, "min_buffer_size": min, "max_buffer_size": max });
    let answers = sizes(facts.clients.answers.sizes());
    let latency = &facts.clients.latency;
    let average: Value = serde_json::from_str(&latency.average_millis()).unwrap_or_default();
    let mut all = keys(json!({
        "version": version::FULL,
        "read_only": false,
        "server_stats": {
            "packets_sent": facts.clients.sent,
            "packets_received": facts.clients.received,
            "fsync_threshold_exceed_count": replica.slow_syncs,
            "client_response_stats": answers,
            "uptime": facts.uptime_millis(),
            "provider_null": false,
            "data_dir_size": replica.data_bytes,
            "log_dir_size": replica.log_bytes,
            "last_processed_zxid": replica.status.applied.zxid.0,
            "outstanding_requests": replica.status.waiting,
            "server_state": mode,
            "avg_latency": average,
            "max_latency": latency.max / 1_000,
            "min_latency": latency.min / 1_000,
            "num_alive_client_connections": facts.open_connections,
            "auth_failed_count": facts.clients.auth_failed,
            "non_mtlsremote_conn_count": 0,
            "non_mtlslocal_conn_count": 0,
        },
        "client_response": answers,
        "node_count": replica.znodes,
    }));
    if mode == "leader" {
        all.insert("proposal_stats".into(), sizes(facts.proposal_sizes));
    }
    all
}

fn stats(facts: &Facts) -> Keys {
    let mut all = server_stats(facts);
    all.extend(listed(facts, connection));
    all
}

fn voting_view(facts: &Facts) -> Keys {
    let voters = facts.settings.servers.iter().filter(|(_, line)| !line.observer);
    let view = voters.map(|(ServerId(id), line)| {
        let member = json!({
            "server_addresses": address(line, |address| address.quorum_port)["all_addresses"],
            "election_addresses": address(line, |address| address.election_port)["all_addresses"],
            "client_address": line.client.as_ref().map_or_else(String::new, HostPort::to_string),
            "learner_type": "participant",
        });
        (id.to_string(), member)
    });
    keys(json!({ "current_config": Keys::from_iter(view) }))
}

fn watch_summary(facts: &Facts) -> Keys {
    let Some(ReplicaFacts { watches, .. }) = facts.replica else { return Keys::new() };
    keys(json!({
        "num_connections": watches.clients,
        "num_paths": watches.paths,
        "num_total_watches": watches.watches,
    }))
}

fn watches(facts: &Facts) -> Keys {
    let lists = facts.watches_by_session().into_iter();
    let lists = lists.map(|(session, paths)| (session.0.to_string(), json!(paths)));
    keys(json!({ "session_id_to_watched_paths": Keys::from_iter(lists) }))
}

fn watches_by_path(facts: &Facts) -> Keys {
    let lists = facts.watches_by_path().into_iter().map(|(path, sessions)| {
        (path.to_owned(), json!(sessions.into_iter().map(|session| session.0).collect::<Vec<_>>()))
    });
    keys(json!({ "path_to_session_ids": Keys::from_iter(lists) }))
}

/// The addresses of a server, each with the port that `port` picks.
fn address(line: &ServerLine, port: impl Fn(&Address) -> u16) -> Value {
    let all = line.addresses.iter();
    let texts: Vec<_> =
        all.clone().map(|address| format!("{}:{}", bracketed(&address.host), port(address))).collect();
    let hosts: Vec<_> = all.clone().map(|address| address.host.as_str()).collect();
    let ports: Vec<_> = all.map(port).collect();
    let anywhere: Vec<_> = ports.iter().map(|port| format!("0.0.0.0:{port}")).collect();
    // Nobody asks whether they can be reached, as in ZooKeeper without multiAddress.enabled.
    json!({
        "all_addresses": texts,
        "all_host_strings": hosts,
        "all_ports": ports,
        "all_reachable_addresses": texts,
        "all_reachable_addresses_or_all": texts,
        "empty": false,
        "one": texts[0],
        "reachable_address": texts[0],
        "reachable_or_one": texts[0],
        "wildcard_addresses": anywhere,
    })
}

fn zabstate(facts: &Facts) -> Keys {
    let status = facts.replica.map(|replica| replica.status);
    let phase = status.map_or("election", |status| phase_name(status.phase));
    let (settings, id) = (&facts.settings, facts.settings.core.id);
    let voting = settings.core.ensemble.is_voter(id);
    let Some((line, status)) = settings.servers.get(&id).zip(status) else {
        return keys(json!({ "voting": voting, "zabstate": phase }));
    };
    let zxid = status.applied.zxid;
    keys(json!({
        "myid": id.0,
        "is_leader": status.leader == Some(id),
        "quorum_address": address(line, |address| address.quorum_port),
        "election_address": address(line, |address| address.election_port),
        "client_address": settings.client.address.to_string(),
        "voting": voting,
        "last_zxid": format!("{:#x}", zxid.0),
        "zab_epoch": zxid.epoch().0,
        "zab_counter": zxid.counter(),
        "zabstate": phase,
    }))
}
