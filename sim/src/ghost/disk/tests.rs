use zabrus_core::Zxid;
use zabrus_core::config::Config;
use zabrus_core::storage::{DiskCompletion, Storage};

use super::*;
use crate::fault::{DiskFault, Failing};
use crate::random::Random;
use crate::settings::{DiskSettings, Settings};

const SERVER: ServerId = ServerId(1);

/// The storage of one server on a disk, and the observer.
struct Bench {
    config: Config,
    storage: Storage,
    disk: Disk,
    random: Random,
    ghost: Ghost,
}

impl Bench {
    /// After the first start.
    fn new(seed: u64) -> Self {
        let settings = Settings::default();
        let config = settings.config(SERVER, true);
        let disk = Disk::new(DiskSettings::default());
        let mut recovered = recover(&config, &disk.view()).expect("it can be used");
        let storage = Storage::new(&config, &mut recovered, 1);
        let (random, ghost) = (Random::stream(seed, "disk"), Ghost::new(&settings));
        let mut bench = Self { config, storage, disk, random, ghost };
        bench.serve(usize::MAX);
        bench
    }

    /// Carries out what the storage asks for, up to so many syncs.
    fn serve(&mut self, mut syncs: usize) {
        while syncs > 0
            && let Some(asked) = self.storage.poll_operation()
        {
            self.ghost.asked_of_disk(SERVER, &asked).expect("every rule is kept");
            let result = self.disk.apply(&asked.operation, &mut self.random);
            if matches!(asked.operation, FileOperation::Sync { .. } | FileOperation::SyncDirectory) {
                syncs -= 1;
                let judged = self.ghost.durable(SERVER, &asked.operation, result.is_err(), &self.disk);
                judged.expect("every rule is kept");
            }
            self.storage.handle(DiskCompletion { id: asked.id, result });
        }
    }

    fn append(&mut self, counter: u32) {
        let (before, payload) = (self.storage.last(), Bytes::from(&b"something"[..]));
        self.storage.append(Zxid::new(Epoch(1), counter), payload.clone());
        let learned = self.ghost.history.learn(before, self.storage.last(), || payload);
        assert_eq!(learned, Ok(true));
    }

    fn fail_next_sync(&mut self) {
        self.disk.inject(&DiskFault::SyncErrors(Failing::Once), &mut self.random);
    }
}

#[test]
fn after_a_failed_sync_the_shadow_is_what_a_recovery_would_give() {
    let mut torn = 0;
    for seed in 0..30 {
        let mut bench = Bench::new(seed);
        bench.append(1);
        bench.serve(usize::MAX);
        // A removed file goes with the next sync of the directory, not with this one (R9).
        bench.ghost.facts(SERVER).structural.removed = true;
        bench.append(2);
        bench.fail_next_sync();
        bench.serve(usize::MAX);
        let recovered = recover(&bench.config, &bench.disk.durable()).expect("it can be used");
        assert_eq!(*bench.ghost.durable_state(SERVER), summary(&recovered), "seed {seed}");
        torn += u64::from(recovered.epochs.standing == Standing::Torn(Zxid::new(Epoch(1), 2)));
    }
    assert!(torn > 0, "no sync left the slot without its record");
}

#[test]
fn a_cut_whose_sync_failed_may_still_come_with_the_loss_of_power() {
    let mut cut = 0;
    for seed in 0..30 {
        let mut bench = Bench::new(seed);
        (1..=3).for_each(|counter| bench.append(counter));
        bench.serve(usize::MAX);
        let (first, last) = (Zxid::new(Epoch(1), 1), bench.storage.last());
        bench.ghost.facts(SERVER).owed = last;
        bench.storage.truncate(first);
        bench.serve(1);
        bench.fail_next_sync();
        bench.serve(1);
        let before = bench.ghost.durable_state(SERVER).last;
        bench.disk.power_loss(&mut bench.random);
        bench.ghost.crashed(SERVER, &bench.disk).expect("the cut was asked for");
        let after = bench.ghost.durable_state(SERVER).last;
        cut += u64::from(before == last && after.zxid == first);
    }
    assert!(cut > 0, "no loss of power let the cut through");
}
