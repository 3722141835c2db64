//! What is counted of one connection: requests on their way, and how long answers took (`cons` in
//! client.md section 19).

use std::collections::VecDeque;

use zabrus_core::wire::{ConnectResponse, OpCode, ReplyHeader, RequestHeader, SessionId, xid};
use zabrus_core::{Duration, Instant, jute};

use crate::figures::Tally;

/// The figures of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) established: Instant,
    /// When something was last heard.
    pub(crate) heard: Instant,
    /// 0 before there is one.
    pub(crate) session: SessionId,
    /// The negotiated timeout, in milliseconds.
    pub(crate) timeout: i32,
    pub(crate) answers: Answers,
    /// The bytes of those without an answer that count as large.
    pub(crate) large: u64,
    /// Requests without an answer, in their order.
    waiting: VecDeque<Waiting>,
    greeted: bool,
}

/// The answers so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answers {
    /// As `cons` names the last operation.
    pub(crate) operation: &'static str,
    /// -1 before the first one.
    pub(crate) last_cxid: i32,
    pub(crate) last_zxid: i64,
    pub(crate) last: Instant,
    /// In microseconds.
    pub(crate) latency: Tally,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    xid: i32,
    op: Option<OpCode>,
    since: Instant,
    large: u64,
}

/// What a frame to a client was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The answer to a request, after this time.
    Answer {
        kind: Kind,
        span: Duration,
    },
    Notification,
    /// An identity that was not proved.
    AuthFailed,
    /// Something whose time nobody counts.
    Other,
}

/// What kind of request an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Update,
    Ping,
}

impl Default for Answers {
    fn default() -> Self {
        let (last_cxid, last_zxid, last) = (-1, -1, Instant(0));
        Self { operation: "NA", last_cxid, last_zxid, last, latency: Tally::default() }
    }
}

impl Traffic {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            received: 0,
            sent: 0,
            established: now,
            heard: now,
            session: SessionId(0),
            timeout: 0,
            answers: Answers::default(),
            large: 0,
            waiting: VecDeque::new(),
            greeted: false,
        }
    }

    /// Requests without an answer.
    pub(crate) fn outstanding(&self) -> usize {
        self.waiting.len()
    }

    /// Begins to count anew (`crst`).
    pub(crate) fn reset(&mut self) {
        (self.received, self.sent, self.answers) = (0, 0, Answers::default());
    }

    /// A frame arrived, and `large` of its bytes count as large. Answers to authentication overtake others, so
    /// they are neither timed nor counted.
    pub(crate) fn arrived(&mut self, frame: &[u8], large: u64, now: Instant) {
        self.received += 1;
        self.heard = now;
        let waiting = if std::mem::replace(&mut self.greeted, true) {
            let Ok(RequestHeader { xid, op }) = jute::Decoder::new(frame).read() else { return };
            Waiting { xid, op: OpCode::from_code(op), since: now, large }
        } else {
            Waiting { xid: 0, op: Some(OpCode::CreateSession), since: now, large }
        };
        if !matches!(waiting.op, Some(OpCode::Auth | OpCode::Sasl)) {
            self.large += large;
            self.waiting.push_back(waiting);
        }
    }

    /// A frame is sent; `frame` is without its length.
    pub(crate) fn leaves(&mut self, frame: &[u8], now: Instant) -> Sent {
        self.sent += 1;
        let first = self.waiting.front().copied();
        if let Some(hello) = first.filter(|first| first.op == Some(OpCode::CreateSession)) {
            let Ok(response) = ConnectResponse::decode(frame) else { return Sent::Other };
            (self.session, self.timeout) = (response.session, response.timeout);
            return self.answered(hello, self.answers.last_zxid, now);
        }
        let Ok(header) = jute::Decoder::new(frame).read::<ReplyHeader>() else { return Sent::Other };
        match (header.xid, first) {
            (xid::NOTIFICATION, _) => Sent::Notification,
            (xid::AUTH, _) if header.err != 0 => Sent::AuthFailed,
            (xid, Some(first)) if first.xid == xid => self.answered(first, header.zxid, now),
            _ => Sent::Other,
        }
    }

    fn answered(&mut self, request: Waiting, zxid: i64, now: Instant) -> Sent {
        self.waiting.pop_front();
        self.large -= request.large;
        let span = now.since(request.since);
        let answers = &mut self.answers;
        // What clients send by themselves is not their last request.
        if request.xid >= 0 {
            answers.last_cxid = request.xid;
        }
        (answers.operation, answers.last_zxid, answers.last) = (operation(request.op), zxid, now);
        answers.latency.record(span.0);
        let kind = match request.op {
            Some(OpCode::Ping) => Kind::Ping,
            Some(op) if op.is_write() => Kind::Update,
            _ => Kind::Read,
        };
        Sent::Answer { kind, span }
    }
}

/// The names in the field `lop`.
fn operation(op: Option<OpCode>) -> &'static str {
    use OpCode::*;
    let Some(op) = op else { return "NA" };
    match op {
        Create | Create2 | CreateContainer | CreateTtl => "CREA",
        Delete | DeleteContainer => "DELE",
        Exists => "EXIS",
        GetData => "GETD",
        SetData => "SETD",
        GetAcl => "GETA",
        SetAcl => "SETA",
        GetChildren | GetChildren2 => "GETC",
        Sync => "SYNC",
        Ping => "PING",
        Check => "CHEC",
        Multi => "MULT",
        MultiRead => "MLTR",
        Reconfig => "RECO",
        CheckWatches => "CHKW",
        RemoveWatches => "REMW",
        SetWatches => "SETW",
        SetWatches2 => "STW2",
        AddWatch => "ADDW",
        GetEphemerals => "GETE",
        GetAllChildrenNumber => "GETACN",
        WhoAmI => "HOMI",
        CreateSession => "SESS",
        CloseSession => "CLOS",
        Auth | Sasl => "NA",
    }
}

#[cfg(test)]
mod tests {
    use zabrus_core::wire::{ErrorCode, PASSWORD_BYTES, reply, reply_error};

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant(millis * 1_000)
    }

    /// A connection with a session since 2 ms.
    fn attached() -> Traffic {
        let mut traffic = Traffic::new(at(0));
        traffic.arrived(b"whatever", 0, at(1));
        let password = [0; PASSWORD_BYTES];
        let response = ConnectResponse { timeout: 4_000, session: SessionId(7), password, read_only: None };
        let sent = traffic.leaves(&response.frame()[4..], at(2));
        assert_eq!(sent, Sent::Answer { kind: Kind::Update, span: Duration::from_millis(1) });
        traffic
    }

    fn ask(traffic: &mut Traffic, xid: i32, op: OpCode, now: Instant) {
        traffic.arrived(&jute::encode(&RequestHeader { xid, op: op.code() }), 0, now);
    }

    #[test]
    fn a_handshake_names_the_session() {
        let traffic = attached();
        assert_eq!((traffic.session, traffic.timeout), (SessionId(7), 4_000));
        assert_eq!((traffic.answers.operation, traffic.answers.last_cxid), ("SESS", 0));
        assert_eq!((traffic.received, traffic.sent, traffic.outstanding()), (1, 1, 0));
    }

    #[test]
    fn answers_are_timed_from_their_own_request_on() {
        let mut traffic = attached();
        ask(&mut traffic, 1, OpCode::SetData, at(10));
        ask(&mut traffic, 2, OpCode::GetData, at(11));
        assert_eq!(traffic.outstanding(), 2);
        let sent = traffic.leaves(&reply(1, 9, &())[4..], at(15));
        assert_eq!(sent, Sent::Answer { kind: Kind::Update, span: Duration::from_millis(5) });
        let sent = traffic.leaves(&reply(2, 9, &())[4..], at(18));
        assert_eq!(sent, Sent::Answer { kind: Kind::Read, span: Duration::from_millis(7) });
        let Answers { operation, last_cxid, last_zxid, last, latency } = traffic.answers;
        assert_eq!((operation, last_cxid, last_zxid, last), ("GETD", 2, 9, at(18)));
        assert_eq!((latency.min, latency.max, latency.count), (1_000, 7_000, 3));
    }

    #[test]
    fn notifications_and_authentication_leave_the_times_alone() {
        let mut traffic = attached();
        ask(&mut traffic, 1, OpCode::GetData, at(10));
        ask(&mut traffic, xid::AUTH, OpCode::Auth, at(11));
        assert_eq!(traffic.leaves(&reply(xid::NOTIFICATION, 9, &())[4..], at(12)), Sent::Notification);
        let refused = reply_error(xid::AUTH, 0, ErrorCode::AuthFailed);
        assert_eq!(traffic.leaves(&refused[4..], at(12)), Sent::AuthFailed);
        assert_eq!(traffic.leaves(b"?", at(12)), Sent::Other);
        assert_eq!((traffic.outstanding(), traffic.answers.latency.count), (1, 1));
    }

    #[test]
    fn a_ping_is_no_last_request_but_an_operation() {
        let mut traffic = attached();
        ask(&mut traffic, xid::PING, OpCode::Ping, at(10));
        traffic.leaves(&reply(xid::PING, 9, &())[4..], at(10));
        assert_eq!((traffic.answers.operation, traffic.answers.last_cxid), ("PING", 0));
        traffic.reset();
        assert_eq!((traffic.answers.operation, traffic.answers.last_cxid), ("NA", -1));
    }
}
