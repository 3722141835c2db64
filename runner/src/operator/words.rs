//! The four-letter words, in ZooKeeper's shapes (client.md section 19).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use zabrus_core::watches::WatchFigures;
use zabrus_core::wire::SessionId;
use zabrus_core::{Duration, Instant, ServerId};

use super::{ConnectionFacts, Detail, Ends, Facts, LISTED_AT_MOST, ReplicaFacts, Topic, date, metrics};
use crate::clients::traffic::Answers;
use crate::version;
use crate::zoo_cfg::Settings;

const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

/// Connections are given up in steps of this time, as `dump` shows them.
const CONNECTION_BUCKET: Duration = Duration::from_seconds(10);

/// Every word that ZooKeeper 3.9 knows.
const KNOWN: [&str; 18] = [
    "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok", "srst", "srvr",
    "stat", "stmk", "wchc", "wchp", "wchs",
];

/// What a telnet program sends when it is interrupted.
const TELNET_INTERRUPT: [u8; 4] = [0xff, 0xf4, 0xff, 0xfd];

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Known(&'static str),
    TelnetInterrupt,
}

impl Word {
    /// The first four bytes of a connection: a word, or the length of a frame.
    pub(crate) fn recognize(bytes: &[u8; 4]) -> Option<Self> {
        if *bytes == TELNET_INTERRUPT {
            return Some(Self::TelnetInterrupt);
        }
        KNOWN.into_iter().find(|word| word.as_bytes() == bytes).map(Self::Known)
    }
}

impl Word {
    /// What must be collected for the answer. Only a word that is answered changes anything.
    pub(crate) fn topic(self, settings: &Settings, serves: bool) -> Topic {
        let Self::Known(word) = self else { return Topic::Server };
        if !serves || !is_allowed(word, settings) {
            return Topic::Server;
        }
        match word {
            "stat" | "cons" => Topic::Connections,
            "dump" => Topic::Sessions,
            "wchc" | "wchp" => Topic::Watches,
            "hash" => Topic::Digests,
            "mntr" => Topic::Metrics,
            "srst" => Topic::ResetServer,
            "crst" => Topic::ResetConnections,
            _ => Topic::Server,
        }
    }
}

fn is_allowed(word: &str, settings: &Settings) -> bool {
    settings.client.words.iter().any(|allowed| allowed == word || allowed == "*")
}

impl Facts {
    /// The whole answer.
    pub(crate) fn answer(&self, word: Word) -> String {
        let Word::Known(word) = word else { return String::new() };
        if !is_allowed(word, &self.settings) {
            return format!("{word} is not executed because it is not in the whitelist.\n");
        }
        let replica = match (word, self.mode(), &self.replica) {
            ("ruok", ..) => return "imok".into(),
            ("envi", ..) => {
                let lines = environment().into_iter().map(|(key, value)| format!("{key}={value}\n"));
                return "Environment:\n".to_owned() + &lines.collect::<String>();
            }
            ("isro", None, _) => return "null".into(),
            ("isro", Some(_), _) => return if self.is_read_only() { "ro" } else { "rw" }.into(),
            // There is nothing to trace, whatever mask is set.
            ("gtmk" | "stmk", ..) => return "0".into(),
            (_, Some(_), Some(replica)) => replica,
            ("hash", ..) => return NOT_SERVING.trim_end().into(),
            _ => return NOT_SERVING.into(),
        };
        if let Detail::TooMany(count) = self.detail {
            return format!("{word} lists at most {LISTED_AT_MOST}, and this server has {count}.\n");
        }
        match word {
            "srvr" => self.head() + &self.server(replica),
            "stat" => self.head() + "Clients:\n" + &self.connections(false) + "\n" + &self.server(replica),
            "cons" => self.connections(true) + "\n",
            "conf" => self.configuration(replica),
            "mntr" => metrics::monitor(self),
            "dirs" => {
                format!("datadir_size: {}\nlogdir_size: {}\n", replica.data_bytes, replica.log_bytes)
            }
            "crst" => "Connection stats reset.\n".into(),
            "srst" => "Server stats reset.\n".into(),
            "dump" => self.dump(),
            "hash" => self.digests(),
            "wchs" => {
                let WatchFigures { clients, paths, watches } = replica.watches;
                format!("{clients} connections watching {paths} paths\nTotal watches:{watches}\n")
            }
            "wchc" => lists(self.watches_by_session(), |session| session.to_string(), str::to_owned),
            // wchp, the last one.
            _ => lists(self.watches_by_path(), str::to_owned, |session| session.to_string()),
        }
    }

    /// The beginning of `srvr` and `stat`.
    fn head(&self) -> String {
        let mode = if self.is_read_only() { "READ-ONLY mode; serving only read-only clients\n" } else { "" };
        version_line() + mode
    }

    /// The end of `srvr` and `stat`.
    fn server(&self, replica: &ReplicaFacts) -> String {
        let latency = &self.clients.latency;
        let (min, max) = (latency.min / 1_000, latency.max / 1_000);
        let mode = self.mode().unwrap_or_default();
        let mut text = format!(
            "Latency min/avg/max: {min}/{}/{max}\n\
             Received: {}\n\
             Sent: {}\n\
             Connections: {}\n\
             Outstanding: {}\n\
             Zxid: {:#x}\n\
             Mode: {mode}\n\
             Node count: {}\n",
            latency.average_millis(),
            self.clients.received,
            self.clients.sent,
            self.open_connections,
            replica.status.waiting,
            replica.status.applied.zxid.0,
            replica.znodes,
        );
        if mode == "leader" {
            let [last, min, max] = self.proposal_sizes;
            line(&mut text, format_args!("Proposal sizes last/min/max: {last}/{min}/{max}"));
        }
        text
    }

    fn connections(&self, with_session: bool) -> String {
        let mut text = String::new();
        let Detail::Connections(connections) = &self.detail else { return text };
        for connection in connections {
            let ConnectionFacts { address, interest, outstanding, received, sent, .. } = connection;
            let counts = format_args!("queued={outstanding},recved={received},sent={sent}");
            let more = match connection.session {
                SessionId(0) => String::new(),
                _ if with_session => self.session_fields(connection),
                _ => String::new(),
            };
            line(&mut text, format_args!(" /{address}[{interest}]({counts}{more})"));
        }
        text
    }

    fn session_fields(&self, connection: &ConnectionFacts) -> String {
        let Answers { operation, last_cxid, last_zxid, last, latency } = connection.answers;
        let last_cxid = if last_cxid < 0 { String::new() } else { format!(",lcxid={last_cxid:#x}") };
        let average = latency.sum / latency.count.max(1);
        format!(
            ",sid={},lop={operation},est={},to={}{last_cxid},lzxid={last_zxid:#x},lresp={},llat={},\
             minlat={},avglat={},maxlat={}",
            connection.session,
            self.wall_millis(connection.established),
            connection.timeout,
            Duration(last.0).as_millis(),
            latency.last / 1_000,
            latency.min / 1_000,
            average / 1_000,
            latency.max / 1_000,
        )
    }

    fn dump(&self) -> String {
        let Detail::Sessions(sessions) = &self.detail else { return String::new() };
        let mut text = String::from("SessionTracker dump:\n");
        let prefix = if let Some(ends) = &sessions.local {
            self.session_sets(&mut text, "Local ", ends);
            "Global "
        } else {
            ""
        };
        match &sessions.expiring {
            Some(ends) => self.session_sets(&mut text, prefix, ends),
            None => {
                line(&mut text, format_args!("Global Sessions({}):", sessions.all.len()));
                for (session, timeout) in &sessions.all {
                    line(&mut text, format_args!("{session}\t{timeout}ms"));
                }
            }
        }
        text.push_str("ephemeral nodes dump:\n");
        line(&mut text, format_args!("Sessions with Ephemerals ({}):", sessions.ephemerals.len()));
        for (session, paths) in &sessions.ephemerals {
            line(&mut text, format_args!("{session}:"));
            paths.iter().for_each(|path| line(&mut text, format_args!("\t{path}")));
        }
        let mut ends: BTreeMap<Instant, Vec<&ConnectionFacts>> = BTreeMap::new();
        for connection in &sessions.connections {
            let end = (connection.expires.0 / CONNECTION_BUCKET.0 + 1).saturating_mul(CONNECTION_BUCKET.0);
            ends.entry(Instant(end)).or_default().push(connection);
        }
        let (sets, count) = (ends.len(), sessions.connections.len());
        line(&mut text, format_args!("Connections dump:\nConnections Sets ({sets})/({count}):"));
        for (end, connections) in ends {
            self.expiry(&mut text, connections.len(), end);
            for ConnectionFacts { address, session, .. } in connections {
                line(&mut text, format_args!("\tip: /{address} sessionId: {session}"));
            }
        }
        text
    }

    fn session_sets(&self, text: &mut String, prefix: &str, ends: &Ends) {
        let count: usize = ends.iter().map(|(_, sessions)| sessions.len()).sum();
        line(text, format_args!("{prefix}Session Sets ({})/({count}):", ends.len()));
        for (end, sessions) in ends {
            self.expiry(text, sessions.len(), *end);
            sessions.iter().for_each(|session| line(text, format_args!("\t{session}")));
        }
    }

    fn expiry(&self, text: &mut String, count: usize, end: Instant) {
        line(text, format_args!("{count} expire at {}:", date::text(self.wall_millis(end))));
    }

    fn digests(&self) -> String {
        let mut text = String::new();
        if let Detail::Digests(digests) = &self.detail {
            digests.iter().for_each(|(zxid, digest)| line(&mut text, format_args!("{:x}: {digest}", zxid.0)));
        }
        text
    }

    /// The paths that each session watches.
    pub(super) fn watches_by_session(&self) -> BTreeMap<SessionId, BTreeSet<&str>> {
        let mut by_session: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        if let Detail::Watches(watches) = &self.detail {
            for (session, path) in watches {
                by_session.entry(*session).or_default().insert(path.as_str());
            }
        }
        by_session
    }

    /// The sessions that watch each path.
    pub(super) fn watches_by_path(&self) -> BTreeMap<&str, BTreeSet<SessionId>> {
        let mut by_path: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        if let Detail::Watches(watches) = &self.detail {
            for (session, path) in watches {
                by_path.entry(path.as_str()).or_default().insert(*session);
            }
        }
        by_path
    }

    fn configuration(&self, replica: &ReplicaFacts) -> String {
        let Settings { core, client, .. } = &*self.settings;
        let place = |path: &std::path::Path| path.join("zabrus").display().to_string();
        let mut text = format!(
            "clientPort={}\nsecureClientPort=-1\ndataDir={}\ndataDirSize={}\ndataLogDir={}\ndataLogSize={}\n\
             tickTime={}\nmaxClientCnxns={}\nminSessionTimeout={}\nmaxSessionTimeout={}\n\
             clientPortListenBacklog={}\nserverId={}\n",
            client.address.port,
            place(&self.settings.data_directory),
            replica.data_bytes,
            place(&self.settings.log_directory),
            replica.log_bytes,
            core.tick_time.as_millis(),
            client.per_address,
            client.min_session_timeout,
            client.max_session_timeout,
            client.backlog,
            // A server alone says 0 whatever its myid.
            if self.settings.standalone { ServerId(0) } else { core.id },
        );
        let Some(own) = self.settings.servers.get(&core.id) else { return text };
        let address = &own.addresses[0];
        let (election, quorum) = (address.election_port, address.quorum_port);
        let algorithm = if core.election == zabrus_core::config::ElectionAlgorithm::Basic { 0 } else { 3 };
        line(&mut text, format_args!("initLimit={}\nsyncLimit={}", core.init_limit, core.sync_limit));
        line(
            &mut text,
            format_args!("electionAlg={algorithm}\nelectionPort={election}\nquorumPort={quorum}"),
        );
        line(&mut text, format_args!("peerType={}\nmembership: ", u8::from(own.observer)));
        text + &core.service.ensemble_text
    }
}

/// Each key with the lines below it, and an empty line.
fn lists<K, V>(
    map: BTreeMap<K, BTreeSet<V>>,
    key: impl Fn(K) -> String,
    value: impl Fn(V) -> String,
) -> String {
    let mut text = String::new();
    for (head, below) in map {
        line(&mut text, format_args!("{}", key(head)));
        below.into_iter().for_each(|one| line(&mut text, format_args!("\t{}", value(one))));
    }
    text.push('\n');
    text
}

/// Writes a line to a text that takes everything.
fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes everything");
}

fn version_line() -> String {
    format!("Zookeeper version: {}\n", version::FULL)
}

/// What `envi` lists. Java's properties are those of a process without them: `<NA>`.
pub(super) fn environment() -> Vec<(String, String)> {
    let system = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    let unknown = || "<NA>".to_owned();
    let directory = std::env::current_dir().map_or_else(|_| unknown(), |path| path.display().to_string());
    let mut all = vec![("zookeeper.version".to_owned(), version::FULL.to_owned())];
    let mut put = |key: &str, value: String| all.push((key.to_owned(), value));
    put("host.name", text(system.nodename()));
    for key in ["version", "vendor", "home", "class.path", "library.path", "io.tmpdir", "compiler"] {
        put(&format!("java.{key}"), unknown());
    }
    put("os.name", text(system.sysname()));
    put("os.arch", text(system.machine()));
    put("os.version", text(system.release()));
    put("user.name", unknown());
    put("user.home", unknown());
    put("user.dir", directory);
    for key in ["free", "max", "total"] {
        put(&format!("os.memory.{key}"), unknown());
    }
    all
}
