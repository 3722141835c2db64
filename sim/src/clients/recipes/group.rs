//! Membership as kazoo's `Party` and Curator's `GroupMember` have it: members are ephemeral nodes, and each
//! watches all of them.

use zabrus_core::Zxid;
use zabrus_core::wire::{ErrorCode, OpCode};

use super::{Note, Play, Scene, Told, create, delete, read};
use crate::clients::registry::Kind;
use crate::clients::workload::Ask;

/// The parent of all members.
pub const GROUP: &str = "/recipe/group";

#[derive(Debug, Default)]
enum Step {
    #[default]
    Join,
    List,
    Rest,
    Part,
}

#[derive(Debug, Default)]
pub(super) struct Group {
    step: Step,
    /// How often it has joined.
    joined: u32,
    /// Its name, while it is a member.
    own: Option<String>,
    /// Something has changed since it looked.
    stale: bool,
}

impl Play for Group {
    fn ground(&self) -> &'static [&'static str] {
        &["/recipe", GROUP]
    }

    fn ask(&mut self, scene: &mut Scene<'_>) -> Option<Ask> {
        if matches!(self.step, Step::Rest) && !scene.stopped && scene.random.chance(50) {
            self.step = if self.own.is_some() { Step::Part } else { Step::Join };
        }
        let begins = matches!(self.step, Step::Join | Step::Part);
        if self.stale && matches!(self.step, Step::Rest) || scene.stopped && begins {
            self.step = Step::List;
        }
        Some(match self.step {
            Step::Join => {
                let name = self.own.get_or_insert_with(|| format!("{}{}", scene.name(), self.joined)).clone();
                let ask = create(OpCode::Create2, &format!("{GROUP}/{name}"), "", 1);
                scene.note(Note::Joining { name, session: scene.session });
                ask
            }
            Step::List => read(OpCode::GetChildren, GROUP, Some(Kind::Child)),
            Step::Rest => return None,
            Step::Part => {
                let name = self.own.clone()?;
                let ask = delete(&format!("{GROUP}/{name}"));
                scene.note(Note::Parting { name });
                ask
            }
        })
    }

    fn told(&mut self, scene: &mut Scene<'_>, told: &Told<'_>) {
        match self.step {
            Step::Join if told.done() || told.is(ErrorCode::NodeExists) => {
                if let (Some(name), Some((_, stat))) = (self.own.clone(), told.created()) {
                    scene.note(Note::Joined { name, czxid: Zxid(stat.czxid.cast_unsigned()) });
                }
                self.step = Step::List;
            }
            Step::List => {
                let Some(names) = told.names() else { return };
                scene.note(Note::Saw { session: scene.session, zxid: told.zxid, names });
                (self.step, self.stale) = (Step::Rest, false);
            }
            Step::Part if told.done() || told.is(ErrorCode::NoNode) => {
                self.own = None;
                self.joined += 1;
                self.step = Step::Rest;
            }
            _ => {}
        }
    }

    fn cut(&mut self) {}

    fn heard(&mut self) {
        self.stale = true;
    }

    fn ended(&mut self, _: &mut Scene<'_>) {
        *self = Self { joined: self.joined, ..Self::default() };
    }
}
