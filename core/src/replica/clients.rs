//! The clients of one server: their requests are answered in order (zab.md sections 6 and 10).

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;

use crate::identity::Zxid;
use crate::io::{ClientId, Output};
use crate::service::{Answer, Refusal, Response, Transaction, Tree};

/// The requests that wait, by client, each client's in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// Clients that this server has accepted requests from.
    connected: BTreeSet<ClientId>,
    waiting: BTreeMap<ClientId, VecDeque<Waiting>>,
    count: usize,
    /// Clients whose first request may have become answerable.
    ready: VecDeque<ClientId>,
}

#[derive(Debug)]
struct Waiting {
    xid: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A change that is not committed yet, as far as this server knows.
    Change,
    /// A `sync` that the leader has not answered yet.
    Sync,
    /// A `sync` that is done when the state is this far.
    SyncUntil(Zxid),
    /// A read.
    Get(String),
    /// Done, but an earlier request of the client is not.
    Done(Result<Answer, Refusal>),
}

impl Clients {
    /// How many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.count
    }

    pub(super) fn change(&mut self, client: ClientId, xid: u64) {
        self.push(client, xid, What::Change);
    }

    pub(super) fn sync(&mut self, client: ClientId, xid: u64) {
        self.push(client, xid, What::Sync);
    }

    pub(super) fn get(&mut self, client: ClientId, xid: u64, path: String) {
        self.push(client, xid, What::Get(path));
        self.ready.push_back(client);
    }

    fn push(&mut self, client: ClientId, xid: u64, what: What) {
        self.connected.insert(client);
        self.waiting.entry(client).or_default().push_back(Waiting { xid, what });
        self.count += 1;
    }

    /// The client is gone; nobody waits for its answers.
    pub(super) fn gone(&mut self, client: ClientId) {
        self.connected.remove(&client);
        self.count -= self.waiting.remove(&client).map_or(0, |queue| queue.len());
    }

    /// Sends everybody away: this server no longer serves. Whoever waits for an answer does not
    /// know what became of the request (zab.md section 10).
    pub(super) fn close_all(&mut self, outputs: &mut VecDeque<Output>) {
        self.waiting.clear();
        self.ready.clear();
        self.count = 0;
        outputs.extend(
            core::mem::take(&mut self.connected).into_iter().map(|client| Output::ClientClose { client }),
        );
    }

    /// A change of one of this server's clients was applied as `zxid`.
    pub(super) fn committed(&mut self, transaction: &Transaction, zxid: Zxid) {
        self.finish(transaction.origin.client, transaction.origin.xid, |what| match what {
            What::Change => Some(What::Done(transaction.answer(zxid))),
            _ => None,
        });
    }

    /// The leader confirmed a `sync`: it is done when the state reaches `zxid`.
    pub(super) fn synced(&mut self, client: ClientId, xid: u64, zxid: Zxid) {
        self.finish(client, xid, |what| match what {
            What::Sync => Some(What::SyncUntil(zxid)),
            _ => None,
        });
    }

    fn finish(&mut self, client: ClientId, xid: u64, next: impl Fn(&What) -> Option<What>) {
        let Some(queue) = self.waiting.get_mut(&client) else { return };
        for waiting in queue.iter_mut().filter(|waiting| waiting.xid == xid) {
            if let Some(what) = next(&waiting.what) {
                waiting.what = what;
                self.ready.push_back(client);
                return;
            }
        }
    }

    /// Answers everything that can be answered with this state. Per client, in order.
    pub(super) fn answer(&mut self, tree: &Tree, applied: Zxid, outputs: &mut VecDeque<Output>) {
        for _ in 0..self.ready.len() {
            let Some(client) = self.ready.pop_front() else { break };
            let Some(queue) = self.waiting.get_mut(&client) else { continue };
            while let Some(first) = queue.front() {
                let result = match &first.what {
                    What::Change | What::Sync => break,
                    What::SyncUntil(zxid) if *zxid > applied => {
                        self.ready.push_back(client);
                        break;
                    }
                    What::SyncUntil(_) => Ok(Answer::Synced),
                    What::Get(path) => tree
                        .get(path)
                        .map(|(data, version)| Answer::Data { data: data.clone(), version })
                        .ok_or(Refusal::NoNode),
                    What::Done(result) => result.clone(),
                };
                // R16: what is applied is always a transaction, never the start of an epoch.
                let response = Response { xid: first.xid, zxid: applied, result };
                let bytes = Arc::from(crate::codec::encode(&response));
                outputs.push_back(Output::ClientFrame { client, bytes });
                queue.pop_front();
                self.count -= 1;
            }
            if queue.is_empty() {
                self.waiting.remove(&client);
            }
        }
    }
}
