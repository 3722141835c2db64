//! Crashes at every operation of everything that a storage does.

use proptest::prelude::*;

use super::*;

/// What the world may still find on the disk: the ends of the histories that memory held, in
/// order, from the last one that was reported durable on. (An end names its whole history.)
struct Model {
    ends: Vec<Position>,
    /// Indexes into `ends` of what is being truncated to, installed, or saved epochs behind.
    cuts: Vec<usize>,
    saves: Vec<(usize, Epochs)>,
    epochs: Epochs,
    confirmed: usize,
}

impl Model {
    fn new(end: Position, epochs: Epochs) -> Self {
        Self { ends: vec![end], cuts: Vec::new(), saves: Vec::new(), epochs, confirmed: 0 }
    }

    fn see(&mut self, events: Vec<StorageEvent>, storage: &Storage) {
        for event in events {
            match event {
                StorageEvent::Durable(zxid) => {
                    // What was appended after a cut is not durable before the cut is.
                    let until = self.cuts.first().copied().unwrap_or(self.ends.len());
                    let candidates = &self.ends[self.confirmed..until];
                    let at = candidates.iter().rposition(|end| end.zxid == zxid);
                    self.confirmed += at.expect("it was appended");
                }
                StorageEvent::Truncated(to) | StorageEvent::Installed(to) => {
                    let at = self.cuts.remove(0);
                    assert_eq!(self.ends[at], to);
                    assert!(at >= self.confirmed);
                    self.confirmed = at;
                }
                StorageEvent::EpochsSaved(saved) => {
                    let (at, epochs) = self.saves.remove(0);
                    assert_eq!(saved, epochs);
                    self.epochs = saved;
                    // Y5: what was appended before is durable already.
                    self.confirmed = self.confirmed.max(at);
                }
                StorageEvent::Ready => *self = Self::new(storage.last(), storage.epochs()),
                StorageEvent::Failed(_) => {}
                _ => {}
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Action {
    Append(u32),
    NextEpoch,
    Truncate(usize),
    Snapshot,
    Install(u32),
    Serve(usize),
    Settle,
    Kill,
    LosePower,
    FailSync,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (1..6_u32).prop_map(Action::Append),
        1 => Just(Action::NextEpoch),
        2 => (0..8_usize).prop_map(Action::Truncate),
        2 => Just(Action::Snapshot),
        1 => (0..9_u32).prop_map(Action::Install),
        6 => (0..12_usize).prop_map(Action::Serve),
        3 => Just(Action::Settle),
        1 => Just(Action::Kill),
        2 => Just(Action::LosePower),
        1 => Just(Action::FailSync),
    ]
}

struct World {
    disk: Disk,
    dice: Dice,
    life: Life,
    model: Model,
    incarnation: u64,
    epoch: u32,
    ready: bool,
    failed: bool,
    installing: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let disk = Disk::default();
        let life = start(&disk, 1);
        let model = Model::new(Position::EMPTY, life.storage.epochs());
        let (ready, failed, installing) = (false, false, false);
        Self { disk, dice: Dice(seed), life, model, incarnation: 1, epoch: 0, ready, failed, installing }
    }

    fn serve(&mut self, limit: usize) {
        let events = self.disk.serve(&mut self.life.storage, limit);
        self.ready |= events.contains(&StorageEvent::Ready);
        self.failed |= events.iter().any(|event| matches!(event, StorageEvent::Failed(_)));
        self.installing &= !events.iter().any(|event| matches!(event, StorageEvent::Installed(_)));
        self.model.see(events, &self.life.storage);
    }

    fn act(&mut self, action: &Action) -> Result<(), TestCaseError> {
        match action {
            Action::Serve(limit) => self.serve(*limit),
            Action::Settle => self.serve(ALL),
            Action::Kill => self.restart(false)?,
            Action::LosePower => self.restart(true)?,
            Action::FailSync => self.disk.fail_sync = true,
            _ if !self.ready || self.failed => {}
            Action::Append(count) => {
                let epoch = self.epoch.max(1);
                for _ in 0..*count {
                    append(&mut self.life.storage, epoch, 1);
                    self.model.ends.push(self.life.storage.last());
                }
            }
            Action::NextEpoch => {
                self.epoch += 1;
                let epochs = epochs(self.epoch, self.epoch);
                self.model.saves.push((self.model.ends.len() - 1, epochs));
                self.life.storage.save_epochs(epochs);
            }
            Action::Truncate(entries) => {
                let storage = &mut self.life.storage;
                let cut = storage.entries_after(storage.base().zxid).rev().nth(*entries);
                let to = cut.map_or(storage.base(), |entry| entry.position);
                // Removing whole segments passes through what is between.
                let between = storage.entries_after(to.zxid).rev().map(|entry| entry.position);
                self.model.ends.extend(between);
                self.model.ends.push(to);
                self.model.cuts.push(self.model.ends.len() - 1);
                storage.truncate(to.zxid);
            }
            Action::Snapshot => {
                let storage = &mut self.life.storage;
                let durable = storage.position_at(storage.durable());
                if let Some(label) = durable {
                    storage.save_snapshot(label, state(label).snapshot());
                }
            }
            Action::Install(_) if self.installing => {}
            Action::Install(counter) => {
                // Sometimes a point of the own history, sometimes one of another.
                let storage = &mut self.life.storage;
                let own = storage.entries_after(storage.base().zxid).nth(*counter as usize);
                let foreign = Position::EMPTY.extend(zxid(self.epoch.max(1), counter + 1), b"foreign");
                let label = own.filter(|_| self.dice.below(2) == 0).map_or(foreign, |entry| entry.position);
                install(storage, label);
                self.model.ends.push(label);
                self.model.cuts.push(self.model.ends.len() - 1);
                self.installing = true;
            }
        }
        Ok(())
    }

    fn restart(&mut self, power_loss: bool) -> Result<(), TestCaseError> {
        self.disk.fail_sync = false;
        self.disk.kill();
        if power_loss {
            self.disk.lose_power(&mut self.dice);
        }
        self.incarnation += 1;
        self.life = start(&self.disk, self.incarnation);
        (self.ready, self.failed, self.installing) = (false, false, false);
        let recovered = &self.life.recovered;
        let last = self.life.storage.last();
        let standing = recovered.epochs.standing;
        let possible = &self.model.ends[self.model.confirmed..];
        prop_assert!(possible.contains(&last), "{last} is none of {possible:?}");
        prop_assert!(matches!(standing, Standing::Sound | Standing::Torn(_)), "{:?}", recovered.findings);
        if let Some((label, found)) = &recovered.snapshot {
            prop_assert_eq!(found.digest(), state(*label).digest());
        }
        // Y5: new epochs come with everything that was appended before.
        let model = &self.model;
        let saves = model.saves.iter().copied().chain([(model.confirmed, model.epochs)]);
        let mut possible =
            saves.filter(|(at, _)| self.model.ends[*at..].contains(&last)).map(|(_, epochs)| {
                let epoch = epochs.current_epoch.max(last.zxid.epoch());
                (epochs.accepted_epoch.max(epoch), epoch)
            });
        let found = (recovered.epochs.accepted_epoch, recovered.epochs.current_epoch);
        prop_assert!(possible.any(|epochs| epochs == found), "{found:?} with {last} in {:?}", model.saves);
        self.epoch = self.epoch.max(found.0.0);
        let again = recover(&config(), &self.disk).unwrap();
        prop_assert_eq!(last_of(&again), last);
        prop_assert_eq!(again.epochs, self.life.storage.epochs());
        if power_loss {
            self.model = Model::new(last, recovered.epochs);
        }
        Ok(())
    }
}

fn run(seed: u64, actions: &[Action]) -> Result<(), TestCaseError> {
    let mut world = World::new(seed);
    for action in actions {
        world.act(action)?;
    }
    world.restart(true)?;
    world.serve(ALL);
    prop_assert!(world.ready);
    world.restart(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_that_was_reported_is_lost_in_any_sequence_of_crashes(
        seed in any::<u64>(), actions in proptest::collection::vec(action(), 1..60)
    ) {
        run(seed, &actions)?;
    }
}

#[test]
fn a_crash_at_any_operation_leaves_the_old_state_or_the_new() {
    let sequences: [&[Action]; 4] = [
        &[Action::Append(5), Action::Append(5)],
        &[Action::Append(3), Action::NextEpoch, Action::Append(2), Action::NextEpoch],
        &[Action::Append(5), Action::Settle, Action::Append(5), Action::Settle, Action::Truncate(6)],
        &[
            Action::Append(5),
            Action::Settle,
            Action::Snapshot,
            Action::Append(5),
            Action::Settle,
            Action::Install(3),
        ],
    ];
    for sequence in sequences {
        for (operations, seed) in (0..40).flat_map(|operations| (0..12).map(move |seed| (operations, seed))) {
            let mut actions = vec![Action::Settle];
            actions.extend_from_slice(sequence);
            actions.push(Action::Serve(operations));
            run(seed, &actions).unwrap_or_else(|error| panic!("{sequence:?}, {operations}, {seed}: {error}"));
        }
    }
}
