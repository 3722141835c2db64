//! What may be waited for or expected: a sentence such as `server 3 is leading in broadcast`.

use zabrus_core::ServerId;
use zabrus_core::event::{Phase, Role};
use zabrus_core::replica::Status;
use zabrus_core::storage::Standing;

use super::Mistake;
use super::acting::{self, Hope};
use super::events::{Pattern, Relation, is_name};
use super::sentence::Sentence;
use crate::clients::Heard;

/// Something that is true or false at a moment.
#[derive(Clone, Debug)]
pub struct Condition {
    /// As it stands in the file.
    pub text: String,
    pub(super) fact: Fact,
}

/// What can be seen at a moment.
pub struct Seen<'a> {
    /// The servers of the ensemble.
    pub servers: &'a [ServerId],
    /// The state of a server; `None` if its process is down.
    pub status: &'a dyn Fn(ServerId) -> Option<Status>,
    /// Changes that the scenario's clients sent, and those that were answered with success.
    pub writes: (u64, u64),
    /// Whether a server's state has a node.
    pub has_node: &'a dyn Fn(ServerId, &str) -> bool,
    /// What a client with a name heard; `None` if there is none.
    pub heard: &'a dyn Fn(&str) -> Option<Heard>,
}

#[derive(Clone, Debug)]
pub(super) enum Fact {
    Servers { subject: Subject, predicate: Predicate, holds: bool },
    Agree(Subject),
    Event { pattern: Pattern, lately: bool, relation: Relation, times: u64 },
    Writes { relation: Relation, number: Option<u64> },
    Node { subject: Subject, path: String, is_there: bool },
    Client { name: String, hope: Hope },
}

#[derive(Clone, Debug)]
pub(super) enum Subject {
    Each(Vec<ServerId>),
    All,
    Somebody,
    Nobody,
}

#[derive(Clone, Debug)]
pub(super) enum Predicate {
    Up,
    Sound,
    Serving,
    In { role: Role, leader: Option<ServerId>, phase: Option<Phase> },
    Has { quantity: Quantity, relation: Relation, value: u64 },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Quantity {
    AcceptedEpoch,
    CurrentEpoch,
    Epoch,
    Round,
    Logged,
    Durable,
    Committed,
    Applied,
}

const QUANTITIES: [(&str, Quantity); 8] = [
    ("accepted epoch", Quantity::AcceptedEpoch),
    ("current epoch", Quantity::CurrentEpoch),
    ("epoch", Quantity::Epoch),
    ("round", Quantity::Round),
    ("logged", Quantity::Logged),
    ("durable", Quantity::Durable),
    ("committed", Quantity::Committed),
    ("applied", Quantity::Applied),
];

const STATES: &str = "up, down, sound, in doubt, settling, looking, following, leading, observing or halted";

impl Condition {
    pub(super) fn parse(text: &str, offset: usize) -> Result<Self, Mistake> {
        let mut s = Sentence::new(text, offset);
        let fact = fact(&mut s)?;
        s.finish()?;
        Ok(Self { text: text.into(), fact })
    }

    /// Whether it is true now, as far as it is not about events.
    pub(super) fn holds(&self, seen: &Seen<'_>) -> bool {
        match &self.fact {
            Fact::Servers { subject, predicate, holds } => {
                let met = |server: &ServerId| predicate.met((seen.status)(*server).as_ref()) == *holds;
                subject.holds(seen.servers, met)
            }
            Fact::Node { subject, path, is_there } => {
                subject.holds(seen.servers, |server| (seen.has_node)(*server, path) == *is_there)
            }
            Fact::Client { name, hope } => (seen.heard)(name).is_some_and(|heard| hope.is_met(&heard)),
            Fact::Agree(subject) => {
                let servers = match subject {
                    Subject::Each(servers) => servers,
                    _ => seen.servers,
                };
                let state = |server: &ServerId| {
                    (seen.status)(*server).map(|status| (status.applied, status.state_digest))
                };
                let first = servers.first().and_then(state);
                first.is_some() && servers.iter().all(|server| state(server) == first)
            }
            Fact::Writes { relation, number } => {
                let (sent, answered) = seen.writes;
                relation.holds(answered, number.unwrap_or(sent))
            }
            Fact::Event { .. } => true,
        }
    }

    /// The servers that this names, to check that they exist.
    pub(super) fn named(&self) -> Vec<ServerId> {
        match &self.fact {
            Fact::Servers { subject, predicate, .. } => {
                let mut servers = subject.named();
                if let Predicate::In { leader: Some(leader), .. } = predicate {
                    servers.push(*leader);
                }
                servers
            }
            Fact::Agree(subject) | Fact::Node { subject, .. } => subject.named(),
            Fact::Event { pattern, .. } => pattern.server().into_iter().collect(),
            Fact::Writes { .. } | Fact::Client { .. } => Vec::new(),
        }
    }
}

impl Subject {
    fn named(&self) -> Vec<ServerId> {
        match self {
            Self::Each(servers) => servers.clone(),
            _ => Vec::new(),
        }
    }

    fn holds(&self, all: &[ServerId], met: impl Fn(&ServerId) -> bool) -> bool {
        match self {
            Self::Each(servers) => servers.iter().all(met),
            Self::All => all.iter().all(met),
            Self::Somebody => all.iter().any(met),
            Self::Nobody => !all.iter().any(met),
        }
    }
}

impl Predicate {
    fn met(&self, status: Option<&Status>) -> bool {
        let Some(status) = status else { return false };
        match self {
            Self::Up => true,
            Self::Sound => status.epochs.standing == Standing::Sound,
            Self::Serving => status.serving,
            Self::In { role, leader, phase } => {
                status.role == *role
                    && (leader.is_none() || status.leader == *leader)
                    && phase.is_none_or(|phase| status.phase == phase)
            }
            Self::Has { quantity, relation, value } => relation.holds(quantity.of(status), *value),
        }
    }
}

impl Quantity {
    fn of(self, status: &Status) -> u64 {
        match self {
            Self::AcceptedEpoch => status.epochs.accepted_epoch.0.into(),
            Self::CurrentEpoch => status.epochs.current_epoch.0.into(),
            Self::Epoch => status.epoch.map_or(0, |epoch| epoch.0.into()),
            Self::Round => status.round,
            Self::Logged => status.logged.zxid.0,
            Self::Durable => status.durable.0,
            Self::Committed => status.committed.0,
            Self::Applied => status.applied.zxid.0,
        }
    }

    fn parse(self, s: &mut Sentence<'_>) -> Result<u64, Mistake> {
        match self {
            Self::AcceptedEpoch | Self::CurrentEpoch | Self::Epoch | Self::Round => s.number(),
            Self::Logged | Self::Durable | Self::Committed | Self::Applied => Ok(s.zxid()?.0),
        }
    }
}

fn fact(s: &mut Sentence<'_>) -> Result<Fact, Mistake> {
    if s.take("client") {
        return Ok(Fact::Client { name: acting::name(s)?, hope: acting::hope(s)? });
    }
    if s.take("all writes are answered") {
        return Ok(Fact::Writes { relation: Relation::AtLeast, number: None });
    }
    if let Some(relation) = relation(s) {
        let number = Some(s.number()?);
        if s.take_any(&["write is answered", "writes are answered"]).is_none() {
            return Err(s.expected("`writes are answered`"));
        }
        return Ok(Fact::Writes { relation, number });
    }
    let no = s.take("no");
    if no || s.peek().is_some_and(is_name) {
        let pattern = Pattern::parse(s)?;
        let lately = s.take("lately");
        let (relation, times) = match relation(s) {
            Some(relation) if !no => {
                let times = s.number()?;
                if s.take_any(&["times", "time"]).is_none() {
                    return Err(s.expected("`times`"));
                }
                (relation, times)
            }
            _ if no => (Relation::Exactly, 0),
            _ => (Relation::AtLeast, 1),
        };
        return Ok(Fact::Event { pattern, lately, relation, times });
    }
    let subject = match s.take_any(&["all servers", "all", "somebody", "nobody", "server", "servers"]) {
        Some(0 | 1) => Subject::All,
        Some(2) => Subject::Somebody,
        Some(3) => Subject::Nobody,
        Some(_) => Subject::Each(s.servers()?),
        None => {
            return Err(s.expected(
                "`server 1`, `servers 1 2`, `all`, `somebody`, `nobody`, `client a`, `all writes are answered`, \
                 `at least 5 writes are answered`, or the name of an event",
            ));
        }
    };
    if s.take_any(&["agree", "agrees"]).is_some() {
        return Ok(Fact::Agree(subject));
    }
    if s.take_any(&["serves", "serve"]).is_some() {
        return Ok(Fact::Servers { subject, predicate: Predicate::Serving, holds: true });
    }
    if s.take_any(&["does not serve", "do not serve"]).is_some() {
        return Ok(Fact::Servers { subject, predicate: Predicate::Serving, holds: false });
    }
    if let Some(which) = s.take_any(&["has node", "have node", "has no node", "have no node"]) {
        return Ok(Fact::Node { subject, path: acting::path(s)?, is_there: which < 2 });
    }
    if s.take_any(&["has", "have"]).is_some() {
        let names = QUANTITIES.map(|(name, _)| name);
        let which = s.take_any(&names).ok_or_else(|| s.expected(&names.join(", ")))?;
        let relation = relation(s).unwrap_or(Relation::Exactly);
        let quantity = QUANTITIES[which].1;
        let predicate = Predicate::Has { quantity, relation, value: quantity.parse(s)? };
        return Ok(Fact::Servers { subject, predicate, holds: true });
    }
    if s.take_any(&["is", "are"]).is_none() {
        return Err(s.expected("`is`, `has`, `serves`, `does not serve` or `agree`"));
    }
    let not = s.take("not");
    let (predicate, holds) = state(s)?;
    Ok(Fact::Servers { subject, predicate, holds: holds != not })
}

fn relation(s: &mut Sentence<'_>) -> Option<Relation> {
    const RELATIONS: [Relation; 3] = [Relation::AtLeast, Relation::AtMost, Relation::Exactly];
    s.take_any(&["at least", "at most", "exactly"]).map(|which| RELATIONS[which])
}

fn state(s: &mut Sentence<'_>) -> Result<(Predicate, bool), Mistake> {
    match s.take_any(&["up", "down", "sound", "in doubt"]) {
        Some(0) => return Ok((Predicate::Up, true)),
        Some(1) => return Ok((Predicate::Up, false)),
        Some(2) => return Ok((Predicate::Sound, true)),
        Some(_) => return Ok((Predicate::Sound, false)),
        None => {}
    }
    const ROLES: [Role; 6] =
        [Role::Settling, Role::Looking, Role::Following, Role::Leading, Role::Observing, Role::Halted];
    let words = ["settling", "looking", "following", "leading", "observing", "halted"];
    let role = ROLES[s.take_any(&words).ok_or_else(|| s.expected(STATES))?];
    let names_leader = s.peek().is_some_and(|word| word.parse::<u64>().is_ok());
    let leader = match role {
        Role::Following | Role::Observing if names_leader => Some(s.server()?),
        _ => None,
    };
    const PHASES: [Phase; 4] = [Phase::Election, Phase::Discovery, Phase::Synchronization, Phase::Broadcast];
    let phase = if s.take("in") {
        let names = ["election", "discovery", "synchronization", "broadcast"];
        Some(PHASES[s.take_any(&names).ok_or_else(|| s.expected(&names.join(", ")))?])
    } else {
        None
    };
    Ok((Predicate::In { role, leader, phase }, true))
}

#[cfg(test)]
mod tests {
    use zabrus_core::storage::Epochs;
    use zabrus_core::{Epoch, Position, Zxid};

    use super::*;

    fn status(id: u64, role: Role, phase: Phase) -> Status {
        let zxid = Zxid::new(Epoch(2), 7);
        let position = Position { zxid, digest: zabrus_core::HistoryDigest(1) };
        Status {
            id: ServerId(id),
            role,
            phase,
            leader: Some(ServerId(3)),
            epoch: Some(Epoch(2)),
            epochs: Epochs {
                server: ServerId(id),
                accepted_epoch: Epoch(2),
                accepted_leader: None,
                current_epoch: Epoch(1),
                standing: Standing::Sound,
            },
            logged: position,
            durable: zxid,
            committed: zxid,
            applied: position,
            state_digest: 5,
            round: 4,
            vote: None,
            serving: role == Role::Leading,
            read_only: false,
            waiting: 0,
            links: 0,
        }
    }

    /// Server 1 is down, 2 follows 3, which leads.
    fn holds(text: &str) -> bool {
        let servers = [ServerId(1), ServerId(2), ServerId(3)];
        let status = |server: ServerId| match server.0 {
            2 => Some(status(2, Role::Following, Phase::Synchronization)),
            3 => Some(status(3, Role::Leading, Phase::Broadcast)),
            _ => None,
        };
        let has_node = |server: ServerId, path: &str| server.0 > 1 && path == "/x";
        let heard = |name: &str| (name == "a").then(Heard::default);
        let seen =
            Seen { servers: &servers, status: &status, writes: (5, 4), has_node: &has_node, heard: &heard };
        Condition::parse(text, 0).unwrap_or_else(|mistake| panic!("{text}: {}", mistake.message)).holds(&seen)
    }

    #[test]
    fn a_true_condition_holds_and_its_contrary_does_not() {
        for (yes, no) in [
            ("server 1 is down", "server 2 is down"),
            ("servers 2 and 3 are up", "all are up"),
            ("server 2 is following 3", "server 2 is following 1"),
            ("server 2 is following in synchronization", "server 2 is following in broadcast"),
            ("server 3 is not looking", "server 3 is not leading"),
            ("somebody is leading", "nobody is leading"),
            ("nobody is observing", "somebody is halted"),
            ("server 3 serves", "all serve"),
            ("server 2 does not serve", "server 3 does not serve"),
            ("server 2 has logged 2.7", "server 2 has logged at most 2.6"),
            ("server 2 has current epoch at least 1", "server 2 has accepted epoch 1"),
            ("servers 2 3 agree", "all agree"),
            ("servers 2 3 have node /x", "all have node /x"),
            ("server 1 has no node /x", "server 2 has no node /x"),
            ("client a has no session", "client a has a session"),
            ("client a never saw NodeCreated /x", "client b has no session"),
            ("server 2 is sound", "server 2 is in doubt"),
            ("at least 4 writes are answered", "all writes are answered"),
            ("at most 4 writes are answered", "exactly 5 writes are answered"),
        ] {
            assert!(holds(yes), "{yes}");
            assert!(!holds(no), "{no}");
        }
    }

    #[test]
    fn a_wrong_word_is_pointed_at() {
        for (text, span) in [
            ("leader is 3", 0..6),
            ("server 3 is winning", 12..19),
            ("server 3 has luck 7", 13..17),
            ("server 3 has logged 7", 20..21),
            ("server 3 is leading in style", 23..28),
            ("no Luck", 3..7),
            ("Truncated at least once", 19..23),
            ("all are up today", 11..16),
            ("server 3", 8..8),
        ] {
            let mistake = Condition::parse(text, 0).unwrap_err();
            assert_eq!(mistake.span, span, "{text}: {}", mistake.message);
        }
    }
}
