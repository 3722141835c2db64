//! A counter as kazoo's `Counter` and Curator's `DistributedAtomicLong` have it: read, then write
//! what depends on the version that was read, until that is done.

use zabrus_core::wire::{ErrorCode, OpCode};

use super::{Note, Play, Scene, Told, read, set};
use crate::clients::workload::Ask;

/// The node.
pub const COUNTER: &str = "/recipe/counter";

#[derive(Debug, Default)]
pub(super) struct Counter {
    /// What was read, and its version.
    read: Option<(i64, i32)>,
}

impl Play for Counter {
    fn ground(&self) -> &'static [&'static str] {
        &["/recipe", COUNTER]
    }

    fn ask(&mut self, scene: &mut Scene<'_>) -> Option<Ask> {
        Some(match self.read {
            None => read(OpCode::GetData, COUNTER, None),
            Some((value, version)) => {
                scene.note(Note::Counting);
                set(COUNTER, &(value + 1).to_string(), version)
            }
        })
    }

    fn told(&mut self, scene: &mut Scene<'_>, told: &Told<'_>) {
        match self.read {
            None => {
                self.read = told.data().map(|(text, stat)| (text.parse().unwrap_or(0), stat.version));
            }
            Some((value, _)) => {
                if let Some(stat) = told.stat() {
                    scene.note(Note::Counted { value: value + 1, version: stat.version });
                } else if told.is(ErrorCode::BadVersion) {
                    scene.note(Note::CountedBefore);
                }
                self.read = None;
            }
        }
    }

    fn cut(&mut self) {
        self.read = None;
    }

    fn heard(&mut self) {}

    fn ended(&mut self, _: &mut Scene<'_>) {
        self.read = None;
    }
}
