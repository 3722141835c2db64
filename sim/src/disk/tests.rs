use proptest::prelude::*;
use zabrus_core::storage::Directory;

use super::*;

fn name(name: &str) -> FileName {
    FileName(name.to_owned())
}

fn create(file: &str) -> FileOperation {
    FileOperation::Create { file: name(file) }
}

fn write(file: &str, offset: u64, bytes: &[u8]) -> FileOperation {
    FileOperation::Write { file: name(file), offset, bytes: bytes.into() }
}

fn sync(file: &str) -> FileOperation {
    FileOperation::Sync { file: name(file) }
}

fn read(file: &str, offset: u64, length: u64) -> FileOperation {
    FileOperation::Read { file: name(file), offset, length }
}

fn rename(from: &str, to: &str) -> FileOperation {
    FileOperation::Rename { from: name(from), to: name(to) }
}

struct Bench {
    disk: Disk,
    random: Random,
}

impl Bench {
    fn new(seed: u64) -> Self {
        Self { disk: Disk::new(DiskSettings::default()), random: Random::stream(seed, "disk") }
    }

    /// A disk on which each of these files durably holds these bytes.
    fn holding(seed: u64, files: &[(&str, &[u8])]) -> Self {
        let mut bench = Self::new(seed);
        for (file, bytes) in files {
            bench.all(&[create(file), write(file, 0, bytes), sync(file)]);
        }
        bench.all(&[FileOperation::SyncDirectory]);
        bench
    }

    fn apply(&mut self, operation: &FileOperation) -> Result<Bytes, DiskError> {
        self.disk.apply(operation, &mut self.random)
    }

    fn all(&mut self, operations: &[FileOperation]) {
        for operation in operations {
            self.apply(operation).unwrap();
        }
    }

    fn inject(&mut self, fault: DiskFault) {
        self.disk.inject(&fault, &mut self.random);
    }

    fn cached(&self, file: &str) -> Option<&[u8]> {
        self.disk.view().bytes(&name(file))
    }

    fn durable(&self, file: &str) -> Option<&[u8]> {
        self.disk.durable().bytes(&name(file))
    }

    fn lose_power(&mut self) -> Loss {
        self.disk.power_loss(&mut self.random)
    }
}

/// What a file holds after a power loss, over many seeds.
fn outcomes(prepare: impl Fn(&mut Bench), file: &str) -> Vec<Option<Vec<u8>>> {
    let outcome = |seed| {
        let mut bench = Bench::holding(seed, &[("log", b"....")]);
        prepare(&mut bench);
        bench.lose_power();
        assert_eq!(bench.cached(file), bench.durable(file));
        bench.cached(file).map(<[u8]>::to_vec)
    };
    (0..200).map(outcome).collect()
}

fn some(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(bytes.to_vec())
}

#[test]
fn the_running_system_sees_writes_that_are_not_durable() {
    let mut bench = Bench::holding(1, &[("log", b"....")]);
    bench.all(&[write("log", 2, b"abcd")]);
    assert_eq!(bench.cached("log"), Some(b"..abcd".as_slice()));
    assert_eq!(bench.durable("log"), Some(b"....".as_slice()));
    assert_eq!(bench.apply(&read("log", 4, 10)).unwrap().as_ref(), b"cd");
    assert!(bench.disk.has_unsynced());
    bench.all(&[sync("log")]);
    assert_eq!(bench.durable("log"), Some(b"..abcd".as_slice()));
    assert!(!bench.disk.has_unsynced());
}

#[test]
fn a_crash_of_the_process_keeps_what_was_written() {
    let mut bench = Bench::holding(1, &[("log", b"....")]);
    bench.all(&[write("log", 0, b"abcd"), create("new")]);
    bench.disk.process_crash();
    assert_eq!(bench.cached("log"), Some(b"abcd".as_slice()));
    assert_eq!(bench.cached("new"), Some(b"".as_slice()));
}

#[test]
fn an_unsynced_write_survives_or_is_lost_or_is_torn() {
    let outcomes = outcomes(|bench| bench.all(&[write("log", 0, b"abcd")]), "log");
    for expected in [b"....", b"abcd", b"ab..", b"a...", b"..cd", b"a..d"] {
        assert!(outcomes.contains(&some(expected)), "{expected:?}");
    }
}

#[test]
fn a_torn_write_beyond_the_end_leaves_zeros_where_it_is_missing() {
    let outcomes = outcomes(|bench| bench.all(&[write("log", 4, b"abcd")]), "log");
    for expected in [b"....".as_slice(), b"....abcd", b"....a", b"....\0\0cd"] {
        assert!(outcomes.contains(&some(expected)), "{expected:?}");
    }
}

#[test]
fn a_later_write_may_survive_an_earlier_one_of_the_same_sync() {
    let outcomes = outcomes(|bench| bench.all(&[write("log", 0, b"a"), write("log", 1, b"b")]), "log");
    assert!(outcomes.contains(&some(b".b..")));
    assert!(outcomes.contains(&some(b"a...")));
}

#[test]
fn a_loss_says_what_became_of_each_change() {
    let mut sum = Loss::default();
    for seed in 0..100 {
        let mut bench = Bench::holding(seed, &[("log", b"....")]);
        bench.all(&[write("log", 0, b"ab"), write("log", 2, b"cd")]);
        let loss = bench.lose_power();
        assert_eq!(loss.survived + loss.torn + loss.lost, 2);
        sum.torn += loss.torn;
        sum.overtook += loss.overtook;
    }
    assert!(sum.torn > 0 && sum.overtook > 0, "{sum:?}");
}

#[test]
fn an_unsynced_cut_or_allocation_may_be_undone() {
    let cut = outcomes(|bench| bench.all(&[FileOperation::Truncate { file: name("log"), length: 1 }]), "log");
    assert!(cut.contains(&some(b".")) && cut.contains(&some(b"....")));
    let grow =
        outcomes(|bench| bench.all(&[FileOperation::Preallocate { file: name("log"), length: 5 }]), "log");
    assert!(grow.contains(&some(b"....\0")) && grow.contains(&some(b"....")));
}

#[test]
fn a_creation_without_a_directory_sync_may_be_undone_with_its_synced_content() {
    let outcomes = outcomes(|bench| bench.all(&[create("new"), write("new", 0, b"x"), sync("new")]), "new");
    assert!(outcomes.contains(&None) && outcomes.contains(&some(b"x")));
}

#[test]
fn a_rename_without_a_directory_sync_may_be_undone() {
    let prepare = |bench: &mut Bench| {
        bench.all(&[create("tmp"), write("tmp", 0, b"new"), sync("tmp"), FileOperation::SyncDirectory]);
        bench.all(&[rename("tmp", "log")]);
        assert_eq!(bench.cached("tmp"), None);
        assert_eq!(bench.cached("log"), Some(b"new".as_slice()));
    };
    let replaced = outcomes(prepare, "log");
    assert!(replaced.contains(&some(b"....")) && replaced.contains(&some(b"new")));
    let old_name = outcomes(prepare, "tmp");
    assert!(old_name.contains(&None) && old_name.contains(&some(b"new")));
}

#[test]
fn a_rename_may_be_durable_before_the_content_is() {
    let prepare = |bench: &mut Bench| {
        bench.all(&[create("tmp"), write("tmp", 0, b"new"), rename("tmp", "log")]);
        bench.all(&[FileOperation::SyncDirectory]);
    };
    let outcomes = outcomes(prepare, "log");
    assert!(outcomes.contains(&some(b"")) && outcomes.contains(&some(b"new")));
}

#[test]
fn a_removal_without_a_directory_sync_may_be_undone() {
    let outcomes = outcomes(|bench| bench.all(&[FileOperation::Remove { file: name("log") }]), "log");
    assert!(outcomes.contains(&None) && outcomes.contains(&some(b"....")));
}

#[test]
fn names_survive_in_order_unless_the_file_system_reorders_them() {
    let reordered = |names_reorder| {
        (0..200).any(|seed| {
            let mut bench = Bench::holding(seed, &[("a", b"1"), ("b", b"2")]);
            bench.disk.settings.names_reorder = names_reorder;
            let remove = |file| FileOperation::Remove { file: name(file) };
            bench.all(&[remove("a"), remove("b")]);
            bench.lose_power();
            bench.cached("a").is_some() && bench.cached("b").is_none()
        })
    };
    assert!(!reordered(false));
    assert!(reordered(true));
}

#[test]
fn after_a_failed_sync_nothing_is_certain_and_a_second_sync_does_not_help() {
    for keeps_cache in [true, false] {
        let outcomes: Vec<_> = (0..100)
            .map(|seed| {
                let mut bench = Bench::holding(seed, &[("log", b".")]);
                bench.disk.settings.failed_sync_keeps_cache = keeps_cache;
                bench.all(&[write("log", 0, b"a")]);
                bench.inject(DiskFault::SyncErrors(Failing::Once));
                assert_eq!(bench.apply(&sync("log")), Err(DiskError::Failed));
                bench.all(&[sync("log")]);
                (bench.cached("log").unwrap().to_vec(), bench.durable("log").unwrap().to_vec())
            })
            .collect();
        let lost = if keeps_cache { b"a" } else { b"." };
        assert!(outcomes.contains(&(lost.to_vec(), b".".to_vec())));
        assert!(outcomes.contains(&(b"a".to_vec(), b"a".to_vec())));
    }
}

#[test]
fn a_failed_directory_sync_leaves_names_undecided_and_the_next_one_settles_them() {
    let mut kept = Vec::new();
    for seed in 0..50 {
        let mut bench = Bench::new(seed);
        bench.all(&[create("log")]);
        bench.inject(DiskFault::SyncErrors(Failing::Once));
        assert_eq!(bench.apply(&FileOperation::SyncDirectory), Err(DiskError::Failed));
        kept.push(bench.durable("log").is_some());
        bench.all(&[FileOperation::SyncDirectory]);
        assert!(bench.durable("log").is_some());
    }
    assert!(kept.contains(&true) && kept.contains(&false));
}

#[test]
fn errors_for_good_last_until_the_repair() {
    let mut bench = Bench::holding(1, &[("log", b"....")]);
    bench.inject(DiskFault::WriteErrors(Failing::ForGood));
    bench.inject(DiskFault::SyncErrors(Failing::ForGood));
    bench.inject(DiskFault::ReadErrors(Failing::ForGood));
    for operation in [write("log", 0, b"a"), sync("log"), read("log", 0, 1)] {
        assert_eq!(bench.apply(&operation), Err(DiskError::Failed));
        assert_eq!(bench.apply(&operation), Err(DiskError::Failed));
    }
    bench.inject(DiskFault::Repair);
    bench.all(&[write("log", 0, b"a"), sync("log"), read("log", 0, 1)]);
}

#[test]
fn a_failed_write_leaves_a_prefix() {
    let mut prefixes = Vec::new();
    for seed in 0..100 {
        let mut bench = Bench::holding(seed, &[("log", b"....")]);
        bench.inject(DiskFault::WriteErrors(Failing::Once));
        assert_eq!(bench.apply(&write("log", 0, b"ab")), Err(DiskError::Failed));
        prefixes.push(bench.cached("log").unwrap().to_vec());
    }
    assert!([b"....", b"a...", b"ab.."].iter().all(|prefix| prefixes.contains(&prefix.to_vec())));
}

#[test]
fn a_full_disk_takes_what_was_allocated_and_nothing_more() {
    let mut bench = Bench::holding(1, &[("log", b"....")]);
    bench.inject(DiskFault::Full);
    bench.all(&[write("log", 0, b"abcd"), sync("log"), create("log")]);
    assert_eq!(bench.apply(&create("new")), Err(DiskError::Full));
    assert_eq!(
        bench.apply(&FileOperation::Preallocate { file: name("log"), length: 9 }),
        Err(DiskError::Full)
    );
    assert_eq!(bench.apply(&write("log", 0, b"ab")), Err(DiskError::Full));
    assert_eq!(bench.cached("log"), Some(b"".as_slice()));
    assert_eq!(bench.cached("new"), None);
    bench.inject(DiskFault::Repair);
    bench.all(&[create("new"), write("log", 0, b"ab")]);
}

#[test]
fn bit_rot_changes_one_durable_bit_of_the_chosen_file() {
    let mut bench = Bench::holding(1, &[("log.1", b"...."), ("epochs", b"....")]);
    bench.inject(DiskFault::BitRot { file: "log".to_owned() });
    let flipped: u32 = bench.durable("log.1").unwrap().iter().map(|byte| (byte ^ b'.').count_ones()).sum();
    assert_eq!(flipped, 1);
    assert_eq!(bench.durable("log.1"), bench.cached("log.1"));
    assert_eq!(bench.durable("epochs"), Some(b"....".as_slice()));
    assert!(bench.disk.is_damaged());
}

#[test]
fn bit_rot_finds_nothing_on_an_empty_disk() {
    let mut bench = Bench::new(1);
    bench.inject(DiskFault::BitRot { file: String::new() });
    bench.inject(DiskFault::BadSector { file: String::new() });
    assert!(!bench.disk.is_damaged());
}

#[test]
fn a_bad_sector_is_unreadable_until_it_is_written() {
    let mut bench = Bench::holding(1, &[("log", &[7; 100])]);
    bench.inject(DiskFault::BadSector { file: "log".to_owned() });
    assert_eq!(bench.disk.view().read(&name("log"), 0, 1), Err(DiskError::Failed));
    assert_eq!(bench.disk.durable().read(&name("log"), 99, 5), Err(DiskError::Failed));
    assert_eq!(bench.apply(&read("log", 0, 1)), Err(DiskError::Failed));
    assert_eq!(bench.disk.view().read(&name("log"), 100, 5), Ok(Vec::new()));
    bench.all(&[write("log", 0, &[8; 100])]);
    assert_eq!(bench.disk.view().read(&name("log"), 0, 1), Ok(vec![8]));
}

#[test]
fn a_misdirected_write_reaches_another_file_and_never_its_own() {
    let mut bench = Bench::holding(1, &[("log", b"...."), ("epochs", b"....")]);
    bench.inject(DiskFault::MisdirectedWrite);
    bench.all(&[write("log", 0, b"ab"), write("log", 2, b"cd"), sync("log")]);
    assert_eq!(bench.cached("log"), Some(b"abcd".as_slice()));
    assert_eq!(bench.durable("log"), Some(b"..cd".as_slice()));
    assert_ne!(bench.durable("epochs"), Some(b"....".as_slice()));
    assert!(bench.disk.is_damaged());
    bench.lose_power();
    assert_eq!(bench.cached("log"), Some(b"..cd".as_slice()));
}

#[test]
fn stalls_hit_once_and_slowness_stays_until_the_repair() {
    let settings = DiskSettings { write_micros: (10, 10), sync_micros: (100, 100), ..Default::default() };
    let mut bench = Bench::new(1);
    bench.disk.settings = settings;
    let latency = |bench: &mut Bench, operation| bench.disk.latency(&operation, &mut bench.random).0;
    assert_eq!(latency(&mut bench, create("log")), 10);
    bench.inject(DiskFault::Stall(Duration(5_000)));
    assert_eq!(latency(&mut bench, create("log")), 5_010);
    bench.inject(DiskFault::Slow(3));
    assert_eq!(latency(&mut bench, FileOperation::SyncDirectory), 300);
    bench.inject(DiskFault::Repair);
    assert_eq!(latency(&mut bench, sync("log")), 100);
}

#[test]
fn a_wiped_disk_is_empty_and_counts_as_damaged() {
    let mut bench = Bench::holding(1, &[("log", b"....")]);
    bench.disk.wipe();
    assert_eq!(bench.disk.view().list(), []);
    assert!(bench.disk.is_damaged());
}

#[test]
fn a_missing_file_is_not_found() {
    let mut bench = Bench::new(1);
    for operation in [write("log", 0, b"a"), sync("log"), read("log", 0, 1), rename("log", "new")] {
        assert_eq!(bench.apply(&operation), Err(DiskError::NotFound));
    }
}

#[test]
fn files_without_a_name_are_forgotten() {
    let mut bench = Bench::holding(1, &[("log", b"....")]);
    for _ in 0..5 {
        bench.all(&[create("tmp"), sync("tmp"), rename("tmp", "log"), FileOperation::SyncDirectory]);
    }
    assert_eq!(bench.disk.files.len(), 1);
}

fn any_operation() -> impl Strategy<Value = FileOperation> {
    let file = prop::sample::select(vec!["a", "b", "c"]);
    let bytes = prop::collection::vec(1..=255u8, 1..40);
    prop_oneof![
        1 => file.clone().prop_map(create),
        6 => (file.clone(), 0..2_000u64, bytes).prop_map(|(file, offset, bytes)| write(file, offset, &bytes)),
        1 => (file.clone(), 0..2_000u64)
            .prop_map(|(file, length)| FileOperation::Truncate { file: name(file), length }),
        1 => (file.clone(), 0..2_000u64)
            .prop_map(|(file, length)| FileOperation::Preallocate { file: name(file), length }),
        2 => file.clone().prop_map(sync),
        1 => (file.clone(), prop::sample::select(vec!["a", "b", "c"]))
            .prop_map(|(from, to)| rename(from, to)),
        1 => file.prop_map(|file| FileOperation::Remove { file: name(file) }),
        1 => Just(FileOperation::SyncDirectory),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_synced_survives_every_power_loss_untouched(
        operations in prop::collection::vec(any_operation(), 0..40),
        seed: u64,
    ) {
        let mut bench = Bench::new(seed);
        for operation in &operations {
            let _ = bench.apply(operation);
        }
        for file in ["a", "b", "c"] {
            let _ = bench.apply(&sync(file));
        }
        bench.all(&[FileOperation::SyncDirectory]);
        let before: Vec<_> = ["a", "b", "c"].map(|file| bench.cached(file).map(<[u8]>::to_vec)).into();
        prop_assert!(!bench.disk.has_unsynced());
        prop_assert_eq!(bench.lose_power(), Loss::default());
        let after: Vec<_> = ["a", "b", "c"].map(|file| bench.cached(file).map(<[u8]>::to_vec)).into();
        prop_assert_eq!(before, after);
    }

    #[test]
    fn cache_and_medium_agree_after_a_power_loss(
        operations in prop::collection::vec(any_operation(), 0..40),
        seed: u64,
    ) {
        let mut bench = Bench::new(seed);
        for operation in &operations {
            let _ = bench.apply(operation);
        }
        bench.lose_power();
        prop_assert_eq!(bench.disk.view().list(), bench.disk.durable().list());
        for (file, _) in bench.disk.view().list() {
            prop_assert_eq!(bench.disk.view().bytes(&file), bench.disk.durable().bytes(&file));
        }
    }
}
