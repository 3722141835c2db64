//! A lock as kazoo's `Lock` and Curator's `InterProcessMutex` have it: the lowest ephemeral
//! node with a number holds it, everybody else watches the one before its own. A write under it depends on
//! its holder's node, and says the node's number.

use zabrus_core::jute;
use zabrus_core::wire::{CheckVersion, ErrorCode, OpCode};

use super::{Note, Play, Scene, Told, create, delete, number, read, set};
use crate::clients::registry::Kind;
use crate::clients::workload::{Ask, several};

const LOCK: &str = "/recipe/lock";
const RESOURCE: &str = "/recipe/resource";

#[derive(Debug, Default)]
enum Step {
    #[default]
    Outside,
    List,
    Watch {
        before: String,
    },
    Wait,
    Hold {
        writes: u64,
    },
    Release,
}

#[derive(Debug, Default)]
pub(super) struct Lock {
    step: Step,
    /// The name of its node.
    own: String,
}

impl Lock {
    /// Finds its place among all.
    fn listed(&mut self, scene: &mut Scene<'_>, mut names: Vec<String>) {
        names.sort_unstable_by_key(|name| number(name));
        // A creation without an answer may have been done.
        let Some(place) = names.iter().position(|name| name.starts_with(&scene.name())) else {
            self.step = Step::Outside;
            return;
        };
        self.own = names.swap_remove(place);
        self.step = match place.checked_sub(1) {
            Some(before) => Step::Watch { before: names.swap_remove(before) },
            None => {
                scene.note(Note::Granted { token: number(&self.own) });
                Step::Hold { writes: scene.random.below(4) }
            }
        };
    }
}

impl Play for Lock {
    fn ground(&self) -> &'static [&'static str] {
        &["/recipe", LOCK, RESOURCE]
    }

    fn ask(&mut self, scene: &mut Scene<'_>) -> Option<Ask> {
        let own = format!("{LOCK}/{}", self.own);
        Some(match &self.step {
            Step::Outside => create(OpCode::Create2, &format!("{LOCK}/{}", scene.name()), "", 3),
            Step::List => read(OpCode::GetChildren, LOCK, None),
            Step::Watch { before } => read(OpCode::Exists, &format!("{LOCK}/{before}"), Some(Kind::Exist)),
            Step::Wait => return None,
            Step::Hold { writes: 1.. } => {
                let check = Ask::new(OpCode::Check, jute::encode(&CheckVersion { path: own, version: 0 }));
                several(OpCode::Multi, &[check, set(RESOURCE, &number(&self.own).to_string(), -1)])
            }
            Step::Hold { writes: 0 } | Step::Release => {
                self.step = Step::Release;
                delete(&own)
            }
        })
    }

    fn told(&mut self, scene: &mut Scene<'_>, told: &Told<'_>) {
        match &mut self.step {
            Step::Outside => self.step = Step::List,
            Step::List => {
                if let Some(names) = told.names() {
                    self.listed(scene, names);
                }
            }
            Step::Watch { .. } => self.step = if told.done() { Step::Wait } else { Step::List },
            Step::Hold { writes } => {
                *writes = writes.saturating_sub(1);
                let token = number(&self.own);
                scene.note(match told.fenced() {
                    Some(stat) => Note::Fenced { token, version: stat.version },
                    None => Note::FencedOff,
                });
            }
            Step::Release if told.done() || told.is(ErrorCode::NoNode) => self.step = Step::Outside,
            Step::Wait | Step::Release => {}
        }
    }

    fn cut(&mut self) {
        if !matches!(self.step, Step::Hold { .. } | Step::Release) {
            self.step = Step::List;
        }
    }

    fn heard(&mut self) {
        if matches!(self.step, Step::Wait) {
            self.step = Step::List;
        }
    }

    fn ended(&mut self, scene: &mut Scene<'_>) {
        // Whoever holds a lock learns late that it does not, and goes on writing for a while.
        if matches!(self.step, Step::Hold { .. } | Step::Release) {
            scene.note(Note::LostToken);
        } else {
            self.step = Step::Outside;
        }
    }
}
