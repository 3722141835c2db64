//! A double barrier as kazoo and Curator have it, one round after the other: players enter by an
//! ephemeral node, the last of them says that all are there, and to leave means to delete the node and to
//! wait until there is none.

use std::collections::BTreeSet;

use zabrus_core::Zxid;
use zabrus_core::wire::{ErrorCode, OpCode};

use super::{Note, Play, Scene, Told, create, delete, read};
use crate::clients::registry::Kind;
use crate::clients::workload::Ask;

const BARRIER: &str = "/recipe/barrier";

#[derive(Debug, Default)]
enum Step {
    #[default]
    Prepare,
    Enter,
    Look,
    Count,
    Ready,
    Wait,
    Leave,
    Empty,
    WaitEmpty,
}

#[derive(Debug, Default)]
pub(super) struct Barrier {
    step: Step,
    round: u32,
}

impl Barrier {
    fn passed(&mut self, scene: &mut Scene<'_>) {
        scene.note(Note::Passed { round: self.round, players: scene.players });
        self.step = Step::Leave;
    }
}

/// The players with a node.
fn inside(names: &[String]) -> BTreeSet<&str> {
    names.iter().filter_map(|name| Some(name.split_once('-')?.0)).collect()
}

impl Play for Barrier {
    fn ground(&self) -> &'static [&'static str] {
        &["/recipe", BARRIER]
    }

    fn ask(&mut self, scene: &mut Scene<'_>) -> Option<Ask> {
        let round = format!("{BARRIER}/{}", self.round);
        let (own, ready) = (format!("{round}/{}", scene.name()), format!("{round}/ready"));
        Some(match self.step {
            Step::Prepare => create(OpCode::Create, &round, "", 0),
            Step::Enter => {
                scene.note(Note::Entering { round: self.round });
                create(OpCode::Create2, &own, "", 1)
            }
            Step::Look => read(OpCode::Exists, &ready, Some(Kind::Exist)),
            Step::Count => read(OpCode::GetChildren, &round, None),
            Step::Ready => create(OpCode::Create, &ready, "", 0),
            Step::Leave => {
                scene.note(Note::Leaving { round: self.round });
                delete(&own)
            }
            Step::Empty => read(OpCode::GetChildren, &round, Some(Kind::Child)),
            Step::Wait | Step::WaitEmpty => return None,
        })
    }

    fn told(&mut self, scene: &mut Scene<'_>, told: &Told<'_>) {
        let exists = told.is(ErrorCode::NodeExists);
        match self.step {
            Step::Prepare if told.done() || exists => self.step = Step::Enter,
            Step::Enter => {
                if let Some((_, stat)) = told.created() {
                    let (round, session) = (self.round, scene.session);
                    scene.note(Note::Entered { round, session, czxid: Zxid(stat.czxid.cast_unsigned()) });
                }
                if told.done() || exists {
                    self.step = Step::Look;
                }
            }
            Step::Look if told.done() => self.passed(scene),
            Step::Look => self.step = Step::Count,
            Step::Count => {
                let Some(names) = told.names() else { return };
                let all = inside(&names).len() as u32 == scene.players;
                if names.iter().any(|name| name == "ready") {
                    // The event came before this answer.
                    self.passed(scene);
                } else {
                    self.step = if all { Step::Ready } else { Step::Wait };
                }
            }
            Step::Ready if told.done() || exists => self.passed(scene),
            Step::Leave => self.step = Step::Empty,
            Step::Empty => {
                let Some(names) = told.names() else { return };
                if inside(&names).is_empty() {
                    scene.note(Note::Left { round: self.round, zxid: told.zxid });
                    (self.round, self.step) = (self.round + 1, Step::Prepare);
                } else {
                    self.step = Step::WaitEmpty;
                }
            }
            _ => {}
        }
    }

    fn cut(&mut self) {}

    fn heard(&mut self) {
        match self.step {
            Step::Wait => self.step = Step::Look,
            Step::WaitEmpty => self.step = Step::Empty,
            _ => {}
        }
    }

    fn ended(&mut self, _: &mut Scene<'_>) {
        self.step = match self.step {
            Step::Leave | Step::Empty | Step::WaitEmpty => Step::Empty,
            _ => Step::Prepare,
        };
    }
}
