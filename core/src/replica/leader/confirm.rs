//! Questions that only a leader may answer, and only while it still is one (R11,
//! ZOOKEEPER-1675): a quorum must answer a ping that was sent after the question.

use super::{Leader, Stage};
use crate::identity::{ServerId, Zxid};
use crate::io::ClientId;
use crate::message::{LinkIncarnation, Message};
use crate::replica::handler::Handler;
use crate::replica::server::Server;

/// Somebody waits for a quorum to confirm that this leader still leads (R11).
pub(super) struct Question {
    who: Asker,
    /// The first ping that was sent after the question.
    ping: u64,
    /// What was proposed before the question must be committed first.
    after: Zxid,
}

#[derive(Clone, Copy)]
pub(super) enum Asker {
    /// A client of this server with its `sync`.
    Client(ClientId, u64),
    /// A learner with a `sync`. On a later link its number means something else.
    Learner(ServerId, LinkIncarnation, u64),
    /// A learner that had forgotten its promises: it may serve when a quorum without it still
    /// follows this leader. On a later link it must be synchronized again first.
    Blank(ServerId, LinkIncarnation),
}

impl Leader {
    /// A client of this server wants to be up to date.
    pub(in crate::replica) fn sync(&mut self, server: &mut Server, client: ClientId, xid: u64) {
        self.ask(server, Asker::Client(client, xid));
    }

    pub(super) fn ask(&mut self, server: &mut Server, who: Asker) {
        let question = Question { who, ping: self.pings + 1, after: server.storage.last().zxid };
        if let Stage::Broadcast(broadcast) = &mut self.stage {
            broadcast.questions.push_back(question);
            self.ping_wanted = true;
        }
    }

    pub(super) fn answer_questions(&mut self, server: &mut Server) {
        let committed = server.committed;
        loop {
            let Stage::Broadcast(broadcast) = &self.stage else { return };
            let Some(question) = broadcast.questions.front() else { return };
            let (ping, who) = (question.ping, question.who);
            let after = if matches!(who, Asker::Blank(..)) { Zxid::ZERO } else { question.after };
            let confirmed = ping <= self.pings
                && self.is_quorum(server, |learner| learner.is_counted() && learner.pinged >= ping);
            if !confirmed || committed < after {
                return;
            }
            if let Stage::Broadcast(broadcast) = &mut self.stage {
                broadcast.questions.pop_front();
            }
            match who {
                Asker::Client(client, xid) => server.clients.synced(client, xid, committed),
                Asker::Blank(peer, link) => {
                    if self.linked(peer, link).is_some() {
                        self.let_in(server, peer);
                    }
                }
                Asker::Learner(peer, link, number) => {
                    let epoch = self.epoch;
                    if let Some(handler) = self.linked(peer, link) {
                        handler.send(server, Message::Sync { epoch, number, committed });
                    }
                }
            }
        }
    }

    fn linked(&mut self, peer: ServerId, link: LinkIncarnation) -> Option<&mut Handler> {
        self.learners.get_mut(&peer).filter(|handler| handler.link.incarnation == link)
    }
}
