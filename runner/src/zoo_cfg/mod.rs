//! zoo.cfg as ZooKeeper reads it (client.md section 21), and what each line means here.

mod authentication;
pub(crate) mod dynamic;
mod ensemble;
mod keys;
mod operator;
mod others;
mod requests;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use zabrus_core::config::{ElectionAlgorithm, ServiceSettings};
use zabrus_core::membership::Membership;
use zabrus_core::quorum::Ensemble;
use zabrus_core::{Config, Duration, ServerId};

use crate::clients::throttle::{RequestBounds, ThrottleSettings};
use crate::properties;
use crate::recorder::RecordSettings;
use keys::Keys;
pub(crate) use keys::{Remark, Severity};
pub(crate) use operator::AdminSettings;
pub(crate) use zabrus_core::membership::{Address, HostPort, ServerLine, bracketed};

/// The four-letter words that are answered if the file does not say which: those that change
/// nothing and name no session or path.
const HARMLESS_WORDS: &str = "ruok, srvr, stat, conf, envi, isro, mntr, dirs, wchs";

/// Everything that a server is told at its start.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What the core is told.
    pub(crate) core: Config,
    /// One server alone, without links to others.
    pub(crate) standalone: bool,
    /// All servers by id, as the file names them; empty if standalone.
    pub(crate) servers: BTreeMap<ServerId, ServerLine>,
    /// `dataDir`.
    pub(crate) data_directory: PathBuf,
    /// `dataLogDir`, the same as `dataDir` if not given.
    pub(crate) log_directory: PathBuf,
    /// Off: a loss of power loses acknowledged transactions.
    pub(crate) force_sync: bool,
    /// A slower sync is worth a warning.
    pub(crate) sync_warning: std::time::Duration,
    /// An empty data directory is accepted without the file `initialize`.
    pub(crate) autocreate: bool,
    /// Listen for peers on all addresses, not only on the own ones.
    pub(crate) listen_on_all: bool,
    /// The flight recorder, if there is one.
    pub(crate) record: Option<RecordSettings>,
    /// How long a connection to a peer may take to come up.
    pub(crate) connect_timeout: std::time::Duration,
    pub(crate) client: ClientSettings,
    /// `None` if it is off.
    pub(crate) admin: Option<AdminSettings>,
    /// Where Prometheus asks, if anywhere.
    pub(crate) metrics: Option<HostPort>,
    /// The file as it was at the start.
    pub(crate) text: String,
    /// Where it is.
    pub(crate) file: PathBuf,
}

/// Where and how clients are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientSettings {
    /// `clientPort` and `clientPortAddress`.
    pub(crate) address: HostPort,
    /// Connections from one address at a time; 0 for any number.
    pub(crate) per_address: usize,
    /// Connections at a time; 0 for any number.
    pub(crate) total: usize,
    /// The longest frame of a client, in bytes.
    pub(crate) frame_limit: usize,
    /// `minSessionTimeout`, in milliseconds.
    pub(crate) min_session_timeout: u64,
    /// `maxSessionTimeout`, in milliseconds.
    pub(crate) max_session_timeout: u64,
    /// `clientPortListenBacklog`, -1 if not given.
    pub(crate) backlog: i64,
    /// The four-letter words that are answered; `*` for all.
    pub(crate) words: Vec<String>,
    /// How many clients may come at once, if there is a limit.
    pub(crate) throttle: Option<ThrottleSettings>,
    /// How much they may ask for together.
    pub(crate) requests: RequestBounds,
}

/// What became of a file.
#[derive(Debug)]
pub(crate) struct Reading {
    /// `None` if a remark is an error.
    pub(crate) settings: Option<Settings>,
    /// In the order of the lines; those about no line come last.
    pub(crate) remarks: Vec<Remark>,
}

/// Reads `file`, and `myid` in the data directory that it names.
///
/// # Errors
/// If the file itself cannot be read.
pub(crate) fn read(file: &Path) -> std::io::Result<Reading> {
    let bytes = fs::read(file)?;
    // Java reads Latin-1; whoever writes UTF-8 today means it.
    let text =
        String::from_utf8(bytes).unwrap_or_else(|e| e.into_bytes().into_iter().map(char::from).collect());
    let mut reading = understand(&text, |path| match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    });
    if let Some(settings) = &mut reading.settings {
        file.clone_into(&mut settings.file);
    }
    Ok(reading)
}

/// The meaning of `text`; `read` reads the other files that it needs, if they are there.
fn understand(text: &str, read: impl Fn(&Path) -> Result<Option<String>, String>) -> Reading {
    let (mut keys, syntax) = match properties::parse(text) {
        Ok(entries) => (Keys::new(entries), None),
        Err(error) => (Keys::default(), Some(error)),
    };
    let settings = match syntax {
        Some(error) => {
            keys.remark(Some(error.line), Severity::Error, error.to_string());
            None
        }
        None => settings(&mut keys, text, read),
    };
    let mut remarks = keys.remarks;
    remarks.sort_by_key(|remark| remark.line.unwrap_or(usize::MAX));
    let failed = remarks.iter().any(|remark| remark.severity == Severity::Error);
    Reading { settings: settings.filter(|_| !failed), remarks }
}

/// `None` only with an error among the remarks.
fn settings(
    keys: &mut Keys,
    text: &str,
    read: impl Fn(&Path) -> Result<Option<String>, String>,
) -> Option<Settings> {
    let data_directory = directory(keys, "dataDir", "snapshots, epochs and the file myid live here");
    let log_directory = directory(keys, "dataLogDir", "the log lives here, best on a device of its own");
    let reconfig = [
        "clients that may write /zookeeper/config can change the servers; this file then names another that lists them",
        "the servers of this file stay",
    ];
    let reconfig_enabled = keys.switch("reconfigEnabled", false, ["true", "false"], reconfig);
    let version = dynamic::take(keys, &read);
    let version = if reconfig_enabled { version } else { 0 };
    let members = ensemble::take(keys, data_directory.as_deref(), version, &read);
    let tick = keys.number("tickTime", 3_000, 1..=3_600_000, |n| format!("one tick is {n} ms"));
    let needs_limits = members.as_ref().is_some_and(|members| !members.standalone);
    let init_limit = ticks(keys, "initLimit", 10, needs_limits, |n| {
        format!("{n} ticks ({} ms) for connecting to a leader and catching up", n * tick)
    });
    let sync_limit = ticks(keys, "syncLimit", 5, needs_limits, |n| {
        format!("{n} ticks ({} ms) without a word until a link counts as dead", n * tick)
    });
    let client = client(keys, members.as_ref().and_then(|members| members.own_client.clone()), tick);
    let line = keys.line("forceSync");
    let is_on = ["writes are synced before they are acknowledged", "nothing is ever synced"];
    let force_sync = keys.switch("forceSync", true, ["yes", "no"], is_on);
    if !force_sync {
        let text = "a loss of power loses transactions that clients were told are done; remove forceSync";
        keys.remark(line, Severity::Danger, text);
    }
    let autocreate = keys.switch(
        "db.autocreate",
        true,
        ["true", "false"],
        [
            "an empty data directory is a first start",
            "an empty data directory is a first start only if it holds a file `initialize`",
        ],
    );
    let on_all =
        ["listens for other servers on all addresses", "listens for other servers on its own addresses"];
    let listen_on_all = keys.switch("quorumListenOnAllIPs", false, ["true", "false"], on_all);
    let connect_timeout = keys.number("cnxTimeout", 5_000, 1..=600_000, |n| {
        format!("a connection to another server may take {n} ms to come up")
    });
    let sync_warning = keys.number("fsync.warningthresholdms", 1_000, 1..=3_600_000, |n| {
        format!("a sync of the disk that takes more than {n} ms is worth a warning")
    });
    let mut core = match &members {
        Some(members) => Config::new(members.id, members.ensemble.clone()),
        // Only to explain the other lines too.
        None => Config::new(ServerId(0), Ensemble::plain(1, 0)),
    };
    core.tick_time = Duration::from_millis(tick);
    (core.init_limit, core.sync_limit) = (init_limit, sync_limit);
    storage(keys, &mut core);
    election(keys, &mut core);
    if let (Some(client), Some(members)) = (&client, &members) {
        core.service = service(keys, client, tick);
        sessions_without_a_leader(keys, &mut core.service, members.standalone);
        let (ensemble, servers) = (members.ensemble.clone(), members.servers.clone());
        if !members.standalone {
            core.service.ensemble_text = Membership { ensemble, servers }.text();
        }
        core.service.reconfig_enabled = reconfig_enabled;
        core.service.standalone_enabled = members.standalone_enabled;
    }
    let (admin, metrics) = (operator::admin(keys), operator::metrics(keys));
    // What is wrong with a line was said there; this finds what no line alone can know.
    let has_error = keys.remarks.iter().any(|remark| remark.severity == Severity::Error);
    if let (false, Err(error)) = (has_error, core.validate()) {
        keys.remark(None, Severity::Error, error.to_string());
    }
    let record = record(keys);
    others::explain(keys);
    let (data_directory, client, members) = (data_directory?, client?, members?);
    Some(Settings {
        core,
        standalone: members.standalone,
        servers: members.servers,
        log_directory: log_directory.unwrap_or_else(|| data_directory.clone()),
        data_directory,
        force_sync,
        sync_warning: std::time::Duration::from_millis(sync_warning),
        autocreate,
        listen_on_all,
        record,
        connect_timeout: std::time::Duration::from_millis(connect_timeout),
        client,
        admin,
        metrics,
        text: text.into(),
        file: PathBuf::new(),
    })
}

fn directory(keys: &mut Keys, key: &str, meaning: &str) -> Option<PathBuf> {
    let entry = keys.take(key).filter(|entry| !entry.value.is_empty());
    match &entry {
        Some(entry) => keys.note(entry, meaning),
        None if key == "dataDir" => {
            keys.remark(None, Severity::Error, "dataDir is missing: name the directory for the data");
        }
        None => {}
    }
    entry.map(|entry| PathBuf::from(entry.value))
}

/// Settings of our own: the flight recorder.
fn record(keys: &mut Keys) -> Option<RecordSettings> {
    let limit = keys.number("recordSizeLimitInMb", 1_024, 1..=1 << 30, |n| {
        format!("recordings together have at most {n} MiB; the oldest go first")
    });
    let entry = keys.take("record").filter(|entry| !entry.value.is_empty())?;
    keys.note(&entry, "what this server is told is recorded in this directory, for zabrus-sim replay-log");
    let text = "the recordings hold what clients say, their data and passwords too; guard the directory";
    keys.remark(Some(entry.line), Severity::Warning, text);
    Some(RecordSettings { directory: PathBuf::from(entry.value), limit: limit << 20 })
}

fn ticks(keys: &mut Keys, key: &str, default: u64, needed: bool, meaning: impl Fn(u64) -> String) -> u32 {
    if needed && keys.line(key).is_none() {
        let text = format!("{key} is missing: an ensemble needs it, for example {key}={default}");
        keys.remark(None, Severity::Error, text);
    }
    keys.number(key, default, 1..=1_000_000, meaning) as u32
}

fn client(keys: &mut Keys, own_line: Option<HostPort>, tick: u64) -> Option<ClientSettings> {
    if keys.line("clientPort").is_none() && own_line.is_none() {
        let text = "clientPort is missing: name the port for clients, usually clientPort=2181";
        keys.remark(None, Severity::Error, text);
    }
    let port = keys.take("clientPort").and_then(|entry| match entry.value.parse::<u16>() {
        Ok(port) if port > 0 => {
            keys.note(&entry, "clients and four-letter words are served on this port");
            Some((entry.line, port))
        }
        _ => {
            keys.error(&entry, format!("clientPort must be a port from 1 to 65535, not `{}`", entry.value));
            None
        }
    });
    let address = keys.take("clientPortAddress").map(|entry| {
        keys.note(&entry, "clients are served on this address only");
        entry.value
    });
    let address = match (port, own_line) {
        (Some((line, port)), Some(own)) if port != own.port => {
            let text = format!("clientPort is {port}, but the own server line says {}: remove one", own.port);
            keys.remark(Some(line), Severity::Error, text);
            None
        }
        (_, Some(own)) => Some(HostPort { host: address.unwrap_or(own.host), ..own }),
        (Some((_, port)), None) => Some(HostPort { host: address.unwrap_or("0.0.0.0".into()), port }),
        (None, None) => None,
    };
    let per_address = keys.number("maxClientCnxns", 60, 0..=1_000_000, |n| match n {
        0 => "any number of connections from one address".into(),
        n => format!("at most {n} connections from one address"),
    });
    let total = keys.number("maxCnxns", 0, 0..=1_000_000, |n| match n {
        0 => "any number of connections".into(),
        n => format!("at most {n} connections"),
    });
    let frame_limit = keys.number("jute.maxbuffer", 0xf_ffff, 1..=LARGEST_FRAME, |n| {
        format!("a request of more than {n} bytes closes its connection")
    });
    let backlog = keys.take("clientPortListenBacklog").map_or(-1, |entry| {
        keys.note(&entry, "the system's own limit for waiting connections is used");
        entry.value.parse().unwrap_or(-1)
    });
    keys.take_unset("minSessionTimeout");
    keys.take_unset("maxSessionTimeout");
    let session = |n| format!("sessions end after {n} ms without a word, if their clients ask for");
    let min_session_timeout =
        keys.number("minSessionTimeout", 2 * tick, 1..=86_400_000, |n| session(n) + " less");
    let max_session_timeout =
        keys.number("maxSessionTimeout", 20 * tick, 1..=86_400_000, |n| session(n) + " more");
    if min_session_timeout > max_session_timeout {
        let text = format!(
            "minSessionTimeout {min_session_timeout} is above maxSessionTimeout {max_session_timeout}"
        );
        keys.remark(None, Severity::Error, text);
    }
    let words = keys.take("4lw.commands.whitelist").map(|entry| {
        keys.note(&entry, "only these four-letter words are answered");
        entry.value
    });
    let words = words.as_deref().unwrap_or(HARMLESS_WORDS).split(',').map(|word| word.trim().to_owned());
    Some(ClientSettings {
        address: address?,
        per_address: per_address as usize,
        total: total as usize,
        frame_limit: frame_limit as usize,
        min_session_timeout,
        max_session_timeout,
        backlog,
        words: words.collect(),
        throttle: requests::throttle(keys),
        requests: requests::bounds(keys),
    })
}

fn storage(keys: &mut Keys, core: &mut Config) {
    core.snapshot_interval = keys.number("snapCount", core.snapshot_interval, 2..=u64::MAX >> 1, |n| {
        format!("a snapshot after every {n} transactions")
    });
    let kept = keys.number("autopurge.snapRetainCount", core.snapshots_kept as u64, 1..=1_000, |n| {
        format!("{} snapshots are kept, with the log from the oldest of them on", n.max(3))
    });
    // ZooKeeper's floor.
    core.snapshots_kept = kept.max(3) as usize;
    let preallocated = core.preallocate_bytes >> 10;
    core.preallocate_bytes = keys.number("preAllocSize", preallocated, 1..=1 << 20, |n| {
        format!("space for the log is allocated {n} KiB ahead")
    }) << 10;
    let window = keys.number("commitLogCount", core.sync_window as u64, 1..=1_000_000, |n| {
        format!("followers that are at most {n} transactions behind are served from memory")
    });
    core.sync_window = window as usize;
    keys.take_unset("txnLogSizeLimitInKb");
    let segment = core.segment_bytes >> 10;
    // Recovery reads a segment as a whole.
    let segment = keys.number("txnLogSizeLimitInKb", segment, 1..=1 << 20, |n| {
        format!("a file of the log is closed after {n} KiB")
    });
    core.segment_bytes = segment << 10;
    if let Some(entry) = keys.take("snapSizeLimitInKb") {
        keys.note(&entry, "not needed here: snapCount alone decides when a snapshot is taken");
    }
}

/// The largest frame that an operator may allow, in bytes: what it becomes on its way to the other
/// servers stays below the core's limit for a record.
const LARGEST_FRAME: u64 = 16 << 20;

/// What clients may do.
fn service(keys: &mut Keys, client: &ClientSettings, tick: u64) -> ServiceSettings {
    let mut service = ServiceSettings::new(Duration::from_millis(tick));
    let millis = |millis: u64| i32::try_from(millis).unwrap_or(i32::MAX);
    service.min_session_timeout = millis(client.min_session_timeout);
    service.max_session_timeout = millis(client.max_session_timeout);
    service.frame_limit = client.frame_limit;
    let outstanding = service.outstanding_limit as u64;
    service.outstanding_limit = keys.number("globalOutstandingLimit", outstanding, 1..=1_000_000, |n| {
        format!("with more than {n} requests under way, clients that have any are not read from")
    }) as usize;
    let watches = service.watch_limit as u64;
    service.watch_limit = keys.number("watchLimit", watches, 1..=1 << 32, |n| {
        format!("one connection may watch {n} paths; ZooKeeper has no such limit")
    }) as usize;
    let ttl = ["nodes with a time to live may be created", "there are no nodes with a time to live"];
    service.extended_types = keys.switch("extendedTypesEnabled", false, ["true", "false"], ttl);
    let quotas = ["hard quotas are enforced", "quotas refuse nothing"];
    service.enforce_quota = keys.switch("enforceQuota", false, ["true", "false"], quotas);
    let skip = ["nobody's permissions are looked at", "access control lists are looked at"];
    service.skip_acl = keys.switch("skipACL", false, ["yes", "no"], skip);
    if service.skip_acl {
        let text = "skipACL=yes: everybody may read and change everything";
        keys.remark(None, Severity::Danger, text);
    }
    authentication::authentication(keys, &mut service);
    let sweep = service.sweep_interval;
    service.sweep_interval = keys.number("znode.container.checkIntervalMs", sweep, 1..=86_400_000, |n| {
        format!("every {n} ms empty containers and nodes past their time are removed")
    });
    service.sweeps_per_minute = keys.number("znode.container.maxPerMinute", 10_000, 1..=1 << 30, |n| {
        format!("at most {n} of them per minute")
    }) as u32;
    service.container_never_used =
        keys.number("znode.container.maxNeverUsedIntervalMs", 0, 0..=1 << 40, |n| match n {
            0 => "a container that never had a child stays".into(),
            n => format!("a container that never had a child goes after {n} ms"),
        }) as i64;
    let linearizable = [
        "every read waits until a quorum confirmed that it sees all that was written before",
        "reads are answered from this server's state, as in ZooKeeper",
    ];
    service.linearizable_reads = keys.switch("linearizableReads", false, ["true", "false"], linearizable);
    service
}

/// What an ensemble has and a server alone has not.
fn sessions_without_a_leader(keys: &mut Keys, service: &mut ServiceSettings, standalone: bool) {
    let mut switch = |key: &str, [on, off]: [&str; 2]| {
        let on = if standalone { "not needed here: a server alone has no other to spare" } else { on };
        keys.switch(key, false, ["true", "false"], [on, off]) && !standalone
    };
    service.local_sessions = switch(
        "localSessionsEnabled",
        [
            "new sessions are known to their server alone: no write for them, but no other server takes them",
            "all servers know every session",
        ],
    );
    service.upgrade_local_sessions = switch(
        "localSessionsUpgradingEnabled",
        [
            "a local session becomes one that all servers know before it creates an ephemeral node",
            "a local session creates no ephemeral nodes (-120)",
        ],
    );
    service.read_only_mode = switch(
        "readonlymode.enabled",
        [
            "without a quorum, reads of what is known to be committed are answered to clients that ask for it",
            "without a quorum nobody is served",
        ],
    );
    if service.read_only_mode && service.linearizable_reads {
        let text = "readonlymode.enabled has no effect: linearizableReads could not be kept without a quorum";
        keys.remark(None, Severity::Warning, text);
    }
    if service.read_only_mode && !service.local_sessions {
        let text =
            "readonlymode.enabled without localSessionsEnabled: no new session begins without a quorum";
        keys.remark(None, Severity::Warning, text);
    }
}

fn election(keys: &mut Keys, core: &mut Config) {
    let Some(entry) = keys.take("electionAlg") else { return };
    match entry.value.as_str() {
        "3" => keys.note(&entry, "fast leader election"),
        "0" => {
            core.election = ElectionAlgorithm::Basic;
            let text = "basic leader election: all servers must use it, and Apache ZooKeeper 3.9 has only 3";
            keys.remark(Some(entry.line), Severity::Warning, text);
        }
        other => keys.error(&entry, format!("electionAlg must be 3, not `{other}`")),
    }
}

/// The settings that `text` is for server `id`.
#[cfg(test)]
pub(crate) fn for_test(text: &str, id: u64) -> Settings {
    let reading = understand(text, |_| Ok(Some(id.to_string())));
    reading.settings.unwrap_or_else(|| panic!("{:#?}", reading.remarks))
}

#[cfg(test)]
mod tests;
