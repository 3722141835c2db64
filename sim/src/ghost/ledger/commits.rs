//! Transactions as they are committed: each is what the model makes of the request behind it.

use zabrus_core::io::ClientId;
use zabrus_core::wire::{Change, ErrorCode, OpCode, Reconfig, SessionId, Transaction};
use zabrus_core::{Duration, Instant, jute};

use super::{Answer, Asked, Ledger};
use crate::checks::{
    Rule, b15_equal_states, b16_speculative_state, l_clients, m01_members, n01_unique_sessions,
    n02_life_cycle, n04_atomic_cleanup, n05_no_early_expiry, n07_expired_is_final, n09_single_owner,
    n11_leader_change,
};
use crate::counters::Mark;
use crate::ghost::Checked;
use crate::ghost::court::Court;
use crate::ghost::model::{self, Executed, Model, Request};

impl Ledger {
    /// Advances the model by a committed transaction. `silence` says of a session that is expired how long the
    /// leader has heard nothing of it, and how long it has led.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn committed(
        &mut self,
        transaction: &Transaction,
        model: &mut Model,
        silence: impl FnOnce(SessionId) -> (Duration, Duration),
        court: &mut Court<'_>,
    ) -> Checked {
        let executed = if transaction.origin.client == 0 {
            let steady = self.steady_since(transaction.session, court.now);
            own(transaction, model, silence, steady, court)?
        } else {
            self.of_a_client(transaction, model, court)?
        };
        let errors = matches!(executed.change, Change::Error(_));
        if errors {
            court.saw(Mark::Refusals);
            let code = ErrorCode::QuotaExceeded.code();
            court.counters.saw_times(Mark::QuotasExceeded, u64::from(executed.change == Change::Error(code)));
        }
        let before = model.digest();
        model.commit(executed);
        let digest = model.digest();
        if errors {
            let changed = if transaction.digest.is_some_and(|digest| digest != before) {
                Err(format!("{} is refused, but changes the state", transaction.zxid))
            } else {
                Ok(())
            };
            court.judge(Rule::L9, changed)?;
        }
        let verdict = b15_equal_states::claimed(transaction.zxid, transaction.digest, before, digest);
        court.judge(Rule::B15, verdict)
    }

    fn of_a_client(
        &mut self,
        transaction: &Transaction,
        model: &Model,
        court: &mut Court<'_>,
    ) -> Result<Executed, crate::violation::Violation> {
        let Transaction { origin, session, cxid, zxid, time, ref change, .. } = *transaction;
        let id = ClientId(origin.client);
        let connection = self.connections.get_mut(&id).filter(|c| c.server == origin.server);
        let Some(connection) = connection else {
            let verdict = Err(format!("{zxid} executes what no client asked: {origin:?}"));
            court.judge(Rule::B1, verdict)?;
            unreachable!("the verdict is no success");
        };
        let refused = connection.read_only.then(|| format!("{zxid} is of a server that only reads"));
        court.judge(Rule::L9, refused.map_or(Ok(()), Err))?;
        if model.settings().local_sessions && connection.writes.front().is_some_and(|asked| asked.xid == 0) {
            self.begin_local(id, session, model, court)?;
        }
        let is_local = self.is_local(session, model);
        if is_local && matches!(change, Change::CreateSession { .. }) {
            return self.upgraded(id, transaction, model, court);
        }
        let connection = self.connections.get_mut(&id).expect("it was there");
        let closes = |asked: &Asked| asked.op() == Some(OpCode::CloseSession) && asked.xid != cxid;
        if is_local && connection.writes.front().is_some_and(closes) {
            connection.writes.pop_front();
            connection.ended = true;
        }
        let local = is_local && !connection.ended;
        let next = connection.writes.front().map(|asked| asked.xid);
        let creates = next == Some(0);
        if !creates {
            let rule = if cxid <= connection.executed { Rule::L6 } else { Rule::L5 };
            court.judge(rule, l_clients::next_write(next, cxid))?;
            court.counters.checked(Rule::L6);
        }
        let asked = connection.writes.pop_front().expect("the next was compared");
        connection.executed = asked.xid;
        court.judge(Rule::L3, l_clients::linearizable(zxid, asked.acknowledged))?;
        let (op, body) = (asked.op().expect("writes are known operations"), &asked.body[..]);
        if creates {
            let earlier = model.session(session).map(|session| session.created);
            court.judge(Rule::N1, n01_unique_sessions::check(session, earlier))?;
            connection.session = session;
            let facts = self.sessions.entry(session).or_default();
            facts.rivals.push(id);
            facts.timeout = model.granted(jute::decode(body).unwrap_or_default());
            (facts.touched, facts.steady) = (court.now, court.now);
        } else if session != connection.session {
            let own = connection.session;
            let verdict = Err(format!("{zxid} is of session {session}, but was asked by one of {own}"));
            court.judge(Rule::B1, verdict)?;
        }
        let identities = &asked.identities[..];
        let request = Request { session, local, identities, op, body, zxid, time };
        let executed = self.execute((id, asked.at), &request, change, model, court)?;
        let (code, body) = executed.answer.clone();
        let connection = self.connections.get_mut(&id).expect("it was there");
        if connection.listens && !creates {
            connection.answers.push_back(Answer { xid: asked.xid, zxid, code, body });
        }
        Ok(executed)
    }

    fn execute(
        &mut self,
        (id, asked): (ClientId, Instant),
        request: &Request<'_>,
        change: &Change,
        model: &Model,
        court: &mut Court<'_>,
    ) -> Result<Executed, crate::violation::Violation> {
        let Request { session, local, zxid, op, .. } = *request;
        let facts = self.sessions.entry(session).or_default();
        if *change == Change::Error(ErrorCode::SessionMoved.code()) {
            court.saw(Mark::SessionsMoved);
            // Perhaps to an older one, whose question to the leader was late.
            let rivals = facts.rivals.iter().filter(|rival| **rival != id).count();
            court.judge(Rule::N9, n09_single_owner::moved(session, id, rivals))?;
            return Ok(model.refuse(request, ErrorCode::SessionMoved));
        }
        if op != OpCode::CreateSession && !model.is_alive(session) && !local {
            court.saw(Mark::WritesAfterEnd);
            court.judge(Rule::N2, n02_life_cycle::check(session, change))?;
        } else {
            court.judge(
                Rule::N9,
                n09_single_owner::check(session, id, zxid, facts.superseded.contains(&id)),
            )?;
            if let Some(older) = facts.owner.replace(id).filter(|owner| *owner != id) {
                facts.superseded.insert(older);
            }
        }
        if *change == Change::Error(ErrorCode::ReconfigInProgress.code()) {
            court.saw(Mark::ReconfigsPending);
            let pending = model.members_version(zxid);
            court.judge(Rule::M1, m01_members::pending(op, zxid, pending))?;
            return Ok(model.refuse(request, ErrorCode::ReconfigInProgress));
        }
        let mut executed = model.execute(request);
        if *change == Change::Error(ErrorCode::NewConfigNoQuorum.code())
            && let Change::Reconfig { data } = &executed.change
        {
            court.saw(Mark::VotersRefused);
            let serve = || model::ensemble(str::from_utf8(data).unwrap_or_default());
            let serve = court.well_since.map(|_| serve().voters().all(|id| court.serving.contains(&id)));
            court.judge(Rule::M1, m01_members::no_quorum(zxid, model.changes_voters(data), serve))?;
            executed = model.refuse(request, ErrorCode::NewConfigNoQuorum);
        }
        compare(request, change, &executed, court)?;
        if op == OpCode::Reconfig {
            let is_refused = matches!(change, Change::Error(_));
            court.saw(if is_refused { Mark::ReconfigsRefused } else { Mark::Reconfigs });
        }
        if !matches!(change, Change::Error(_)) {
            let verdict = n07_expired_is_final::done(session, facts.gone, asked, zxid);
            court.judge(Rule::N7, verdict)?;
        }
        if op == OpCode::CloseSession && matches!(change, Change::CloseSession { .. }) {
            court.saw(Mark::SessionsClosed);
        }
        if let Change::Multi(changes) = change {
            let failed = changes.iter().any(|change| matches!(change, Change::Error(_)));
            court.judge(Rule::L10, l_clients::multi(zxid, changes))?;
            court.saw(if failed { Mark::MultisFailed } else { Mark::MultisAnswered });
        }
        Ok(executed)
    }
}

/// What the leader asks of itself: the end of a session, or of a node.
fn own(
    transaction: &Transaction,
    model: &Model,
    silence: impl FnOnce(SessionId) -> (Duration, Duration),
    steady: Option<Instant>,
    court: &mut Court<'_>,
) -> Result<Executed, crate::violation::Violation> {
    let Transaction { session, zxid, time, ref change, .. } = *transaction;
    if matches!(change, Change::NextMembers { .. }) {
        return Ok(model.announce(zxid, change));
    }
    let installs = matches!(change, Change::Reconfig { .. });
    let sweeps = session == SessionId(0) && !installs;
    let op = match session {
        _ if installs => OpCode::Reconfig,
        SessionId(0) => OpCode::DeleteContainer,
        _ => OpCode::CloseSession,
    };
    let body = match change {
        Change::Delete { path, .. } => jute::encode(path),
        Change::Reconfig { .. } => {
            let members = model.announced().map(str::to_owned);
            jute::encode(&Reconfig { version: -1, members, ..Reconfig::default() })
        }
        _ => Vec::new(),
    };
    let request = Request { session, local: false, identities: &[], op, body: &body, zxid, time };
    if sweeps && matches!(change, Change::Error(_)) {
        // Somebody was faster: which node it was cannot be seen, and does not matter. Or it was a
        // client who changed the ensemble before the leader installed it.
        return Ok(model.refuse(&request, ErrorCode::BadArguments));
    }
    let executed = model.execute(&request);
    compare(&request, change, &executed, court)?;
    if sweeps {
        court.saw(Mark::NodesSwept);
    } else if let Some(life) = model.session(session).filter(|life| life.closed.is_none()) {
        court.saw(Mark::SessionsExpired);
        let (silence, reign) = silence(session);
        court.judge(Rule::N5, n05_no_early_expiry::check(session, life.timeout, silence))?;
        court.judge(Rule::N11, n11_leader_change::check(session, life.timeout, reign))?;
        let heard = steady.zip(court.well_since).map(|(steady, well)| court.now.since(steady.max(well)));
        court.judge(Rule::N5, n05_no_early_expiry::kept(session, life.timeout, heard))?;
    }
    Ok(executed)
}

pub(super) fn compare(
    request: &Request<'_>,
    change: &Change,
    executed: &Executed,
    court: &mut Court<'_>,
) -> Checked {
    if let (Change::CloseSession { paths }, Change::CloseSession { paths: owned }) =
        (change, &executed.change)
    {
        if !owned.is_empty() {
            court.saw(Mark::EphemeralsClosed);
        }
        return court.judge(Rule::N4, n04_atomic_cleanup::check(request.session, paths, owned));
    }
    court.judge(Rule::B16, b16_speculative_state::check(request.zxid, change, &executed.change))
}

impl Asked {
    /// The request in a few words.
    pub(super) fn words(&self) -> String {
        let path = jute::Decoder::new(&self.body).read::<String>().unwrap_or_default();
        match self.op() {
            Some(op) => format!("request {} ({op:?} {path})", self.xid),
            None => format!("request {} (operation {})", self.xid, self.op),
        }
    }
}
