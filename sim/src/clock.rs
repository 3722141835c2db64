//! The clocks of one server: a monotonic one that drifts, and a wall clock that jumps.

use zabrus_core::{Instant, Now};

use crate::random::Random;
use crate::settings::ClockSettings;

/// The wall clock of an honest server at the beginning of a run.
const WALL_START_MILLIS: u64 = 1_700_000_000_000;
const MILLION: u128 = 1_000_000;

/// The clocks of one server.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The world's time when the rate last changed, and the monotonic clock at that moment.
    anchor: (Instant, Instant),
    /// Microseconds of this clock in one second of the world.
    rate: u32,
    /// What the wall clock is ahead of the monotonic one.
    wall_offset_millis: u64,
}

impl Clock {
    /// A clock with a drift of its own. Its monotonic zero has nothing to do with that of others.
    pub fn new(settings: &ClockSettings, random: &mut Random) -> Self {
        let start = Instant(random.range(0..=1_000_000_000_000));
        let drift = u64::from(settings.drift_per_million.min(500_000));
        let skew = settings.wall_skew_millis;
        let rate = (1_000_000 - drift + random.range(0..=2 * drift)) as u32;
        let wall = WALL_START_MILLIS - skew + random.range(0..=2 * skew);
        Self { anchor: (Instant(0), start), rate, wall_offset_millis: wall - start.0 / 1_000 }
    }

    /// What both clocks show when the world's time is `world`.
    #[must_use]
    pub fn read(&self, world: Instant) -> Now {
        let passed = u128::from(world.since(self.anchor.0).0) * u128::from(self.rate) / MILLION;
        let monotonic = Instant(self.anchor.1.0 + passed as u64);
        Now { monotonic, wall_millis: self.wall_offset_millis.wrapping_add(monotonic.0 / 1_000) }
    }

    /// The first moment of the world at which the monotonic clock shows `local` or later.
    #[must_use]
    pub fn world_time(&self, local: Instant) -> Instant {
        if local == Instant::NEVER {
            return Instant::NEVER;
        }
        let wanted = u128::from(local.since(self.anchor.1).0) * MILLION;
        let passed = wanted.div_ceil(u128::from(self.rate));
        u64::try_from(passed).map_or(Instant::NEVER, |passed| Instant(self.anchor.0.0.saturating_add(passed)))
    }

    /// From `world` on the monotonic clock is faster by `per_million`, or slower.
    pub fn set_drift(&mut self, world: Instant, per_million: i32) {
        self.anchor = (world, self.read(world).monotonic);
        self.rate = 1_000_000u32.saturating_add_signed(per_million.max(-900_000));
    }

    /// The wall clock jumps.
    pub fn jump(&mut self, millis: i64) {
        self.wall_offset_millis = self.wall_offset_millis.wrapping_add_signed(millis);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_deadline_is_reached_at_its_world_time_and_not_before(
            seed: u64, drift in -500_000i32..500_000, ahead in 1u64..1_000_000_000, at in 0u64..1_000_000_000,
        ) {
            let settings = ClockSettings { drift_per_million: 1_000, wall_skew_millis: 5 };
            let mut clock = Clock::new(&settings, &mut Random::stream(seed, "clock"));
            clock.set_drift(Instant(at), drift);
            let local = Instant(clock.read(Instant(at)).monotonic.0 + ahead);
            let world = clock.world_time(local);
            prop_assert!(clock.read(world).monotonic >= local);
            prop_assert!(clock.read(Instant(world.0 - 1)).monotonic < local);
        }
    }

    #[test]
    fn a_new_drift_and_a_jump_never_move_the_monotonic_clock() {
        let mut clock = Clock::new(&ClockSettings::default(), &mut Random::stream(3, "clock"));
        let before = clock.read(Instant(5_000_000));
        clock.set_drift(Instant(5_000_000), 200_000);
        assert_eq!(clock.read(Instant(5_000_000)), before);
        clock.jump(-7_000);
        let after = clock.read(Instant(5_000_000));
        assert_eq!(after.monotonic, before.monotonic);
        assert_eq!(after.wall_millis, before.wall_millis - 7_000);
        assert_eq!(clock.read(Instant(6_000_000)).monotonic.since(before.monotonic).0, 1_200_000);
    }

    #[test]
    fn what_never_comes_never_comes() {
        let clock = Clock::new(&ClockSettings::default(), &mut Random::stream(3, "clock"));
        assert_eq!(clock.world_time(Instant::NEVER), Instant::NEVER);
    }
}
