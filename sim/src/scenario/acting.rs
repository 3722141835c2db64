//! Sentences about clients that have a name, such as `client a creates ephemeral /x`.

use zabrus_core::ServerId;
use zabrus_core::wire::{ErrorCode, EventType, Reconfig};

use super::Mistake;
use super::action::{Who, who};
use super::sentence::Sentence;
use crate::clients::{Doing, Heard, Wish, members};

const DOINGS: &str = "connects to, moves to, hangs up, falls silent, on its old connection, creates, sets, \
                      deletes, checks, reads, watches, awaits, syncs, reconfigures or closes its session";

const EVENTS: [(&str, EventType); 4] = [
    ("NodeCreated", EventType::NodeCreated),
    ("NodeDeleted", EventType::NodeDeleted),
    ("NodeDataChanged", EventType::NodeDataChanged),
    ("NodeChildrenChanged", EventType::NodeChildrenChanged),
];

/// What is expected of a client.
#[derive(Clone, Debug)]
pub(super) enum Hope {
    HasSession(bool),
    IsAnswered(bool),
    WasTold(i32),
    Saw(EventType, String, bool),
}

impl Hope {
    pub(super) fn is_met(&self, heard: &Heard) -> bool {
        match self {
            Self::HasSession(wanted) => heard.has_session == *wanted,
            Self::IsAnswered(wanted) => heard.is_answered == *wanted,
            Self::WasTold(code) => heard.code == Some(*code),
            Self::Saw(event, path, wanted) => heard.saw(*event, path) == *wanted,
        }
    }
}

/// The name of a client, behind `client`.
pub(super) fn name(s: &mut Sentence<'_>) -> Result<String, Mistake> {
    Ok(s.word("the name of a client, such as a")?.to_owned())
}

pub(super) fn doing(s: &mut Sentence<'_>) -> Result<Doing<Who>, Mistake> {
    if s.take("connects to") {
        let server = who(s)?;
        let timeout = if s.take("with timeout") { Some(s.duration()?) } else { None };
        return Ok(Doing::Connect(server, timeout));
    }
    if s.take("moves to") {
        return Ok(Doing::Move(who(s)?));
    }
    match s.take_any(&["hangs up", "falls silent"]) {
        Some(0) => return Ok(Doing::HangUp),
        Some(_) => return Ok(Doing::FallSilent),
        None => {}
    }
    let on_old = s.take("on its old connection");
    let mut wishes = vec![wish(s)?];
    while s.take("and") {
        wishes.push(wish(s)?);
    }
    Ok(Doing::Ask { wishes, on_old })
}

fn wish(s: &mut Sentence<'_>) -> Result<Wish, Mistake> {
    const VERBS: [&str; 12] = [
        "creates",
        "sets",
        "deletes",
        "checks",
        "reads",
        "watches children of",
        "watches below",
        "watches",
        "awaits",
        "syncs",
        "reconfigures",
        "closes its session",
    ];
    Ok(match s.take_any(&VERBS).ok_or_else(|| s.expected(DOINGS))? {
        0 => {
            let (ephemeral, sequential) = (s.take("ephemeral"), s.take("sequential"));
            Wish::Create { path: path(s)?, ephemeral, sequential }
        }
        1 => Wish::Set(path(s)?),
        2 => Wish::Delete(path(s)?),
        3 => Wish::Check(path(s)?),
        4 => Wish::Read(path(s)?),
        5 => Wish::WatchChildren(path(s)?),
        6 => Wish::WatchBelow(path(s)?),
        7 => Wish::Watch(path(s)?),
        8 => Wish::Await(path(s)?),
        9 => Wish::Sync,
        10 => Wish::Reconfig(reconfig(s)?),
        _ => Wish::Close,
    })
}

/// Who votes from then on, `to 4 5 6`, or what changes, `-2 +4`.
fn reconfig(s: &mut Sentence<'_>) -> Result<Reconfig, Mistake> {
    if s.take("to") {
        return Ok(members::only(&s.servers()?));
    }
    let (mut leaving, mut joining) = (Vec::new(), Vec::new());
    while let Some(word) = s.peek().filter(|word| word.starts_with(['+', '-'])) {
        let id = word[1..].parse().map(ServerId).map_err(|_| s.expected("a server, such as +4"))?;
        if word.starts_with('+') {
            joining.push(id)
        } else {
            leaving.push(id)
        }
        s.word("a server")?;
    }
    if leaving.is_empty() && joining.is_empty() {
        return Err(s.expected("`to` and servers, or such as -2 +4"));
    }
    Ok(members::other(&leaving, &joining))
}

/// A node.
pub(super) fn path(s: &mut Sentence<'_>) -> Result<String, Mistake> {
    const EXPECTED: &str = "the path of a node, such as /x";
    match s.peek() {
        Some(word) if word.starts_with('/') => Ok(s.word(EXPECTED)?.to_owned()),
        _ => Err(s.expected(EXPECTED)),
    }
}

pub(super) fn hope(s: &mut Sentence<'_>) -> Result<Hope, Mistake> {
    const HOPES: [&str; 7] =
        ["has a session", "has no session", "is answered", "is not answered", "was told", "saw", "never saw"];
    Ok(match s.take_any(&HOPES).ok_or_else(|| s.expected(&HOPES.join(", ")))? {
        0 => Hope::HasSession(true),
        1 => Hope::HasSession(false),
        2 => Hope::IsAnswered(true),
        3 => Hope::IsAnswered(false),
        4 => {
            let known = |word: &str| {
                (-130..0).filter_map(ErrorCode::from_code).find(|code| format!("{code:?}") == word)
            };
            let code = match s.peek() {
                Some("Ok") => 0,
                word => {
                    let expected = s.expected("`Ok` or the name of an error, such as NoNode");
                    word.and_then(known).ok_or(expected)?.code()
                }
            };
            s.word("a code")?;
            Hope::WasTold(code)
        }
        saw => {
            let names = EVENTS.map(|(name, _)| name);
            let which = s.take_any(&names).ok_or_else(|| s.expected(&names.join(", ")))?;
            Hope::Saw(EVENTS[which].1, path(s)?, saw == 5)
        }
    })
}

/// The same for the one server that `who` means.
pub(super) fn resolved(
    doing: &Doing<Who>,
    server: impl Fn(&Who) -> Result<ServerId, String>,
) -> Result<Doing<ServerId>, String> {
    Ok(match doing {
        Doing::Connect(who, timeout) => Doing::Connect(server(who)?, *timeout),
        Doing::Move(who) => Doing::Move(server(who)?),
        Doing::Ask { wishes, on_old } => Doing::Ask { wishes: wishes.clone(), on_old: *on_old },
        Doing::HangUp => Doing::HangUp,
        Doing::FallSilent => Doing::FallSilent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_doing_and_hope_is_understood() {
        for text in [
            "connects to 2",
            "connects to the leader with timeout 4s",
            "moves to 3",
            "hangs up",
            "falls silent",
            "creates /x",
            "creates ephemeral /x",
            "creates ephemeral sequential /x-",
            "creates sequential /x- and deletes /y and checks /z",
            "on its old connection sets /x",
            "reads /x",
            "watches /x",
            "watches children of /",
            "watches below /x",
            "awaits /x",
            "syncs",
            "reconfigures -2 +4 +5",
            "reconfigures to 4 5 6",
            "closes its session",
        ] {
            let mut s = Sentence::new(text, 0);
            let parsed = doing(&mut s).and_then(|_| s.finish());
            assert!(parsed.is_ok(), "{text}: {parsed:?}");
        }
        for text in
            ["has no session", "is answered", "was told NoNode", "was told Ok", "never saw NodeDeleted /x"]
        {
            let mut s = Sentence::new(text, 0);
            let parsed = hope(&mut s).and_then(|_| s.finish());
            assert!(parsed.is_ok(), "{text}: {parsed:?}");
        }
    }

    #[test]
    fn a_wrong_word_is_pointed_at() {
        let place = |text: &str| doing(&mut Sentence::new(text, 0)).unwrap_err().span;
        assert_eq!(place("runs away"), 0..4);
        assert_eq!(place("creates x"), 8..9);
        assert_eq!(place("reconfigures 4"), 13..14);
        assert_eq!(place("reconfigures -x"), 13..15);
        assert_eq!(hope(&mut Sentence::new("was told NoLuck", 0)).unwrap_err().span, 9..15);
    }

    #[test]
    fn a_hope_is_met_by_what_the_client_heard() {
        let met = |text: &str| {
            let heard = Heard {
                has_session: true,
                is_answered: false,
                code: Some(-101),
                events: vec![(2, "/x".into())],
            };
            hope(&mut Sentence::new(text, 0)).unwrap().is_met(&heard)
        };
        for (yes, no) in [
            ("has a session", "has no session"),
            ("is not answered", "is answered"),
            ("was told NoNode", "was told Ok"),
            ("saw NodeDeleted /x", "never saw NodeDeleted /x"),
            ("never saw NodeCreated /x", "saw NodeDeleted /y"),
        ] {
            assert!(met(yes), "{yes}");
            assert!(!met(no), "{no}");
        }
    }
}
