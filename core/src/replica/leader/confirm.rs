//! Questions that only a leader may answer, and only while it still is one (R11,
//! ZOOKEEPER-1675): a quorum must answer a ping that was sent after the question.

use super::{Leader, Stage};
use crate::identity::{ServerId, Zxid};
use crate::io::ClientId;
use crate::message::{LinkIncarnation, Message};
use crate::mutated;
use crate::replica::handler::Handler;
use crate::replica::server::Server;
use crate::replica::sessions::Owner;
use crate::wire::SessionId;

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
    /// A client of this server that wants to be up to date, by the number of its question.
    Client(u64),
    /// A client whose session is unknown or ending: it may be told so when that is certain.
    /// On a later link of its server nobody waits for that.
    Gone(Owner, SessionId, Option<LinkIncarnation>),
    /// A learner with a `sync`. On a later link its number means something else.
    Learner(ServerId, LinkIncarnation, u64),
    /// A learner that had forgotten its promises: it may serve when a quorum without it still
    /// follows this leader. On a later link it must be synchronized again first.
    Blank(ServerId, LinkIncarnation),
}

impl Leader {
    /// A client of this server wants to be up to date.
    pub(in crate::replica) fn sync(&mut self, server: &mut Server, number: u64) {
        self.ask(server, Asker::Client(number));
    }

    /// A client came to a server with its session. That the session is gone may only be said when
    /// its end is committed, and by a leader that still is one (invariants.md N7).
    pub(in crate::replica) fn attach(
        &mut self,
        server: &mut Server,
        owner: Owner,
        session: SessionId,
        timeout: i32,
    ) {
        let now = server.time();
        let Stage::Broadcast(broadcast) = &mut self.stage else { return };
        if broadcast.sessions.attach(now, session, timeout, owner) {
            self.attached(server, owner, session, timeout, true);
        } else {
            let link = self.learners.get(&owner.server).map(|handler| handler.link.incarnation);
            self.ask(server, Asker::Gone(owner, session, link));
        }
    }

    fn attached(&mut self, server: &mut Server, owner: Owner, session: SessionId, timeout: i32, lives: bool) {
        let client = ClientId(owner.client);
        if owner.server == server.id() {
            return server.clients.attached(client, session, lives, &mut server.outputs);
        }
        let epoch = self.epoch;
        if let Some(handler) = self.learners.get_mut(&owner.server) {
            handler.send(server, Message::Revalidate { epoch, client, session, timeout, lives: Some(lives) });
        }
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
            let is_sync = matches!(who, Asker::Client(_) | Asker::Learner(..));
            let after = match who {
                Asker::Blank(..) => Zxid::ZERO,
                _ if is_sync && mutated!(M125) => Zxid::ZERO,
                _ => question.after,
            };
            let confirmed = is_sync && mutated!(M124)
                || ping <= self.pings
                    && self.is_quorum(server, |learner| learner.is_counted() && learner.pinged >= ping);
            if !confirmed || committed < after {
                return;
            }
            if let Stage::Broadcast(broadcast) = &mut self.stage {
                broadcast.questions.pop_front();
            }
            match who {
                Asker::Client(number) => server.clients.synced(number, committed),
                Asker::Gone(owner, session, link) => {
                    if link.is_none_or(|link| self.linked(owner.server, link).is_some() || mutated!(Z06)) {
                        self.attached(server, owner, session, 0, false);
                    }
                }
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
