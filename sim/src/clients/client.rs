//! One client: its session, its connection, and what it waits for.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use zabrus_core::io::ClientId;
use zabrus_core::wire::{ConnectRequest, ConnectResponse, OpCode, SessionId, xid};
use zabrus_core::{Bytes, Duration, Instant};

use super::actors::Heard;
use super::recipes::Player;
use super::registry::{Kind, Registry};
use super::workload::USERS;
use crate::random::Random;
use crate::settings::LoadSettings;

/// The largest drift of a client's clock in either direction, per thousand.
const DRIFT: u64 = 2;

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    /// It opens one session, and then only keeps it.
    pub(super) scripted: bool,
    pub(super) random: Random,
    pub(super) address: IpAddr,
    /// How fast its clock goes, per thousand.
    pace: u64,
    /// The session timeout that it asks for, in milliseconds.
    asks: i32,
    /// It arms its watches again on a new connection.
    pub(super) rearms: bool,
    /// A server that only reads will do.
    reads_only: bool,
    /// The users that it proves to be on each connection.
    pub(super) users: Vec<&'static str>,
    pub(super) line: Option<Line>,
    /// A connection that it left without a word: the server still believes in it.
    pub(super) old: Option<Line>,
    pub(super) session: Option<Session>,
    pub(super) last_zxid: i64,
    pub(super) watches: Registry,
    /// The recipe that it plays, instead of random requests.
    pub(super) player: Option<Player>,
    /// Until then it does nothing at all.
    pub(super) rests_until: Instant,
    /// Nothing more is to be expected of it.
    pub(super) retired: bool,
    /// What it heard, if a scenario names it.
    pub(super) heard: Option<Heard>,
}

/// A session, as its client knows it.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) password: Bytes,
    pub(super) timeout: Duration,
}

/// A connection, as its client knows it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: ClientId,
    /// The handshake has been answered.
    pub(super) greeted: bool,
    /// closeSession was sent.
    pub(super) closing: bool,
    pub(super) last_xid: i32,
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) sent: Instant,
    pub(super) heard: Instant,
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) op: i32,
    pub(super) watch: Option<(Kind, String)>,
    /// The watches at this path are to go.
    pub(super) removes: Option<String>,
}

impl Line {
    pub(super) fn new(now: Instant, id: ClientId) -> Self {
        let waiting = VecDeque::new();
        Self { id, greeted: false, closing: false, last_xid: 0, waiting, sent: now, heard: now }
    }
}

impl Client {
    pub(super) fn new(number: u32, settings: &LoadSettings, mut random: Random, scripted: bool) -> Self {
        let mut users = USERS.to_vec();
        random.shuffle(&mut users);
        users.truncate(random.below(3) as usize);
        let process = if scripted { number } else { number / settings.sessions_per_process.max(1) };
        let [.., high, low] = process.to_be_bytes();
        Self {
            scripted,
            address: Ipv4Addr::new(10, 0, high, low).into(),
            pace: 1_000 - DRIFT + random.below(2 * DRIFT + 1),
            asks: if scripted { i32::MAX } else { random.between(settings.session_millis) as i32 },
            rearms: random.chance(settings.rearm_percent * 10),
            reads_only: match settings.read_only_percent {
                0 => false,
                percent => percent >= 100 || !scripted && random.chance(percent * 10),
            },
            users: if scripted { Vec::new() } else { users },
            random,
            line: None,
            old: None,
            session: None,
            last_zxid: 0,
            watches: Registry::default(),
            player: None,
            rests_until: Instant(0),
            retired: false,
            heard: None,
        }
    }

    /// It plays a recipe from now on. It relies on its watches, and owns its nodes as nobody special.
    pub(super) fn plays(&mut self, player: Player) {
        (self.player, self.rearms, self.reads_only) = (Some(player), true, false);
        self.users.clear();
    }

    /// From now on it asks for this session timeout.
    pub(super) fn asks(&mut self, timeout: Duration) {
        self.asks = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    }

    /// A span of its own clock in the world's time.
    pub(super) fn span(&self, span: Duration) -> Duration {
        Duration(span.0.saturating_mul(1_000) / self.pace)
    }

    /// What it says first on a new connection.
    pub(super) fn hello(&mut self) -> ConnectRequest {
        // Somebody who only knows the session's id must not get it (invariants.md N10).
        let forged = self.session.is_some() && !self.scripted && self.random.chance(10);
        let read_only = (!self.random.chance(200) || self.reads_only).then_some(self.reads_only);
        let (session, password) = match &self.session {
            Some(session) if forged => (session.id, Bytes::from([7; 16])),
            Some(session) => (session.id, session.password.clone()),
            None => (SessionId(0), Bytes::from([0; 16])),
        };
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout: self.asks,
            session,
            password: Some(password),
            read_only,
        }
    }

    /// The handshake was answered; whether there is a session.
    pub(super) fn greeted(&mut self, response: &ConnectResponse) -> bool {
        self.session = (response.timeout > 0).then(|| Session {
            id: response.session,
            password: Bytes::from(response.password),
            timeout: Duration::from_millis(u64::from(response.timeout.unsigned_abs())),
        });
        if self.session.is_none() {
            self.watches = Registry::default();
        }
        self.session.is_some()
    }

    /// How long it waits for a word on a connection.
    fn patience(&self, settings: &LoadSettings) -> Duration {
        let limit = Duration(settings.patience_micros.1);
        let own = self.session.as_ref().map_or(limit, |session| Duration(session.timeout.0 * 2 / 3));
        self.span(own.min(limit))
    }

    /// Whether it has heard nothing for too long.
    pub(super) fn is_impatient(&self, now: Instant, settings: &LoadSettings) -> bool {
        self.line.as_ref().is_some_and(|line| now.since(line.heard) > self.patience(settings))
    }

    /// When it must say something to keep its session.
    pub(super) fn ping_due(&self) -> Option<Instant> {
        let (line, session) = (self.line.as_ref()?, self.session.as_ref()?);
        (line.greeted && !line.closing).then(|| line.sent + self.span(Duration(session.timeout.0 / 3)))
    }

    /// An answer came on its connection.
    pub(super) fn answered(&mut self, number: i32, zxid: i64, err: i32) {
        self.last_zxid = self.last_zxid.max(zxid);
        if matches!(number, xid::PING | xid::AUTH) {
            return;
        }
        let Some(waiting) = self.line.as_mut().and_then(|line| line.waiting.pop_front()) else { return };
        if let Some((kind, path)) = waiting.watch {
            self.watches.answered(kind, path, err);
        }
        if let Some(path) = waiting.removes.filter(|_| err == 0) {
            self.watches.removed(&path);
        }
        if waiting.op == OpCode::CloseSession.code() {
            self.session = None;
            self.watches = Registry::default();
        }
    }
}
