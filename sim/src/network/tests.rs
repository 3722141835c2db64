use super::*;

/// What arrived where, in order: time, receiver, packet, or the notice of a break.
#[derive(Debug, Default)]
struct Seen {
    packets: Vec<(Instant, Index, Packet)>,
    notices: Vec<(Instant, Index, ConnectionId)>,
}

struct Lab {
    network: Network,
    schedule: Schedule,
    now: Instant,
    seen: Seen,
}

impl Lab {
    fn new(settings: NetworkSettings, seed: u64) -> Self {
        let network = Network::new(&settings, 2, Random::stream(seed, "net"));
        let mut lab = Self { network, schedule: Schedule::default(), now: Instant(0), seen: Seen::default() };
        lab.network.started(lab.now, 0, &mut lab.schedule);
        lab.network.started(lab.now, 1, &mut lab.schedule);
        lab.run(1_000_000);
        lab
    }

    fn run(&mut self, micros: u64) {
        let end = self.now + Duration(micros);
        while self.schedule.next_time().is_some_and(|at| at <= end) {
            let (now, event) = self.schedule.pop().unwrap();
            self.now = now;
            let network = &mut self.network;
            let arrived = match event {
                Event::Deliver { from, to, generation } => {
                    network.deliver(from, to, generation).map(|packet| (to, packet))
                }
                Event::Stray { from, to, packet } => {
                    network.deliver_stray(from, to, packet).map(|packet| (to, packet))
                }
                Event::Connect { low, high } => {
                    network.connect(now, low, high, &mut self.schedule);
                    None
                }
                Event::Stalled { low, high, connection } => {
                    network.stalled(now, low, high, connection, &mut self.schedule);
                    None
                }
                Event::Notice { at, peer, connection } => {
                    if network.concerns(at, peer, connection) {
                        self.seen.notices.push((now, at, connection));
                    }
                    None
                }
                other => panic!("{other:?}"),
            };
            if let Some((to, packet)) = arrived {
                self.seen.packets.push((now, to, packet));
            }
        }
        self.now = end;
    }

    fn connection(&self) -> ConnectionId {
        self.network.connection(0, 1).unwrap()
    }

    fn send(&mut self, from: Index, to: Index, number: u8) {
        let connection = self.connection();
        self.send_on(connection, from, to, number);
    }

    fn send_on(&mut self, connection: ConnectionId, from: Index, to: Index, number: u8) {
        let bytes = Bytes::from(vec![number]);
        self.network.send(self.now, (from, to), connection, bytes, &mut self.schedule);
    }

    fn frames(&self, at: Index) -> Vec<u8> {
        let of = |(_, to, packet): &(Instant, Index, Packet)| match packet {
            Packet::Frame(_, bytes) if *to == at => Some(bytes[0]),
            _ => None,
        };
        self.seen.packets.iter().filter_map(of).collect()
    }
}

fn stream() -> NetworkSettings {
    NetworkSettings { slow_per_mille: 300, ..NetworkSettings::default() }
}

#[test]
fn both_ends_learn_of_a_connection_and_streams_keep_their_order() {
    let mut lab = Lab::new(stream(), 1);
    let opened: Vec<_> = lab.seen.packets.iter().map(|(_, to, packet)| (*to, packet.clone())).collect();
    assert_eq!(opened.len(), 2);
    assert!(opened.iter().all(|(_, packet)| *packet == Packet::Opened(lab.connection())));
    for number in 0..100 {
        lab.send(0, 1, number);
        lab.run(100);
    }
    lab.run(1_000_000);
    assert_eq!(lab.frames(1), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_break_loses_a_suffix_and_a_new_connection_follows() {
    let mut lengths = Vec::new();
    let mut delivered_after_reopening = false;
    for seed in 0..50 {
        let mut lab = Lab::new(stream(), seed);
        let old = lab.connection();
        (0..20).for_each(|number| lab.send(0, 1, number));
        lab.network.break_connection(lab.now, 0, 1, &mut lab.schedule);
        lab.send_on(old, 0, 1, 99);
        lab.run(20_000_000);
        let frames = lab.frames(1);
        assert_eq!(frames, (0..frames.len() as u8).collect::<Vec<_>>());
        lengths.push(frames.len());
        assert!(lab.connection() > old);
        assert_eq!(lab.seen.notices.iter().filter(|(_, _, broken)| *broken == old).count(), 2);
        let reopened = lab.seen.packets.iter().position(|(_, to, packet)| {
            *to == 1 && *packet == Packet::Opened(lab.network.connection(0, 1).unwrap())
        });
        let last = lab.seen.packets.iter().rposition(|(_, to, p)| *to == 1 && matches!(p, Packet::Frame(..)));
        delivered_after_reopening |= last > reopened;
    }
    assert!(lengths.contains(&0) && lengths.contains(&20), "{lengths:?}");
    assert!(delivered_after_reopening);
}

#[test]
fn one_end_may_notice_a_break_much_later_than_the_other() {
    let spread = |seed| {
        let mut lab = Lab::new(stream(), seed);
        lab.network.break_connection(lab.now, 0, 1, &mut lab.schedule);
        lab.run(20_000_000);
        let times: Vec<u64> = lab.seen.notices.iter().map(|(at, ..)| at.0).collect();
        times[0].abs_diff(times[1])
    };
    let spreads: Vec<u64> = (0..30).map(spread).collect();
    assert!(spreads.iter().any(|spread| *spread > 500_000));
    assert!(spreads.iter().any(|spread| *spread < 5_000));
}

#[test]
fn what_is_blocked_stalls_and_arrives_in_order_when_the_block_ends() {
    let mut lab = Lab::new(NetworkSettings { stall_micros: (10_000_000, 10_000_000), ..stream() }, 3);
    (0..10).for_each(|number| lab.send(0, 1, number));
    lab.network.block(lab.now, 0, 1, &mut lab.schedule);
    (10..20).for_each(|number| lab.send(0, 1, number));
    lab.send(1, 0, 50);
    lab.run(1_000_000);
    assert_eq!(lab.frames(1), Vec::<u8>::new());
    assert_eq!(lab.frames(0), [50], "the other direction is free");
    lab.network.unblock(lab.now, 0, 1, &mut lab.schedule);
    lab.send(0, 1, 20);
    lab.run(1_000_000);
    assert_eq!(lab.frames(1), (0..=20).collect::<Vec<_>>());
}

#[test]
fn a_long_block_breaks_the_connection_and_none_opens_before_it_ends() {
    let mut lab = Lab::new(stream(), 4);
    let old = lab.connection();
    lab.network.block(lab.now, 1, 0, &mut lab.schedule);
    lab.send(1, 0, 7);
    lab.run(60_000_000);
    assert_eq!(lab.network.connection(0, 1), None);
    assert_eq!(lab.seen.notices.len(), 2);
    lab.network.heal(lab.now, &mut lab.schedule);
    lab.run(1_000_000);
    assert!(lab.connection() > old);
    assert_eq!(lab.frames(0), Vec::<u8>::new(), "what stalled is lost");
}

#[test]
fn a_process_hears_nothing_of_the_connections_of_the_one_before_it() {
    for seed in 0..50 {
        let mut lab = Lab::new(stream(), seed);
        (0..20).for_each(|number| lab.send(0, 1, number));
        lab.network.stopped(lab.now, 1, false, &mut lab.schedule);
        lab.network.started(lab.now, 1, &mut lab.schedule);
        lab.run(60_000_000);
        assert_eq!(lab.frames(1), Vec::<u8>::new());
        assert_eq!(lab.seen.notices.len(), 1, "only the peer has something to notice");
        assert_eq!(lab.seen.notices[0].1, 0);
    }
}

#[test]
fn a_machine_without_power_is_missed_late() {
    let mut lab = Lab::new(stream(), 5);
    let start = lab.now;
    lab.network.stopped(lab.now, 1, true, &mut lab.schedule);
    lab.run(60_000_000);
    assert_eq!(lab.seen.notices.len(), 1);
    assert!(lab.seen.notices[0].0.since(start) >= Duration(500_000));
}

#[test]
fn datagrams_are_lost_doubled_and_overtaken_on_one_connection_for_ever() {
    let settings = NetworkSettings {
        mode: Transport::Datagram,
        loss_per_mille: 200,
        duplicate_per_mille: 200,
        reorder_per_mille: 200,
        ..NetworkSettings::default()
    };
    let mut lab = Lab::new(settings, 6);
    let connection = lab.connection();
    for number in 0..200 {
        lab.send(0, 1, number);
        lab.run(1_000);
    }
    lab.network.break_connection(lab.now, 0, 1, &mut lab.schedule);
    lab.run(60_000_000);
    let frames = lab.frames(1);
    let mut distinct = frames.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert!((120..190).contains(&distinct.len()), "{}", distinct.len());
    assert!(frames.len() > distinct.len());
    assert!(!frames.is_sorted());
    assert_eq!(lab.connection(), connection);
    assert!(lab.seen.notices.is_empty());
}
