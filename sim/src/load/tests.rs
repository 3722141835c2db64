use std::collections::BTreeSet;

use zabrus_core::Zxid;
use zabrus_core::service::Answer;

use super::*;

fn settings() -> LoadSettings {
    LoadSettings { quiet_micros: (0, 0), patience_micros: (1_000_000, 1_000_000), ..LoadSettings::default() }
}

/// Runs the clients until `end` against servers that treat each request as `answer` says.
fn run(
    settings: &LoadSettings,
    end: Instant,
    mut answer: impl FnMut(&Request) -> Option<Response>,
) -> Vec<Act> {
    let mut schedule = Schedule::default();
    let mut load = Load::new(settings, 1, &mut schedule);
    let mut acts = Vec::new();
    while let Some((now, event)) = schedule.pop().filter(|(now, _)| *now <= end) {
        match event {
            Event::Client { client } => acts.extend(load.moment(now, client, &[0, 1, 2], &mut schedule)),
            Event::ToServer { client } => {
                if let Some(Arrival::Frame(_, bytes)) = load.at_server(client)
                    && let Some(response) = answer(&codec::decode(&bytes).unwrap())
                {
                    load.reply(now, client, Some(codec::encode(&response).into()), &mut schedule);
                }
            }
            Event::ToClient { client } => assert!(!matches!(load.at_client(client), Some(Reply::Garbage(_)))),
            other => panic!("{other:?}"),
        }
    }
    acts
}

fn answered(request: &Request) -> Option<Response> {
    Some(Response { xid: request.xid, zxid: Zxid(1), result: Ok(Answer::Synced) })
}

#[test]
fn the_default_load_is_about_ten_requests_per_second() {
    let acts = run(&settings(), Instant(60_000_000), answered);
    let sent = acts.iter().filter(|act| matches!(act, Act::Sent(..))).count();
    assert!((500..800).contains(&sent), "{sent}");
}

#[test]
fn clients_without_answers_stop_at_their_pipeline_and_then_leave() {
    let settings = settings();
    let acts = run(&settings, Instant(60_000_000), |_| None);
    let mut sent = BTreeMap::new();
    for act in &acts {
        if let Act::Sent(id, _, request) = act {
            *sent.entry(*id).or_insert(0) += 1;
            assert!(request.xid <= u64::from(settings.pipeline));
        }
    }
    assert!(sent.values().any(|count| *count == settings.pipeline));
    let left = acts.iter().filter(|act| matches!(act, Act::Left(..))).count();
    assert!(left > 20, "{left}");
}

#[test]
fn every_value_is_written_once_and_every_connection_stays_with_its_server() {
    let acts = run(&settings(), Instant(60_000_000), answered);
    let mut values = BTreeSet::new();
    let mut servers = BTreeMap::new();
    for act in acts {
        let (Act::Sent(id, server, _) | Act::Left(id, server)) = &act;
        assert_eq!(servers.entry(*id).or_insert(*server), server);
        if let Act::Sent(_, _, Request { operation: Operation::Change(change), .. }) = act
            && let Change::Create { data, .. } | Change::Set { data, .. } = change
        {
            assert!(values.insert(data[..8].to_vec()));
        }
    }
    assert!(values.len() > 100);
    assert!(servers.len() > 1);
}

#[test]
fn nothing_is_sent_in_quiet_periods() {
    let settings = LoadSettings {
        busy_micros: (1_000_000, 1_000_000),
        quiet_micros: (5_000_000, 5_000_000),
        ..settings()
    };
    let acts = run(&settings, Instant(60_000_000), answered);
    let sent = acts.iter().filter(|act| matches!(act, Act::Sent(..))).count();
    assert!((50..250).contains(&sent), "{sent}");
}

#[test]
fn a_client_of_a_stopped_server_goes_elsewhere_and_its_old_connection_is_silent() {
    let mut schedule = Schedule::default();
    let mut load = Load::new(&LoadSettings { clients: 1, ..settings() }, 1, &mut schedule);
    let mut first = None;
    while let Some((now, event)) = schedule.pop().filter(|(now, _)| now.0 < 10_000_000) {
        match event {
            Event::Client { client } => {
                let up: &[Index] = if first.is_none() { &[0] } else { &[1] };
                if let Some(Act::Sent(id, server, _)) = load.moment(now, client, up, &mut schedule) {
                    if first.is_none() {
                        first = Some(id);
                        load.server_stopped(now, 0, &mut schedule);
                    } else if Some(id) != first {
                        assert_eq!(server, 1);
                        return;
                    }
                }
            }
            Event::ToServer { client } => assert!(load.at_server(client).is_none() || Some(client) != first),
            Event::ToClient { client } => drop(load.at_client(client)),
            other => panic!("{other:?}"),
        }
    }
    panic!("the client never went to the other server");
}
