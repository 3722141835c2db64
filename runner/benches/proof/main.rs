//! What takes longer than a test: `cargo bench -p zabrus --bench proof -- VERB`.
//!
//! - `failover [TIMES]`: how long there are no writes after kill -9 of the leader under load.
//! - `idle [CONNECTIONS]`: what connections cost that say nothing, and what a server costs that has none.
//! - `storm [SECONDS] [VOTERS] [OBSERVERS] [SEED]`: servers are killed, stopped and cut off under load, as in the tests.
#![allow(dead_code, reason = "the tests use the rest")]

#[path = "../../tests/processes/client.rs"]
mod client;
mod failover;
mod idle;
#[path = "../../tests/processes/load.rs"]
mod load;
#[path = "../../tests/processes/network.rs"]
mod network;
#[path = "../../tests/processes/server.rs"]
mod server;
#[path = "../../tests/processes/storm.rs"]
mod storm;

use std::time::Duration;

fn main() {
    // Cargo adds its own.
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |index: usize, otherwise: u64| {
        arguments.get(index).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    match arguments.first().map(String::as_str) {
        Some("failover") => failover::measure(number(1, 10)),
        Some("idle") => idle::measure(number(1, 5_000)),
        Some("storm") => {
            let storm = storm::Storm::new(number(2, 3), number(3, 0), number(4, 1));
            println!("{}", storm.rage(Duration::from_secs(number(1, 300))));
        }
        _ => println!(
            "one of: failover [TIMES], idle [CONNECTIONS], storm [SECONDS] [VOTERS] [OBSERVERS] [SEED]"
        ),
    }
}
