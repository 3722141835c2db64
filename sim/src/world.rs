//! The world: replicas, and everything around them, driven by one heap of events.

mod faults;
mod fork;
mod operator;
mod play;
mod process;

pub use play::{play, play_case, write_down};

use zabrus_core::event::{Phase, Role};
use zabrus_core::io::Input;
use zabrus_core::{Instant, ServerId};

use crate::clients::{Act, Arrival, Clients, Doing, Heard};
use crate::disk::Disk;
use crate::ghost::Ghost;
use crate::grid::TraceLine;
use crate::network::Network;
use crate::random::Random;
use crate::schedule::{Event, Index, Packet, Schedule};
use crate::server::Server;
use crate::settings::Settings;
use crate::trace::Trace;
use crate::violation::Violation;

/// A world. What happens in it is defined by its settings, its seed, and the faults that are
/// applied to it.
pub struct World {
    settings: Settings,
    seed: u64,
    now: Instant,
    /// In ascending order; a server's [`Index`] is its place here.
    ids: Vec<ServerId>,
    servers: Vec<Server>,
    /// Those whose process runs.
    up: Vec<Index>,
    network: Network,
    clients: Clients,
    schedule: Schedule,
    ghost: Ghost,
    trace: Trace,
    events: u64,
    /// For the moments of restarts.
    random: Random,
    /// For what an operator does with servers that are no members any more.
    operator: Random,
    /// It still does that.
    operates: bool,
}

impl World {
    /// A world at its beginning. The servers start with its first events.
    ///
    /// # Panics
    /// If no server can work with the settings.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        let ids: Vec<ServerId> = settings.servers().collect();
        for id in &ids {
            settings.config(*id, true).validate().expect("settings with which a server can work");
        }
        let servers: Vec<Server> = ids.iter().map(|id| Server::new(*id, &settings, seed)).collect();
        let mut schedule = Schedule::default();
        let mut world = Self {
            seed,
            now: Instant(0),
            up: Vec::new(),
            network: Network::new(&settings.network, servers.len(), Random::stream(seed, "net")),
            clients: Clients::new(&settings.load, seed, &mut schedule),
            schedule,
            ghost: Ghost::new(&settings),
            trace: Trace::default(),
            events: 0,
            random: Random::stream(seed, "world"),
            operator: Random::stream(seed, "operator"),
            operates: true,
            ids,
            servers,
            settings,
        };
        if !world.settings.load.voters.is_empty() {
            world.schedule.push(world.now + world.settings.tick_time, Event::Operator);
        }
        if world.settings.start_all {
            for server in 0..world.ids.len() as Index {
                world.schedule.push(world.now, Event::Restart { server, boot: 0 });
            }
        }
        world
    }

    /// What defines this world apart from its seed.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The root of all randomness of this world.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// All servers, up or down, in ascending order.
    pub fn servers(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.ids.iter().copied()
    }

    /// One server.
    ///
    /// # Panics
    /// If there is no such server.
    #[must_use]
    pub fn server(&self, id: ServerId) -> &Server {
        &self.servers[usize::from(self.index(id).expect("the server is a member"))]
    }

    /// The disk of one server.
    ///
    /// # Panics
    /// If there is no such server.
    #[must_use]
    pub fn disk(&self, id: ServerId) -> &Disk {
        &self.server(id).disk
    }

    /// The server that leads the newest epoch in broadcast, if any does.
    #[must_use]
    pub fn leader(&self) -> Option<ServerId> {
        let statuses = self.servers.iter().filter_map(|server| Some(server.replica()?.status()));
        let leading = statuses.filter(|s| (s.role, s.phase) == (Role::Leading, Phase::Broadcast));
        leading.max_by_key(|status| status.epoch).map(|status| status.id)
    }

    /// Whether frames from one server to the other are blocked.
    #[must_use]
    pub fn is_blocked(&self, from: ServerId, to: ServerId) -> bool {
        match (self.index(from), self.index(to)) {
            (Some(from), Some(to)) if from != to => self.network.is_blocked(from, to),
            _ => false,
        }
    }

    /// Requests of clients that wait for an answer.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.clients.unanswered()
    }

    /// `count` new clients ask a server for a session each, all at once. Each session is one change.
    ///
    /// # Errors
    /// If a rule is broken.
    ///
    /// # Panics
    /// If there is no such server.
    pub fn write(&mut self, server: ServerId, count: u64) -> Result<(), Violation> {
        let at = self.index(server).expect("the server is a member");
        self.trace.note(self.now, None, format!("a client sends {count} changes to server {server}"));
        let acts = self.clients.script(self.now, at, count, &mut self.schedule);
        self.told(&acts)
    }

    /// Changes sent by [`World::write`], and those that were answered with success.
    #[must_use]
    pub fn writes(&self) -> (u64, u64) {
        self.clients.scripted()
    }

    /// A client that a scenario names does something.
    ///
    /// # Errors
    /// If a rule is broken.
    ///
    /// # Panics
    /// If there is no such server.
    pub fn direct(&mut self, name: &str, doing: &Doing<ServerId>) -> Result<(), Violation> {
        let index = |server: &ServerId| self.index(*server).expect("the server is a member");
        let doing = match doing {
            Doing::Connect(server, timeout) => Doing::Connect(index(server), *timeout),
            Doing::Move(server) => Doing::Move(index(server)),
            Doing::Ask { wishes, on_old } => Doing::Ask { wishes: wishes.clone(), on_old: *on_old },
            Doing::HangUp => Doing::HangUp,
            Doing::FallSilent => Doing::FallSilent,
        };
        self.trace.note(self.now, None, format!("client {name}: {doing:?}"));
        let acts = self.clients.direct(self.now, name, &doing, &mut self.schedule);
        self.told(&acts)
    }

    /// What a client that a scenario names heard.
    #[must_use]
    pub fn heard(&self, name: &str) -> Option<Heard> {
        self.clients.heard(name)
    }

    /// The observer.
    #[must_use]
    pub fn ghost(&self) -> &Ghost {
        &self.ghost
    }

    /// How many events there were.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// A hash over everything that happened so far.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Keeps the story of this world from now on. It changes nothing.
    pub fn record(&mut self) {
        self.trace.record();
    }

    /// The story since [`World::record`].
    #[must_use]
    pub fn story(&self) -> &[TraceLine] {
        self.trace.lines()
    }

    fn index(&self, id: ServerId) -> Option<Index> {
        self.ids.binary_search(&id).ok().map(|at| at as Index)
    }

    fn at(&mut self, server: Index) -> &mut Server {
        &mut self.servers[usize::from(server)]
    }

    /// Processes everything that happens up to `end`.
    ///
    /// # Errors
    /// If a rule is broken.
    pub fn run_until(&mut self, end: Instant) -> Result<(), Violation> {
        while self.step(end)? {}
        self.now = self.now.max(end);
        Ok(())
    }

    /// Processes the next event, if it comes until `end`, and says whether it did.
    ///
    /// # Errors
    /// If a rule is broken.
    pub fn step(&mut self, end: Instant) -> Result<bool, Violation> {
        if self.schedule.next_time().is_none_or(|at| at > end) {
            return Ok(false);
        }
        let Some((now, event)) = self.schedule.pop() else { return Ok(false) };
        assert!(now >= self.now, "time only moves on");
        self.now = now;
        self.events += 1;
        self.ghost.clock(now);
        self.dispatch(event)?;
        Ok(true)
    }

    fn dispatch(&mut self, event: Event) -> Result<(), Violation> {
        let Self { now, network, schedule, .. } = self;
        match event {
            Event::Timer { server, generation } => self.timer(server, generation),
            Event::DiskDone { server, boot } => self.disk_done(server, boot),
            Event::Restart { server, boot } => {
                if self.at(server).boot == boot {
                    self.start(server)
                } else {
                    Ok(())
                }
            }
            Event::Deliver { from, to, generation } => match network.deliver(from, to, generation) {
                Some(packet) => self.arrived(from, to, packet),
                None => Ok(()),
            },
            Event::Stray { from, to, packet } => match network.deliver_stray(from, to, packet) {
                Some(packet) => self.arrived(from, to, packet),
                None => Ok(()),
            },
            Event::Connect { low, high } => {
                network.connect(*now, low, high, schedule);
                Ok(())
            }
            Event::Stalled { low, high, connection } => {
                network.stalled(*now, low, high, connection, schedule);
                Ok(())
            }
            Event::Notice { at, peer, connection } => {
                if !network.concerns(at, peer, connection) {
                    return Ok(());
                }
                let peer = self.ids[usize::from(peer)];
                self.feed(at, Input::Disconnected { peer, connection })
            }
            Event::Operator => self.operate(),
            Event::Client { client } => {
                let acts = self.clients.moment(*now, client, &self.up, schedule);
                self.told(&acts)
            }
            Event::ToServer { client } => match self.clients.at_server(client) {
                Some((server, arrival)) => self.feed(
                    server,
                    match arrival {
                        Arrival::Connected(address) => Input::ClientConnected { client, address },
                        Arrival::Frame(bytes) => Input::ClientFrame { client, bytes },
                        Arrival::Gone => Input::ClientGone { client },
                    },
                ),
                None => Ok(()),
            },
            Event::ToClient { client } => {
                let Some((server, received, acts)) = self.clients.at_client(*now, client, schedule) else {
                    return Ok(());
                };
                let server = self.ids[usize::from(server)];
                self.ghost.client_received(server, client, &received)?;
                self.told(&acts)
            }
        }
    }

    fn told(&mut self, acts: &[Act]) -> Result<(), Violation> {
        for act in acts {
            self.ghost.client_acted(act, |server| self.ids[usize::from(server)])?;
        }
        Ok(())
    }

    fn arrived(&mut self, from: Index, to: Index, packet: Packet) -> Result<(), Violation> {
        let peer = self.ids[usize::from(from)];
        let input = match packet {
            Packet::Opened(connection) => Input::Connected { peer, connection },
            Packet::Frame(connection, bytes) => Input::Frame { peer, connection, bytes },
        };
        self.feed(to, input)
    }
}

#[cfg(test)]
mod tests;
