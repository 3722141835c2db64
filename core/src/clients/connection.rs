//! One client's connection.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::identity::{Bytes, Zxid};
use crate::io::{ClientId, Output};
use crate::jute;
use crate::state::Outcome;
use crate::wire::{self, ErrorCode, Id, OpCode, SessionId, encode_multi_results};

#[derive(Debug)]
pub(super) struct Connection {
    /// The client's address, as the scheme `ip` writes it.
    pub(super) address: String,
    pub(super) identities: Vec<Id>,
    /// How often it tried to authenticate by SASL.
    pub(super) sasl_tokens: u8,
    pub(super) stage: Stage,
    /// Requests without an answer, in the order of their arrival.
    pub(super) waiting: VecDeque<Waiting>,
    /// Frames that arrived behind the handshake before it was answered.
    pub(super) backlog: VecDeque<Bytes>,
    /// The driver does not read from it.
    pub(super) paused: bool,
    /// It was heard of since the leader was last told.
    pub(super) touched: bool,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing has arrived.
    Fresh,
    /// The leader decides about its session.
    Connecting {
        /// The write that creates the session, 0 if it wants an old one.
        number: u64,
        /// The negotiated timeout.
        timeout: i32,
        /// As the request had it.
        read_only: Option<bool>,
    },
    /// It has a session.
    Attached(SessionId),
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) xid: i32,
    pub(super) what: What,
}

/// What a request waits for. A frame is kept where its body is needed later.
#[derive(Debug)]
pub(super) enum What {
    /// A write that is not committed yet, as far as this server knows.
    Write { op: OpCode, number: u64 },
    /// A `sync` that the leader has not confirmed yet.
    Sync { number: u64, frame: Bytes },
    /// A `sync` that is done when the state is this far.
    SyncUntil { zxid: Zxid, frame: Bytes },
    /// A linearizable read that the leader has not confirmed yet.
    Barrier { op: OpCode, number: u64, frame: Bytes },
    /// A linearizable read that may be answered when the state is this far.
    BarrierUntil { op: OpCode, zxid: Zxid, frame: Bytes },
    /// A read behind other requests.
    Read { op: OpCode, frame: Bytes },
    /// A write that is done, while an earlier request is not.
    Done { op: OpCode, result: Result<Vec<u8>, ErrorCode> },
    /// No operation of this server.
    Unknown,
}

impl Connection {
    pub(super) fn new(address: IpAddr) -> Self {
        let address = address.to_string();
        let identities = vec![Id { scheme: "ip".into(), id: address.clone() }];
        Self {
            address,
            identities,
            sasl_tokens: 0,
            stage: Stage::Fresh,
            waiting: VecDeque::new(),
            backlog: VecDeque::new(),
            paused: false,
            touched: false,
        }
    }

    pub(super) fn session(&self) -> Option<SessionId> {
        match self.stage {
            Stage::Attached(session) => Some(session),
            _ => None,
        }
    }

    pub(super) fn pause(&mut self, client: ClientId, outputs: &mut VecDeque<Output>) {
        if !core::mem::replace(&mut self.paused, true) {
            outputs.push_back(Output::ClientPause { client });
        }
    }

    pub(super) fn resume(&mut self, client: ClientId, outputs: &mut VecDeque<Output>) {
        if core::mem::take(&mut self.paused) {
            outputs.push_back(Output::ClientResume { client });
        }
    }

    /// The write `number` is about to be applied: what stands before it may be answered at `applied`, whether
    /// that was confirmed or not. Whether there is anything.
    pub(super) fn precede(&mut self, number: u64, applied: Zxid) -> bool {
        let is_it =
            |waiting: &Waiting| matches!(waiting.what, What::Write { number: own, .. } if own == number);
        let Some(place) = self.waiting.iter().position(is_it) else { return false };
        for Waiting { what, .. } in self.waiting.iter_mut().take(place) {
            match what {
                What::Sync { frame, .. } => {
                    *what = What::SyncUntil { zxid: applied, frame: frame.clone() };
                }
                What::Barrier { op, frame, .. } => {
                    *what = What::BarrierUntil { op: *op, zxid: applied, frame: frame.clone() };
                }
                // The leader had committed more than it had to when it confirmed.
                What::SyncUntil { zxid, .. } | What::BarrierUntil { zxid, .. } => *zxid = applied.min(*zxid),
                _ => {}
            }
        }
        place > 0
    }

    /// The leader confirmed the question `number`.
    pub(super) fn confirm(&mut self, number: u64, zxid: Zxid) {
        for waiting in &mut self.waiting {
            match &waiting.what {
                What::Sync { number: asked, frame } if *asked == number => {
                    waiting.what = What::SyncUntil { zxid, frame: frame.clone() };
                }
                What::Barrier { op, number: asked, frame } if *asked == number => {
                    waiting.what = What::BarrierUntil { op: *op, zxid, frame: frame.clone() };
                }
                _ => {}
            }
        }
    }
}

/// What a client is answered whose write came to this.
pub(super) fn result(op: OpCode, outcome: &Outcome) -> Result<Vec<u8>, ErrorCode> {
    let mut body = Vec::with_capacity(size_of::<wire::Stat>());
    match outcome {
        Outcome::Error(code) => return Err(ErrorCode::from_code(*code).unwrap_or(ErrorCode::SystemError)),
        Outcome::Created(path, stat) => {
            jute::encode_into(&mut body, path);
            if op != OpCode::Create {
                jute::encode_into(&mut body, stat);
            }
        }
        Outcome::SetData(stat) | Outcome::SetAcl(stat) => jute::encode_into(&mut body, stat),
        Outcome::Reconfig(data, stat) => {
            jute::encode_into(&mut body, &wire::GetDataResponse { data: Some(data.clone()), stat: *stat });
        }
        Outcome::Multi(results) => encode_multi_results(&mut body, results),
        Outcome::Nothing | Outcome::SessionCreated | Outcome::SessionClosed => {}
    }
    Ok(body)
}

/// The answer to a `sync`: the path, whatever it was.
pub(super) fn sync_reply(xid: i32, zxid: i64, body: &[u8]) -> Vec<u8> {
    let path: Option<String> = jute::decode(body).unwrap_or(None);
    wire::reply(xid, zxid, &path)
}
