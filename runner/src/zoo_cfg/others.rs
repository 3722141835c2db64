//! Keys that mean something to Apache ZooKeeper and nothing, or nothing yet, here.

use super::keys::{Keys, Severity};
use crate::properties::Entry;

/// What becomes of a key.
enum Treatment {
    /// Nothing that its author would miss.
    Ignored(&'static str),
    /// Its effect is missing.
    NotYet(&'static str),
    /// Its effect is missing, and to go on without it would break a promise: refused if the value
    /// is one of [`SWITCHED_ON`].
    RefusedIfOn(&'static str),
    /// The same with any value.
    Refused(&'static str),
    /// The title of a section in ZooKeeper's manual; Apache's server reads only this key.
    Title(&'static str),
}

use Treatment::{Ignored, NotYet, Refused, RefusedIfOn, Title};

const SWITCHED_ON: [&str; 2] = ["true", "yes"];

/// By key; one that ends in a dot stands for all keys that begin so and have no line of their own.
const OTHERS: &[(&str, Treatment)] = &[
    ("X509AuthenticationProvider.", NotYet("there is no TLS yet")),
    ("admin.forceHttps", RefusedIfOn("the admin server would answer without TLS; there is none yet")),
    ("admin.idleTimeout", Ignored("the admin server closes a connection after its answer")),
    ("admin.needClientAuth", Ignored("there is no TLS with which a client could prove who it is")),
    ("admin.portUnification", NotYet("there is no TLS yet")),
    ("admin.restore.", NotYet("nothing is restored under a running server; see `zabrus restore`")),
    ("allowSaslFailedClients", Ignored("there is no SASL yet, so it cannot fail")),
    ("audit.", NotYet("there is no audit log yet")),
    ("authProvider.", NotYet("there are no authentication providers of your own")),
    ("autopurge.purgeInterval", Ignored("old snapshots and logs are always purged, without an interval")),
    ("client.portUnification", NotYet("there is no TLS yet")),
    ("closeSessionTxn.enabled", Ignored("the end of a session always names what goes with it")),
    ("commitProcessor.", Ignored("requests have no pipeline with threads to count")),
    ("connectToLearnerMasterLimit", Ignored("initLimit bounds connecting too")),
    ("connectionFreezeTime", Title("connection_throttle_freeze_time")),
    ("connectionMaxTokens", Title("connection_throttle_tokens")),
    ("connectionTokenFillCount", Title("connection_throttle_fill_count")),
    ("connectionTokenFillTime", Title("connection_throttle_fill_time")),
    (
        "connection_throttle_",
        NotYet(
            "clients are sent away only when there are no tokens, all kinds of them alike and none by chance",
        ),
    ),
    ("datadir.autocreate", Ignored("directories that are missing are made")),
    ("digest.enabled", Ignored("the digests of all servers are always compared")),
    ("electionPortBindRetry", Ignored("a start ends if no port for other servers can be bound")),
    ("enableEagerACLCheck", Ignored("only the leader checks permissions, once")),
    ("ensembleAuthName", NotYet("clients cannot be asked for the name of their ensemble")),
    ("fastleader.", Ignored("the silence between two votes is bounded by itself")),
    ("fips-mode", NotYet("there is no TLS yet")),
    ("flushDelay", Ignored("writes that arrive during a sync are synced together, without a delay")),
    ("jaasLoginRenew", Ignored("there is no SASL yet")),
    ("jute.maxbuffer.extrasize", Ignored("what the server adds to a request needs no limit of its own")),
    ("jvm.", Ignored("there is no JVM")),
    ("kerberos.", NotYet("there is no SASL yet")),
    ("leader.", Ignored("snapshots are sent in chunks that never hold up anything else")),
    ("leaderServes", NotYet("a leader always serves clients")),
    ("learner.", Ignored("sending never waits")),
    ("maxBatchSize", Ignored("writes that arrive during a sync are synced together")),
    ("maxGetChildrenResponseCacheSize", Ignored("there is no response cache to bound")),
    ("maxResponseCacheSize", Ignored("there is no response cache to bound")),
    ("maxWriteQueuePollTime", Ignored("writes that arrive during a sync are synced together")),
    ("metricsProvider.", Ignored("metrics need no threads of their own, and there is no JVM")),
    ("metricsProvider.httpsPort", NotYet("metrics are served without TLS")),
    ("metricsProvider.ssl.", NotYet("metrics are served without TLS")),
    ("multiAddress.", Ignored("the addresses of a server are tried one after the other")),
    ("netty.", Ignored("there is no Netty")),
    ("nio.", Ignored("one thread serves all connections; who says nothing is closed after 10 seconds")),
    ("observer.", Ignored("an observer comes back by itself")),
    ("observerMasterPort", NotYet("observers follow the leader only")),
    ("oraclePath", Refused("there is no oracle quorum")),
    ("portUnification", RefusedIfOn("there is no TLS between servers yet")),
    ("quorum.auth.", RefusedIfOn("there is no SASL between servers yet")),
    ("quorumCnxnTimeoutMs", Ignored("syncLimit says when a connection to another server is dead")),
    ("requestThrottleDropStale", Title("request_throttle_drop_stale")),
    ("requestThrottleLimit", Title("request_throttle_max_requests")),
    ("requestThrottleStallTime", Title("request_throttle_stall_time")),
    (
        "request_stale_connection_check",
        Ignored("requests that wait are always dropped when their connection ends"),
    ),
    (
        "request_stale_latency_check",
        NotYet(
            "a request may wait longer than its session lives; request_throttle_max_requests makes it wait less",
        ),
    ),
    ("request_throttle_stall_time", Ignored("requests that wait are taken as soon as there is room")),
    (
        "secureClientPort",
        NotYet("there is no TLS, and nothing listens on this port: put a proxy in front of clientPort"),
    ),
    ("secureClientPortAddress", NotYet("there is no TLS yet")),
    ("serializeLastProcessedZxid.enabled", Ignored("every snapshot names its last transaction")),
    ("serverCnxnFactory", Ignored("there is one implementation of connections")),
    ("sessionRequireClientSASLAuth", RefusedIfOn("clients would be served without SASL; there is none yet")),
    ("snapshot.", Ignored("snapshots have a format of our own")),
    ("ssl.", NotYet("there is no TLS yet")),
    ("sslQuorum", RefusedIfOn("there is no TLS between servers yet")),
    ("sslQuorumReloadCertFiles", NotYet("there is no TLS yet")),
    ("superUser", NotYet("there is no SASL yet; see DigestAuthenticationProvider.superDigest")),
    ("syncEnabled", Ignored("observers always keep a log")),
    ("tcpKeepAlive", Ignored("connections between servers are always kept alive")),
    ("throttledOpWaitTime", Title("throttled_op_wait_time")),
    (
        "throttled_op_wait_time",
        NotYet(
            "no request is refused (-127) for having waited; those that wait are dropped when their connection ends",
        ),
    ),
    ("watchManagerName", Ignored("there is one implementation of watches")),
];

/// Explains every key that is left.
pub(super) fn explain(keys: &mut Keys) {
    for entry in keys.take_rest() {
        let (severity, mut text) = judge(&entry);
        if let Some(meant) = keys.similar(&entry.key) {
            text += &format!("; did you mean {meant}?");
        }
        keys.remark(Some(entry.line), severity, text);
    }
}

fn judge(entry: &Entry) -> (Severity, String) {
    let key = &entry.key;
    let matches = |name: &str| key == name || (name.ends_with(['.', '_']) && key.starts_with(name));
    if let Some(real) = key.strip_prefix("zookeeper.") {
        let text =
            format!("no effect, neither here nor in ZooKeeper, which adds this prefix: the key is {real}");
        return (Severity::Warning, text);
    }
    let Some((_, treatment)) = OTHERS.iter().rfind(|(name, _)| matches(name)) else {
        return (Severity::Warning, format!("{key} is no setting that this server knows; it has no effect"));
    };
    let is_on = SWITCHED_ON.iter().any(|on| on.eq_ignore_ascii_case(&entry.value));
    match treatment {
        Ignored(why) => (Severity::Note, format!("not needed here: {why}")),
        NotYet(_) if entry.value.eq_ignore_ascii_case("false") => {
            (Severity::Note, "off, as it is here".into())
        }
        NotYet(what) => (Severity::Warning, format!("no effect yet: {what}")),
        Title(real) => {
            (Severity::Warning, format!("no effect, neither here nor in ZooKeeper: the key is {real}"))
        }
        RefusedIfOn(_) if !is_on => (Severity::Note, "off, as it must be".into()),
        RefusedIfOn(why) | Refused(why) => (Severity::Error, format!("remove {key}: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(key: &str, value: &str) -> Severity {
        judge(&Entry { line: 1, key: key.into(), value: value.into() }).0
    }

    #[test]
    fn the_list_is_sorted_and_names_nothing_twice() {
        assert!(OTHERS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn a_key_that_is_nearly_right_is_told() {
        let entry = |line, key: &str| Entry { line, key: key.into(), value: "5".into() };
        let mut keys = Keys::new(vec![entry(1, "clientport"), entry(2, "zookeeper.snapCount")]);
        assert_eq!(keys.take("clientPort"), None);
        explain(&mut keys);
        let texts: Vec<_> = keys.remarks.iter().map(|remark| remark.text.as_str()).collect();
        assert!(texts[0].ends_with("did you mean clientPort?"), "{texts:?}");
        assert!(texts[1].ends_with("the key is snapCount"), "{texts:?}");
    }

    #[test]
    fn what_would_break_a_promise_is_refused_only_if_it_is_on() {
        assert_eq!(judged("sslQuorum", "TRUE"), Severity::Error);
        assert_eq!(judged("sslQuorum", "false"), Severity::Note);
        assert_eq!(judged("quorum.auth.enableSasl", "true"), Severity::Error);
        assert_eq!(judged("oraclePath", "/oracle"), Severity::Error);
    }

    #[test]
    fn unknown_keys_and_missing_effects_are_warnings() {
        assert_eq!(judged("frobnicate", "1"), Severity::Warning);
        assert_eq!(judged("metricsProvider.httpsPort", "7001"), Severity::Warning);
        assert_eq!(judged("sslx", "1"), Severity::Warning, "a prefix ends in its dot");
        assert_eq!(judged("jvm.pause.monitor", "true"), Severity::Note);
        assert_eq!(judged("audit.enable", "true"), Severity::Warning);
        assert_eq!(judged("audit.enable", "false"), Severity::Note);
        for key in ["throttled_op_wait_time", "requestThrottleLimit", "connection_throttle_freeze_time"] {
            assert_eq!(judged(key, "5"), Severity::Warning, "{key}");
        }
    }
}
