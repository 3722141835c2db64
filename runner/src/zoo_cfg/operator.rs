//! What an operator sees over HTTP: the keys `admin.*` and `metricsProvider.*`.

use super::keys::{Keys, Severity};
use zabrus_core::membership::HostPort;

/// The admin server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdminSettings {
    pub(crate) address: HostPort,
    /// `admin.commandURL`, without a slash at the end.
    pub(crate) commands: String,
    /// Also the commands that name sessions or paths, or change something. Only where the file names
    /// the admin server, since it is open to everybody: who knows a session's number can take it over.
    pub(crate) everything: bool,
    /// Whether the command `snapshot` answers, and how long it rests between two answers.
    pub(crate) snapshots: bool,
    pub(crate) snapshot_rest: std::time::Duration,
}

const PROMETHEUS: &str = "PrometheusMetricsProvider";

/// `None` if there is to be none.
pub(super) fn admin(keys: &mut Keys) -> Option<AdminSettings> {
    let named = ["enableServer", "serverAddress", "serverPort", "commandURL"]
        .map(|key| keys.line(&format!("admin.{key}")).is_some());
    let meanings = ["the admin server answers, to everybody and everything", "there is no admin server"];
    let enabled = keys.switch("admin.enableServer", true, ["true", "false"], meanings);
    let host = text(keys, "admin.serverAddress", "0.0.0.0", "the admin server listens on this address only");
    let port = keys.number("admin.serverPort", 8_080, 1..=65_535, |port| {
        format!("the admin server listens on port {port}; if that is taken, there is none")
    });
    let commands = text(keys, "admin.commandURL", "/commands", "below this path are the commands");
    let commands = format!("/{}", commands.trim_matches('/'));
    let meanings =
        ["who may do everything to the root gets a snapshot over HTTP", "there are no snapshots over HTTP"];
    let snapshots = keys.switch("admin.snapshot.enabled", true, ["true", "false"], meanings);
    let rest = keys.number("admin.rateLimiterIntervalInMS", 300_000, 0..=86_400_000, |n| {
        format!("one snapshot over HTTP every {n} ms at most")
    });
    let snapshot_rest = std::time::Duration::from_millis(rest);
    let address = HostPort { host, port: port as u16 };
    let everything = named.contains(&true);
    enabled.then_some(AdminSettings { address, commands, everything, snapshots, snapshot_rest })
}

/// Where metrics are served, `None` if nowhere.
pub(super) fn metrics(keys: &mut Keys) -> Option<HostPort> {
    let provider = keys.take("metricsProvider.className");
    let host = text(keys, "metricsProvider.httpHost", "0.0.0.0", "metrics are served on this address only");
    let port = keys.number("metricsProvider.httpPort", 7_000, 1..=65_535, |port| {
        format!("metrics are served on port {port}, if metricsProvider.className says so")
    });
    let provider = provider?;
    let class = provider.value.rsplit('.').next().unwrap_or_default();
    match class {
        PROMETHEUS => keys.note(&provider, "metrics for Prometheus"),
        "DefaultMetricsProvider" | "NullMetricsProvider" => keys.note(&provider, "no metrics over HTTP"),
        _ => {
            let text = format!("no effect: {class} is not known here, only {PROMETHEUS}");
            keys.remark(Some(provider.line), Severity::Warning, text);
        }
    }
    (class == PROMETHEUS).then_some(HostPort { host, port: port as u16 })
}

fn text(keys: &mut Keys, key: &str, default: &str, meaning: &str) -> String {
    let Some(entry) = keys.take(key) else { return default.into() };
    keys.note(&entry, meaning);
    entry.value
}

#[cfg(test)]
mod tests {
    use super::super::for_test;

    const ALONE: &str = "dataDir=/d\nclientPort=1\n";

    #[test]
    fn the_admin_server_is_apaches_but_answers_everything_only_where_it_is_named() {
        let admin = |text: &str| for_test(&format!("{ALONE}{text}"), 1).admin;
        let default = admin("").expect("on by default");
        assert_eq!((default.address.host.as_str(), default.address.port), ("0.0.0.0", 8_080));
        assert_eq!((default.commands.as_str(), default.everything), ("/commands", false));
        assert_eq!(admin("admin.enableServer=false"), None);
        assert!(admin("admin.enableServer=true").expect("on").everything);
        let named = admin("admin.serverPort=1234\nadmin.serverAddress=::1\nadmin.commandURL=/c/");
        let named = named.expect("on");
        assert_eq!((named.address.host.as_str(), named.address.port), ("::1", 1_234));
        assert_eq!((named.commands.as_str(), named.everything), ("/c", true));
    }

    #[test]
    fn metrics_are_served_for_prometheus_alone() {
        let metrics = |text: &str| for_test(&format!("{ALONE}{text}"), 1).metrics;
        let provider = "metricsProvider.className=org.apache.zookeeper.metrics.";
        assert_eq!(metrics("metricsProvider.httpPort=7070"), None);
        assert_eq!(metrics(&format!("{provider}impl.DefaultMetricsProvider")), None);
        let on = metrics(&format!("{provider}prometheus.PrometheusMetricsProvider")).expect("on");
        assert_eq!((on.host.as_str(), on.port), ("0.0.0.0", 7_000));
    }
}
