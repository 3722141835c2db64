//! Recipes: what applications build of the service, as kazoo and Curator do. A player of a recipe
//! is a client with one request at a time; answers, events and the loss of its connection or its
//! session drive it. What it did and learned it notes, for the rules P ([`crate::checks`]).

mod barrier;
mod counter;
mod election;
mod group;
mod lock;
mod queue;

#[cfg(test)]
mod tests;

pub use counter::COUNTER;
pub use group::GROUP;
pub use queue::QUEUE;

use std::fmt::Debug;

use serde::{Deserialize, Serialize};
use zabrus_core::io::ClientId;
use zabrus_core::wire::{
    Create, Delete, ErrorCode, GetDataResponse, MultiHeader, OpCode, PathWatch, ReplyHeader, SessionId,
    SetData, Stat,
};
use zabrus_core::{Bytes, Zxid, jute};

use super::Act;
use super::registry::Kind;
use super::workload::Ask;
use crate::ghost::model::open_acl;
use crate::random::Random;

/// A recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recipe {
    /// A lock by ephemeral nodes with numbers; what is written under it carries the number.
    Lock,
    /// The leader is whoever owns a certain ephemeral node; what it writes depends on the version
    /// of its last write.
    Election,
    /// A number that is increased by writes that depend on a version.
    Counter,
    /// Nodes with numbers, which are taken in their order.
    Queue,
    /// Nobody begins before all are there, and nobody goes on before all have finished.
    Barrier,
    /// Everybody knows who is there.
    Group,
}

impl Recipe {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Lock, Self::Election, Self::Counter, Self::Queue, Self::Barrier, Self::Group];
}

/// What a player of a recipe did or learned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields with the same name are the same")]
pub enum Note {
    /// It has the lock, or leads. Of two tokens the higher one is newer.
    Granted { token: i64 },
    /// A write under a token was done: it is this version of the resource.
    Fenced { token: i64, version: i32 },
    /// A write under a token was refused, because the token is not the newest.
    FencedOff,
    /// Its session ended while it had a token, for all it knew.
    LostToken,
    /// It tries to increase the counter.
    Counting,
    /// It has increased the counter to `value`, which is this version of the node.
    Counted { value: i64, version: i32 },
    /// Somebody else was faster.
    CountedBefore,
    /// It puts its item `number` into the queue.
    Putting { number: u64 },
    /// The item is in the queue, at this place.
    Put { number: u64, place: i64 },
    /// It tries to take an item.
    Taking { place: i64 },
    /// It has the item `number` of `producer`.
    Took { producer: u32, number: u64, place: i64 },
    /// Somebody else has the item.
    TakenBefore,
    /// It asks to enter the barrier of a round.
    Entering { round: u32 },
    /// It has entered, by a node of this transaction.
    Entered { round: u32, session: SessionId, czxid: Zxid },
    /// All `players` have entered, as far as it knows.
    Passed { round: u32, players: u32 },
    /// It asks to leave.
    Leaving { round: u32 },
    /// At this zxid it saw nobody else inside.
    Left { round: u32, zxid: Zxid },
    /// It asks to join a group under this name.
    Joining { name: String, session: SessionId },
    /// It has joined, by a node of this transaction.
    Joined { name: String, czxid: Zxid },
    /// It asks to leave it.
    Parting { name: String },
    /// At this zxid it saw these members.
    Saw { session: SessionId, zxid: Zxid, names: Vec<String> },
}

/// What a player sees when it decides.
pub(super) struct Scene<'a> {
    pub(super) player: u32,
    pub(super) players: u32,
    pub(super) session: SessionId,
    /// Nothing new is to begin.
    pub(super) stopped: bool,
    pub(super) random: &'a mut Random,
    pub(super) notes: &'a mut Vec<Note>,
}

impl Scene<'_> {
    fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// A name for an ephemeral node. With the session, a player knows its own nodes again, and those
    /// that it left behind in another session are not its own.
    fn name(&self) -> String {
        format!("{}-{:x}-", self.player, self.session.0)
    }
}

/// An answer.
pub(super) struct Told<'a> {
    err: Option<ErrorCode>,
    zxid: Zxid,
    body: &'a [u8],
}

impl Told<'_> {
    fn done(&self) -> bool {
        self.err.is_none()
    }

    fn is(&self, error: ErrorCode) -> bool {
        self.err == Some(error)
    }

    /// The answer to create2.
    fn created(&self) -> Option<(String, Stat)> {
        self.done().then(|| jute::decode(self.body).ok())?
    }

    fn stat(&self) -> Option<Stat> {
        self.done().then(|| jute::decode(self.body).ok())?
    }

    fn names(&self) -> Option<Vec<String>> {
        self.done().then(|| jute::decode(self.body).ok())?
    }

    /// The answer to getData, as text.
    fn data(&self) -> Option<(String, Stat)> {
        let read: GetDataResponse = self.done().then(|| jute::decode(self.body).ok())??;
        let data = read.data.unwrap_or_default();
        Some((String::from_utf8(data.to_vec()).ok()?, read.stat))
    }

    /// The answer to a multi of check and setData, if both were done.
    fn fenced(&self) -> Option<Stat> {
        let mut decoder = jute::Decoder::new(self.body);
        let check: MultiHeader = decoder.read().ok()?;
        let set: MultiHeader = decoder.read().ok()?;
        let ops = [check.op, set.op] == [OpCode::Check.code(), OpCode::SetData.code()];
        if self.done() && ops { decoder.read().ok() } else { None }
    }
}

/// A recipe as its player sees it. Exactly one of `told`, `cut` and `ended` follows an `ask`.
pub(super) trait Play: Debug {
    /// The nodes that must be there before.
    fn ground(&self) -> &'static [&'static str];
    /// What it asks next. Nothing, while it waits for an event.
    fn ask(&mut self, scene: &mut Scene<'_>) -> Option<Ask>;
    /// The answer.
    fn told(&mut self, scene: &mut Scene<'_>, told: &Told<'_>);
    /// There will be no answer: perhaps it was done, perhaps not.
    fn cut(&mut self);
    /// A watch has fired.
    fn heard(&mut self);
    /// Its session is over, with all its ephemeral nodes and watches.
    fn ended(&mut self, scene: &mut Scene<'_>);
}

/// A player, with what all recipes need.
#[derive(Debug)]
pub(super) struct Player {
    play: Box<dyn Play>,
    recipe: Recipe,
    player: u32,
    players: u32,
    /// How much of the ground is there.
    ground: usize,
    session: SessionId,
    /// The connection on which it waits for an answer.
    asked: Option<ClientId>,
}

impl Player {
    pub(super) fn new(recipe: Recipe, player: u32, players: u32) -> Self {
        let play: Box<dyn Play> = match recipe {
            Recipe::Lock => Box::<lock::Lock>::default(),
            Recipe::Election => Box::<election::Election>::default(),
            Recipe::Counter => Box::<counter::Counter>::default(),
            Recipe::Queue => Box::<queue::Queue>::default(),
            Recipe::Barrier => Box::<barrier::Barrier>::default(),
            Recipe::Group => Box::<group::Group>::default(),
        };
        Self { play, recipe, player, players, ground: 0, session: SessionId(0), asked: None }
    }

    pub(super) fn scene<'a>(
        &self,
        stopped: bool,
        random: &'a mut Random,
        notes: &'a mut Vec<Note>,
    ) -> Scene<'a> {
        let Self { player, players, session, .. } = *self;
        Scene { player, players, session, stopped, random, notes }
    }

    /// What it asks next on this connection of this session.
    pub(super) fn ask(&mut self, line: ClientId, session: SessionId, mut scene: Scene<'_>) -> Option<Ask> {
        let begun = self.session != SessionId(0);
        if self.asked.is_some_and(|asked| asked != line) {
            self.asked = None;
            if self.session == session {
                self.play.cut();
            }
        }
        if self.session != session {
            if begun {
                self.play.ended(&mut scene);
            }
            (self.session, scene.session) = (session, session);
        }
        // Who is there must be known to the last; everything else stops.
        if self.asked.is_some() || scene.stopped && self.recipe != Recipe::Group {
            return None;
        }
        let ask = match self.play.ground().get(self.ground) {
            Some(path) => create(OpCode::Create, path, "", 0),
            None => self.play.ask(&mut scene)?,
        };
        self.asked = Some(line);
        Some(ask)
    }

    /// An answer came on the connection.
    pub(super) fn told(&mut self, line: ClientId, header: &ReplyHeader, body: &[u8], mut scene: Scene<'_>) {
        if self.asked != Some(line) {
            return;
        }
        self.asked = None;
        let zxid = Zxid(header.zxid.cast_unsigned());
        let told = Told { err: ErrorCode::from_code(header.err), zxid, body };
        if self.ground < self.play.ground().len() {
            self.ground += usize::from(told.done() || told.is(ErrorCode::NodeExists));
        } else if told.is(ErrorCode::SessionMoved) || told.is(ErrorCode::SessionExpired) {
            self.play.cut();
        } else {
            self.play.told(&mut scene, &told);
        }
    }

    pub(super) fn heard(&mut self) {
        self.play.heard();
    }

    /// What it noted, for everybody to judge.
    pub(super) fn acts(&self, notes: Vec<Note>) -> impl Iterator<Item = Act> + use<> {
        let player = self.player;
        notes.into_iter().map(move |note| Act::Noted { player, note })
    }
}

fn create(op: OpCode, path: &str, data: &str, flags: i32) -> Ask {
    let data = Some(Bytes::from(data.as_bytes()));
    Ask::new(op, jute::encode(&Create { path: path.into(), data, acl: Some(open_acl()), flags }))
}

fn delete(path: &str) -> Ask {
    Ask::new(OpCode::Delete, jute::encode(&Delete { path: path.into(), version: -1 }))
}

fn set(path: &str, data: &str, version: i32) -> Ask {
    let data = Some(Bytes::from(data.as_bytes()));
    Ask::new(OpCode::SetData, jute::encode(&SetData { path: path.into(), data, version }))
}

fn read(op: OpCode, path: &str, watch: Option<Kind>) -> Ask {
    let body = jute::encode(&PathWatch { path: path.into(), watch: watch.is_some() });
    Ask { watch: watch.map(|kind| (kind, path.to_owned())), ..Ask::new(op, body) }
}

/// The number at the end of a name.
#[must_use]
pub fn number(name: &str) -> i64 {
    name.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(-1)
}
