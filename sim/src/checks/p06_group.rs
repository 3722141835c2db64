//! P6 (ZooKeeper's recipes): what the membership of a group promises: whoever looks sees all members whose sessions live, and
//! nobody else; and when nothing changes any more, everybody who watches comes to see who is there.

use std::collections::{BTreeMap, BTreeSet};

use zabrus_core::wire::SessionId;
use zabrus_core::{Instant, Zxid};

use super::{Verdict, ensure};

/// One group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    members: BTreeMap<String, Member>,
    /// What players saw last, in which session.
    views: BTreeMap<u32, (SessionId, BTreeSet<String>)>,
    /// When somebody was last told, by an answer or an event, of another state than before.
    changed: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    session: SessionId,
    /// Its node, once it is known.
    joined: Option<Zxid>,
    parting: bool,
}

impl Group {
    /// Somebody asks to join.
    pub fn joining(&mut self, name: &str, session: SessionId) {
        let member = Member { session, joined: None, parting: false };
        self.members.entry(name.to_owned()).or_insert(member);
    }

    /// It has joined.
    pub fn joined(&mut self, name: &str, czxid: Zxid) {
        if let Some(member) = self.members.get_mut(name) {
            member.joined = Some(czxid);
        }
    }

    /// It asks to leave.
    pub fn parting(&mut self, name: &str) {
        if let Some(member) = self.members.get_mut(name) {
            member.parting = true;
        }
    }

    /// A player saw these members at this zxid; `ended` says which sessions had ended by then.
    pub fn saw(
        &mut self,
        (player, session): (u32, SessionId),
        zxid: Zxid,
        names: &[String],
        ended: impl Fn(SessionId) -> bool,
    ) -> Verdict {
        let view: BTreeSet<String> = names.iter().cloned().collect();
        for name in &view {
            let lives = self.members.get(name).map(|member| !ended(member.session));
            ensure(lives == Some(true), || match lives {
                Some(_) => format!("player {player} saw {name} at {zxid}, whose session had ended"),
                None => format!("player {player} saw {name} at {zxid}, who never joined"),
            })?;
        }
        let missing = self.members.iter().find(|(name, member)| {
            let inside = member.joined.is_some_and(|czxid| czxid <= zxid) && !member.parting;
            inside && !ended(member.session) && !view.contains(*name)
        });
        ensure(missing.is_none(), || format!("player {player} did not see {missing:?} at {zxid}"))?;
        self.views.insert(player, (session, view));
        Ok(())
    }

    /// The group was changed by a transaction.
    pub fn changed(&mut self, now: Instant) {
        self.changed = now;
    }

    /// When it was changed last.
    #[must_use]
    pub fn last_changed(&self) -> Instant {
        self.changed
    }

    /// What every player saw last, in which session.
    pub fn views(&self) -> impl Iterator<Item = (u32, SessionId, &BTreeSet<String>)> {
        self.views.iter().map(|(player, (session, view))| (*player, *session, view))
    }
}

/// Long after the last change a player whose session lives still believes in `view`.
pub fn settled(player: u32, view: &BTreeSet<String>, members: &BTreeSet<String>) -> Verdict {
    ensure(view == members, || {
        format!("player {player} still sees the members {view:?}, but for long they have been {members:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_is_missing_or_dead_or_made_up_is_seen() {
        let mut group = Group::default();
        for (name, session) in [("a", 1), ("b", 2)] {
            group.joining(name, SessionId(session));
        }
        let saw = |group: &Group, zxid, names: &[&str], ended: &[i64]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let me = (3, SessionId(3));
            group.clone().saw(me, Zxid(zxid), &names, |session| ended.contains(&session.0))
        };
        assert!(saw(&group, 9, &["a"], &[]).is_ok() && saw(&group, 9, &[], &[]).is_ok());
        group.joined("a", Zxid(10));
        assert!(saw(&group, 9, &[], &[]).is_ok(), "not yet");
        assert!(saw(&group, 10, &[], &[]).is_err(), "missing");
        assert!(saw(&group, 10, &[], &[1]).is_ok() && saw(&group, 10, &["a"], &[1]).is_err(), "dead");
        assert!(saw(&group, 10, &["a", "c"], &[]).is_err(), "made up");
        group.parting("a");
        assert!(saw(&group, 11, &[], &[]).is_ok() && saw(&group, 11, &["a"], &[]).is_ok());
    }

    #[test]
    fn a_view_that_stays_old_is_seen() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert!(settled(1, &names(&["a"]), &names(&["a"])).is_ok());
        assert!(settled(1, &names(&["a", "b"]), &names(&["a"])).is_err());
    }
}
