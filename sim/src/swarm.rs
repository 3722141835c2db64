//! Swarm testing: each seed draws its own world. A world in which some kinds of faults never
//! happen reaches states that one with all of them does not.

use std::collections::BTreeSet;

use zabrus_core::config::ElectionAlgorithm;
use zabrus_core::quorum::{Ensemble, Member, MemberKind};
use zabrus_core::{Duration, ServerId};

use crate::clients::recipes::Recipe;
use crate::fault::FaultKind;
use crate::random::Random;
use crate::settings::{
    ClockSettings, DiskSettings, FaultRate, LoadSettings, NetworkSettings, ServiceChoices, Settings,
    Transport,
};

/// The settings of the swarm's run with this seed.
#[must_use]
pub fn draw(seed: u64) -> Settings {
    let mut random = Random::stream(seed, "swarm");
    let random = &mut random;
    let ensemble = ensemble(random);
    let tick_time = Duration::from_millis(*random.pick(&[500, 1_000, 2_000, 2_000, 2_000, 3_000]));
    let init_limit = *random.pick(&[5, 10, 10, 15]);
    let sync_limit = *random.pick(&[2, 3, 5, 5, 8]);
    let election = match random.below(24) {
        0 | 1 => ElectionAlgorithm::External,
        2 | 3 => ElectionAlgorithm::Basic,
        _ => ElectionAlgorithm::Fast,
    };
    let link_checks = !random.chance(60);
    // Without the links' checks, without an election that ends, and with faults that last, only
    // safety can be promised.
    let liveness_expected = link_checks && election != ElectionAlgorithm::External && !random.chance(80);
    let faults = faults(random, &ensemble);
    let service = service(random, tick_time);
    let settings = Settings {
        election,
        tick_time,
        init_limit,
        sync_limit,
        sync_window: *random.pick(&[2, 5, 10, 20, 50, 500]),
        disk_sync_percent: *random.pick(&[0, 33, 33, 100, 400]),
        snapshot_interval: *random.pick(&[5, 20, 50, 100, 200]),
        segment_bytes: *random.pick(&[6 << 10, 8 << 10, 16 << 10, 64 << 10]),
        preallocate_bytes: *random.pick(&[1 << 10, 4 << 10, 16 << 10]),
        chunk_bytes: *random.pick(&[64, 512, 4 << 10]),
        counter_limit: if random.chance(250) { 1 << random.range(4..=8) } else { u32::MAX },
        load: particular(load(random, tick_time, &service), seed),
        service,
        link_checks,
        network: network(random, link_checks),
        disk: disk(random, liveness_expected),
        clock: clock(random),
        restart_micros: *random.pick(&[(1_000, 100_000), (100_000, 3_000_000)]),
        start_all: random.chance(900),
        faults,
        fault_gap_micros: fault_gap(random, tick_time),
        duration: tick_time.times(random.range(15..=30)),
        // In its first half, with load, the ensemble must get well within the bound of V1.
        settle: (tick_time.times(u64::from(3 * init_limit)) + Duration::from_seconds(15)).times(2),
        liveness_expected,
        ensemble,
        joiners: BTreeSet::new(),
    };
    without_a_leader(voters(movable(settings, seed), seed), seed)
}

/// In some worlds servers become voters and cease to be that. A stream of its own leaves all other draws alone.
fn voters(mut settings: Settings, seed: u64) -> Settings {
    let mut random = Random::stream(seed, "voters");
    if !random.chance(500) {
        return settings;
    }
    let last = settings.ensemble.members.keys().next_back().map_or(0, |last| last.0);
    let joiners = random.range(1..=3).min(7_u64.saturating_sub(settings.ensemble.members.len() as u64));
    settings.joiners = (last + 1..=last + joiners).map(ServerId).collect();
    settings.service.reconfig = true;
    settings.service.standalone = random.chance(500);
    if settings.liveness_expected {
        // Few voters may be left of many, a damaged one among them; or one is announced that has just forgotten
        // everything. Then nobody can go on, in any protocol.
        settings.faults.retain(|rate| !rate.kind.damages());
    }
    settings.load.voters = settings.servers().map(|id| id.0).collect();
    settings.load.reconfig_per_mille = *random.pick(&[30, 30, 100, 300]);
    settings
}

/// In some worlds observers come and go. A stream of its own leaves all other draws alone.
fn movable(settings: Settings, seed: u64) -> Settings {
    let mut random = Random::stream(seed, "movable");
    if !random.chance(200) {
        return settings;
    }
    let mut settings = settings;
    let members = &mut settings.ensemble.members;
    let observers =
        |(id, member): (&ServerId, &Member)| (member.kind == MemberKind::Observer).then_some(id.0);
    if members.len() < 7 && members.iter().find_map(observers).is_none() {
        let next = members.keys().next_back().map_or(1, |last| last.0 + 1);
        members.insert(ServerId(next), Member { kind: MemberKind::Observer, group: 0, weight: 1 });
    }
    // Of a whole ensemble with groups nobody asks for another.
    settings.load.movable = members.iter().filter_map(observers).chain([99]).collect();
    settings.service.reconfig = true;
    settings
}

/// Mostly three voters and nothing else, as most people run it.
fn ensemble(random: &mut Random) -> Ensemble {
    let voters = *random.pick(&[1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5, 5, 6, 7]);
    let observers = if random.chance(150) { random.range(1..=3) } else { 0 };
    let mut ensemble = Ensemble::plain(voters, observers.min(7 - voters));
    if voters < 3 || !random.chance(100) {
        return ensemble;
    }
    ensemble.hierarchical = true;
    let groups = random.range(1..=voters.min(3));
    for (number, member) in (0..).zip(ensemble.members.values_mut()) {
        member.group = (number % groups) as u32;
        member.weight = *random.pick(&[0, 1, 1, 1, 2, 3]);
        // Each group counts, and somebody in each may lead.
        if number < groups && member.kind == MemberKind::Participant {
            member.weight = member.weight.max(1);
        }
    }
    ensemble
}

/// A third of all kinds, of which each can happen in this ensemble.
fn faults(random: &mut Random, ensemble: &Ensemble) -> Vec<FaultRate> {
    if random.chance(20) {
        return Vec::new();
    }
    let mut rates = Vec::new();
    for kind in FaultKind::ALL {
        let base = match kind {
            // Every run needs leaders that go and servers that come back.
            FaultKind::Crash | FaultKind::PowerLoss => 6,
            // A single election command is part of the external election, and single
            // directions are for scenarios.
            FaultKind::Elect | FaultKind::Block => continue,
            _ => 2,
        };
        let weight = random.range(1..=base) as u32;
        if random.chance(333) || random.chance(if base > 2 { 500 } else { 0 }) {
            rates.push(FaultRate { kind: *kind, weight });
        }
    }
    let is_possible = |kind: FaultKind| match kind {
        FaultKind::Ring => ensemble.members.len() >= 4,
        FaultKind::Bridge | FaultKind::LeaderInMinority => ensemble.members.len() >= 3,
        _ => true,
    };
    rates.retain(|rate| is_possible(rate.kind));
    rates
}

fn fault_gap(random: &mut Random, tick_time: Duration) -> (u64, u64) {
    let tick = tick_time.0;
    *random.pick(&[(tick / 10, tick), (tick / 4, 3 * tick), (tick / 4, 3 * tick), (tick, 6 * tick)])
}

fn network(random: &mut Random, link_checks: bool) -> NetworkSettings {
    let default = NetworkSettings::default();
    let datagram = random.chance(if link_checks { 100 } else { 700 });
    let rate = |random: &mut Random, most| if random.chance(700) { random.range(0..=most) as u32 } else { 0 };
    NetworkSettings {
        mode: if datagram { Transport::Datagram } else { Transport::Stream },
        latency_micros: *random.pick(&[(50, 500), (200, 2_000), (200, 2_000), (1_000, 30_000)]),
        slow_per_mille: rate(random, 20),
        loss_per_mille: if datagram { rate(random, 20) } else { 0 },
        duplicate_per_mille: if datagram { rate(random, 20) } else { 0 },
        reorder_per_mille: if datagram { rate(random, 50) } else { 0 },
        late_notice_per_mille: random.range(0..=500) as u32,
        ..default
    }
}

fn disk(random: &mut Random, liveness_expected: bool) -> DiskSettings {
    let default = DiskSettings::default();
    DiskSettings {
        sync_micros: *random.pick(&[(50, 500), (1_000, 10_000), (1_000, 10_000), (5_000, 100_000)]),
        stall_per_mille: if random.chance(100) { random.range(1..=3) as u32 } else { 0 },
        failed_sync_keeps_cache: random.chance(500),
        names_reorder: !liveness_expected && random.chance(500),
        ..default
    }
}

fn clock(random: &mut Random) -> ClockSettings {
    ClockSettings {
        drift_per_million: *random.pick(&[0, 50, 50, 1_000, 20_000]),
        wall_skew_millis: *random.pick(&[0, 1_000, 3_600_000]),
    }
}

fn service(random: &mut Random, tick_time: Duration) -> ServiceChoices {
    ServiceChoices {
        outstanding_limit: *random.pick(&[1, 5, 1_000, 1_000]),
        extended_types: random.chance(500),
        enforce_quota: random.chance(300),
        sweep_interval: tick_time.as_millis() * random.range(1..=4),
        container_never_used: *random.pick(&[0, 5_000]),
        linearizable_reads: random.chance(150),
        ..ServiceChoices::default()
    }
}

fn load(random: &mut Random, tick_time: Duration, service: &ServiceChoices) -> LoadSettings {
    let default = LoadSettings::default();
    let tick = tick_time.0;
    LoadSettings {
        clients: random.range(1..=5) as u32,
        interval_micros: *random.pick(&[(5_000, 100_000), (50_000, 500_000), (50_000, 500_000)]),
        pipeline: *random.pick(&[1, 4, 4, 16]),
        value_bytes: *random.pick(&[(8, 8), (8, 100), (8, 100), (8, 2_000)]),
        large_per_mille: *random.pick(&[0, 0, 0, 3]),
        keys: *random.pick(&[3, 20, 50, 200]),
        reads_percent: *random.pick(&[0, 0, 30, 30, 30, 70, 70, 100]),
        sync_percent: *random.pick(&[0, 3, 10]),
        versioned_percent: *random.pick(&[0, 20, 50]),
        busy_micros: (2 * tick, 15 * tick),
        quiet_micros: *random.pick(&[(0, 0), (tick, 5 * tick), (tick, 5 * tick)]),
        session_millis: *random.pick(&[(tick / 500, tick / 500), (tick / 500, tick / 100)]),
        trouble_per_mille: *random.pick(&[0, 5, 20]),
        odd_per_mille: *random.pick(&[0, 5]),
        watch_percent: *random.pick(&[0, 30, 60]),
        rearm_percent: *random.pick(&[0, 70, 100]),
        multi_percent: *random.pick(&[0, 10, 40]),
        acl_percent: *random.pick(&[0, 5, 20]),
        quotas: service.enforce_quota,
        ttl_millis: (1, tick / 500),
        ..default
    }
}

/// What only some worlds have: processes with several sessions, long lists of children, and clients that
/// play a recipe. A stream of its own leaves all other draws alone.
fn particular(load: LoadSettings, seed: u64) -> LoadSettings {
    let mut random = Random::stream(seed, "particular");
    let load = LoadSettings {
        sessions_per_process: *random.pick(&[1, 1, 2, 3]),
        crowd_percent: if random.chance(50) { 50 } else { 0 },
        ..load
    };
    if !random.chance(200) {
        return load;
    }
    LoadSettings {
        clients: load.clients.min(2),
        recipe: Some(*random.pick(&Recipe::ALL)),
        players: random.range(2..=4) as u32,
        ..load
    }
}

/// In some worlds servers keep sessions to themselves, or read without a quorum. A stream of its own leaves all
/// other draws alone.
fn without_a_leader(mut settings: Settings, seed: u64) -> Settings {
    let mut random = Random::stream(seed, "without a leader");
    let Settings { service, load, .. } = &mut settings;
    // Recipes need more than a local session promises: what it asked for is still done when another server has
    // told its client that it is gone.
    if random.chance(350) && load.recipe.is_none() {
        service.local_sessions = true;
        service.upgrade_local_sessions = random.chance(700);
        load.parting_per_mille = 500;
    }
    // Clients ask for what no server has, too.
    if random.chance(300) {
        service.read_only_mode = random.chance(900);
        load.read_only_percent = *random.pick(&[30, 100]);
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEDS: u64 = 1_000;

    fn all() -> Vec<Settings> {
        (0..SEEDS).map(draw).collect()
    }

    fn count(wanted: impl Fn(&Settings) -> bool) -> usize {
        all().iter().filter(|settings| wanted(settings)).count()
    }

    #[test]
    fn a_seed_always_draws_the_same_settings_and_seeds_differ() {
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn every_kind_of_fault_is_drawn_by_some_seed() {
        let drawn: BTreeSet<FaultKind> =
            (0..100).flat_map(|seed| draw(seed).faults).map(|rate| rate.kind).collect();
        let for_others = [FaultKind::Elect, FaultKind::Block];
        let missing: Vec<_> = FaultKind::ALL
            .iter()
            .filter(|kind| !drawn.contains(kind) && !for_others.contains(kind))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn most_worlds_have_three_servers_and_all_sizes_occur() {
        let three = count(|settings| settings.ensemble == Ensemble::plain(3, 0));
        assert!((350..700).contains(&three), "{three}");
        for voters in 1..=7 {
            assert!(count(|settings| settings.ensemble.voters().count() == voters) > 10, "{voters}");
        }
        for observers in 1..=3 {
            let has = |settings: &Settings| {
                settings.ensemble.members.len() - settings.ensemble.voters().count() == observers
            };
            assert!(count(has) > 5, "{observers}");
        }
        assert!(count(|settings| settings.ensemble.members.len() > 7) == 0);
    }

    #[test]
    fn every_load_is_drawn_by_enough_seeds() {
        let of_load = |wanted: fn(&LoadSettings) -> bool| count(|settings| wanted(&settings.load));
        for recipe in Recipe::ALL {
            assert!(count(|settings| settings.load.recipe == Some(recipe)) > 15, "{recipe:?}");
        }
        assert!((150..250).contains(&of_load(|load| load.recipe.is_some())));
        assert!((200..300).contains(&of_load(|load| load.value_bytes.1 == 2_000)), "values of 2,000 bytes");
        assert!(of_load(|load| load.crowd_percent > 0) > 25, "long lists of children");
        assert!(of_load(|load| load.sessions_per_process > 1) > 400, "several sessions of a process");
        assert!(of_load(|load| load.keys == 3) > 200 && of_load(|load| load.keys == 200) > 200);
        assert!(of_load(|load| load.quotas) > 200 && of_load(|load| load.large_per_mille > 0) > 200);
        assert!(of_load(|load| load.watch_percent > 0 && (1..100).contains(&load.rearm_percent)) > 150);
        assert!(of_load(|load| load.multi_percent >= 40 && load.versioned_percent >= 50) > 50);
        assert!(of_load(|load| load.acl_percent >= 20) > 200 && of_load(|load| load.acl_percent == 0) > 200);
    }

    #[test]
    fn some_worlds_have_local_sessions_and_servers_that_only_read() {
        let of_service = |wanted: fn(&ServiceChoices) -> bool| count(|settings| wanted(&settings.service));
        assert!((200..350).contains(&of_service(|service| service.local_sessions)));
        assert!(of_service(|service| service.local_sessions && !service.upgrade_local_sessions) > 40);
        assert!((200..350).contains(&of_service(|service| service.read_only_mode)));
        let both = |service: &ServiceChoices| service.read_only_mode && service.local_sessions;
        assert!(of_service(both) > 40);
        assert!(
            count(|settings| settings.load.read_only_percent > 0 && !settings.service.read_only_mode) > 5
        );
        assert_eq!(count(|settings| settings.service.local_sessions && settings.load.recipe.is_some()), 0);
    }

    #[test]
    fn in_some_worlds_voters_come_and_go() {
        let change = |settings: &Settings| !settings.load.voters.is_empty();
        assert!((450..550).contains(&count(change)));
        assert!(count(|settings| change(settings) && settings.joiners.len() == 3) > 80);
        assert!(count(|settings| change(settings) && !settings.service.standalone) > 160);
        assert_eq!(count(|settings| !change(settings) && !settings.joiners.is_empty()), 0);
        assert_eq!(count(|settings| settings.servers().count() > 7), 0);
    }

    #[test]
    fn every_ensemble_has_a_quorum_and_a_server_that_may_lead() {
        assert!(count(|settings| settings.ensemble.hierarchical) > 10);
        for settings in all() {
            let ensemble = &settings.ensemble;
            assert!(ensemble.is_quorum(&ensemble.voters().collect()), "{ensemble:?}");
            assert!(ensemble.voters().any(|id| ensemble.may_lead(id)), "{ensemble:?}");
        }
    }

    #[test]
    fn liveness_is_expected_of_most_worlds_and_never_of_those_that_cannot_have_it() {
        assert!(count(|settings| settings.liveness_expected) > 700);
        let hopeless = |settings: &Settings| {
            settings.liveness_expected
                && (!settings.link_checks || settings.election == ElectionAlgorithm::External)
        };
        assert_eq!(count(hopeless), 0);
        assert!(count(|settings| !settings.link_checks) > 10);
        assert!(count(|settings| settings.election == ElectionAlgorithm::External) > 10);
        assert!(count(|settings| settings.election == ElectionAlgorithm::Basic) > 10);
        assert!(count(|settings| settings.network.mode == Transport::Datagram) > 10);
        assert!(count(|settings| settings.counter_limit < 1 << 9) > 100);
    }
}
