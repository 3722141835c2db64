//! A deterministic pump of messages between elections, under a time that only tests move.

mod basic;
mod random;
mod rules;
mod scenarios;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::{Candidacy, Election, ElectionOutput};
use crate::config::{Config, ElectionAlgorithm};
use crate::event::Event;
use crate::identity::{Epoch, ServerId, Zxid};
use crate::message::{Notification, SenderState, Vote};
use crate::quorum::{Ensemble, Ensembles};
use crate::time::{Duration, Instant};

const SECOND: Duration = Duration::from_seconds(1);

fn candidacy(epoch: u32, counter: u32) -> Candidacy {
    let current_epoch = Epoch(epoch);
    Candidacy { current_epoch, last_zxid: Zxid::new(current_epoch, counter), may_vote: true, stands: true }
}

fn vote(epoch: u32, counter: u32, leader: u64) -> Vote {
    let Candidacy { current_epoch: peer_epoch, last_zxid: zxid, .. } = candidacy(epoch, counter);
    Vote { peer_epoch, zxid, leader: ServerId(leader) }
}

fn says(state: SenderState, round: u64, vote: impl Into<Option<Vote>>) -> Notification {
    Notification {
        state,
        vote: vote.into(),
        round,
        config_version: 0,
        members: Default::default(),
        next_members: Default::default(),
        query: false,
    }
}

fn drain(election: &mut Election) -> Vec<ElectionOutput> {
    core::iter::from_fn(|| election.poll()).collect()
}

/// A message under way.
struct Letter {
    from: u64,
    to: u64,
    number: u64,
    notification: Notification,
}

struct Server {
    election: Election,
    leader: Option<u64>,
    /// The newest message from each sender: older ones never reach an election.
    newest: BTreeMap<u64, u64>,
    /// Every `Voted` event.
    voted: Vec<(u64, Option<Vote>)>,
    through_settled: bool,
}

/// Servers, what is under way between them, and the time.
struct World {
    config: Config,
    now: Instant,
    candidacies: BTreeMap<u64, Candidacy>,
    up: BTreeMap<u64, Server>,
    under_way: VecDeque<Letter>,
    /// Links that lose everything.
    cut: BTreeSet<(u64, u64)>,
    sent: u64,
}

impl World {
    fn new(voters: u64, observers: u64) -> Self {
        Self::with(ElectionAlgorithm::Fast, Ensemble::plain(voters, observers))
    }

    fn with(algorithm: ElectionAlgorithm, ensemble: Ensemble) -> Self {
        let fresh = |id: &ServerId| {
            let may_vote = ensemble.is_voter(*id);
            (id.0, Candidacy { may_vote, ..candidacy(0, 0) })
        };
        let candidacies = ensemble.members.keys().map(fresh).collect();
        let mut config = Config::new(ServerId(0), ensemble);
        config.election = algorithm;
        Self {
            config,
            now: Instant(0),
            candidacies,
            up: BTreeMap::new(),
            under_way: VecDeque::new(),
            cut: BTreeSet::new(),
            sent: 0,
        }
    }

    fn ids(&self) -> Vec<u64> {
        self.up.keys().copied().collect()
    }

    fn start(&mut self, id: u64) {
        self.config.id = ServerId(id);
        let election = Election::new(&self.config);
        let newest = BTreeMap::new();
        let server = Server { election, leader: None, newest, voted: Vec::new(), through_settled: false };
        self.up.insert(id, server);
        for peer in self.ids() {
            self.connect(id, peer);
        }
        self.look(id);
    }

    fn start_all(&mut self) {
        for id in self.candidacies.keys().copied().collect::<Vec<_>>() {
            self.start(id);
        }
    }

    fn crash(&mut self, id: u64) {
        self.up.remove(&id);
        self.under_way.retain(|letter| letter.from != id && letter.to != id);
        for server in self.up.values_mut() {
            server.newest.remove(&id);
        }
    }

    fn look(&mut self, id: u64) {
        let (now, candidacy) = (self.now, self.candidacies[&id]);
        let server = self.up.get_mut(&id).expect("it is up");
        server.leader = None;
        server.election.look(now, candidacy);
        self.collect(id);
    }

    fn connect(&mut self, one: u64, other: u64) {
        for (id, peer) in [(one, other), (other, one)] {
            self.cut.remove(&(id, peer));
            let now = self.now;
            self.up.get_mut(&id).expect("it is up").election.connected(now, ServerId(peer));
            self.collect(id);
        }
    }

    fn disconnect(&mut self, one: u64, other: u64) {
        self.cut.extend([(one, other), (other, one)]);
    }

    /// Does what a replica does with the outputs of its election.
    fn collect(&mut self, id: u64) {
        let server = self.up.get_mut(&id).expect("it is up");
        while let Some(output) = server.election.poll() {
            match output {
                ElectionOutput::Send(to, notification) => {
                    self.sent += 1;
                    let letter = Letter { from: id, to: to.0, number: self.sent, notification };
                    self.under_way.push_back(letter);
                }
                ElectionOutput::Decided(leader) => {
                    server.leader = Some(leader.0);
                    let is_voter = self.config.ensemble.is_voter(ServerId(id));
                    server.election.settle(match () {
                        () if leader.0 == id => SenderState::Leading,
                        () if is_voter => SenderState::Following,
                        () => SenderState::Observing,
                    });
                }
                ElectionOutput::Event(Event::Voted { round, vote }) => server.voted.push((round, vote)),
                ElectionOutput::Event(Event::Decided { through_settled, .. }) => {
                    server.through_settled = through_settled;
                }
                ElectionOutput::Event(event) => panic!("not an event of an election: {event:?}"),
            }
        }
    }

    /// Delivers or loses the message at `index`.
    fn deliver(&mut self, index: usize) {
        let Some(letter) = self.under_way.remove(index) else { return };
        let Letter { from, to, number, notification } = letter;
        let Some(server) = self.up.get_mut(&to).filter(|_| !self.cut.contains(&(from, to))) else { return };
        let newest = server.newest.entry(from).or_default();
        if number > *newest {
            *newest = number;
            server.election.handle(self.now, ServerId(from), notification);
            self.collect(to);
        }
    }

    fn deliver_all(&mut self) {
        for step in 0.. {
            assert!(step < 10_000, "a storm of votes");
            if self.under_way.is_empty() {
                return;
            }
            self.deliver(0);
        }
    }

    /// Lets the time pass to the next deadline, at most to `end`.
    fn pass(&mut self, end: Instant) {
        let deadline = self.up.values().map(|server| server.election.deadline()).min();
        self.now = deadline.unwrap_or(Instant::NEVER).clamp(self.now, end);
        for id in self.ids() {
            let now = self.now;
            self.up.get_mut(&id).expect("it is up").election.tick(now);
            self.collect(id);
        }
    }

    /// Delivers everything at once and lets the time pass.
    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        self.deliver_all();
        while self.now < end {
            self.pass(end);
            self.deliver_all();
        }
    }

    /// Makes those look again that a replica would send back: followers whose leader does not
    /// lead, and leaders without a quorum.
    fn expire_roles(&mut self) {
        let follows = |id: u64| self.up.get(&id).and_then(|server| server.leader);
        let holds = |id: u64| {
            let Some(leader) = follows(id) else { return true };
            let party: BTreeSet<ServerId> =
                self.ids().into_iter().filter(|peer| follows(*peer) == Some(leader)).map(ServerId).collect();
            follows(leader) == Some(leader) && self.config.ensemble.is_quorum(&party)
        };
        for id in self.ids().into_iter().filter(|id| !holds(*id)).collect::<Vec<_>>() {
            self.look(id);
        }
    }

    /// These servers elect nobody; when server 2 is there, all elect it.
    fn lack_only_2(&mut self, others: &[u64]) {
        for id in others {
            self.start(*id);
        }
        self.run(SECOND.times(30));
        assert!(self.leaders().iter().all(Option::is_none));
        self.start(2);
        self.run(SECOND.times(6));
        assert!(self.agrees_on(2));
    }

    fn leader(&self, id: u64) -> Option<u64> {
        self.up[&id].leader
    }

    /// The leader of every server that is up, in the order of their ids.
    fn leaders(&self) -> Vec<Option<u64>> {
        self.up.values().map(|server| server.leader).collect()
    }

    fn agrees_on(&self, leader: u64) -> bool {
        self.leaders().iter().all(|of| *of == Some(leader))
    }
}
