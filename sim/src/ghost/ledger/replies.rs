//! What clients are told.

use zabrus_core::io::ClientId;
use zabrus_core::membership::CONFIG_PATH;
use zabrus_core::wire::{
    AddWatch, ConnectResponse, ErrorCode, OpCode, PathWatch, ReplyHeader, SessionId, SetWatches, SetWatches2,
    WatcherType, xid,
};
use zabrus_core::{Zxid, jute};

use super::local::admitted;
use super::shape::is_whole;
use super::watches::{CHILD, DATA, PERSISTENT, RECURSIVE, Watches, kinds};
use super::{Asked, Connection, Ledger};
use crate::checks::{
    Rule, l_clients, n07_expired_is_final, n08_closing_fence, n10_password, w01_events, w07_rearmed,
};
use crate::clients::Received;
use crate::counters::Mark;
use crate::ghost::Checked;
use crate::ghost::court::Court;
use crate::ghost::model::{self, Answer, Model};

impl Ledger {
    /// A client got something; `committed` is the end of the committed history.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn received(
        &mut self,
        id: ClientId,
        received: &Received,
        model: &Model,
        committed: Zxid,
        court: &mut Court<'_>,
    ) -> Checked {
        match received {
            Received::Session(response) => self.greeted(id, response, model, court),
            Received::TurnedAway(header) => self.turned_away(id, *header, model, committed, court),
            Received::Reply { header, body } => self.answered(id, *header, body, model, committed, court),
            Received::Event { zxid, event, path } => {
                let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
                connection.event(*zxid, *event, path, model, committed, court)
            }
            Received::Closed => {
                self.closed(court.now, id);
                Ok(())
            }
            Received::Garbage(why) => {
                court.judge(Rule::L1, Err(format!("what came on connection {} {why}", id.0)))
            }
        }
    }

    fn greeted(
        &mut self,
        id: ClientId,
        response: &ConnectResponse,
        model: &Model,
        court: &mut Court<'_>,
    ) -> Checked {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        connection.greeted = true;
        let hello = &connection.hello;
        let facts = self.sessions.entry(connection.session).or_default();
        court.judge(Rule::N10, n10_password::check(hello, response, facts.password))?;
        if response.timeout == 0 {
            let forged = facts.password.is_some_and(|p| hello.password.as_deref() != Some(&p));
            court.saw(if forged { Mark::SessionsForged } else { Mark::SessionsGone });
            // Of a session that only another server knows, or did when this was said, anybody else says so.
            let ended = model.session(connection.session).is_some_and(|life| life.closed.is_some());
            if !forged && (facts.home.is_none() || ended) {
                facts.gone.get_or_insert(court.now);
            }
            return Ok(());
        }
        if connection.session == SessionId(0) && model.settings().local_sessions {
            self.begin_local(id, response.session, model, court)?;
            court.saw(Mark::LocalSessions);
        }
        let known = self.is_local(response.session, model) || model.session(response.session).is_some();
        self.at_home(id, model, court)?;
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        let (hello, facts) = (&connection.hello, self.sessions.entry(connection.session).or_default());
        let created = known && connection.session == response.session;
        let granted = model.granted(hello.timeout);
        let verdict = match (created, response.timeout == granted, admitted(hello.read_only, response, model))
        {
            (false, ..) => Err(format!("session {} was given out before it was created", response.session)),
            (_, false, _) => Err(format!("{} ms were asked and {} granted", hello.timeout, response.timeout)),
            (.., false) => Err(format!("{:?} was answered by {:?}", hello.read_only, response.read_only)),
            _ => Ok(()),
        };
        court.judge(Rule::L1, verdict)?;
        let verdict = n07_expired_is_final::given(response.session, facts.gone, connection.opened);
        court.judge(Rule::N7, verdict)?;
        connection.attached = true;
        connection.read_only = response.read_only == Some(true);
        facts.password = Some(response.password);
        court.saw(if hello.session == SessionId(0) { Mark::SessionsOpened } else { Mark::SessionsKept });
        Ok(())
    }

    fn answered(
        &mut self,
        id: ClientId,
        header: ReplyHeader,
        body: &[u8],
        model: &Model,
        committed: Zxid,
        court: &mut Court<'_>,
    ) -> Checked {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        let zxid = Zxid(header.zxid.cast_unsigned());
        match header.xid {
            xid::AUTH => {
                let proof = connection.proofs.pop_front();
                court.judge(Rule::L12, l_clients::reserved(header.xid, proof.is_some()))?;
                let right = proof.is_some_and(|(_, valid)| valid);
                let code = if right { 0 } else { ErrorCode::AuthFailed.code() };
                let same = header.err == code;
                let expected = (code, &b""[..], same);
                let verdict = l_clients::answer("a proof of identity", zxid, header.err, body, expected);
                return court.judge(Rule::L1, verdict);
            }
            xid::PING => {
                let asked = connection.pings.pop_front().is_some();
                court.judge(Rule::L12, l_clients::reserved(header.xid, asked))?;
                court.saw(Mark::PingsAnswered);
                connection.reached(zxid, model, committed, court)?;
                let expected = (0, &b""[..], body.is_empty());
                let verdict = l_clients::answer("a ping", zxid, header.err, body, expected);
                return court.judge(Rule::L1, verdict);
            }
            _ => {}
        }
        let next = connection.waiting.front().map(|asked| asked.xid);
        court.judge(Rule::L4, l_clients::order(next, header.xid))?;
        let asked = connection.waiting.pop_front().expect("the next was compared");
        if header.err != 0 {
            court.saw(Mark::RequestsRefused);
        }
        if let Some(verdict) = self.refused(id, &asked, header, body, court) {
            verdict?;
            let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
            return connection.reached(zxid, model, committed, court);
        }
        let at_home = self.closed_at_home(id, &asked, header, body, model, court);
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        if let Some(verdict) = at_home {
            verdict?;
            return connection.reached(zxid, model, committed, court);
        }
        let op = asked.op().filter(|op| match op {
            OpCode::Check => false,
            OpCode::DeleteContainer => !is_whole(*op, &asked.body),
            _ => true,
        });
        let Some(op) = op else {
            let expected = (ErrorCode::Unimplemented.code(), &b""[..], true);
            let verdict = l_clients::answer(&asked.words(), zxid, header.err, body, expected);
            return court.judge(Rule::L1, verdict);
        };
        connection.reached(zxid, model, committed, court)?;
        if header.err == 0 && op != OpCode::CloseSession {
            let closed = model.session(connection.session).and_then(|session| session.closed);
            court.judge(Rule::N8, n08_closing_fence::check(connection.session, closed, zxid))?;
        }
        connection.answered(&asked, op, header, body, model, court)?;
        // Whatever a server shows to a client is committed, so it counts for everybody.
        self.acknowledged = self.acknowledged.max(zxid);
        Ok(())
    }
}

impl Connection {
    /// A server showed that it is at `zxid`: every event up to there must have come.
    fn reached(&mut self, zxid: Zxid, model: &Model, committed: Zxid, court: &mut Court<'_>) -> Checked {
        court.judge(Rule::L7, l_clients::monotonic(self.seen, zxid))?;
        court.judge(Rule::L2, l_clients::shown(zxid, committed))?;
        self.seen = zxid;
        self.watches.advance(model, zxid, &self.identities);
        court.counters.saw_times(Mark::WatchEventsHidden, std::mem::take(&mut self.watches.hidden));
        let missing = self
            .watches
            .missing()
            .map(|due| format!("the event {:?} of {} by {}", due.event, due.path, due.zxid));
        court.judge(Rule::W3, w01_events::before_data(zxid, missing.as_deref()))
    }

    fn event(
        &mut self,
        zxid: i64,
        event: i32,
        path: &str,
        model: &Model,
        committed: Zxid,
        court: &mut Court<'_>,
    ) -> Checked {
        court.saw(Mark::WatchEvents);
        let words = format!("event {event} of {path} by {}", Zxid(zxid.cast_unsigned()));
        if zxid == -1 {
            let sets = |asked: &Asked| matches!(asked.op(), Some(OpCode::SetWatches | OpCode::SetWatches2));
            if !self.waiting.front().is_some_and(sets) {
                return court.judge(Rule::W6, Err(format!("{words} came, but no watches were armed again")));
            }
            self.watches.caught_up.push((event, path.to_owned()));
            return Ok(());
        }
        let zxid = Zxid(zxid.cast_unsigned());
        court.judge(Rule::W4, w01_events::order(self.seen, zxid, &words))?;
        court.judge(Rule::L2, l_clients::shown(zxid, committed))?;
        self.watches.advance(model, zxid, &self.identities);
        let (heard, of_close) = self.watches.heard(zxid, event, path);
        let (rule, verdict) = w01_events::event(heard, &words);
        court.judge(rule, verdict)?;
        for rule in [Rule::W2, Rule::W5, Rule::W6] {
            court.counters.checked(rule);
        }
        if of_close {
            court.saw(Mark::WatchEventsOfClose);
        }
        Ok(())
    }

    fn answered(
        &mut self,
        asked: &Asked,
        op: OpCode,
        header: ReplyHeader,
        body: &[u8],
        model: &Model,
        court: &mut Court<'_>,
    ) -> Checked {
        let zxid = Zxid(header.zxid.cast_unsigned());
        let code = |answer: &Answer| answer.as_ref().err().map_or(0, |error| error.code());
        // The server refuses it by itself, whatever it would be (client.md section 5).
        if !is_whole(op, &asked.body) {
            let expected = (ErrorCode::MarshallingError.code(), &[][..], body.is_empty());
            let verdict = l_clients::answer(&asked.words(), zxid, header.err, body, expected);
            return court.judge(Rule::L1, verdict);
        }
        if op.is_write() {
            let done = self.answers.front().filter(|answer| answer.xid == asked.xid);
            let verdict = l_clients::committed(&asked.words(), zxid, done.map(|answer| answer.zxid));
            court.judge(Rule::L1, verdict)?;
            let done = self.answers.pop_front().expect("its transaction is there");
            let expected = (done.code, &done.body[..], *body == *done.body);
            let verdict = l_clients::answer(&asked.words(), zxid, header.err, body, expected);
            court.judge(Rule::L1, verdict)?;
            court.saw(Mark::ChangesAnswered);
            return Ok(());
        }
        let later = self.answers.front().map(|answer| answer.zxid);
        court.judge(Rule::L4, l_clients::not_ahead(|| asked.words(), zxid, later))?;
        if op == OpCode::Sync {
            let verdict = l_clients::synced(&asked.words(), zxid, asked.acknowledged);
            court.judge(Rule::L8, verdict)?;
            court.saw(Mark::SyncsAnswered);
        } else if model.settings().linearizable_reads && model::answers(op) {
            let verdict = l_clients::synced(&asked.words(), zxid, asked.acknowledged);
            court.judge(Rule::L8, verdict)?;
        }
        let expected: Answer = match op {
            OpCode::Sync => jute::decode::<Option<String>>(&asked.body)
                .map(|path| jute::encode(&path))
                .map_err(ErrorCode::from),
            op if model::answers(op) => model.read(zxid, (self.session, &asked.identities), op, &asked.body),
            _ => self.watches.asked(asked, op, model, zxid, court)?,
        };
        let expected_body = expected.as_deref().unwrap_or_default();
        // Before the first transaction a server that is to join shows what its own operator wrote.
        let shows_file =
            zxid == Zxid::ZERO && model.settings().reconfig_enabled && asked.words().contains(CONFIG_PATH);
        let same = shows_file || model::same(op, body, expected_body);
        let verdict = (code(&expected), expected_body, same);
        court.judge(Rule::L2, l_clients::answer(&asked.words(), zxid, header.err, body, verdict))?;
        if op != OpCode::Sync {
            court.saw(Mark::ReadsAnswered);
        }
        self.watches.read(asked, op, header.err);
        Ok(())
    }
}

impl Watches {
    /// A read that wants a watch was answered.
    fn read(&mut self, asked: &Asked, op: OpCode, err: i32) {
        let kind = match op {
            OpCode::GetData if err == 0 => DATA,
            OpCode::Exists if err == 0 || err == ErrorCode::NoNode.code() => DATA,
            OpCode::GetChildren | OpCode::GetChildren2 if err == 0 => CHILD,
            _ => return,
        };
        if let Ok(PathWatch { path, watch: true }) = jute::Decoder::new(&asked.body).read() {
            self.arm(&path, kind);
        }
    }

    /// A request about watches was answered: what the answer must be.
    fn asked(
        &mut self,
        asked: &Asked,
        op: OpCode,
        model: &Model,
        zxid: Zxid,
        court: &mut Court<'_>,
    ) -> Result<Answer, crate::violation::Violation> {
        let mut decoder = jute::Decoder::new(&asked.body);
        let found = |found| if found { Ok(Vec::new()) } else { Err(ErrorCode::NoWatcher) };
        Ok(match op {
            OpCode::CheckWatches | OpCode::RemoveWatches => match decoder.read::<WatcherType<'_>>() {
                Ok(WatcherType { path, kind }) => match kinds(kind) {
                    _ if path.is_none() => Err(ErrorCode::MarshallingError),
                    Some(kinds) if op == OpCode::CheckWatches => {
                        found(self.has(&path.unwrap_or_default(), kinds))
                    }
                    Some(kinds) => found(self.disarm(&path.unwrap_or_default(), kinds)),
                    None => Err(ErrorCode::MarshallingError),
                },
                Err(error) => Err(error.into()),
            },
            OpCode::AddWatch => match decoder.read::<AddWatch<'_>>() {
                Ok(AddWatch { path: Some(path), mode: mode @ (0 | 1) }) => {
                    self.arm(&path, if mode == 0 { PERSISTENT } else { RECURSIVE });
                    Ok(jute::encode(&0i32))
                }
                Ok(_) => Err(ErrorCode::MarshallingError),
                Err(error) => Err(error.into()),
            },
            OpCode::SetWatches | OpCode::SetWatches2 => {
                let wanted = if op == OpCode::SetWatches {
                    let standard = decoder.read::<SetWatches>();
                    standard.map(|standard| SetWatches2 { standard, ..SetWatches2::default() })
                } else {
                    decoder.read()
                };
                let wanted: SetWatches2 = match wanted {
                    Ok(wanted) => wanted,
                    Err(error) => return Ok(Err(error.into())),
                };
                let standard = &wanted.standard;
                let count = standard.data.len() + standard.exist.len() + standard.child.len();
                let expected = self.rearm(model, zxid, &wanted);
                for (event, _) in &expected {
                    court.saw(match event {
                        1 => Mark::RearmedCreated,
                        2 => Mark::RearmedDeleted,
                        3 => Mark::RearmedChanged,
                        _ => Mark::RearmedChildren,
                    });
                }
                court.counters.saw_times(Mark::RearmedUnchanged, (count - expected.len()) as u64);
                let caught_up = std::mem::take(&mut self.caught_up);
                court.judge(Rule::W7, w07_rearmed::check(zxid, caught_up, expected))?;
                Ok(Vec::new())
            }
            // Switched off, and nobody asks.
            _ => Err(ErrorCode::Unimplemented),
        })
    }
}
