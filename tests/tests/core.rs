//! One replica of the core has the recorded conversations, and says what Apache ZooKeeper said, byte for
//! byte. Where it does not on purpose, the reason stands in [`DIFFERENT`] and in `core/README.md`.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use zabrus_core::config::{Config, DigestAlgorithm, ServiceSettings};
use zabrus_core::io::ClientId;
use zabrus_core::quorum::Ensemble;
use zabrus_core::storage::{Directory, DiskCompletion, DiskError, FileName, recover};
use zabrus_core::wire::Frames;
use zabrus_core::{Bytes, Duration, Epoch, Input, Instant, Now, Output, Replica, ServerId, Zxid};
use zabrus_tests::conversation::{Conversation, Heard, Said, parse, replay};

/// Conversations that go otherwise here on purpose: the first line at which they do, and why. Up to there
/// they are the same.
const DIFFERENT: [(&str, usize, &str); 10] = [
    ("acl-null-in-multi", 10, "every multi that is refused as a whole costs a zxid"),
    ("create-session-from-a-client", 14, "sessions begin with a handshake: -6 and a close"),
    ("delete-container-from-a-client", 22, "only the leader does that: -6 and a close"),
    ("multi-flags-of-another-operation", 53, "createTTL takes the flags of a time to live, also in a multi"),
    ("quota-changed-and-removed", 52, "a stats node is right while there are no limits too"),
    ("quota-nested", 52, "every quota above is charged, not only the nearest"),
    ("quota-stats-first", 33, "a stats node is right while there are no limits too"),
    ("read-only-without-local-sessions", 13, "the connection is closed: nothing more can come of it"),
    ("reattach-wrong-password-while-connected", 14, "who has the wrong password closes nobody's connection"),
    ("text-beyond-the-first-plane", 11, "an answer is UTF-8"),
];

struct Empty;

impl Directory for Empty {
    fn list(&self) -> Vec<(FileName, u64)> {
        Vec::new()
    }

    fn read(&self, _: &FileName, _: u64, _: u64) -> Result<Vec<u8>, DiskError> {
        Err(DiskError::NotFound)
    }
}

/// A server alone, whose disk does everything at once.
struct Server {
    replica: Replica,
    now: Now,
    clients: BTreeMap<String, (ClientId, Frames)>,
    opened: u64,
    frame_limit: usize,
}

/// What the settings of a conversation are here.
fn config(conversation: &Conversation) -> Config {
    let mut config = Config::new(ServerId(1), Ensemble::plain(1, 0));
    if let Some((_, millis)) = conversation.settings.iter().find(|(key, _)| key == "tickTime") {
        config.tick_time = Duration::from_millis(millis.parse().expect("a number"));
    }
    config.service = ServiceSettings::new(config.tick_time);
    let service = &mut config.service;
    for (key, value) in &conversation.settings {
        let number = || value.parse().expect("a number");
        match key.as_str() {
            // A quorum of one says what a server alone says; of three, the others do not run.
            "tickTime" | "standaloneEnabled" | "server.1" | "server.2" => {}
            "server.3" => config.ensemble = Ensemble::plain(3, 0),
            "localSessionsEnabled" => service.local_sessions = value == "true",
            "localSessionsUpgradingEnabled" => service.upgrade_local_sessions = value == "true",
            "readonlymode.enabled" => service.read_only_mode = value == "true",
            "minSessionTimeout" => service.min_session_timeout = number(),
            "maxSessionTimeout" => service.max_session_timeout = number(),
            "enforceQuota" => service.enforce_quota = value == "true",
            "extendedTypesEnabled" => service.extended_types = value == "true",
            "skipACL" => service.skip_acl = value == "yes",
            "jute.maxbuffer" => service.frame_limit = value.parse().expect("a number"),
            "DigestAuthenticationProvider.superDigest" => service.super_digest = Some(value.clone()),
            "DigestAuthenticationProvider.digestAlg" => service.digest = DigestAlgorithm::from_name(value),
            "DigestAuthenticationProvider.enabled" => {
                service.digest = service.digest.filter(|_| value == "true")
            }
            "enforce.auth.schemes" => {
                service.enforced_schemes = Some(value.split(',').map(str::to_owned).collect());
            }
            // It comes with the schemes.
            "enforce.auth.enabled" => assert_eq!(value, "true"),
            // Not here: what they change is among the differences, or nothing.
            "enableEagerACLCheck" => {}
            "reconfigEnabled" => service.reconfig_enabled = value == "true",
            "znode.container.checkIntervalMs" => service.sweep_interval = value.parse().expect("a number"),
            other => panic!("{other} is no setting"),
        }
    }
    config
}

impl Server {
    fn new(config: Config) -> Self {
        let now = Now { monotonic: Instant(0), wall_millis: 1_790_000_000_000 };
        let frame_limit = config.service.frame_limit;
        let is_alone = config.ensemble.voters().count() == 1;
        let recovered = recover(&config, &Empty).expect("an empty directory");
        let replica = Replica::new(config, recovered, [7; 32], now);
        let mut server = Self { replica, now, clients: BTreeMap::new(), opened: 0, frame_limit };
        server.drain();
        server.wait(3_000);
        let status = server.replica.status();
        let expected = (is_alone, !is_alone);
        assert_eq!((status.serving, status.read_only), expected, "alone it leads, one of three only reads");
        server
    }

    fn step(&mut self, input: Input) -> Vec<Heard> {
        self.replica.handle(self.now, input);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Heard> {
        let (mut heard, mut done) = (Vec::new(), VecDeque::new());
        loop {
            while let Some(output) = self.replica.poll() {
                match output {
                    // Nothing asks for what another operation did.
                    Output::Disk(asked) => {
                        done.push_back(DiskCompletion { id: asked.id, result: Ok(Bytes::default()) });
                    }
                    Output::ClientFrame { client, bytes } => {
                        heard.extend(self.name(client).map(|name| Heard::Frame(name, bytes[4..].to_vec())));
                    }
                    Output::ClientClose { client } => heard.extend(self.name(client).map(Heard::Closed)),
                    Output::Halt { reason } => panic!("{reason}"),
                    _ => {}
                }
            }
            let Some(completion) = done.pop_front() else { return heard };
            self.replica.handle(self.now, Input::Disk(completion));
        }
    }

    fn name(&self, client: ClientId) -> Option<String> {
        self.clients.iter().find(|(_, (id, _))| *id == client).map(|(name, _)| name.clone())
    }

    fn wait(&mut self, millis: u64) -> Vec<Heard> {
        let end = self.now.monotonic + Duration::from_millis(millis);
        let mut heard = Vec::new();
        while self.replica.deadline() <= end {
            self.pass(self.replica.deadline());
            heard.extend(self.step(Input::Tick));
        }
        self.pass(end);
        heard
    }

    fn pass(&mut self, until: Instant) {
        let span = until.since(self.now.monotonic);
        self.now.monotonic += span;
        self.now.wall_millis += span.as_millis();
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Vec<Heard> {
        let Some((client, frames)) = self.clients.get_mut(name) else { return Vec::new() };
        let client = *client;
        frames.push(bytes);
        let mut whole: Vec<Bytes> = Vec::new();
        let broken = loop {
            match frames.next_frame() {
                Ok(Some(frame)) => whole.push(frame.into()),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        let mut heard = Vec::new();
        for bytes in whole {
            heard.extend(self.step(Input::ClientFrame { client, bytes }));
        }
        if broken {
            heard.push(Heard::Closed(name.to_owned()));
            heard.extend(self.step(Input::ClientGone { client }));
        }
        heard
    }

    fn hears(&mut self, said: Said) -> Vec<Heard> {
        match said {
            Said::Opens(name) => {
                self.opened += 1;
                let client = ClientId(self.opened);
                self.clients.insert(name, (client, Frames::new(self.frame_limit)));
                let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
                self.step(Input::ClientConnected { client, address })
            }
            Said::Frame(name, frame) => {
                let length = i32::try_from(frame.len()).expect("a frame").to_be_bytes();
                self.bytes(&name, &[&length[..], &frame].concat())
            }
            Said::Bytes(name, bytes) => self.bytes(&name, &bytes),
            Said::Closes(name) => match self.clients.remove(&name) {
                Some((client, _)) => self.step(Input::ClientGone { client }),
                None => Vec::new(),
            },
            Said::Waits(millis) => self.wait(millis),
        }
    }
}

#[test]
fn the_core_says_what_apache_said() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conversations/recorded");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let (mut wrong, mut played) = (Vec::new(), 0);
    for file in files {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("text");
        let conversation = parse(&text).expect("readable");
        let mut server = Server::new(config(&conversation));
        let base = Zxid::new(Epoch(1), 0).0.cast_signed();
        let result = replay(&conversation, base, |said| server.hears(said));
        played += 1;
        let different = DIFFERENT.iter().find(|(known, ..)| *known == name).map(|(_, line, _)| *line);
        let line = result.as_ref().err().map(|(line, _)| *line);
        if line != different {
            wrong.push(format!("{name}: {result:?}, and the known difference is at {different:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {played} went otherwise:\n{}", wrong.len(), wrong.join("\n"));
    assert!(played > 100, "{played}");
}
