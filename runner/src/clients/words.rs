//! The four-letter words, in ZooKeeper's shapes (client.md section 19).

use std::fmt::Write;

use zabrus_core::event::{Phase, Role};
use zabrus_core::replica::Status;

use super::Clients;
use crate::version;
use crate::zoo_cfg::{ServerLine, Settings};

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

/// What the answers are made of.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) settings: &'a Settings,
    /// `None` while no replica runs.
    pub(crate) status: Option<Status>,
    pub(crate) znodes: usize,
    pub(crate) clients: &'a Clients,
    pub(crate) data_bytes: u64,
    pub(crate) log_bytes: u64,
    pub(crate) uptime_millis: u64,
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

impl Facts<'_> {
    /// The whole answer.
    pub(crate) fn answer(&self, word: Word) -> String {
        let Word::Known(word) = word else { return String::new() };
        let allowed = &self.settings.client.words;
        if !allowed.iter().any(|allowed| allowed == word || allowed == "*") {
            return format!("{word} is not executed because it is not in the whitelist.\n");
        }
        match (word, self.mode()) {
            ("ruok", _) => "imok".into(),
            ("envi", _) => environment(),
            ("isro", None) => "null".into(),
            ("isro", Some(_)) => "rw".into(),
            ("srvr" | "stat" | "conf" | "mntr" | "dirs", None) => {
                "This ZooKeeper instance is not currently serving requests\n".into()
            }
            ("srvr", Some(mode)) => version_line() + &self.server(mode),
            ("stat", Some(mode)) => version_line() + &self.connections() + &self.server(mode),
            ("conf", Some(_)) => self.configuration(),
            ("mntr", Some(mode)) => self.monitor(mode),
            ("dirs", Some(_)) => {
                format!("datadir_size: {}\nlogdir_size: {}\n", self.data_bytes, self.log_bytes)
            }
            _ => format!("{word} is not executed because this server does not have it yet.\n"),
        }
    }

    /// `None` while clients are not served.
    fn mode(&self) -> Option<&'static str> {
        let status = self.status.filter(|status| status.serving)?;
        Some(match status.role {
            _ if self.settings.standalone => "standalone",
            Role::Leading => "leader",
            Role::Observing => "observer",
            _ => "follower",
        })
    }

    /// The end of `srvr` and `stat`. Latencies are those of no request: they are not measured yet.
    fn server(&self, mode: &str) -> String {
        let status = self.status.as_ref();
        let (waiting, zxid) = status.map_or((0, 0), |status| (status.waiting, status.applied.zxid.0));
        let mut text = format!(
            "Latency min/avg/max: 0/0.0/0\n\
             Received: {}\n\
             Sent: {}\n\
             Connections: {}\n\
             Outstanding: {waiting}\n\
             Zxid: {zxid:#x}\n\
             Mode: {mode}\n\
             Node count: {}\n",
            self.clients.received,
            self.clients.sent,
            self.clients.connections().len(),
            self.znodes,
        );
        if mode == "leader" {
            text.push_str("Proposal sizes last/min/max: -1/-1/-1\n");
        }
        text
    }

    fn connections(&self) -> String {
        let mut text = String::from("Clients:\n");
        for connection in self.clients.connections() {
            let (address, interest) = (connection.address, connection.interest());
            let (received, sent) = (connection.received, connection.sent);
            line(&mut text, format_args!(" /{address}[{interest}](queued=0,recved={received},sent={sent})"));
        }
        text.push('\n');
        text
    }

    fn configuration(&self) -> String {
        let Settings { core, client, .. } = self.settings;
        let place = |path: &std::path::Path| path.join("zabrus").display().to_string();
        let mut text = format!(
            "clientPort={}\nsecureClientPort=-1\ndataDir={}\ndataDirSize={}\ndataLogDir={}\ndataLogSize={}\n\
             tickTime={}\nmaxClientCnxns={}\nminSessionTimeout={}\nmaxSessionTimeout={}\n\
             clientPortListenBacklog={}\nserverId={}\n",
            client.address.port,
            place(&self.settings.data_directory),
            self.data_bytes,
            place(&self.settings.log_directory),
            self.log_bytes,
            core.tick_time.as_millis(),
            client.per_address,
            client.min_session_timeout,
            client.max_session_timeout,
            client.backlog,
            core.id,
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
        for (id, server) in &self.settings.servers {
            line(&mut text, format_args!("server.{id}={}", member(server)));
        }
        text.push_str("version=0");
        text
    }

    fn monitor(&self, mode: &str) -> String {
        let status = self.status.as_ref();
        let mut text = format!("zk_version\t{}\nzk_server_state\t{mode}\n", version::FULL);
        let mut put =
            |key: &str, value: &dyn std::fmt::Display| line(&mut text, format_args!("zk_{key}\t{value}"));
        if let Some(status) = status.filter(|_| !self.settings.standalone) {
            put("peer_state", &peer_state(status));
            put("quorum_size", &self.settings.core.ensemble.voters().count());
        }
        put("uptime", &self.uptime_millis);
        put("packets_received", &self.clients.received);
        put("packets_sent", &self.clients.sent);
        put("num_alive_connections", &self.clients.connections().len());
        put("outstanding_requests", &status.map_or(0, |status| status.waiting));
        put("znode_count", &self.znodes);
        let files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        put("open_file_descriptor_count", &files);
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
        put("max_file_descriptor_count", &limit);
        if let Some(status) = status.filter(|_| mode == "leader") {
            put("learners", &status.links);
            // The name of ZooKeeper 3.4, which old dashboards ask for.
            put("followers", &status.links);
        }
        text
    }
}

/// Writes a line to a text that takes everything.
fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes everything");
}

fn version_line() -> String {
    format!("Zookeeper version: {}\n", version::FULL)
}

fn peer_state(status: &Status) -> String {
    let role = match status.role {
        Role::Leading => "leading",
        Role::Following => "following",
        Role::Observing => "observing",
        Role::Looking | Role::Settling | Role::Halted => return "looking".into(),
    };
    let phase = match status.phase {
        Phase::Election => "election",
        Phase::Discovery => "discovery",
        Phase::Synchronization => "synchronization",
        Phase::Broadcast => "broadcast",
    };
    format!("{role} - {phase}")
}

/// A server as `/zookeeper/config` names it (client.md section 16).
fn member(line: &ServerLine) -> String {
    let role = if line.observer { "observer" } else { "participant" };
    let bracketed = |host: &str| if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let addresses = line.addresses.iter().map(|address| {
        format!("{}:{}:{}", bracketed(&address.host), address.quorum_port, address.election_port)
    });
    let addresses: Vec<_> = addresses.collect();
    let client = line.client.as_ref().map(|client| format!(";{}:{}", bracketed(&client.host), client.port));
    format!("{}:{role}{}", addresses.join("|"), client.unwrap_or_default())
}

/// Java's properties are those of a process without them: `<NA>`.
fn environment() -> String {
    let system = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    let directory = std::env::current_dir().map_or_else(|_| "<NA>".into(), |path| path.display().to_string());
    let mut lines = format!("Environment:\nzookeeper.version={}\n", version::FULL);
    let host = text(system.nodename());
    line(&mut lines, format_args!("host.name={host}"));
    for key in ["version", "vendor", "home", "class.path", "library.path", "io.tmpdir", "compiler"] {
        line(&mut lines, format_args!("java.{key}=<NA>"));
    }
    line(&mut lines, format_args!("os.name={}\nos.arch={}", text(system.sysname()), text(system.machine())));
    line(&mut lines, format_args!("os.version={}", text(system.release())));
    line(&mut lines, format_args!("user.name=<NA>\nuser.home=<NA>\nuser.dir={directory}"));
    line(&mut lines, format_args!("os.memory.free=<NA>\nos.memory.max=<NA>\nos.memory.total=<NA>"));
    lines
}

#[cfg(test)]
mod tests {
    use mio::Poll;
    use zabrus_core::ServerId;

    use super::*;
    use crate::disk::DataDirectory;
    use crate::zoo_cfg::for_test;

    const THREE: &str = "dataDir=/d\ntickTime=2000\ninitLimit=10\nsyncLimit=5\nclientPort=2181\n\
        server.1=a:2888:3888\nserver.2=[::1]:2889:3889:observer;0.0.0.0:2182\nserver.3=c:1:2|d:3:4\n";

    /// What a server that has just started knows of itself.
    fn status(id: u64, role: Role, serving: bool) -> Status {
        use zabrus_core::quorum::Ensemble;
        use zabrus_core::{Config, Now, Replica};
        let folder = tempfile::TempDir::new().expect("a folder");
        let directory = DataDirectory::open(folder.path(), folder.path(), true).expect("opened");
        let config = Config::new(ServerId(id), Ensemble::plain(3, 0));
        let recovered = zabrus_core::storage::recover(&config, &directory.contents().expect("listed"));
        let replica = Replica::new(config, recovered.expect("empty"), [0; 32], Now::default());
        let applied = zabrus_core::Position { zxid: zabrus_core::Zxid(0x1_0000_0019), ..Default::default() };
        Status { role, serving, phase: Phase::Broadcast, applied, links: 2, ..replica.status() }
    }

    /// The answer of server 1 of a file, on a port of its own.
    fn answer(text: &str, status: Option<Status>, word: &'static str) -> String {
        let settings = for_test(text, 1);
        let mut client = settings.client.clone();
        (client.address.host, client.address.port) = ("127.0.0.1".into(), 0);
        let poll = Poll::new().expect("a poll");
        let clients = Clients::start(&client, poll.registry()).expect("it listens");
        let (data_bytes, log_bytes, uptime_millis, znodes) = (10, 20, 30, 5);
        let facts = Facts {
            settings: &settings,
            status,
            znodes,
            clients: &clients,
            data_bytes,
            log_bytes,
            uptime_millis,
        };
        facts.answer(Word::Known(word))
    }

    fn leading() -> Option<Status> {
        Some(status(1, Role::Leading, true))
    }

    #[test]
    fn srvr_has_the_shape_that_parsers_know() {
        let expected = format!(
            "Zookeeper version: {}\nLatency min/avg/max: 0/0.0/0\nReceived: 0\nSent: 0\nConnections: 0\n\
             Outstanding: 0\nZxid: 0x100000019\nMode: leader\nNode count: 5\nProposal sizes last/min/max: -1/-1/-1\n",
            version::FULL
        );
        assert_eq!(answer(THREE, leading(), "srvr"), expected);
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
        let mode = |text: &str, role| {
            let answer = answer(text, Some(status(1, role, true)), "srvr");
            answer.lines().find_map(|line| line.strip_prefix("Mode: ")).map(str::to_owned)
        };
        assert_eq!(mode(THREE, Role::Leading).as_deref(), Some("leader"));
        assert_eq!(mode(THREE, Role::Following).as_deref(), Some("follower"));
        assert_eq!(mode(THREE, Role::Observing).as_deref(), Some("observer"));
        assert_eq!(mode("dataDir=/d\nclientPort=1", Role::Leading).as_deref(), Some("standalone"));
    }

    #[test]
    fn who_does_not_serve_says_so_and_is_alive_all_the_same() {
        for status in [None, Some(status(1, Role::Looking, false))] {
            for word in ["srvr", "stat", "conf", "mntr", "dirs"] {
                let expected = "This ZooKeeper instance is not currently serving requests\n";
                assert_eq!(answer(THREE, status, word), expected, "{word}");
            }
            assert_eq!(answer(THREE, status, "ruok"), "imok");
            assert_eq!(answer(THREE, status, "isro"), "null");
            assert!(answer(THREE, status, "envi").starts_with("Environment:\nzookeeper.version="));
        }
    }

    #[test]
    fn words_that_are_not_allowed_or_not_there_say_so() {
        let only = format!("{THREE}4lw.commands.whitelist=ruok");
        assert_eq!(
            answer(&only, leading(), "srvr"),
            "srvr is not executed because it is not in the whitelist.\n"
        );
        let all = format!("{THREE}4lw.commands.whitelist=*");
        assert_eq!(
            answer(&all, leading(), "wchs"),
            "wchs is not executed because this server does not have it yet.\n"
        );
    }

    #[test]
    fn conf_lists_the_settings_and_the_members() {
        let expected = "clientPort=2181\nsecureClientPort=-1\ndataDir=/d/zabrus\ndataDirSize=10\n\
            dataLogDir=/d/zabrus\ndataLogSize=20\ntickTime=2000\nmaxClientCnxns=60\nminSessionTimeout=4000\n\
            maxSessionTimeout=40000\nclientPortListenBacklog=-1\nserverId=1\ninitLimit=10\nsyncLimit=5\n\
            electionAlg=3\nelectionPort=3888\nquorumPort=2888\npeerType=0\nmembership: \n\
            server.1=a:2888:3888:participant\nserver.2=[::1]:2889:3889:observer;0.0.0.0:2182\n\
            server.3=c:1:2|d:3:4:participant\nversion=0";
        assert_eq!(answer(THREE, leading(), "conf"), expected);
        let alone = answer("dataDir=/d\nclientPort=1", leading(), "conf");
        assert!(alone.ends_with("serverId=1\n"), "{alone}");
    }

    #[test]
    fn mntr_is_keys_and_values() {
        let text = answer(THREE, leading(), "mntr");
        let values: Vec<_> = text.lines().map(|line| line.split_once('\t').expect("a tab")).collect();
        for pair in [
            ("zk_version", version::FULL),
            ("zk_server_state", "leader"),
            ("zk_peer_state", "leading - broadcast"),
            ("zk_quorum_size", "2"),
            ("zk_znode_count", "5"),
            ("zk_learners", "2"),
        ] {
            assert!(values.contains(&pair), "{pair:?}: {text}");
        }
        assert!(values.iter().all(|(key, _)| key.starts_with("zk_")));
    }

    #[test]
    fn a_telnet_interrupt_is_a_word_without_an_answer() {
        assert_eq!(Word::recognize(&[0xff, 0xf4, 0xff, 0xfd]), Some(Word::TelnetInterrupt));
        assert_eq!(Word::recognize(b"RUOK"), None);
        assert_eq!(Word::recognize(b"lsnr"), None);
        assert_eq!(Word::recognize(&[0, 0, 0, 44]), None);
    }
}
