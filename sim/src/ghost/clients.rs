//! What clients asked and were told, against the committed history (invariants.md section 8).

use std::collections::BTreeMap;

use zabrus_core::io::ClientId;
use zabrus_core::service::{Answer, Change, Operation, Origin, Refusal, Request, Response, Transaction};
use zabrus_core::{Instant, ServerId, Zxid};

use super::old_model::Model;
use crate::checks::{Rule, Verdict, old_l_clients};

/// One request in the whole run: a client number is never used twice on one server.
type Key = (ServerId, ClientId, u64);

#[derive(Clone, Debug)]
struct Asked {
    operation: Operation,
    /// The newest zxid that any client had seen when it was asked.
    acknowledged: Zxid,
}

#[derive(Clone, Copy, Debug, Default)]
struct Connection {
    last_answered: Option<u64>,
    seen: Zxid,
}

/// The client ledger.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    /// Changes are kept after their answer: they may be committed later, or again.
    asked: BTreeMap<Key, Asked>,
    waiting: BTreeMap<Key, Instant>,
    connections: BTreeMap<(ServerId, ClientId), Connection>,
    committed: BTreeMap<Key, (Zxid, Result<Answer, Refusal>)>,
    acknowledged: Zxid,
}

impl Clients {
    /// A client sent a request.
    pub fn asked(&mut self, now: Instant, server: ServerId, client: ClientId, request: &Request) {
        let operation = request.operation.clone();
        let key = (server, client, request.xid);
        self.asked.insert(key, Asked { operation, acknowledged: self.acknowledged });
        self.waiting.insert(key, now);
    }

    /// A connection is gone: nothing on it will be answered.
    pub fn left(&mut self, server: ServerId, client: ClientId) {
        let (first, last) = ((server, client, 0), (server, client, u64::MAX));
        let keys: Vec<Key> = self.waiting.range(first..=last).map(|(key, _)| *key).collect();
        for key in keys {
            self.waiting.remove(&key);
        }
        self.connections.remove(&(server, client));
    }

    /// The change that a transaction executes, if a client asked for it.
    #[must_use]
    pub fn change(&self, origin: &Origin) -> Option<&Change> {
        match &self.asked.get(&key(origin))?.operation {
            Operation::Change(change) => Some(change),
            _ => None,
        }
    }

    /// A transaction of a client is committed.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn committed(&mut self, zxid: Zxid, transaction: &Transaction) -> Result<(), (Rule, String)> {
        let key = key(&transaction.origin);
        let earlier =
            self.committed.insert(key, (zxid, transaction.answer(zxid))).map(|(earlier, _)| earlier);
        old_l_clients::once(earlier, zxid).map_err(|sentence| (Rule::L6, sentence))?;
        let before = self.asked.get(&key).map_or(Zxid::ZERO, |asked| asked.acknowledged);
        old_l_clients::linearizable(zxid, before).map_err(|sentence| (Rule::L3, sentence))
    }

    /// A client got an answer. `judge` counts and reports each check.
    ///
    /// # Errors
    /// What `judge` returns.
    pub fn answered<E>(
        &mut self,
        (server, client): (ServerId, ClientId),
        response: &Response,
        model: &Model,
        mut judge: impl FnMut(Rule, Verdict) -> Result<(), E>,
    ) -> Result<Option<Operation>, E> {
        let key = (server, client, response.xid);
        let connection = self.connections.entry((server, client)).or_default();
        let before = std::mem::replace(
            connection,
            Connection { last_answered: Some(response.xid), seen: connection.seen.max(response.zxid) },
        );
        judge(Rule::L4, old_l_clients::order(before.last_answered, response.xid))?;
        judge(Rule::L7, old_l_clients::monotonic(before.seen, response.zxid))?;
        self.waiting.remove(&key);
        let Some(asked) = self.asked.get(&key) else {
            judge(
                Rule::L4,
                Err(format!("a client got an answer to request {}, which it never sent", key.2)),
            )?;
            return Ok(None);
        };
        let (operation, acknowledged) = (asked.operation.clone(), asked.acknowledged);
        // Whatever a server shows to a client is committed, so it counts for everybody.
        self.acknowledged = self.acknowledged.max(response.zxid);
        match &operation {
            Operation::Change(_) => {
                let committed = self.committed.get(&key);
                judge(Rule::L1, old_l_clients::change(&response.result, response.zxid, committed))?;
            }
            Operation::Get { path } => {
                let expected = model.read(path, response.zxid);
                judge(Rule::L2, old_l_clients::read(path, response.zxid, &response.result, &expected))?;
                self.asked.remove(&key);
            }
            Operation::Sync => {
                judge(Rule::L8, old_l_clients::synced(response.zxid, acknowledged))?;
                self.asked.remove(&key);
            }
        }
        Ok(Some(operation))
    }

    /// The request that waits longest for its answer, and since when.
    #[must_use]
    pub fn longest_waiting(&self) -> Option<(ServerId, ClientId, u64, Instant)> {
        let ((server, client, xid), at) = self.waiting.iter().min_by_key(|(_, at)| **at)?;
        Some((*server, *client, *xid, *at))
    }
}

fn key(origin: &Origin) -> Key {
    (origin.server, origin.client, origin.xid)
}

#[cfg(test)]
mod tests {
    use zabrus_core::{Bytes, Epoch};

    use super::*;

    const ME: (ServerId, ClientId) = (ServerId(1), ClientId(7));

    fn create(xid: u64) -> Request {
        let change = Change::Create { path: format!("/{xid}"), data: Bytes::default() };
        Request { xid, operation: Operation::Change(change) }
    }

    fn commit(
        clients: &mut Clients,
        model: &mut Model,
        xid: u64,
        counter: u32,
    ) -> Result<(), (Rule, String)> {
        let origin = Origin { server: ME.0, boot: 1, client: ME.1, xid };
        let zxid = Zxid::new(Epoch(1), counter);
        let effect = clients.change(&origin).map(|change| model.execute(change)).expect("asked before");
        model.apply(zxid, &effect);
        clients.committed(zxid, &Transaction { origin, wall_millis: 0, effect })
    }

    fn answer(clients: &mut Clients, model: &Model, xid: u64, zxid: u32, result: Answer) -> Result<(), Rule> {
        let response = Response { xid, zxid: Zxid::new(Epoch(1), zxid), result: Ok(result) };
        let judge = |rule, verdict: Verdict| verdict.map_err(|_| rule);
        clients.answered(ME, &response, model, judge).map(|_| ())
    }

    fn changed(counter: u32) -> Answer {
        Answer::Changed { zxid: Zxid::new(Epoch(1), counter), version: 0 }
    }

    #[test]
    fn an_honest_course_passes_and_every_lie_is_seen() {
        let (mut clients, mut model) = (Clients::default(), Model::default());
        clients.asked(Instant(0), ME.0, ME.1, &create(1));
        assert_eq!(answer(&mut clients.clone(), &model, 1, 1, changed(1)), Err(Rule::L1), "not committed");
        assert_eq!(commit(&mut clients, &mut model, 1, 1), Ok(()));
        assert_eq!(answer(&mut clients.clone(), &model, 1, 1, changed(2)), Err(Rule::L1), "another zxid");
        assert_eq!(answer(&mut clients, &model, 1, 1, changed(1)), Ok(()));
        assert_eq!(answer(&mut clients.clone(), &model, 1, 1, changed(1)), Err(Rule::L4), "twice");

        clients.asked(Instant(0), ME.0, ME.1, &Request { xid: 2, operation: Operation::Sync });
        assert_eq!(answer(&mut clients.clone(), &model, 2, 0, Answer::Synced), Err(Rule::L7));
        assert_eq!(answer(&mut clients, &model, 2, 1, Answer::Synced), Ok(()));

        let read = Operation::Get { path: "/1".into() };
        clients.asked(Instant(0), ME.0, ME.1, &Request { xid: 3, operation: read });
        let data = |version| Answer::Data { data: Bytes::default(), version };
        assert_eq!(answer(&mut clients.clone(), &model, 3, 1, data(4)), Err(Rule::L2));
        assert_eq!(answer(&mut clients, &model, 3, 1, data(0)), Ok(()));

        let again = commit(&mut clients, &mut model, 1, 2).map_err(|(rule, _)| rule);
        assert_eq!(again, Err(Rule::L6));
    }

    #[test]
    fn a_sync_on_another_connection_sees_what_was_acknowledged() {
        let (mut clients, mut model) = (Clients::default(), Model::default());
        clients.asked(Instant(0), ME.0, ME.1, &create(1));
        commit(&mut clients, &mut model, 1, 1).expect("the first");
        answer(&mut clients, &model, 1, 1, changed(1)).expect("right");
        let other = (ServerId(2), ClientId(8));
        clients.asked(Instant(1), other.0, other.1, &Request { xid: 1, operation: Operation::Sync });
        let response = Response { xid: 1, zxid: Zxid::ZERO, result: Ok(Answer::Synced) };
        let judge = |rule, verdict: Verdict| verdict.map_err(|_| rule);
        assert_eq!(clients.answered(other, &response, &model, judge).err(), Some(Rule::L8));
    }

    #[test]
    fn what_waits_longest_is_known_until_its_connection_is_gone() {
        let mut clients = Clients::default();
        clients.asked(Instant(5), ME.0, ME.1, &create(1));
        clients.asked(Instant(6), ME.0, ME.1, &create(2));
        assert_eq!(clients.longest_waiting(), Some((ME.0, ME.1, 1, Instant(5))));
        clients.left(ME.0, ME.1);
        assert_eq!(clients.longest_waiting(), None);
        let origin = Origin { server: ME.0, boot: 1, client: ME.1, xid: 1 };
        assert!(clients.change(&origin).is_some(), "it may still be committed");
    }
}
