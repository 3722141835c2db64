//! Real servers are killed, stopped and cut off from each other under load.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::load::Load;
use crate::network::{Network, Way};
use crate::server::{Cluster, now, sleep};

/// A cluster whose servers can be hurt in every way, at random.
pub(crate) struct Storm {
    cluster: Cluster,
    network: Network,
    voters: usize,
    random: Random,
}

/// What happens to some servers at once.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// kill -9, and a start some time later.
    Kill,
    /// SIGSTOP, and SIGCONT some time later.
    Stop,
    /// Bytes between them and all the others wait.
    Silence,
    /// Bytes from them wait; they hear everything.
    Mute,
    /// Bytes to them wait; they are heard.
    Deafen,
    /// Their connections are closed.
    Sever,
}

const FAULTS: [Fault; 6] =
    [Fault::Kill, Fault::Stop, Fault::Silence, Fault::Mute, Fault::Deafen, Fault::Sever];

/// A sequence of numbers that a seed decides.
struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.drawn += 1;
        (xxh3_64_with_seed(&self.drawn.to_le_bytes(), self.seed) % limit as u64) as usize
    }
}

impl Storm {
    pub(crate) fn new(voters: u64, observers: u64, seed: u64) -> Self {
        let network = Network::new((voters + observers) as usize);
        let mut cluster = Cluster::connected(voters, observers, |from, to, port| network.way(from, to, port));
        cluster.configure("tickTime=200\nsyncLimit=5\ncnxTimeout=1000\nsnapCount=2000\ncommitLogCount=200\n");
        cluster.start();
        Self { cluster, network, voters: voters as usize, random: Random { seed, drawn: 0 } }
    }

    /// Lets it rage for so long, and says what was seen.
    pub(crate) fn rage(mut self, time: Duration) -> String {
        let begin = now();
        let ports: Vec<_> = self.cluster.servers.iter().map(|server| server.port).collect();
        let load = Load::start(&ports, 4);
        let (mut rounds, mut longest) = (0, Duration::ZERO);
        while begin.elapsed() < time {
            rounds += 1;
            longest = longest.max(self.round(&load, begin));
        }
        self.cluster.wait_until_all_serve();
        let report = load.finish(&self.cluster);
        format!("{rounds} rounds, the longest without a write {} ms; {report}", longest.as_millis())
    }

    /// One fault, and its end. There is always a quorum, so there must be writes. Returns how long there
    /// were none.
    fn round(&mut self, load: &Load, begin: Instant) -> Duration {
        let fault = FAULTS[self.random.below(FAULTS.len())];
        let victims = self.victims();
        let moment = now();
        self.hurt(fault, &victims);
        let pause = load.pause_after(moment);
        let at = moment.duration_since(begin).as_millis();
        println!("{at:>7} ms: {fault:?} {victims:?}, no write for {} ms", pause.as_millis());
        load.wait_for_writes(20, &format!("with {fault:?} of {victims:?}"));
        // Long enough for the others to go on without them, or not.
        sleep(Duration::from_millis(self.random.below(1_500) as u64));
        self.heal(fault, &victims);
        load.wait_for_writes(20, &format!("after {fault:?} of {victims:?}"));
        // The next fault may come while they still synchronize, or later.
        sleep(Duration::from_millis(self.random.below(1_000) as u64));
        pause
    }

    /// Less than half of the voters, and any observers; often the leader is one of them.
    fn victims(&mut self) -> Vec<usize> {
        let minority = 1 + self.random.below((self.voters - 1) / 2);
        let first =
            if self.random.below(2) == 0 { self.cluster.leader() } else { self.random.below(self.voters) };
        let mut victims: Vec<_> = (0..minority).map(|step| (first + step) % self.voters).collect();
        for observer in self.voters..self.cluster.servers.len() {
            if self.random.below(3) == 0 {
                victims.push(observer);
            }
        }
        victims
    }

    fn hurt(&mut self, fault: Fault, victims: &[usize]) {
        for victim in victims {
            match fault {
                Fault::Kill => self.cluster.servers[*victim].kill(),
                Fault::Stop => self.cluster.servers[*victim].signal(Signal::STOP),
                Fault::Silence | Fault::Mute | Fault::Deafen | Fault::Sever => {}
            }
            for other in (0..self.cluster.servers.len()).filter(|other| !victims.contains(other)) {
                let (from, to) = match fault {
                    Fault::Kill | Fault::Stop => continue,
                    Fault::Silence => (Way::Silent, Way::Silent),
                    Fault::Mute => (Way::Silent, Way::Open),
                    Fault::Deafen => (Way::Open, Way::Silent),
                    Fault::Sever => (Way::Severed, Way::Severed),
                };
                self.network.set(*victim, other, from);
                self.network.set(other, *victim, to);
            }
        }
    }

    fn heal(&mut self, fault: Fault, victims: &[usize]) {
        for victim in victims {
            match fault {
                Fault::Kill => self.cluster.servers[*victim].start(),
                Fault::Stop => self.cluster.servers[*victim].signal(Signal::CONT),
                Fault::Silence | Fault::Mute | Fault::Deafen | Fault::Sever => {}
            }
        }
        self.network.set_all(Way::Open);
    }
}

#[test]
fn three_servers_keep_every_promise_while_they_are_killed_stopped_and_cut_off() {
    println!("{}", Storm::new(3, 0, 1).rage(Duration::from_secs(25)));
}

#[test]
fn five_servers_and_two_observers_keep_every_promise_while_they_are_killed_stopped_and_cut_off() {
    println!("{}", Storm::new(5, 2, 2).rage(Duration::from_secs(25)));
}
