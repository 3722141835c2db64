//! How much time passes in the worlds of the swarm per second of ours: `speed [SEEDS] [default]`.
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::time::Instant;

use zabrus_core::Duration;
use zabrus_sim::report::Outcome;
use zabrus_sim::settings::Settings;
use zabrus_sim::{swarm, world};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seeds = arguments.first().and_then(|word| word.parse().ok()).unwrap_or(20);
    let plain = arguments.iter().any(|word| word == "default");
    let begin = Instant::now();
    let (mut simulated, mut events, mut hash) = (Duration::ZERO, 0, 0u64);
    for seed in 0..seeds {
        let settings = if plain { Settings::default() } else { swarm::draw(seed) };
        let report = world::play(settings, seed, false);
        simulated = simulated + report.simulated;
        events += report.events;
        hash = hash.rotate_left(1) ^ report.trace_hash;
        if report.outcome != Outcome::Passed {
            println!("seed {seed}: {:?}", report.outcome);
        }
    }
    let micros = begin.elapsed().as_micros().max(1) as u64;
    println!("{seeds} seeds, {simulated} simulated, {events} events in {} ms", micros / 1_000);
    println!("{hash:016x} over all trace hashes");
    println!(
        "{} simulated per wall, {} events per second",
        simulated.0 / micros,
        events * 1_000_000 / micros
    );
}
