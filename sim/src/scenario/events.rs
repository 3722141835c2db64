//! Patterns over the core's events, such as `SyncChosen learner=3 action=Snap transactions>=1`.

use serde_json::Value;
use zabrus_core::ServerId;

use super::Mistake;
use super::sentence::{Sentence, parse_zxid};
use crate::grid::{TraceLine, What};

/// What the values of a field look like.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Number,
    Zxid,
    /// The zxid of a position.
    Position,
    /// The candidate of a vote.
    Vote,
    Flag,
    Word(&'static [&'static str]),
}

const ROLES: Kind = Kind::Word(&["Settling", "Looking", "Following", "Leading", "Observing", "Halted"]);
const PHASES: Kind = Kind::Word(&["Election", "Discovery", "Synchronization", "Broadcast"]);
const ACTIONS: Kind = Kind::Word(&["Diff", "Trunc", "TruncDiff", "Snap"]);
const STANDINGS: Kind = Kind::Word(&["Sound", "Torn", "Damaged", "Blank"]);
const DEPARTURES: Kind = Kind::Word(&[
    "LeaderSilent",
    "LinkBroken",
    "EpochTooOld",
    "HistoryMismatch",
    "ProtocolError",
    "QuorumLost",
    "EstablishmentTimedOut",
    "FollowerMoreRecent",
    "Rollover",
    "DiskFailed",
]);

type Fields = &'static [(&'static str, Kind)];

/// The core's events and those of their fields that a pattern may name.
const EVENTS: &[(&str, Fields)] = &[
    (
        "Recovered",
        &[
            ("last", Kind::Position),
            ("snapshot", Kind::Zxid),
            ("accepted_epoch", Kind::Number),
            ("current_epoch", Kind::Number),
            ("empty", Kind::Flag),
            ("cut_bytes", Kind::Number),
        ],
    ),
    ("InDoubt", &[("standing", STANDINGS)]),
    ("RoleChanged", &[("role", ROLES), ("phase", PHASES), ("leader", Kind::Number), ("epoch", Kind::Number)]),
    ("Voted", &[("round", Kind::Number), ("vote", Kind::Vote)]),
    (
        "Decided",
        &[
            ("leader", Kind::Number),
            ("round", Kind::Number),
            ("through_settled", Kind::Flag),
            ("round_moved_back", Kind::Flag),
        ],
    ),
    ("LinkOpened", &[("peer", Kind::Number)]),
    ("LinkBroken", &[("peer", Kind::Number)]),
    ("StaleFrame", &[("peer", Kind::Number)]),
    (
        "EpochEstablished",
        &[("epoch", Kind::Number), ("initial", Kind::Position), ("uncommitted", Kind::Number)],
    ),
    (
        "SyncChosen",
        &[
            ("learner", Kind::Number),
            ("row", Kind::Number),
            ("action", ACTIONS),
            ("from", Kind::Zxid),
            ("transactions", Kind::Number),
            ("outstanding", Kind::Number),
        ],
    ),
    ("SyncPaused", &[("learner", Kind::Number), ("sent", Kind::Zxid)]),
    ("Truncated", &[("to", Kind::Position), ("removed", Kind::Number)]),
    ("SnapshotInstalled", &[("label", Kind::Position)]),
    ("SnapshotSaved", &[("label", Kind::Position)]),
    (
        "NewLeaderAcknowledged",
        &[("epoch", Kind::Number), ("last", Kind::Position), ("pending", Kind::Number)],
    ),
    ("Committed", &[("upto", Kind::Position)]),
    ("Delivered", &[("upto", Kind::Position)]),
    ("CommitAheadOfDisk", &[("zxid", Kind::Zxid)]),
    ("ReadOnly", &[("applied", Kind::Zxid)]),
    ("SessionExpired", &[]),
    ("Left", &[("role", ROLES), ("why", DEPARTURES)]),
    ("DiskFailed", &[]),
];

/// Which events are meant.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    name: &'static str,
    fields: Vec<(&'static str, Kind, Relation, Wanted)>,
    server: Option<ServerId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    AtLeast,
    AtMost,
    Exactly,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Number(u64),
    Word(String),
}

impl Relation {
    pub(super) fn holds(self, found: u64, wanted: u64) -> bool {
        match self {
            Self::AtLeast => found >= wanted,
            Self::AtMost => found <= wanted,
            Self::Exactly => found == wanted,
        }
    }
}

/// Whether a word starts the name of an event.
pub(super) fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
}

impl Pattern {
    pub(super) fn parse(s: &mut Sentence<'_>) -> Result<Self, Mistake> {
        let find = |word| EVENTS.iter().find(|(name, _)| *name == word);
        let Some((name, known)) = s.peek().and_then(find) else {
            let names: Vec<_> = EVENTS.iter().map(|(name, _)| *name).collect();
            return Err(s.expected(&format!("an event: {}", names.join(", "))));
        };
        s.word("an event")?;
        let mut fields = Vec::new();
        while let Some(word) = s.peek().filter(|word| word.contains('=')) {
            fields.push(field(word, known).map_err(|expected| s.expected(&expected))?);
            s.word("a field")?;
        }
        let server = if s.take("on server") { Some(s.server()?) } else { None };
        Ok(Self { name, fields, server })
    }

    pub(super) fn server(&self) -> Option<ServerId> {
        self.server
    }

    pub(super) fn matches(&self, line: &TraceLine) -> bool {
        let What::Event(event) = &line.what else { return false };
        if self.server.is_some_and(|server| line.server != Some(server)) {
            return false;
        }
        let Ok(Value::Object(tagged)) = serde_json::to_value(event) else { return false };
        let Some(Value::Object(values)) = tagged.get(self.name) else { return false };
        self.fields.iter().all(|(name, kind, relation, wanted)| {
            let found = values.get(*name).and_then(|value| kind.read(value));
            match (found, wanted) {
                (Some(Wanted::Number(found)), Wanted::Number(wanted)) => relation.holds(found, *wanted),
                (found, wanted) => found.as_ref() == Some(wanted),
            }
        })
    }
}

/// Reads `name=value`, `name>=value` or `name<=value`; the error is what was expected.
fn field(word: &str, known: Fields) -> Result<(&'static str, Kind, Relation, Wanted), String> {
    let (left, value) = word.split_once('=').unwrap_or((word, ""));
    let (name, relation) = match (left.strip_suffix('>'), left.strip_suffix('<')) {
        (Some(name), _) => (name, Relation::AtLeast),
        (_, Some(name)) => (name, Relation::AtMost),
        _ => (left, Relation::Exactly),
    };
    let Some((name, kind)) = known.iter().find(|(known, _)| *known == name) else {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        return Err(format!("a field of this event: {}", names.join(", ")));
    };
    let wanted = kind.parse(value).ok_or_else(|| format!("`{name}=` and {}", kind.expected()))?;
    if relation != Relation::Exactly && matches!(wanted, Wanted::Word(_)) {
        return Err(format!("`{name}={value}`"));
    }
    Ok((name, *kind, relation, wanted))
}

impl Kind {
    fn parse(self, text: &str) -> Option<Wanted> {
        match self {
            Self::Number | Self::Vote => text.parse().ok().map(Wanted::Number),
            Self::Zxid | Self::Position => parse_zxid(text).map(|zxid| Wanted::Number(zxid.0)),
            Self::Flag => matches!(text, "true" | "false").then(|| Wanted::Word(text.into())),
            Self::Word(words) => words.contains(&text).then(|| Wanted::Word(text.into())),
        }
    }

    fn expected(self) -> String {
        match self {
            Self::Number => "a number".into(),
            Self::Vote => "the number of a server".into(),
            Self::Zxid | Self::Position => "a zxid such as 1.5".into(),
            Self::Flag => "true or false".into(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
        }
    }

    /// The value of a field as its event tells it.
    fn read(self, value: &Value) -> Option<Wanted> {
        match self {
            Self::Number | Self::Zxid => value.as_u64().map(Wanted::Number),
            Self::Position => value.get("zxid")?.as_u64().map(Wanted::Number),
            Self::Vote => value.get("leader")?.as_u64().map(Wanted::Number),
            Self::Flag => value.as_bool().map(|flag| Wanted::Word(flag.to_string())),
            // A variant without content is a string, one with content an object with one key.
            Self::Word(_) => match value {
                Value::String(word) => Some(Wanted::Word(word.clone())),
                Value::Object(tagged) => tagged.keys().next().map(|word| Wanted::Word(word.clone())),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use zabrus_core::event::{Departure, Event, Phase, Role, SyncAction};
    use zabrus_core::message::Vote;
    use zabrus_core::storage::Standing;
    use zabrus_core::wire::SessionId;
    use zabrus_core::{Epoch, HistoryDigest, Instant, Position, Zxid};

    use super::*;

    fn line(event: Event) -> TraceLine {
        TraceLine { time: Instant(0), server: Some(ServerId(2)), state: None, what: What::Event(event) }
    }

    fn matches(pattern: &str, event: &Event) -> bool {
        Pattern::parse(&mut Sentence::new(pattern, 0)).unwrap().matches(&line(event.clone()))
    }

    /// One of each, with every field set.
    fn samples() -> Vec<Event> {
        let zxid = Zxid::new(Epoch(1), 5);
        let at = Position { zxid, digest: HistoryDigest(9) };
        let (server, epoch) = (ServerId(3), Epoch(2));
        vec![
            Event::Recovered {
                last: at,
                snapshot: zxid,
                accepted_epoch: epoch,
                current_epoch: epoch,
                empty: false,
                cut_bytes: 7,
            },
            Event::InDoubt { standing: Standing::Torn(zxid), reason: String::new() },
            Event::RoleChanged {
                role: Role::Leading,
                phase: Phase::Discovery,
                leader: Some(server),
                epoch: Some(epoch),
            },
            Event::Voted { round: 1, vote: Some(Vote { peer_epoch: epoch, zxid, leader: server }) },
            Event::Decided { leader: server, round: 1, through_settled: true, round_moved_back: false },
            Event::LinkOpened { peer: server },
            Event::LinkBroken { peer: server, reason: "" },
            Event::StaleFrame { peer: server },
            Event::EpochEstablished { epoch, initial: at, uncommitted: 4 },
            Event::SyncChosen {
                learner: server,
                row: 3,
                action: SyncAction::TruncDiff,
                from: zxid,
                transactions: 4,
                outstanding: 0,
            },
            Event::SyncPaused { learner: server, sent: zxid },
            Event::Truncated { to: at, removed: 1 },
            Event::SnapshotInstalled { label: at },
            Event::SnapshotSaved { label: at },
            Event::NewLeaderAcknowledged { epoch, last: at, pending: 1 },
            Event::Committed { upto: at },
            Event::Delivered { upto: at },
            Event::CommitAheadOfDisk { zxid },
            Event::ReadOnly { applied: zxid },
            Event::SessionExpired { session: SessionId(7), timeout: 4_000 },
            Event::Left { role: Role::Leading, why: Departure::QuorumLost },
            Event::DiskFailed { reason: String::new() },
        ]
    }

    #[test]
    fn the_table_of_events_is_that_of_the_core() {
        let samples = samples();
        assert_eq!(samples.len(), EVENTS.len());
        for (event, (name, fields)) in samples.iter().zip(EVENTS) {
            assert!(matches(name, event), "{name}");
            let value = serde_json::to_value(event).unwrap();
            for (field, kind) in *fields {
                assert!(kind.read(&value[name][field]).is_some(), "{name} {field}");
            }
        }
    }

    #[test]
    fn a_pattern_compares_fields() {
        let event = &samples()[9];
        for yes in [
            "SyncChosen learner=3",
            "SyncChosen action=TruncDiff from=1.5 transactions>=4 transactions<=4",
            "SyncChosen on server 2",
        ] {
            assert!(matches(yes, event), "{yes}");
        }
        for no in
            ["SyncChosen learner=2", "SyncChosen transactions>=5", "SyncChosen on server 1", "Truncated"]
        {
            assert!(!matches(no, event), "{no}");
        }
        assert!(matches("InDoubt standing=Torn", &samples()[1]));
        assert!(matches("Voted vote=3", &samples()[3]));
    }

    #[test]
    fn a_wrong_name_field_or_value_is_pointed_at() {
        for (text, span) in [
            ("Vanished", 0..8),
            ("Left server=3", 5..13),
            ("SyncChosen action=Magic", 11..23),
            ("Truncated removed=many", 10..22),
            ("Left why>=Rollover", 5..18),
        ] {
            let mistake = Pattern::parse(&mut Sentence::new(text, 0)).unwrap_err();
            assert_eq!(mistake.span, span, "{text}: {}", mistake.message);
        }
    }
}
