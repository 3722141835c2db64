use std::collections::BTreeMap;

use zabrus_core::config::ServiceSettings;
use zabrus_core::prepare::{Preparer, WriteRequest};
use zabrus_core::state::State;
use zabrus_core::watches::Watches;
use zabrus_core::wire::{Change, Id, OpCode, Origin, ReplyHeader, Transaction};
use zabrus_core::{Epoch, ServerId, Zxid, reads};

use super::*;
use crate::ghost::model::{self, Model, Request};

/// What a server is made of, and the model beside it. The state lags behind by up to some
/// transactions, as at a leader.
struct Pair {
    state: State,
    preparer: Preparer,
    watches: Watches,
    model: Model,
    in_flight: std::collections::VecDeque<Transaction>,
    counter: u32,
    time: i64,
}

impl Pair {
    fn new(settings: &ServiceSettings) -> Self {
        Self {
            state: State::default(),
            preparer: Preparer::new(settings.clone()),
            watches: Watches::default(),
            model: Model::new(settings.clone()),
            in_flight: std::collections::VecDeque::new(),
            counter: 0,
            time: 1_000_000,
        }
    }

    fn write(
        &mut self,
        session: SessionId,
        identities: &[Id],
        op: OpCode,
        body: &[u8],
        lag: usize,
    ) -> Transaction {
        self.counter += 1;
        let zxid = Zxid::new(Epoch(1), self.counter);
        let (number, time) = (u64::from(self.counter), self.time);
        let origin = Origin { server: ServerId(1), boot: 1, client: 1, number };
        let request = WriteRequest {
            origin,
            session,
            local: false,
            cxid: 1,
            op: op.code(),
            body: body.into(),
            identities: identities.to_vec(),
        };
        let transaction = self.preparer.prepare(&self.state, &request, None, zxid, time);
        let session = transaction.session;
        let executed =
            self.model.execute(&Request { session, local: false, identities, op, body, zxid, time });
        assert_eq!(transaction.change, executed.change, "{zxid}: {op:?} {body:02x?}");
        self.model.commit(executed);
        let digest = transaction.digest.unwrap_or(self.model.digest_at(self.counter as usize - 1));
        assert_eq!(digest, self.model.digest(), "{zxid}: {:?}", transaction.change);
        self.in_flight.push_back(transaction.clone());
        while self.in_flight.len() > lag {
            self.apply();
        }
        transaction
    }

    fn apply(&mut self) {
        let Some(transaction) = self.in_flight.pop_front() else { return };
        let mut seen = Vec::new();
        self.state.apply(&transaction, &mut |trigger| {
            seen.push((trigger.event, trigger.path.to_owned(), trigger.acl.to_vec()));
        });
        self.preparer.applied(transaction.zxid);
        let of_this = self.model.triggers().iter().filter(|trigger| trigger.zxid == transaction.zxid);
        let mut expected: Vec<_> =
            of_this.map(|trigger| (trigger.event, trigger.path.to_string(), trigger.acl.to_vec())).collect();
        if matches!(transaction.change, Change::CloseSession { .. }) {
            seen.sort();
            expected.sort();
        }
        assert_eq!(seen, expected, "{:?}", transaction.change);
        assert_eq!(self.state.digest(), self.model.digest_at(transaction.zxid.counter() as usize));
    }

    fn read(
        &mut self,
        session: SessionId,
        identities: &[Id],
        settings: &ServiceSettings,
        op: OpCode,
        body: &[u8],
    ) {
        let zxid = Zxid::new(Epoch(1), self.counter - self.in_flight.len() as u32);
        let (state, watches, client) = (&self.state, &mut self.watches, ClientId(1));
        let context = reads::ReadContext { state, watches, client, session, identities, zxid, settings };
        let mut frames = Vec::new();
        reads::answer(context, 5, op, body, &mut |frame| frames.push(frame));
        let frame = frames.pop().expect("an answer");
        let Received::Reply { header: ReplyHeader { err, .. }, body: told } =
            Received::decode(Some(&frame), true)
        else {
            panic!("{frame:02x?}")
        };
        let expected = self.model.read(zxid, (session, identities), op, body);
        assert_eq!(err, expected.as_ref().err().map_or(0, |error| error.code()), "{op:?} {body:02x?}");
        let expected = expected.unwrap_or_default();
        assert!(model::same(op, &told, &expected), "{op:?} {body:02x?}: {told:02x?}, {expected:02x?}");
    }
}

/// Random requests by several sessions to the core's parts, each compared with the model.
fn compare(seed: u64, settings: &LoadSettings, requests: u64) -> BTreeMap<String, u64> {
    let mut random = Random::stream(seed, "pair");
    let service = ServiceSettings {
        extended_types: random.chance(500),
        enforce_quota: settings.quotas,
        ..ServiceSettings::new(Duration::from_millis(2_000))
    };
    let mut pair = Pair::new(&service);
    let lag = random.below(6) as usize;
    let mut sessions = Vec::new();
    let mut kinds = BTreeMap::new();
    for value in 0..requests {
        pair.time += random.below(500) as i64;
        if sessions.len() < 2 || random.chance(5) {
            let mut identities = vec![Id { scheme: "ip".into(), id: format!("10.0.0.{}", sessions.len()) }];
            if random.chance(500) {
                let user = digest_id("alice:secret").expect("known");
                identities.push(Id { scheme: "digest".into(), id: user.into() });
            }
            let timeout = jute::encode(&(random.below(100_000) as i32));
            let created = pair.write(SessionId(0), &identities, OpCode::CreateSession, &timeout, lag);
            sessions.push((created.session, identities));
        }
        let at = random.below(sessions.len() as u64) as usize;
        let (session, identities) = sessions[at].clone();
        if random.chance(5) {
            pair.write(session, &identities, OpCode::CloseSession, &[], lag);
            // Sometimes it goes on as if nothing had happened.
            if random.chance(700) {
                sessions.remove(at);
            }
            continue;
        }
        let ask = Workload { settings, random: &mut random, value }.request();
        let Some(op) = OpCode::from_code(ask.op) else { continue };
        if op.is_write() && op != OpCode::DeleteContainer {
            let change = pair.write(session, &identities, op, &ask.body, lag).change;
            let failed = matches!(&change, Change::Multi(parts) if parts.iter().any(|p| matches!(p, Change::Error(_))));
            let kind = match change {
                Change::Error(code) => format!("{code}"),
                _ if failed => "failed multi".into(),
                _ => format!("{op:?}"),
            };
            *kinds.entry(kind).or_default() += 1;
        } else if model::answers(op) {
            pair.read(session, &identities, &service, op, &ask.body);
            *kinds.entry(format!("{op:?}")).or_default() += 1;
        }
    }
    while !pair.in_flight.is_empty() {
        pair.apply();
    }
    assert!(pair.state.is_consistent());
    assert_eq!(pair.state.digest(), pair.model.digest());
    kinds
}

#[test]
fn random_requests_mean_the_same_to_the_core_and_to_the_model() {
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..40 {
        let settings = LoadSettings {
            keys: [3, 20, 200][seed as usize % 3],
            reads_percent: 40,
            odd_per_mille: 50,
            acl_percent: [0, 5, 30][seed as usize / 3 % 3],
            multi_percent: 20,
            versioned_percent: 30,
            quotas: seed % 4 == 3,
            ..LoadSettings::default()
        };
        for (kind, count) in compare(seed, &settings, 1_500) {
            *kinds.entry(kind).or_default() += count;
        }
    }
    let seen: Vec<&str> = kinds.keys().map(String::as_str).collect();
    for wanted in
        ["-5", "-6", "-8", "-101", "-102", "-103", "-108", "-110", "-111", "-112", "-114", "-123", "-125"]
    {
        assert!(seen.contains(&wanted), "error {wanted} was never seen: {kinds:?}");
    }
    assert!(kinds.values().all(|count| *count > 0) && seen.len() > 30, "{kinds:?}");
}
