//! Reconfigs that are refused (M1).

use zabrus_core::wire::Reconfig;

use super::*;
use crate::settings::{ServiceChoices, Settings, member_line};

/// Voters 1 to 3, and a client that has its session.
fn course() -> Course {
    let service = ServiceChoices { reconfig: true, ..ServiceChoices::default() };
    Course::with(Settings { service, ..Settings::default() }.config(SERVER, true).service)
}

fn leaves(id: u64) -> Reconfig {
    Reconfig { version: -1, leaving: Some(id.to_string()), ..Reconfig::default() }
}

fn observes(id: u64) -> Reconfig {
    Reconfig { version: -1, joining: Some(member_line(id, true)), ..Reconfig::default() }
}

/// The client asks for a change and is refused; if everything must be well, these servers serve.
fn refused(mut course: Course, asked: &Reconfig, code: ErrorCode, serving: Option<&[u64]>) -> Told {
    let cxid = course.counter as i32;
    course.send(ME, cxid, OpCode::Reconfig, &jute::encode(asked));
    let transaction = Transaction {
        origin: Origin { server: SERVER, boot: 1, client: ME.0, number: 1 },
        session: MINE,
        cxid,
        zxid: z(course.counter + 1),
        time: 5,
        change: Change::Error(code.code()),
        digest: None,
    };
    let mut counters = Counters::default();
    let mut court = Court::new(&mut counters, Instant(0), None);
    court.well_since = serving.map(|_| Instant(0));
    court.serving = serving.into_iter().flatten().copied().map(ServerId).collect();
    let silence = |_| (Duration::ZERO, Duration::ZERO);
    rule(course.ledger.committed(&transaction, &mut course.model, silence, &mut court))
}

#[test]
fn a_reconfig_that_is_refused_though_all_new_voters_serve_is_seen() {
    let no_quorum =
        |asked: &Reconfig, serving| refused(course(), asked, ErrorCode::NewConfigNoQuorum, serving);
    assert_eq!(no_quorum(&leaves(3), None), Ok(()), "not everything need be well");
    assert_eq!(no_quorum(&leaves(3), Some(&[2, 3])), Ok(()), "server 1 is missing");
    assert_eq!(no_quorum(&leaves(3), Some(&[1, 2])), Err("M1"));
    assert_eq!(no_quorum(&observes(4), None), Err("M1"), "the quorums stay as they are");
}

#[test]
fn a_reconfig_that_is_refused_because_of_another_that_never_was_is_seen() {
    let pending = |course| refused(course, &leaves(3), ErrorCode::ReconfigInProgress, None);
    assert_eq!(pending(course()), Err("M1"));
    let mut course = course();
    let body = jute::encode(&observes(4));
    course.send(ME, 1, OpCode::Reconfig, &body);
    assert_eq!(course.commit(ME, 1, OpCode::Reconfig, &body), Ok(()));
    assert_eq!(pending(course), Ok(()));
}
