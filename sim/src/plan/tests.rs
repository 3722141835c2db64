use std::collections::BTreeSet;

use proptest::prelude::*;
use zabrus_core::quorum::Ensemble;

use super::*;
use crate::checks::v12_late_follower;
use crate::fault::{Direction, Failing};
use crate::swarm;

fn everything() -> Vec<FaultRate> {
    FaultKind::ALL.iter().map(|kind| FaultRate { kind: *kind, weight: 1 }).collect()
}

fn settings(voters: u64, observers: u64, liveness_expected: bool) -> Settings {
    Settings {
        ensemble: Ensemble::plain(voters, observers),
        faults: everything(),
        liveness_expected,
        ..Settings::default()
    }
}

/// As much of a world as a plan sees and changes.
#[derive(Debug)]
struct Toy {
    plan: Plan,
    observation: Observation,
    random: Random,
    paused: BTreeSet<ServerId>,
    blocked: BTreeSet<Direction>,
    clogged: BTreeSet<Direction>,
    broken_disks: BTreeSet<ServerId>,
    swapped: BTreeSet<ServerId>,
    damaged: BTreeSet<ServerId>,
    /// Not seen in good order since they were damaged and then restarted (true) or not yet.
    hurt: BTreeMap<ServerId, bool>,
    /// Not seen in good order since they lost power.
    in_doubt: BTreeSet<ServerId>,
    kinds: BTreeSet<FaultKind>,
}

impl Toy {
    fn new(settings: &Settings, seed: u64) -> Self {
        let server = ServerObservation { up: true, writing: false, has_epochs: true, is_sound: true };
        let servers = settings.ensemble.members.keys().map(|id| (*id, server)).collect();
        let ensembles = vec![settings.ensemble.clone()];
        Self {
            plan: Plan::new(settings, Random::stream(seed, "faults")),
            observation: Observation { now: Instant::default(), leader: None, ensembles, servers },
            random: Random::stream(seed, "toy"),
            paused: BTreeSet::new(),
            blocked: BTreeSet::new(),
            clogged: BTreeSet::new(),
            broken_disks: BTreeSet::new(),
            swapped: BTreeSet::new(),
            damaged: BTreeSet::new(),
            hurt: BTreeMap::new(),
            in_doubt: BTreeSet::new(),
            kinds: BTreeSet::new(),
        }
    }

    /// Goes to the next moment at which the plan wants to act.
    fn step(&mut self) -> Vec<Fault> {
        self.observation.now = self.plan.due();
        let ids: Vec<ServerId> = self.observation.servers.keys().copied().collect();
        for (id, server) in &mut self.observation.servers {
            server.writing = server.up && self.random.chance(300);
            let starts = !self.swapped.contains(id) && self.random.chance(200);
            server.is_sound = server.up && (server.is_sound || starts);
            if server.is_sound {
                self.in_doubt.remove(id);
                self.hurt.retain(|hurt, restarted| hurt != id || !*restarted);
            }
        }
        self.observation.leader = self.random.chance(800).then(|| *self.random.pick(&ids));
        let faults = self.plan.step(&self.observation);
        faults.iter().for_each(|fault| self.apply(fault));
        faults
    }

    fn set_up(&mut self, server: ServerId, up: bool) {
        let observed = self.observation.servers.get_mut(&server).unwrap();
        observed.up = up;
        observed.is_sound &= up;
    }

    fn apply(&mut self, fault: &Fault) {
        self.kinds.extend(fault.kind());
        if fault.kind().is_some_and(FaultKind::damages) {
            let (Fault::Wipe(server) | Fault::Disk { server, .. }) = fault else {
                panic!("damage of an unknown form: {fault}");
            };
            assert!(!self.swapped.contains(server), "damage to a swapped disk: {fault}");
            self.damaged.insert(*server);
            self.hurt.insert(*server, matches!(fault, Fault::Wipe(_)));
        }
        match fault {
            Fault::Crash(server) | Fault::Outage(server) | Fault::Wipe(server) => {
                self.set_up(*server, false);
            }
            Fault::PowerLoss(servers) => {
                self.in_doubt.extend(servers);
                for server in servers {
                    self.set_up(*server, false);
                    self.hurt.entry(*server).and_modify(|restarted| *restarted = true);
                }
            }
            Fault::Start(server) => self.set_up(*server, true),
            Fault::Pause(server) => drop(self.paused.insert(*server)),
            Fault::Resume(server) => drop(self.paused.remove(server)),
            Fault::SwapDisks(one, other) => {
                for server in [one, other] {
                    self.set_up(*server, false);
                    if !self.swapped.remove(server) {
                        assert!(!self.damaged.contains(server), "a damaged disk is swapped: {fault}");
                        self.swapped.insert(*server);
                    }
                }
            }
            Fault::Partition { blocked, .. } | Fault::Block(blocked) => self.blocked.extend(blocked),
            Fault::Unblock(blocked) => self.blocked.retain(|direction| !blocked.contains(direction)),
            Fault::Heal => {
                self.blocked.clear();
                self.clogged.clear();
            }
            Fault::Clog { from, to, extra } if *extra > Duration::ZERO => {
                self.clogged.insert((*from, *to));
            }
            Fault::Clog { from, to, .. } => drop(self.clogged.remove(&(*from, *to))),
            Fault::Disk { server, fault } => match fault {
                DiskFault::Repair => drop(self.broken_disks.remove(server)),
                DiskFault::Full
                | DiskFault::Slow(_)
                | DiskFault::WriteErrors(Failing::ForGood)
                | DiskFault::SyncErrors(Failing::ForGood) => drop(self.broken_disks.insert(*server)),
                _ => {}
            },
            Fault::BreakLink(..) | Fault::WallJump { .. } | Fault::Drift { .. } | Fault::Elect { .. } => {}
        }
    }

    fn assert_well(&self) {
        assert!(self.paused.is_empty(), "{self:?}");
        assert!(self.blocked.is_empty(), "{self:?}");
        assert!(self.clogged.is_empty(), "{self:?}");
        assert!(self.broken_disks.is_empty(), "{self:?}");
        assert!(self.swapped.is_empty(), "{self:?}");
        assert!(self.observation.servers.values().all(|server| server.up), "{self:?}");
    }
}

#[test]
fn a_plan_is_defined_by_its_settings_and_seed() {
    let steps = |seed| {
        let mut toy = Toy::new(&settings(5, 1, true), seed);
        (0..300).map(|_| (toy.step(), toy.observation.now)).collect::<Vec<_>>()
    };
    assert_eq!(steps(3), steps(3));
    assert_ne!(steps(3), steps(4));
}

#[test]
fn every_kind_of_fault_happens() {
    let mut kinds = BTreeSet::new();
    for seed in 0..10 {
        let mut toy = Toy::new(&settings(5, 1, true), seed);
        (0..1_000).for_each(|_| drop(toy.step()));
        kinds.extend(toy.kinds);
    }
    let missing: Vec<_> =
        FaultKind::ALL.iter().filter(|kind| !kinds.contains(kind) && **kind != FaultKind::Block).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn power_is_lost_by_one_by_some_and_by_all() {
    let mut sizes = BTreeSet::new();
    let mut toy = Toy::new(&settings(5, 0, true), 1);
    for _ in 0..5_000 {
        sizes.extend(toy.step().iter().filter_map(|fault| match fault {
            Fault::PowerLoss(servers) => Some(servers.len()),
            _ => None,
        }));
    }
    assert_eq!(sizes, (1..=5).collect());
}

#[test]
fn a_world_without_faults_is_left_alone() {
    let settings = Settings { faults: Vec::new(), ..Settings::default() };
    assert_eq!(Plan::new(&settings, Random::stream(1, "faults")).due(), Instant::NEVER);
}

#[test]
fn servers_that_do_not_start_by_themselves_are_started_one_by_one() {
    let settings = Settings { faults: Vec::new(), start_all: false, ..Settings::default() };
    let mut toy = Toy::new(&settings, 1);
    let starts: Vec<Vec<Fault>> = (0..3).map(|_| toy.step()).collect();
    assert!((1..=3).all(|id| starts.contains(&vec![Fault::Start(ServerId(id))])), "{starts:?}");
    assert_eq!(toy.plan.due(), Instant::NEVER);
}

#[test]
fn a_crash_waits_for_a_server_that_writes() {
    let faults = vec![FaultRate { kind: FaultKind::Crash, weight: 1 }];
    let settings = Settings { faults, ..Settings::default() };
    let (mut waited, mut hit) = (0, 0);
    for seed in 0..100 {
        let mut toy = Toy::new(&settings, seed);
        toy.observation.now = toy.plan.due();
        if toy.plan.step(&toy.observation).is_empty() {
            waited += 1;
            toy.observation.now = toy.plan.due();
            toy.observation.servers.get_mut(&ServerId(2)).unwrap().writing = true;
            hit += u64::from(toy.plan.step(&toy.observation) == [Fault::Crash(ServerId(2))]);
        }
    }
    assert!(waited > 50 && hit > waited / 2, "{waited} {hit}");
}

#[test]
fn a_link_that_becomes_slower_and_slower_does_so_in_small_steps_and_gets_slower_than_a_follower_may_be() {
    let faults = vec![FaultRate { kind: FaultKind::Clog, weight: 1 }];
    let settings = Settings { faults, sync_limit: 2, ..settings(3, 0, true) };
    let mut toy = Toy::new(&settings, 1);
    while toy.plan.due() < Instant(600_000_000) {
        toy.observation.now = toy.plan.due();
        toy.plan.step(&toy.observation);
    }
    let is_over = |incident: &&Incident| incident.steps[0].at < Instant(500_000_000);
    let creeping = toy.plan.incidents.iter().filter(|incident| incident.steps.len() > 2).filter(is_over);
    let mut seen = 0;
    for incident in creeping {
        let extra = |step: &TimedFault| match step.fault {
            Fault::Clog { extra, .. } => extra,
            _ => panic!("{:?}", step.fault),
        };
        let (last, slower) = incident.steps.split_last().expect("it has steps");
        assert_eq!(extra(last), Duration::ZERO);
        for two in slower.windows(2) {
            let silence = two[1].at.since(two[0].at) + Duration(extra(&two[1]).0 - extra(&two[0]).0);
            assert!(silence < settings.tick_time.times(2), "{silence}");
        }
        let limit = v12_late_follower::limit(&settings.config(ServerId(1), true));
        assert!(slower.last().is_some_and(|step| extra(step) > limit));
        seen += 1;
    }
    assert!(seen > 3, "{seen}");
}

#[test]
fn an_external_election_is_told_what_to_elect() {
    let settings =
        Settings { election: ElectionAlgorithm::External, faults: Vec::new(), ..Settings::default() };
    let mut toy = Toy::new(&settings, 1);
    let faults: Vec<Fault> = (0..50).flat_map(|_| toy.step()).collect();
    let told = |server| {
        faults.iter().any(|fault| matches!(fault, Fault::Elect { server: id, .. } if id.0 == server))
    };
    assert!((1..=3).all(told));
}

#[test]
fn where_liveness_is_not_expected_some_faults_last() {
    let lasts = |seed| {
        let mut toy = Toy::new(&settings(5, 0, false), seed);
        (0..200).for_each(|_| drop(toy.step()));
        let healing = toy.plan.heal();
        healing.iter().for_each(|fault| toy.apply(fault));
        toy.observation.servers.values().any(|server| !server.up)
    };
    assert!((0..20).any(lasts));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn damage_never_leaves_less_than_a_quorum_of_sound_voters(
        seed: u64,
        voters in 1..=7u64,
        observers in 0..=3u64,
        liveness_expected: bool,
    ) {
        let mut settings = settings(voters, observers, liveness_expected);
        let drawn = swarm::draw(seed).ensemble;
        if drawn.hierarchical {
            settings.ensemble = drawn;
        }
        let mut toy = Toy::new(&settings, seed);
        for _ in 0..500 {
            toy.step();
            let sound = settings.ensemble.voters().filter(|id| !toy.damaged.contains(id)).collect();
            prop_assert!(settings.ensemble.is_quorum(&sound), "{:?}", toy.damaged);
        }
    }

    #[test]
    fn where_liveness_is_expected_a_quorum_without_doubt_helps_those_that_are_hurt(
        seed: u64,
        voters in 3..=7u64,
    ) {
        let settings = settings(voters, 1, true);
        let mut toy = Toy::new(&settings, seed);
        for _ in 0..500 {
            toy.step();
            let helps = |id: &ServerId| !toy.hurt.contains_key(id) && !toy.in_doubt.contains(id);
            if toy.hurt.keys().any(|id| settings.ensemble.is_voter(*id)) {
                let healthy = settings.ensemble.voters().filter(helps).collect();
                prop_assert!(settings.ensemble.is_quorum(&healthy), "{healthy:?}");
            }
        }
    }

    #[test]
    fn where_liveness_is_expected_the_world_is_well_after_healing(seed: u64, steps in 1..400usize) {
        let mut toy = Toy::new(&settings(5, 1, true), seed);
        for _ in 0..steps {
            toy.step();
        }
        let healing = toy.plan.heal();
        healing.iter().for_each(|fault| toy.apply(fault));
        toy.assert_well();
        prop_assert_eq!(toy.plan.due(), Instant::NEVER);
    }

    #[test]
    fn each_fault_ends_by_itself_where_liveness_is_expected(seed: u64) {
        let mut toy = Toy::new(&settings(5, 1, true), seed);
        for _ in 0..200 {
            toy.step();
        }
        toy.plan.next_fault = Instant::NEVER;
        while toy.plan.due() < Instant::NEVER {
            toy.step();
        }
        toy.assert_well();
    }
}
