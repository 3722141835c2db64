//! Loss of power: what was not synced survives in part.

use super::Disk;
use super::file::{Change, SECTOR_BYTES};
use crate::random::Random;

/// What became of the unsynced changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Changes of contents and names that survived whole.
    pub survived: u64,
    /// Writes of which a part survived.
    pub torn: u64,
    /// Changes that are lost.
    pub lost: u64,
    /// Changes that survived although an earlier one of the same file did not.
    pub overtook: u64,
}

/// How kind the loss is; one draw for the whole disk, so that the pure cases are frequent.
#[derive(Clone, Copy)]
enum Mood {
    LosesAll,
    KeepsAll,
    /// What was first reached the medium first, up to some moment.
    InOrder,
    /// Anything in any combination.
    AnyOrder,
}

impl Disk {
    /// The machine loses power: each change that is not synced survives, is torn, or is lost.
    pub fn power_loss(&mut self, random: &mut Random) -> Loss {
        let mood = *random.pick(&[Mood::LosesAll, Mood::KeepsAll, Mood::InOrder, Mood::AnyOrder]);
        let mut loss = Loss::default();
        for file in self.files.values_mut() {
            let changes = std::mem::take(&mut file.unsynced);
            let survivors = survivors(changes, mood, &mut loss, random, tear);
            file.keep_only(survivors);
        }
        let mood = match mood {
            Mood::AnyOrder if !self.settings.names_reorder => Mood::InOrder,
            mood => mood,
        };
        let changes = std::mem::take(&mut self.name_changes);
        for change in survivors(changes, mood, &mut loss, random, |_, _| Vec::new()) {
            change.apply(&mut self.durable_names);
        }
        self.cached_names.clone_from(&self.durable_names);
        self.forget_nameless();
        loss
    }
}

fn survivors<T>(
    changes: Vec<T>,
    mood: Mood,
    loss: &mut Loss,
    random: &mut Random,
    tear: impl Fn(&T, &mut Random) -> Vec<T>,
) -> Vec<T> {
    let reached = random.range(0..=changes.len() as u64) as usize;
    let mut survivors = Vec::new();
    let mut one_missing = false;
    for (number, change) in changes.into_iter().enumerate() {
        let (survives, may_tear) = match mood {
            Mood::LosesAll => (false, false),
            Mood::KeepsAll => (true, false),
            Mood::InOrder => (number < reached, number == reached),
            Mood::AnyOrder => (random.chance(500), true),
        };
        if survives {
            loss.survived += 1;
            loss.overtook += u64::from(one_missing);
            survivors.push(change);
            continue;
        }
        one_missing = true;
        let torn = if may_tear && random.chance(500) { tear(&change, random) } else { Vec::new() };
        *(if torn.is_empty() { &mut loss.lost } else { &mut loss.torn }) += 1;
        survivors.extend(torn);
    }
    survivors
}

/// The parts of a write that survive: a beginning, an end, or all but a hole; cut at any byte,
/// or between sectors.
fn tear(change: &Change, random: &mut Random) -> Vec<Change> {
    let Change::Write(offset, bytes) = change else { return Vec::new() };
    let length = bytes.len() as u64;
    let sectors = random.chance(500);
    let mut cut = || {
        let at = random.range(0..=length);
        if !sectors {
            return at;
        }
        let aligned = (offset + at).next_multiple_of(SECTOR_BYTES) - offset;
        aligned.min(length)
    };
    let (one, other) = (cut(), cut());
    let (start, end) = match random.below(3) {
        0 => (one, length),
        1 => (0, one),
        _ => (one.min(other), one.max(other)),
    };
    let part = |from: u64, to: u64| Change::Write(offset + from, bytes[from as usize..to as usize].into());
    let mut parts = Vec::new();
    if start > 0 && start < end {
        parts.push(part(0, start));
    }
    if end < length && start < end {
        parts.push(part(end, length));
    }
    parts
}
