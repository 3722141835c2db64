//! The watches of one connection, as client.md section 9 has them: which changes it must hear of.

use std::collections::{BTreeMap, VecDeque};

use zabrus_core::Zxid;
use zabrus_core::wire::{EventType, Id, SetWatches2};

use crate::checks::w01_events::Heard;
use crate::ghost::model::{Model, Trigger, own, parent, permits};

/// Kinds of watches; each is a bit.
pub(super) const DATA: u8 = 1;
pub(super) const CHILD: u8 = 2;
pub(super) const PERSISTENT: u8 = 4;
pub(super) const RECURSIVE: u8 = 8;
const ALL: u8 = 15;
/// A standard watch that has fired leaves this bit instead of its own.
const FIRED: u8 = 16;

/// The watches of a connection, and the events that must come on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Watches {
    kinds: BTreeMap<String, u8>,
    /// How many kinds there are, of all paths together.
    armed: usize,
    recursive: usize,
    /// How many of the model's triggers have been looked at.
    cursor: usize,
    due: VecDeque<Trigger>,
    /// What came in advance of the answer to setWatches.
    pub(super) caught_up: Vec<(i32, String)>,
    /// Events that were dropped because their reader may not read, since this was last asked.
    pub(super) hidden: u64,
}

impl Watches {
    pub(super) fn arm(&mut self, path: &str, kind: u8) {
        let kinds = self.kinds.entry(path.to_owned()).or_default();
        self.armed += (kind & !*kinds).count_ones() as usize;
        self.recursive += usize::from(kind & !*kinds & RECURSIVE != 0);
        *kinds |= kind;
    }

    /// Takes kinds away; whether there was any.
    pub(super) fn disarm(&mut self, path: &str, kind: u8) -> bool {
        let Some(kinds) = self.kinds.get_mut(path) else { return false };
        let gone = *kinds & kind & ALL;
        *kinds &= !gone;
        self.armed -= gone.count_ones() as usize;
        self.recursive -= usize::from(gone & RECURSIVE != 0);
        gone != 0
    }

    pub(super) fn has(&self, path: &str, kind: u8) -> bool {
        self.kinds.get(path).is_some_and(|kinds| kinds & kind & ALL != 0)
    }

    /// Looks at everything up to `zxid`: what is watched becomes due.
    pub(super) fn advance(&mut self, model: &Model, zxid: Zxid, identities: &[Id]) {
        let triggers = model.triggers();
        if self.armed == 0 {
            let seen = &triggers[self.cursor.min(triggers.len())..];
            self.cursor += seen.partition_point(|trigger| trigger.zxid <= zxid);
            return;
        }
        while let Some(trigger) = triggers.get(self.cursor).filter(|trigger| trigger.zxid <= zxid) {
            self.cursor += 1;
            if !self.fires(trigger.event, &trigger.path) {
                continue;
            }
            if model.settings().skip_acl || permits(&trigger.acl, 1, identities) {
                self.due.push_back(trigger.clone());
            } else {
                self.hidden += 1;
            }
        }
    }

    fn fires(&mut self, event: EventType, path: &str) -> bool {
        match event {
            EventType::NodeCreated | EventType::NodeDataChanged => self.data(path),
            EventType::NodeDeleted => self.data(path) | self.child(path),
            EventType::NodeChildrenChanged => self.child(path),
        }
    }

    /// A change of the node itself.
    fn data(&mut self, path: &str) -> bool {
        let own = self.has(path, DATA | PERSISTENT | RECURSIVE);
        self.consume(path, DATA);
        own || self.recursive > 0 && self.above(path)
    }

    fn above(&self, path: &str) -> bool {
        let mut ancestor = path;
        while ancestor != "/" {
            ancestor = parent(ancestor);
            if self.has(ancestor, RECURSIVE) {
                return true;
            }
        }
        false
    }

    /// A change among its children.
    fn child(&mut self, path: &str) -> bool {
        let told = self.has(path, CHILD | PERSISTENT);
        self.consume(path, CHILD);
        told
    }

    fn consume(&mut self, path: &str, kind: u8) {
        if self.disarm(path, kind)
            && let Some(kinds) = self.kinds.get_mut(path)
        {
            *kinds |= FIRED;
        }
    }

    /// What is due and did not come.
    pub(super) fn missing(&self) -> Option<&Trigger> {
        self.due.front()
    }

    /// An event of the transaction `zxid` came, up to which everything has been looked at. The
    /// events of the end of a session come in any order.
    pub(super) fn heard(&mut self, zxid: Zxid, event: i32, path: &str) -> (Heard, bool) {
        let is = |due: &Trigger| due.zxid == zxid && due.event as i32 == event && *due.path == *path;
        let free = self.due.iter().take_while(|due| due.zxid == zxid && due.unordered).count();
        let found = self.due.iter().position(is);
        match found {
            Some(place) if place == 0 || place < free => {
                let due = self.due.remove(place);
                (Heard::Expected, due.is_some_and(|due| due.unordered))
            }
            Some(_) => (Heard::TooEarly, false),
            None if self.has(path, ALL) || self.above(path) => (Heard::WrongKind, false),
            None if self.kinds.get(path).is_some_and(|kinds| kinds & FIRED != 0) => (Heard::Again, false),
            None => (Heard::Ghost, false),
        }
    }

    /// Arms watches again in the state at `zxid`; gives the events that must have come.
    pub(super) fn rearm(&mut self, model: &Model, zxid: Zxid, wanted: &SetWatches2) -> Vec<(i32, String)> {
        let mut events = Vec::new();
        let relative = wanted.standard.relative_zxid;
        let mut tell = |event: EventType, path: &str| events.push((event as i32, path.to_owned()));
        for path in &wanted.standard.data {
            match model.at(own(path), zxid) {
                None => tell(EventType::NodeDeleted, path),
                Some(node) if node.mzxid > relative => tell(EventType::NodeDataChanged, path),
                Some(_) => self.arm(path, DATA),
            }
        }
        for path in &wanted.standard.exist {
            match model.at(own(path), zxid) {
                Some(_) => tell(EventType::NodeCreated, path),
                None => self.arm(path, DATA),
            }
        }
        for path in &wanted.standard.child {
            match model.at(own(path), zxid) {
                None => tell(EventType::NodeDeleted, path),
                Some(node) if node.pzxid > relative => tell(EventType::NodeChildrenChanged, path),
                Some(_) => self.arm(path, CHILD),
            }
        }
        for path in &wanted.persistent {
            self.arm(path, PERSISTENT);
        }
        for path in &wanted.recursive {
            self.arm(path, RECURSIVE);
        }
        events
    }
}

/// The kinds that a number in checkWatches and removeWatches names.
pub(super) fn kinds(number: i32) -> Option<u8> {
    match number {
        1 => Some(CHILD),
        2 => Some(DATA),
        3 => Some(ALL),
        4 => Some(PERSISTENT),
        5 => Some(RECURSIVE),
        _ => None,
    }
}
