//! Everything that is measured, under ZooKeeper's names (client.md sections 19 and 22), and its three
//! forms: the word `mntr`, the command `monitor`, and Prometheus.

use std::fmt::Write;

use serde_json::Map;

use super::{Detail, Facts, QuotaFacts};
use crate::clients::fired;
use crate::figures::{Summary, Tally};
use crate::version;

/// One figure.
struct Metric<'a> {
    name: &'static str,
    /// Whose figure it is, where there are several of a name.
    key: Option<&'a str>,
    value: Value<'a>,
}

enum Value<'a> {
    /// A number, and Prometheus' word for what it is.
    Single(&'static str, serde_json::Value),
    /// What is known of many values, so many of which make one of the unit that is shown. Not of all is
    /// known how they are distributed.
    Summary { tally: Tally, unit: u64, distribution: Option<&'a Summary> },
}

impl<'a> Value<'a> {
    /// A number that goes up and down.
    fn gauge(number: i64) -> Self {
        Self::Single("gauge", number.into())
    }

    /// The same, written as Java writes a fraction.
    fn fraction(text: &str) -> Self {
        Self::Single("gauge", fraction(text))
    }

    /// A number that only grows.
    fn counter(number: u64) -> Self {
        Self::Single("counter", number.into())
    }

    /// Durations, in milliseconds as ZooKeeper has them.
    fn summary(summary: &'a Summary) -> Self {
        Self::Summary { tally: summary.tally, unit: MICROS, distribution: Some(summary) }
    }

    /// Durations of what happens rarely.
    fn durations(tally: Tally) -> Self {
        Self::Summary { tally, unit: MICROS, distribution: None }
    }

    /// Numbers of things.
    fn numbers(tally: Tally) -> Self {
        Self::Summary { tally, unit: 1, distribution: None }
    }
}

/// The percentiles of a summary, in hundred thousandths: how `mntr` names them, and how Prometheus does.
const PERCENTILES: [(u64, &str); 4] = [(50_000, "p50"), (95_000, "p95"), (99_000, "p99"), (99_900, "p999")];
const QUANTILES: [(u64, &str); 5] =
    [(50_000, "0.5"), (90_000, "0.9"), (95_000, "0.95"), (99_000, "0.99"), (99_900, "0.999")];

/// So many microseconds are a millisecond.
const MICROS: u64 = 1_000;

/// The bounds of our own histograms, in microseconds.
const BOUNDS: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// The answer to `mntr`.
pub(super) fn monitor(facts: &Facts) -> String {
    let mut text = String::new();
    for (key, value) in flat(facts) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // The key of ZooKeeper 3.4, which old dashboards ask for.
        if key == "learners" {
            writeln!(text, "zk_followers\t{value}").expect("a string takes everything");
        }
        writeln!(text, "zk_{key}\t{value}").expect("a string takes everything");
    }
    text
}

/// The answer to the command `monitor`.
pub(super) fn monitor_map(facts: &Facts) -> Map<String, serde_json::Value> {
    flat(facts).into_iter().collect()
}

/// Every key with its value; a summary is several.
fn flat(facts: &Facts) -> Vec<(String, serde_json::Value)> {
    let mut all: Vec<(String, serde_json::Value)> = vec![
        ("version".into(), version::FULL.into()),
        ("server_state".into(), facts.mode().unwrap_or("null").into()),
    ];
    if !facts.settings.standalone {
        all.push(("peer_state".into(), facts.peer_state().into()));
    }
    for Metric { name, key, value } in metrics(facts) {
        let name = key.map_or_else(|| name.to_owned(), |key| format!("{key}_{name}"));
        match value {
            Value::Single(_, number) => all.push((name, number)),
            Value::Summary { tally, unit, distribution } => {
                let Tally { count, sum, min, max, .. } = tally;
                all.push((format!("avg_{name}"), fraction(&tally.average(unit))));
                for (prefix, number) in
                    [("min", min / unit), ("max", max / unit), ("cnt", count), ("sum", sum / unit)]
                {
                    all.push((format!("{prefix}_{name}"), number.into()));
                }
                let Some(distribution) = distribution else { continue };
                for (part, prefix) in PERCENTILES {
                    all.push((format!("{prefix}_{name}"), (distribution.percentile(part) / unit).into()));
                }
            }
        }
    }
    all
}

fn fraction(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("digits with a point are JSON")
}

fn metrics(facts: &Facts) -> Vec<Metric<'_>> {
    let mut all = Vec::new();
    let mut put = |name, value| all.push(Metric { name, key: None, value });
    let number = |number: u64| Value::gauge(i64::try_from(number).unwrap_or(i64::MAX));
    let length = |length: usize| Value::gauge(i64::try_from(length).unwrap_or(i64::MAX));
    let clients = &facts.clients;
    put("avg_latency", Value::fraction(&clients.latency.average_millis()));
    put("min_latency", number(clients.latency.min / 1_000));
    put("max_latency", number(clients.latency.max / 1_000));
    put("packets_received", number(clients.received));
    put("packets_sent", number(clients.sent));
    put("num_alive_connections", length(facts.open_connections));
    put("uptime", number(facts.uptime_millis()));
    let [last, min, max] = clients.answers.sizes();
    put("last_client_response_size", Value::gauge(last));
    put("min_client_response_size", Value::gauge(min));
    put("max_client_response_size", Value::gauge(max));
    put("auth_failed_count", number(clients.auth_failed));
    put("open_file_descriptor_count", length(open_files()));
    put("max_file_descriptor_count", number(file_limit()));
    // What there is none of here, and dashboards ask for.
    put("connection_drop_probability", Value::fraction("0.0"));
    for name in ["outstanding_tls_handshake", "non_mtls_remote_conn_count", "non_mtls_local_conn_count"] {
        put(name, Value::gauge(0));
    }
    put("tls_handshake_exceeded", Value::counter(0));
    if let Some(replica) = &facts.replica {
        put("outstanding_requests", length(replica.status.waiting));
        put("znode_count", length(replica.znodes));
        put("watch_count", length(replica.watch_count));
        put("ephemerals_count", length(replica.ephemerals));
        put("approximate_data_size", Value::gauge(replica.data_size));
        put("global_sessions", length(replica.sessions));
        put("local_sessions", length(replica.local_sessions));
        if !facts.settings.standalone {
            put("quorum_size", length(facts.settings.core.ensemble.voters().count()));
        }
        if let Some(leading) = replica.leading.filter(|_| facts.mode() == Some("leader")) {
            put("learners", length(leading.learners));
            put("synced_followers", length(leading.synced_followers));
            put("synced_non_voting_followers", Value::gauge(0));
            put("synced_observers", length(leading.synced_observers));
            put("pending_syncs", length(leading.pending_syncs));
            let since = facts.leading_since.unwrap_or(facts.now.monotonic);
            put("leader_uptime", number(facts.now.monotonic.since(since).as_millis()));
            let [last, min, max] = facts.proposal_sizes;
            put("last_proposal_size", Value::gauge(last));
            put("min_proposal_size", Value::gauge(min));
            put("max_proposal_size", Value::gauge(max));
        }
    }
    put("connection_request_count", Value::counter(clients.handshakes));
    put("connection_revalidate_count", Value::counter(clients.reattached));
    put("connection_drop_count", Value::counter(clients.dropped));
    put("connection_rejected", Value::counter(clients.rejected));
    put("sessionless_connections_expired", Value::counter(clients.silent));
    put("large_requests_rejected", Value::counter(clients.too_large));
    put("request_throttle_wait_count", Value::counter(clients.held));
    put("stale_requests_dropped", Value::counter(clients.stale));
    put("bytes_received_count", Value::counter(clients.bytes_received));
    put("response_bytes", Value::counter(clients.answers.sum));
    put("watch_bytes", Value::counter(clients.notification_bytes));
    let leading = facts.replica.and_then(|replica| replica.leading).unwrap_or_default();
    put("stale_sessions_expired", Value::counter(leading.expired_sessions));
    if let Detail::Metrics(measured) = &facts.detail {
        let progress = &measured.progress;
        put("looking_count", Value::counter(progress.lookings));
        put("proposal_count", Value::counter(progress.proposals.count));
        put("commit_count", Value::counter(progress.committed));
        put("diff_count", Value::counter(progress.diffs));
        put("snap_count", Value::counter(progress.snaps));
        put("revalidate_count", Value::counter(progress.revalidated));
        put("unrecoverable_error_count", Value::counter(progress.disk_failures));
        put("readlatency", Value::summary(&measured.reads));
        put("updatelatency", Value::summary(&measured.updates));
        put("fsynctime", Value::summary(&measured.syncs));
        put("propagation_latency", Value::summary(&progress.commits));
        put("election_time", Value::summary(&progress.elections));
        put("snapshottime", Value::summary(&progress.snapshots));
        put("dbinittime", Value::summary(&progress.recoveries));
        put("quorum_ack_latency", Value::summary(&progress.quorums));
        put("startup_txns_loaded", Value::numbers(progress.recovered));
        put("unavailable_time", Value::durations(progress.unavailable));
        put("leader_unavailable_time", Value::durations(progress.leader_unavailable));
        put("follower_sync_time", Value::durations(progress.follower_syncs));
        put("observer_sync_time", Value::durations(progress.observer_syncs));
        for (name, tally) in fired::NAMES.into_iter().zip(measured.fired.tallies()) {
            put(name, Value::numbers(tally));
        }
        let quotas: [(_, QuotaFigure); 4] = [
            ("quota_count_limit_per_namespace", |quota| limit(quota.limits.count_hard, quota.limits.count)),
            ("quota_bytes_limit_per_namespace", |quota| limit(quota.limits.bytes_hard, quota.limits.bytes)),
            ("quota_count_usage_per_namespace", |quota| quota.usage.count),
            ("quota_bytes_usage_per_namespace", |quota| quota.usage.bytes),
        ];
        for (name, figure) in quotas {
            for quota in &measured.quotas {
                all.push(Metric { name, key: Some(&quota.name), value: Value::gauge(figure(quota)) });
            }
        }
    }
    all
}

type QuotaFigure = fn(&QuotaFacts) -> i64;

/// What ZooKeeper shows where there are two.
fn limit(hard: Option<i64>, soft: Option<i64>) -> i64 {
    hard.or(soft).unwrap_or(-1)
}

/// Everything in Prometheus' text format.
pub(super) fn prometheus(facts: &Facts) -> String {
    let mut page = Page(String::new());
    let mut last = "";
    for Metric { name, key, value } in metrics(facts) {
        let label = key.map_or_else(String::new, |key| format!("{{key=\"{}\"}}", escaped(key)));
        let kind = if let Value::Single(kind, _) = value { kind } else { "summary" };
        if last != name {
            page.begin(name, kind);
        }
        last = name;
        match value {
            Value::Single(_, number) => page.line(format_args!("{name}{label} {number}")),
            Value::Summary { tally, unit, distribution } => {
                let quantiles = QUANTILES.iter().filter_map(|(part, quantile)| {
                    distribution.map(|distribution| (quantile, distribution.percentile(*part) / unit))
                });
                for (quantile, value) in quantiles {
                    page.line(format_args!("{name}{{quantile=\"{quantile}\"}} {value}"));
                }
                page.line(format_args!("{name}_count {}", tally.count));
                page.line(format_args!("{name}_sum {}", tally.sum / unit));
            }
        }
    }
    if let Detail::Metrics(measured) = &facts.detail {
        page.histogram("zabrus_fsync_seconds", &[("", &measured.syncs)]);
        page.histogram("zabrus_commit_seconds", &[("", &measured.progress.commits)]);
        let requests = [("type=\"read\"", &measured.reads), ("type=\"update\"", &measured.updates)];
        page.histogram("zabrus_request_seconds", &requests);
    }
    page.process(facts);
    page.0
}

/// A text within the quotes of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A text in Prometheus' format.
struct Page(String);

impl Page {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a string takes everything");
    }

    fn begin(&mut self, name: &str, kind: &str) {
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn single(&mut self, name: &str, kind: &str, value: &dyn std::fmt::Display) {
        self.begin(name, kind);
        self.line(format_args!("{name} {value}"));
    }

    /// One histogram in seconds; each summary with the labels that tell it from the others.
    fn histogram(&mut self, name: &str, summaries: &[(&str, &Summary)]) {
        self.begin(name, "histogram");
        for (labels, summary) in summaries {
            let (prefix, own) = match *labels {
                "" => (String::new(), String::new()),
                labels => (format!("{labels},"), format!("{{{labels}}}")),
            };
            for (bound, count) in BOUNDS.iter().zip(summary.up_to(&BOUNDS)) {
                self.line(format_args!("{name}_bucket{{{prefix}le=\"{}\"}} {count}", seconds(*bound)));
            }
            let Tally { count, sum, .. } = summary.tally;
            self.line(format_args!("{name}_bucket{{{prefix}le=\"+Inf\"}} {count}"));
            self.line(format_args!("{name}_sum{own} {}", seconds(sum)));
            self.line(format_args!("{name}_count{own} {count}"));
        }
    }

    /// What every program shows under these names.
    fn process(&mut self, facts: &Facts) {
        self.single("process_open_fds", "gauge", &open_files());
        self.single("process_max_fds", "gauge", &file_limit());
        let started = (facts.now.wall_millis - facts.uptime_millis().min(facts.now.wall_millis)) * 1_000;
        self.single("process_start_time_seconds", "gauge", &seconds(started));
        let words = |file: &str| -> Vec<u64> {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            // The name of the program, in brackets, may contain anything.
            let numbers = text.rsplit(')').next().unwrap_or_default().split_whitespace();
            numbers.map(|word| word.parse().unwrap_or(0)).collect()
        };
        if let Some(pages) = words("/proc/self/statm").get(1) {
            let bytes = pages * rustix::param::page_size() as u64;
            self.single("process_resident_memory_bytes", "gauge", &bytes);
        }
        if let [user, system] = words("/proc/self/stat").get(11..13).unwrap_or_default() {
            let micros = (user + system) * 1_000_000 / rustix::param::clock_ticks_per_second().max(1);
            self.single("process_cpu_seconds_total", "counter", &seconds(micros));
        }
    }
}

/// Microseconds as a fraction of seconds.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn file_limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}
