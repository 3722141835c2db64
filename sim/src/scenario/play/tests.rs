use zabrus_core::event::{Event, Phase};
use zabrus_core::storage::{Epochs, Standing};
use zabrus_core::{Epoch, Position, Zxid};

use super::*;
use crate::fault::Fault;
use crate::grid::What;

/// A stage on which server 2 leads from `leads_from` on, writes are never answered, and every
/// second brings a `StaleFrame` of server 1.
struct Toy {
    now: Instant,
    leads_from: Instant,
    down: Vec<ServerId>,
    writes: u64,
    trace: Vec<TraceLine>,
}

const SECOND: u64 = 1_000_000;

impl Stage for Toy {
    fn now(&self) -> Instant {
        self.now
    }

    fn advance(&mut self, limit: Instant) -> Result<bool, Violation> {
        let next = Instant((self.now.0 / SECOND + 1) * SECOND);
        if next > limit {
            self.now = limit;
            return Ok(false);
        }
        self.now = next;
        self.trace.push(TraceLine {
            time: next,
            server: Some(ServerId(1)),
            state: None,
            what: What::Event(Event::StaleFrame { peer: ServerId(2) }),
        });
        Ok(true)
    }

    fn carry_out(&mut self, deed: &Deed) -> Result<(), Violation> {
        match deed {
            Deed::Fault(Fault::Crash(server)) => self.down.push(*server),
            Deed::Fault(Fault::Start(server)) => self.down.retain(|down| down != server),
            Deed::Write(_, count) => self.writes += count,
            _ => {}
        }
        Ok(())
    }

    fn status(&self, server: ServerId) -> Option<Status> {
        let leads = server == ServerId(2) && self.now >= self.leads_from;
        let (role, phase) =
            if leads { (Role::Leading, Phase::Broadcast) } else { (Role::Looking, Phase::Election) };
        let epochs = Epochs {
            server,
            accepted_epoch: Epoch(1),
            accepted_leader: None,
            current_epoch: Epoch(1),
            standing: Standing::Sound,
        };
        (!self.down.contains(&server)).then_some(Status {
            id: server,
            role,
            phase,
            leader: None,
            epoch: None,
            epochs,
            logged: Position::EMPTY,
            durable: Zxid::ZERO,
            committed: Zxid::ZERO,
            applied: Position::EMPTY,
            state_digest: 0,
            round: 0,
            vote: None,
            serving: leads,
            read_only: false,
            waiting: 0,
            links: 0,
        })
    }

    fn writes(&self) -> (u64, u64) {
        (self.writes, 0)
    }

    fn has_node(&self, _: ServerId, _: &str) -> bool {
        false
    }

    fn heard(&self, _: &str) -> Option<Heard> {
        None
    }

    fn trace(&self) -> &[TraceLine] {
        &self.trace
    }
}

/// Plays steps where server 2 leads from the fifth second on; the complaint, or the end.
fn outcome(steps: &str) -> Result<Instant, String> {
    let text = format!("# A test\nservers = 3\n{steps}");
    let scenario = Scenario::parse("test", "test", &text).unwrap_or_else(|error| panic!("{error}"));
    let mut toy = Toy {
        now: Instant(0),
        leads_from: Instant(5 * SECOND),
        down: Vec::new(),
        writes: 0,
        trace: Vec::new(),
    };
    match play(&scenario, &mut toy) {
        Ok(()) => Ok(toy.now),
        Err(Outcome::Unexpected { place, sentence }) => Err(format!("{place}: {sentence}")),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_step_waits_for_a_moment_or_a_span_or_a_condition() {
    let at = |seconds| Ok(Instant(seconds * SECOND));
    assert_eq!(outcome("[[step]]\nat = \"7s\"\nexpect = \"server 2 is leading\""), at(7));
    assert_eq!(
        outcome("[[step]]\nafter = \"2s\"\ndo = \"heal\"\n[[step]]\nafter = \"1s\"\ndo = \"heal\""),
        at(3)
    );
    assert_eq!(outcome("[[step]]\nwhen = \"somebody is leading\""), at(5));
    assert_eq!(outcome("[[step]]\nwhen = \"StaleFrame at least 3 times\""), at(3));
    assert_eq!(
        outcome("[[step]]\nwhen = \"StaleFrame\"\nlimit = \"500ms\""),
        Err("test:3: waited 0.500s in vain until `StaleFrame`".into())
    );
    assert_eq!(
        outcome("[[step]]\nat = \"3s\"\ndo = \"heal\"\n[[step]]\nat = \"2s\"\ndo = \"heal\""),
        Err("test:6: it is 3.000s already".into())
    );
}

#[test]
fn an_expectation_is_about_now_or_soon_or_a_while() {
    let expect =
        |condition: &str, when: &str| outcome(&format!("[[step]]\nexpect = \"{condition}\"\n{when}"));
    assert!(expect("nobody is leading", "").is_ok());
    assert!(expect("server 2 is leading", "").is_err());
    assert_eq!(expect("server 2 is leading", "within = \"9s\""), Ok(Instant(5 * SECOND)));
    assert!(expect("server 2 is leading", "within = \"4s\"").is_err());
    assert_eq!(expect("nobody is leading", "for = \"4s\""), Ok(Instant(4 * SECOND)));
    let broken = expect("nobody is leading", "for = \"9s\"").unwrap_err();
    assert!(broken.contains("at 5.000s it was no longer so that `nobody is leading`"), "{broken}");
}

#[test]
fn events_count_from_the_beginning_or_from_the_last_deed() {
    let start = "[[step]]\nat = \"3s\"\ndo = \"heal\"\n[[step]]\nafter = \"2s\"\nexpect = ";
    assert!(outcome(&format!("{start} \"StaleFrame exactly 5 times\"")).is_ok());
    assert!(outcome(&format!("{start} \"StaleFrame lately exactly 2 times\"")).is_ok());
    assert!(outcome(&format!("{start} \"no StaleFrame lately\"")).is_err());
    assert!(outcome(&format!("{start} \"no Truncated\"")).is_ok());
}

#[test]
fn a_deed_takes_effect_and_one_for_an_absent_leader_fails() {
    assert!(outcome("[[step]]\ndo = [\"crash 1\", \"start 1\"]\nexpect = \"server 1 is up\"").is_ok());
    assert!(outcome("[[step]]\ndo = \"crash 1\"\nexpect = \"server 1 is down\"").is_ok());
    assert!(
        outcome("[[step]]\nat = \"6s\"\ndo = \"write 3\"\nexpect = \"at most 2 writes are answered\"")
            .is_ok()
    );
    let absent = outcome("[[step]]\ndo = \"crash the leader\"").unwrap_err();
    assert_eq!(absent, "test:3: nobody leads at this moment");
}
