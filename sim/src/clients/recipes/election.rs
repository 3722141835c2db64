//! An election as ZooKeeper's own documentation begins it: whoever creates a certain ephemeral node leads,
//! and its term is the transaction that did. A leader that does not know of its end does no harm,
//! because each of its writes depends on the version of the one before, and none follows a newer term.

use zabrus_core::wire::{ErrorCode, OpCode, SessionId};

use super::{Note, Play, Scene, Told, create, delete, read, set};
use crate::clients::registry::Kind;
use crate::clients::workload::Ask;

const LEADER: &str = "/recipe/leader";
const STATE: &str = "/recipe/state";

#[derive(Debug, Default)]
enum Step {
    #[default]
    Stand,
    Look,
    Wait,
    /// It has the node, and wants to know what the last leader wrote.
    Read,
    Lead {
        version: i32,
        writes: u64,
        claimed: bool,
    },
    Resign,
}

#[derive(Debug, Default)]
pub(super) struct Election {
    step: Step,
    term: i64,
    /// The session that owns, or owned, its node.
    owner: SessionId,
}

impl Election {
    fn owns(&mut self, scene: &Scene<'_>, term: i64) {
        *self = Self { step: Step::Read, term, owner: scene.session };
    }
}

impl Play for Election {
    fn ground(&self) -> &'static [&'static str] {
        &["/recipe", STATE]
    }

    fn ask(&mut self, scene: &mut Scene<'_>) -> Option<Ask> {
        Some(match self.step {
            Step::Stand => create(OpCode::Create2, LEADER, &scene.player.to_string(), 1),
            Step::Look => read(OpCode::GetData, LEADER, Some(Kind::Data)),
            Step::Wait => return None,
            Step::Read => read(OpCode::GetData, STATE, None),
            Step::Lead { version, writes: 1.., .. } => set(STATE, &self.term.to_string(), version),
            Step::Lead { writes: 0, .. } if self.owner != scene.session => {
                self.step = Step::Look;
                return self.ask(scene);
            }
            Step::Lead { writes: 0, .. } | Step::Resign => {
                self.step = Step::Resign;
                delete(LEADER)
            }
        })
    }

    fn told(&mut self, scene: &mut Scene<'_>, told: &Told<'_>) {
        match &mut self.step {
            Step::Stand => match told.created() {
                Some((_, stat)) => self.owns(scene, stat.czxid),
                None => self.step = Step::Look,
            },
            Step::Look => match told.data() {
                Some((_, stat)) if stat.ephemeral_owner == scene.session.0 => self.owns(scene, stat.czxid),
                Some(_) => self.step = Step::Wait,
                None => self.step = Step::Stand,
            },
            Step::Read => {
                let Some((state, stat)) = told.data() else { return };
                if state.parse().unwrap_or(0) > self.term {
                    scene.note(Note::FencedOff);
                    self.step = Step::Look;
                } else {
                    let writes = scene.random.range(1..=5);
                    self.step = Step::Lead { version: stat.version, writes, claimed: false };
                }
            }
            Step::Lead { version, writes, claimed } => match told.stat() {
                Some(stat) => {
                    (*version, *writes) = (stat.version, writes.saturating_sub(1));
                    if !std::mem::replace(claimed, true) {
                        scene.note(Note::Granted { token: self.term });
                    }
                    scene.note(Note::Fenced { token: self.term, version: stat.version });
                }
                // Whoever was it: another leader, or its own write without an answer.
                None => {
                    scene.note(Note::FencedOff);
                    self.step = Step::Look;
                }
            },
            Step::Resign if told.done() || told.is(ErrorCode::NoNode) => self.step = Step::Look,
            Step::Wait | Step::Resign => {}
        }
    }

    fn cut(&mut self) {
        self.step = match self.step {
            Step::Read | Step::Lead { .. } => Step::Read,
            // A second deletion could hit the node of somebody else.
            _ => Step::Look,
        };
    }

    fn heard(&mut self) {
        if matches!(self.step, Step::Wait) {
            self.step = Step::Stand;
        }
    }

    fn ended(&mut self, scene: &mut Scene<'_>) {
        // A leader may learn of it late, and goes on writing for a while.
        if matches!(self.step, Step::Lead { claimed: true, .. }) {
            scene.note(Note::LostToken);
        } else {
            self.step = Step::Stand;
        }
    }
}
