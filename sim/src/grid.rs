//! A run as an aligned line for each thing that happened: who, in what state, and what in words.

mod words;

use serde::Serialize;
use zabrus_core::event::{Event, Phase, Role};
use zabrus_core::message::Vote;
use zabrus_core::replica::Status;
use zabrus_core::{Epoch, Instant, ServerId, Zxid};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraceLine {
    /// When.
    pub time: Instant,
    /// On which server; `None` for what happens to the world.
    pub server: Option<ServerId>,
    /// The state of the server afterwards; `None` if its process is down.
    pub state: Option<State>,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum What {
    /// The core told it.
    Event(Event),
    /// A fault was injected, or a scenario did something.
    Fault(String),
    /// Something else that the simulator did or saw.
    Note(String),
}

/// What the grid shows of a server's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields are those of the core's `Status`")]
pub struct State {
    pub role: Role,
    pub phase: Phase,
    pub leader: Option<ServerId>,
    pub epoch: Option<Epoch>,
    pub accepted_epoch: Epoch,
    pub current_epoch: Epoch,
    pub vote: Option<Vote>,
    pub logged: Zxid,
    pub durable: Zxid,
    pub committed: Zxid,
    pub serving: bool,
}

impl From<Status> for State {
    fn from(status: Status) -> Self {
        Self {
            role: status.role,
            phase: status.phase,
            leader: status.leader,
            epoch: status.epoch,
            accepted_epoch: status.epochs.accepted_epoch,
            current_epoch: status.epochs.current_epoch,
            vote: status.vote,
            logged: status.logged.zxid,
            durable: status.durable,
            committed: status.committed,
            serving: status.serving,
        }
    }
}

/// The headings over [`line()`].
#[must_use]
pub fn heading() -> String {
    format!(
        "{:>9}  {:>6}  {:<25}  {:>6}  {:>5}  {:<11}  {:>8}  {:>9}  {}",
        "time", "server", "role/phase", "leader", "epoch", "vote", "log end", "committed", "what happened"
    )
}

/// One thing that happened, aligned with [`heading`].
#[must_use]
pub fn line(entry: &TraceLine) -> String {
    let time = entry.time.to_string();
    let happened = words::of(&entry.what);
    let Some(server) = entry.server else {
        return format!("{time:>9}  {:-<6}  {happened}", "");
    };
    let Some(state) = &entry.state else {
        return format!("{time:>9}  {server:>6}  {:<74}  {happened}", "");
    };
    let role = format!("{}/{}", words::role(state.role), words::phase(state.phase));
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    format!(
        "{time:>9}  {server:>6}  {role:<25}  {:>6}  {:>5}  {:<11}  {:>8}  {:>9}  {happened}",
        or_dash(state.leader.map(|leader| leader.to_string())),
        or_dash(state.epoch.map(|epoch| epoch.to_string())),
        or_dash(state.vote.map(words::vote)),
        state.logged.to_string(),
        state.committed.to_string(),
    )
}

/// Whether the grid leaves a line out: the steady flow of transactions, which the columns of the
/// next line show anyway.
#[must_use]
pub fn is_routine(entry: &TraceLine) -> bool {
    matches!(
        entry.what,
        What::Event(
            Event::Committed { .. }
                | Event::Delivered { .. }
                | Event::StaleFrame { .. }
                | Event::SyncPaused { .. }
                | Event::CommitAheadOfDisk { .. }
        )
    )
}

/// The last `count` lines of the grid, with its headings.
#[must_use]
pub fn tail(trace: &[TraceLine], count: usize) -> Vec<String> {
    let shown: Vec<_> = trace.iter().filter(|entry| !is_routine(entry)).collect();
    let rest = &shown[shown.len().saturating_sub(count)..];
    std::iter::once(heading()).chain(rest.iter().map(|entry| line(entry))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(what: What) -> TraceLine {
        let state = State {
            role: Role::Leading,
            phase: Phase::Synchronization,
            leader: Some(ServerId(3)),
            epoch: Some(Epoch(2)),
            accepted_epoch: Epoch(2),
            current_epoch: Epoch(1),
            vote: Some(Vote { peer_epoch: Epoch(1), zxid: Zxid::new(Epoch(1), 7), leader: ServerId(3) }),
            logged: Zxid::new(Epoch(1), 7),
            durable: Zxid::new(Epoch(1), 7),
            committed: Zxid::new(Epoch(1), 5),
            serving: false,
        };
        TraceLine { time: Instant(1_234_567), server: Some(ServerId(3)), state: Some(state), what }
    }

    #[test]
    fn every_line_has_its_words_under_the_same_heading() {
        let column = heading().find("what happened").unwrap();
        let up = entry(What::Note("the words".into()));
        let down = TraceLine { state: None, ..up.clone() };
        for entry in [&up, &down] {
            assert_eq!(line(entry).find("the words"), Some(column), "{}", line(entry));
        }
    }

    #[test]
    fn a_line_shows_the_state_and_says_what_happened() {
        let text = line(&entry(What::Event(Event::RoleChanged {
            role: Role::Leading,
            phase: Phase::Synchronization,
            leader: Some(ServerId(3)),
            epoch: Some(Epoch(2)),
        })));
        for part in ["1.234s", "LEADING/synchronization", "3@1:1.7", "1.5", "leads epoch 2"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn the_tail_leaves_out_the_steady_flow_and_keeps_the_end() {
        let routine = entry(What::Event(Event::StaleFrame { peer: ServerId(1) }));
        let trace = [entry(What::Note("first".into())), entry(What::Note("second".into())), routine];
        let lines = tail(&trace, 1);
        assert_eq!(lines.len(), 2);
        assert!(lines[1].ends_with("second"));
    }
}
