//! What a step does: a sentence such as `crash 3` or `partition 1 2 | 3 4 5`.

use std::collections::BTreeSet;

use zabrus_core::{Duration, ServerId};

use super::Mistake;
use super::acting;
use super::sentence::Sentence;
use crate::clients::Doing;
use crate::fault::{Direction, DiskFault, Failing, Fault, Shape};

/// Something that a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The same to each of some servers.
    Each(Verb, Who),
    /// Some machines lose power at one moment.
    PowerLoss(Who),
    /// Two disks change places.
    SwapDisks(ServerId, ServerId),
    /// Servers talk only to those with whom they share a side.
    Partition(Vec<Vec<ServerId>>),
    /// Nothing passes from the first to the second any more.
    Block(Who, Who),
    /// It passes again.
    Unblock(Who, Who),
    /// All blocks and delays are gone.
    Heal,
    /// The connection between two servers breaks.
    BreakLink(ServerId, ServerId),
    /// Traffic from the first to the second takes longer.
    Clog(Who, Who, Duration),
    /// A client sends changes to a server.
    Write(u64, Who),
    /// A client with a name does something.
    Client(String, Doing<Who>),
}

/// What can be done to a single server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Start its process.
    Start,
    /// End its process; it stays down.
    Crash,
    /// Let its process stand still.
    Pause,
    /// Let it go on.
    Resume,
    /// Take its disk away; it stays down.
    Wipe,
    /// Something about its disk.
    Disk(DiskFault),
    /// Its wall clock jumps.
    WallJump(i64),
    /// Its monotonic clock runs at another rate.
    Drift(i32),
    /// It is told to take this server for the leader.
    Elect(ServerId),
}

/// To whom something is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// To these.
    Servers(Vec<ServerId>),
    /// To all.
    All,
    /// To the serving leader of the highest epoch.
    Leader,
    /// To all that follow or observe it.
    Learners,
}

/// An action as it is carried out: names instead of descriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A fault, or the end of one.
    Fault(Fault),
    /// So many changes sent to a server.
    Write(ServerId, u64),
    /// What a client with a name does.
    Client(String, Doing<ServerId>),
}

const VERBS: &str = "start, crash, power loss, pause, resume, wipe, swap disks, partition, isolate, block, \
                     unblock, heal, break, slow, fail, fill, free, repair, rot, spoil, misdirect, stall, \
                     jump, drift, elect, write or client";

impl Action {
    pub(super) fn parse(s: &mut Sentence<'_>) -> Result<Self, Mistake> {
        let unknown = s.expected(VERBS);
        let action = match s.word(VERBS)? {
            "start" => Self::Each(Verb::Start, who(s)?),
            "crash" => Self::Each(Verb::Crash, who(s)?),
            "pause" => Self::Each(Verb::Pause, who(s)?),
            "resume" => Self::Each(Verb::Resume, who(s)?),
            "wipe" => Self::Each(Verb::Wipe, who(s)?),
            "power" => {
                s.must("loss of")?;
                Self::PowerLoss(who(s)?)
            }
            "swap" => {
                s.must("disks of")?;
                let (one, other) = pair(s)?;
                Self::SwapDisks(one, other)
            }
            "partition" => Self::Partition(sides(s)?),
            "block" => {
                let (from, to) = direction(s)?;
                Self::Block(from, to)
            }
            "unblock" => {
                let (from, to) = direction(s)?;
                Self::Unblock(from, to)
            }
            "heal" => Self::Heal,
            "break" => {
                s.must("link of")?;
                let (one, other) = pair(s)?;
                Self::BreakLink(one, other)
            }
            "slow" => {
                let (from, to) = direction(s)?;
                s.must("by")?;
                Self::Clog(from, to, s.duration()?)
            }
            "jump" => {
                s.must("wall clock of")?;
                let who = who(s)?;
                s.must("by")?;
                let millis = s.signed("milliseconds, such as -5000")?;
                s.must("ms")?;
                Self::Each(Verb::WallJump(millis), who)
            }
            "drift" => {
                s.must("clock of")?;
                let who = who(s)?;
                s.must("by")?;
                let expected = s.expected("a rate per million such as -500");
                let rate = s.signed("a rate per million such as -500")?;
                s.must("per million")?;
                Self::Each(Verb::Drift(i32::try_from(rate).map_err(|_| expected)?), who)
            }
            "elect" => {
                let leader = s.server()?;
                s.must("at")?;
                Self::Each(Verb::Elect(leader), who(s)?)
            }
            "write" => {
                let count = s.number()?;
                Self::Write(count, if s.take("at") { who(s)? } else { Who::Leader })
            }
            "client" => Self::Client(acting::name(s)?, acting::doing(s)?),
            verb => match disk_fault(verb, s)? {
                Some((fault, who)) => Self::Each(Verb::Disk(fault), who),
                None => return Err(unknown),
            },
        };
        s.finish()?;
        Ok(action)
    }

    /// What this is at a moment when `leader` leads. The error says who is missing.
    pub(super) fn deeds(&self, servers: &[ServerId], leader: Option<ServerId>) -> Result<Vec<Deed>, String> {
        let faults = |faults: Vec<Fault>| Ok(faults.into_iter().map(Deed::Fault).collect());
        let who = |who: &Who| resolve(who, servers, leader);
        match self {
            Self::Each(verb, them) => {
                faults(who(them)?.into_iter().map(|server| verb.fault(server)).collect())
            }
            Self::PowerLoss(them) => faults(vec![Fault::PowerLoss(who(them)?.into_iter().collect())]),
            Self::SwapDisks(one, other) => faults(vec![Fault::SwapDisks(*one, *other)]),
            Self::Partition(sides) => faults(vec![Fault::Heal, partition(sides, servers)]),
            Self::Block(from, to) => faults(vec![Fault::Block(directions(&who(from)?, &who(to)?))]),
            Self::Unblock(from, to) => faults(vec![Fault::Unblock(directions(&who(from)?, &who(to)?))]),
            Self::Heal => faults(vec![Fault::Heal]),
            Self::BreakLink(one, other) => faults(vec![Fault::BreakLink(*one, *other)]),
            Self::Clog(from, to, extra) => {
                let clog = |(from, to)| Fault::Clog { from, to, extra: *extra };
                faults(directions(&who(from)?, &who(to)?).into_iter().map(clog).collect())
            }
            Self::Write(count, them) => {
                Ok(who(them)?.into_iter().map(|server| Deed::Write(server, *count)).collect())
            }
            Self::Client(name, doing) => {
                let one = |them: &Who| {
                    who(them)?.first().copied().ok_or_else(|| "there is no such server".to_owned())
                };
                Ok(vec![Deed::Client(name.clone(), acting::resolved(doing, one)?)])
            }
        }
    }

    /// Whether this makes a disk misbehave.
    pub(crate) fn concerns_disk(&self) -> bool {
        matches!(self, Self::Each(Verb::Disk(_), _))
    }

    /// The servers that this names, to check that they exist.
    pub(super) fn named(&self) -> Vec<ServerId> {
        let of = |who: &Who| match who {
            Who::Servers(servers) => servers.clone(),
            _ => Vec::new(),
        };
        match self {
            Self::Each(Verb::Elect(leader), who) => [of(who), vec![*leader]].concat(),
            Self::Each(_, who) | Self::PowerLoss(who) | Self::Write(_, who) => of(who),
            Self::SwapDisks(one, other) | Self::BreakLink(one, other) => vec![*one, *other],
            Self::Partition(sides) => sides.concat(),
            Self::Block(from, to) | Self::Unblock(from, to) | Self::Clog(from, to, _) => {
                [of(from), of(to)].concat()
            }
            Self::Client(_, Doing::Connect(who, _) | Doing::Move(who)) => of(who),
            Self::Heal | Self::Client(..) => Vec::new(),
        }
    }
}

impl Verb {
    fn fault(&self, server: ServerId) -> Fault {
        match self {
            Self::Start => Fault::Start(server),
            Self::Crash => Fault::Crash(server),
            Self::Pause => Fault::Pause(server),
            Self::Resume => Fault::Resume(server),
            Self::Wipe => Fault::Wipe(server),
            Self::Disk(fault) => Fault::Disk { server, fault: fault.clone() },
            Self::WallJump(millis) => Fault::WallJump { server, millis: *millis },
            Self::Drift(per_million) => Fault::Drift { server, per_million: *per_million },
            Self::Elect(leader) => Fault::Elect { server, leader: *leader },
        }
    }
}

pub(super) fn who(s: &mut Sentence<'_>) -> Result<Who, Mistake> {
    match s.take_any(&["all", "the leader", "the learners"]) {
        Some(0) => Ok(Who::All),
        Some(1) => Ok(Who::Leader),
        Some(_) => Ok(Who::Learners),
        None if s.peek().is_some_and(|word| word.parse::<u64>().is_ok()) => Ok(Who::Servers(s.servers()?)),
        None => Err(s.expected("server numbers, `all`, `the leader` or `the learners`")),
    }
}

fn pair(s: &mut Sentence<'_>) -> Result<(ServerId, ServerId), Mistake> {
    let one = s.server()?;
    s.must("and")?;
    Ok((one, s.server()?))
}

fn direction(s: &mut Sentence<'_>) -> Result<(Who, Who), Mistake> {
    let from = who(s)?;
    s.must("->")?;
    Ok((from, who(s)?))
}

fn sides(s: &mut Sentence<'_>) -> Result<Vec<Vec<ServerId>>, Mistake> {
    let mut sides = vec![s.servers()?];
    s.must("|")?;
    sides.push(s.servers()?);
    while s.take("|") {
        sides.push(s.servers()?);
    }
    Ok(sides)
}

fn disk_fault(verb: &str, s: &mut Sentence<'_>) -> Result<Option<(DiskFault, Who)>, Mistake> {
    let fault = match verb {
        "fail" => {
            const FAILING: [Failing; 2] = [Failing::Once, Failing::ForGood];
            let expected = "`next` or `every`, then `write`, `sync` or `read`";
            let failing = FAILING[s.take_any(&["next", "every"]).ok_or_else(|| s.expected(expected))?];
            match s.take_any(&["write of", "sync of", "read of"]) {
                Some(0) => DiskFault::WriteErrors(failing),
                Some(1) => DiskFault::SyncErrors(failing),
                Some(_) => DiskFault::ReadErrors(failing),
                None => return Err(s.expected("`write of`, `sync of` or `read of`")),
            }
        }
        "fill" => of_disk(s, DiskFault::Full)?,
        "free" | "repair" => of_disk(s, DiskFault::Repair)?,
        "rot" => DiskFault::BitRot { file: file(s)? },
        "spoil" => DiskFault::BadSector { file: file(s)? },
        "misdirect" => {
            s.must("next write of")?;
            DiskFault::MisdirectedWrite
        }
        "stall" => {
            s.must("disk of")?;
            let who = who(s)?;
            s.must("for")?;
            return Ok(Some((DiskFault::Stall(s.duration()?), who)));
        }
        _ => return Ok(None),
    };
    Ok(Some((fault, who(s)?)))
}

fn of_disk(s: &mut Sentence<'_>, fault: DiskFault) -> Result<DiskFault, Mistake> {
    s.must("disk of")?;
    Ok(fault)
}

/// `log of` and the like: the beginning of the names of some files.
fn file(s: &mut Sentence<'_>) -> Result<String, Mistake> {
    let name = s.word("the beginning of a file name, such as `log`, or `disk` for any file")?;
    s.must("of")?;
    Ok(if name == "disk" { String::new() } else { name.into() })
}

fn resolve(who: &Who, servers: &[ServerId], leader: Option<ServerId>) -> Result<Vec<ServerId>, String> {
    let leader = || leader.ok_or_else(|| "nobody leads at this moment".to_owned());
    Ok(match who {
        Who::Servers(servers) => servers.clone(),
        Who::All => servers.to_vec(),
        Who::Leader => vec![leader()?],
        Who::Learners => {
            let leader = leader()?;
            servers.iter().copied().filter(|server| *server != leader).collect()
        }
    })
}

fn directions(from: &[ServerId], to: &[ServerId]) -> Vec<Direction> {
    let pairs = from.iter().flat_map(|from| to.iter().map(|to| (*from, *to)));
    pairs.filter(|(from, to)| from != to).collect()
}

/// Servers on one side see each other. One that stands on several sides is a bridge; one on none
/// is alone.
fn partition(sides: &[Vec<ServerId>], servers: &[ServerId]) -> Fault {
    let apart = |(from, to): &Direction| !sides.iter().any(|side| side.contains(from) && side.contains(to));
    let blocked = directions(servers, servers).into_iter().filter(apart).collect();
    let mut seen = BTreeSet::new();
    let bridge = sides.iter().flatten().any(|server| !seen.insert(*server));
    let alone = sides.iter().any(|side| side.len() == 1);
    let shape = match (bridge, alone) {
        (true, _) => Shape::Bridge,
        (false, true) => Shape::IsolateOne,
        (false, false) => Shape::Uneven,
    };
    Fault::Partition { shape, blocked }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVERS: [ServerId; 3] = [ServerId(1), ServerId(2), ServerId(3)];

    fn parse(text: &str) -> Result<Action, Mistake> {
        Action::parse(&mut Sentence::new(text, 0))
    }

    fn deeds(text: &str) -> Vec<Deed> {
        parse(text).unwrap().deeds(&SERVERS, Some(ServerId(3))).unwrap()
    }

    #[test]
    fn every_documented_action_is_understood() {
        for text in [
            "start 1",
            "start all",
            "crash 1, 2 and 3",
            "crash the leader",
            "power loss of all",
            "pause the learners",
            "resume 2",
            "wipe 1",
            "swap disks of 1 and 2",
            "partition 1 2 | 3",
            "block 1 -> 2 3",
            "unblock the leader -> all",
            "heal",
            "break link of 1 and 2",
            "slow 1 -> 2 by 200ms",
            "fail next sync of 1",
            "fail every write of 1",
            "fail next read of 1",
            "fill disk of 2",
            "free disk of 2",
            "repair disk of 2",
            "rot log of 2",
            "spoil disk of 2",
            "misdirect next write of 2",
            "stall disk of 2 for 5s",
            "jump wall clock of 2 by -5000 ms",
            "drift clock of 2 by 500 per million",
            "elect 3 at 1 2 3",
            "write 5",
            "write 5 at 2",
        ] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn a_wrong_word_is_pointed_at() {
        let mistake = parse("crash everybody").unwrap_err();
        assert_eq!(mistake.span, 6..15);
        assert!(mistake.message.contains("`everybody`"), "{}", mistake.message);
        assert_eq!(parse("smash 1").unwrap_err().span, 0..5);
        assert_eq!(parse("heal 1").unwrap_err().span, 5..6);
        assert_eq!(parse("elect 3 at").unwrap_err().span, 10..10);
    }

    #[test]
    fn a_server_on_two_sides_of_a_partition_is_a_bridge() {
        let blocked = vec![(ServerId(1), ServerId(3)), (ServerId(3), ServerId(1))];
        let expected = Deed::Fault(Fault::Partition { shape: Shape::Bridge, blocked });
        assert_eq!(deeds("partition 1 2 | 2 3"), [Deed::Fault(Fault::Heal), expected]);
    }

    #[test]
    fn the_leader_is_whoever_leads_at_that_moment() {
        assert_eq!(deeds("crash the leader"), [Deed::Fault(Fault::Crash(ServerId(3)))]);
        assert_eq!(deeds("write 2"), [Deed::Write(ServerId(3), 2)]);
        assert!(parse("write 2").unwrap().deeds(&SERVERS, None).is_err());
    }
}
