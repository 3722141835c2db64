//! What servers say to each other.
//!
//! One transport connection between two servers carries two channels. **Votes** are newest-wins
//! and survive loss. The **quorum link** between a learner and its leader is opened by the
//! learner, and restores TCP's contract on any transport: every frame names the link's
//! incarnation and its own sequence number; a duplicate is ignored, a gap breaks the link
//! (zab.md section 15). [`Message`]s map one to one to ZooKeeper's quorum packets.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::codec::{self, DecodeError};
use crate::identity::{Bytes, Epoch, Position, ServerId, Zxid};
use crate::io::ClientId;
use crate::storage::Standing;
use crate::wire::SessionId;

/// One incarnation of a link: drawn by the learner when it opens it, and ordered within one boot
/// of the learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkIncarnation {
    /// The learner's boot: a number drawn at its start.
    pub boot: u64,
    /// The how-manieth link of that boot.
    pub attempt: u64,
}

/// What travels between two servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// Election. Each sender numbers its votes within its boot; a receiver keeps only the newest.
    Vote {
        /// The sender's boot.
        boot: u64,
        /// The number of this vote within that boot, from 1.
        sequence: u64,
        /// The vote.
        notification: Notification,
    },
    /// A learner opens a link to its leader. Repeated until answered.
    Open {
        /// The new link.
        link: LinkIncarnation,
    },
    /// The leader has the link.
    Accept {
        /// The link.
        link: LinkIncarnation,
        /// The leader's own boot: the learner's frames name it, so that they cannot reach a
        /// later life of the leader.
        boot: u64,
    },
    /// A message on an open link.
    Data {
        /// The link.
        link: LinkIncarnation,
        /// The leader's boot.
        boot: u64,
        /// From 1 per direction.
        sequence: u64,
        /// The message.
        message: Message,
    },
    /// The sender does not have this link, or broke it.
    Reset {
        /// The link.
        link: LinkIncarnation,
    },
}

impl Frame {
    /// The bytes for the transport, which keeps frame boundaries.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The frame that these bytes are.
    ///
    /// # Errors
    /// If they are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes)
    }
}

/// A candidate as votes name it: compared by current epoch first, then zxid, then id
/// (zab.md section 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vote {
    /// The candidate's current epoch when it proposed itself.
    pub peer_epoch: Epoch,
    /// The candidate's last zxid when it proposed itself.
    pub zxid: Zxid,
    /// The candidate.
    pub leader: ServerId,
}

/// What the sender of a vote is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SenderState {
    /// Looking for a leader.
    Looking,
    /// Following one.
    Following,
    /// Leading.
    Leading,
    /// Observing one.
    Observing,
}

/// A message of the election (zab.md section 1.1). The sender is known from the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// What the sender is doing.
    pub state: SenderState,
    /// Its vote, or its final vote if it has settled. `None` from a server that may not vote for
    /// anybody: an observer, or one whose data are gone (ZOOKEEPER-2325).
    pub vote: Option<Vote>,
    /// The sender's round (logical clock). The basic election uses it as the number of the query
    /// that this answers.
    pub round: u64,
    /// The version of the sender's configuration.
    pub config_version: u64,
    /// What it says, if a reconfig made it.
    pub members: String,
    /// What is to follow it, if that was announced.
    pub next_members: String,
    /// The basic election only: this asks for an answer.
    pub query: bool,
}

/// A message between a learner and its leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// FOLLOWERINFO, OBSERVERINFO: the learner introduces itself.
    LearnerInfo {
        /// The highest epoch that it has promised.
        accepted_epoch: Epoch,
        /// The version of its configuration, as it has applied it.
        config_version: u64,
    },
    /// LEADERINFO: the new epoch.
    LeaderInfo {
        /// The epoch.
        epoch: Epoch,
    },
    /// ACKEPOCH: the learner's promise, or only its position.
    AckEpoch {
        /// The promised epoch.
        epoch: Epoch,
        /// The learner's current epoch; `None` says "do not count me as a promise"
        /// (zab.md section 4.3), also from a server that has lost its vote.
        current_epoch: Option<Epoch>,
        /// The end of the learner's durable log.
        last: Position,
        /// Where each epoch ends in the learner's log, as far as memory goes back, newest first.
        /// So the leader finds the last transaction that both have, across epochs too.
        ends: Vec<Position>,
        /// What the learner's log proves about what it acknowledged.
        standing: Standing,
    },
    /// DIFF: keep your log, which must contain `base`; what is missing follows.
    Diff {
        /// The leader's epoch.
        epoch: Epoch,
        /// The position from which the leader continues: the end of the learner's log.
        base: Position,
        /// Where the synchronization will end.
        end: Zxid,
    },
    /// TRUNC: cut your log after `to`, which it must contain.
    Trunc {
        /// The leader's epoch.
        epoch: Epoch,
        /// The new end.
        to: Position,
    },
    /// SNAP: replace your state by the snapshot that follows in chunks.
    Snap {
        /// The leader's epoch.
        epoch: Epoch,
        /// The history that the snapshot covers.
        label: Position,
    },
    /// A piece of the snapshot.
    SnapChunk {
        /// The leader's epoch.
        epoch: Epoch,
        /// The snapshot.
        label: Zxid,
        /// The number of this chunk, from 0.
        index: u64,
        /// The bytes.
        #[serde(with = "crate::codec::bytes")]
        bytes: Bytes,
        /// No chunk follows.
        last: bool,
    },
    /// The learner has stored a chunk: one more may be sent.
    SnapChunkStored {
        /// The leader's epoch.
        epoch: Epoch,
        /// The number of the chunk.
        index: u64,
    },
    /// PROPOSAL: append this transaction. In a synchronization it may be an old one.
    Proposal {
        /// The leader's epoch.
        epoch: Epoch,
        /// The transaction before it (R4).
        previous: Zxid,
        /// The transaction.
        zxid: Zxid,
        /// Its bytes.
        #[serde(with = "crate::codec::bytes")]
        payload: Bytes,
    },
    /// COMMIT, cumulative: everything up to `zxid` is committed (R5).
    Commit {
        /// The leader's epoch.
        epoch: Epoch,
        /// The last committed transaction.
        zxid: Zxid,
    },
    /// INFORM: a committed transaction, for observers.
    Inform {
        /// The leader's epoch.
        epoch: Epoch,
        /// The transaction before it (R4).
        previous: Zxid,
        /// The transaction.
        zxid: Zxid,
        /// Its bytes.
        #[serde(with = "crate::codec::bytes")]
        payload: Bytes,
    },
    /// NEWLEADER: the initial history of the epoch ends at `end` (R10).
    NewLeader {
        /// The leader's epoch.
        epoch: Epoch,
        /// The end of the history that this learner was sent before this message.
        end: Position,
    },
    /// ACK of NEWLEADER: history and current epoch are durable.
    AckNewLeader {
        /// The leader's epoch.
        epoch: Epoch,
    },
    /// ACK, cumulative: everything up to `zxid` is durable (R5).
    Ack {
        /// The leader's epoch.
        epoch: Epoch,
        /// The last durable transaction.
        zxid: Zxid,
    },
    /// UPTODATE: serve clients.
    UpToDate {
        /// The leader's epoch.
        epoch: Epoch,
        /// Everything up to here is committed.
        committed: Zxid,
    },
    /// PING from the leader, and the learner's answer.
    Ping {
        /// The leader's epoch.
        epoch: Epoch,
        /// From 1; the answer repeats it, and so confirms every leadership question asked before
        /// it was sent (R11).
        sequence: u64,
        /// The last committed transaction.
        committed: Zxid,
        /// In the answer, the sessions of which the learner heard since its last answer
        /// (client.md section 17.2).
        touched: Vec<SessionId>,
    },
    /// REVALIDATE: a client came to the learner with its session, and the leader's answer.
    Revalidate {
        /// The leader's epoch.
        epoch: Epoch,
        /// The client's connection there.
        client: ClientId,
        /// The session.
        session: SessionId,
        /// The negotiated timeout, in milliseconds.
        timeout: i32,
        /// In the answer, whether the session lives; in the question `None`.
        lives: Option<bool>,
    },
    /// REQUEST: a write that a learner passes on for its client.
    Request {
        /// The leader's epoch.
        epoch: Epoch,
        /// The learner's number for it, from 1 within the link: the leader executes each once
        /// (R13).
        number: u64,
        /// An encoded [`crate::prepare::WriteRequest`].
        #[serde(with = "crate::codec::bytes")]
        payload: Bytes,
    },
    /// SYNC: the learner asks for a point in time, the leader answers behind all commits.
    Sync {
        /// The leader's epoch.
        epoch: Epoch,
        /// The learner's number for it; the answer repeats it.
        number: u64,
        /// In the answer, what the leader knows to be committed: the learner waits for it, whatever
        /// happened to the frames before. In the question nothing.
        committed: Zxid,
    },
    /// The learner, which is being synchronized, has made everything up to `zxid` durable: more may be sent.
    SyncStored {
        /// The leader's epoch.
        epoch: Epoch,
        /// The last durable transaction.
        zxid: Zxid,
    },
}

impl Message {
    /// The epoch that this message belongs to; `None` before the epoch is known.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::LearnerInfo { .. } => None,
            Self::LeaderInfo { epoch }
            | Self::AckEpoch { epoch, .. }
            | Self::Diff { epoch, .. }
            | Self::Trunc { epoch, .. }
            | Self::Snap { epoch, .. }
            | Self::SnapChunk { epoch, .. }
            | Self::SnapChunkStored { epoch, .. }
            | Self::Proposal { epoch, .. }
            | Self::Commit { epoch, .. }
            | Self::Inform { epoch, .. }
            | Self::NewLeader { epoch, .. }
            | Self::AckNewLeader { epoch }
            | Self::Ack { epoch, .. }
            | Self::UpToDate { epoch, .. }
            | Self::Ping { epoch, .. }
            | Self::Revalidate { epoch, .. }
            | Self::Request { epoch, .. }
            | Self::Sync { epoch, .. }
            | Self::SyncStored { epoch, .. } => Some(*epoch),
        }
    }
}
