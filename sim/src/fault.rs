//! What can go wrong: one [`Fault`] is one concrete action on a world, by the random plan or by a
//! scenario's timeline.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use zabrus_core::{Duration, ServerId};

/// From one server to another: one direction of a link.
pub type Direction = (ServerId, ServerId);

/// One concrete fault, or the end of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The process ends; what it wrote stays in the page cache.
    Crash(ServerId),
    /// As [`Fault::Crash`], but nobody is there to start it again for a long time.
    Outage(ServerId),
    /// The machines lose power: what was not synced is lost, torn, or survives by luck.
    PowerLoss(BTreeSet<ServerId>),
    /// The process starts, if it is down.
    Start(ServerId),
    /// The process stands still; its clock does not.
    Pause(ServerId),
    /// It goes on.
    Resume(ServerId),
    /// The process ends and its disk is empty.
    Wipe(ServerId),
    /// Both processes end and their disks change places.
    SwapDisks(ServerId, ServerId),
    /// Nothing passes in these directions any more, in a shape that has a name.
    Partition {
        /// The shape, for people.
        shape: Shape,
        /// What it means.
        blocked: Vec<Direction>,
    },
    /// Nothing passes in these directions any more.
    Block(Vec<Direction>),
    /// It passes again.
    Unblock(Vec<Direction>),
    /// All blocks and clogs are gone.
    Heal,
    /// The connection between two servers breaks.
    BreakLink(ServerId, ServerId),
    /// Traffic in one direction takes longer.
    Clog {
        /// From this server.
        from: ServerId,
        /// To this one.
        to: ServerId,
        /// By so much; zero for as usual.
        extra: Duration,
    },
    /// Something is wrong with a disk, or no longer.
    Disk {
        /// Whose disk.
        server: ServerId,
        /// What is wrong.
        fault: DiskFault,
    },
    /// The wall clock jumps.
    WallJump {
        /// Of this server.
        server: ServerId,
        /// By so much.
        millis: i64,
    },
    /// The monotonic clock runs at another rate from now on.
    Drift {
        /// Of this server.
        server: ServerId,
        /// Faster or slower by this much.
        per_million: i32,
    },
    /// The external election names a leader.
    Elect {
        /// To this server.
        server: ServerId,
        /// This one.
        leader: ServerId,
    },
}

/// The shape of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Two sides of about the same size.
    Halves,
    /// Two sides of any size.
    Uneven,
    /// One server alone.
    IsolateOne,
    /// The leader alone.
    IsolateLeader,
    /// The leader on the smaller side.
    LeaderInMinority,
    /// Two sides, and one server that reaches both.
    Bridge,
    /// Each server reaches its two neighbours only.
    Ring,
    /// One side hears the other, which does not hear it.
    OneWay,
    /// Two sides, cut and joined again and again.
    Flapping,
    /// Servers cut off one by one, then joined one by one in another order.
    Swizzle,
}

/// What can be wrong with a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskFault {
    /// One bit of a file changes on the medium.
    BitRot {
        /// The file's name begins so; any file if empty.
        file: String,
    },
    /// One sector of a file cannot be read until it is written again.
    BadSector {
        /// The file's name begins so; any file if empty.
        file: String,
    },
    /// The next write goes to a wrong place, within another file.
    MisdirectedWrite,
    /// Writes fail.
    WriteErrors(Failing),
    /// Syncs of files and of the directory fail.
    SyncErrors(Failing),
    /// Reads of a running server fail. Recovery is not concerned.
    ReadErrors(Failing),
    /// No space is left.
    Full,
    /// The next operation takes this much longer, and all others wait for it.
    Stall(Duration),
    /// Every operation takes this many times as long.
    Slow(u32),
    /// The disk is fast, has space and reports no errors again. Damaged bytes stay damaged.
    Repair,
}

/// Whether operations of one kind fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failing {
    /// They succeed.
    #[default]
    Never,
    /// The next one fails.
    Once,
    /// They fail until [`DiskFault::Repair`].
    ForGood,
}

impl Failing {
    /// Whether the operation at hand fails.
    pub(crate) fn strikes(&mut self) -> bool {
        let strikes = *self != Self::Never;
        if *self == Self::Once {
            *self = Self::Never;
        }
        strikes
    }
}

macro_rules! fault_kinds {
    ($($(#[$doc:meta])+ $kind:ident = $name:literal,)+) => {
        /// A kind of fault, as plans draw and people count them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum FaultKind {
            $($(#[$doc])+ #[serde(rename = $name)] $kind,)+
        }

        impl FaultKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name),+
                }
            }
        }
    };
}

fault_kinds! {
    /// A process ends.
    Crash = "crash",
    /// A process ends and stays away for long.
    Outage = "long outage",
    /// One, some or all machines lose power.
    PowerLoss = "power loss",
    /// A process stands still.
    Pause = "pause",
    /// A disk is empty.
    Wipe = "wiped disk",
    /// Two disks change places.
    SwapDisks = "swapped disks",
    /// [`Shape::Halves`].
    Halves = "partition: halves",
    /// [`Shape::Uneven`].
    Uneven = "partition: uneven",
    /// [`Shape::IsolateOne`].
    IsolateOne = "partition: one isolated",
    /// [`Shape::IsolateLeader`].
    IsolateLeader = "partition: leader isolated",
    /// [`Shape::LeaderInMinority`].
    LeaderInMinority = "partition: leader in minority",
    /// [`Shape::Bridge`].
    Bridge = "partition: bridge",
    /// [`Shape::Ring`].
    Ring = "partition: ring",
    /// [`Shape::OneWay`].
    OneWay = "partition: one way",
    /// [`Shape::Flapping`].
    Flapping = "partition: flapping",
    /// [`Shape::Swizzle`].
    Swizzle = "partition: swizzle",
    /// A block of single directions, by a scenario.
    Block = "block",
    /// A connection breaks.
    BreakLink = "broken connection",
    /// A link is slow.
    Clog = "clog",
    /// [`DiskFault::BitRot`].
    BitRot = "bit rot",
    /// [`DiskFault::BadSector`].
    BadSector = "bad sector",
    /// [`DiskFault::MisdirectedWrite`].
    MisdirectedWrite = "misdirected write",
    /// One write fails.
    WriteError = "write error",
    /// All writes fail.
    WriteErrors = "write errors for good",
    /// One sync fails.
    SyncError = "failed sync",
    /// All syncs fail.
    SyncErrors = "failed syncs for good",
    /// Reads fail.
    ReadError = "read error",
    /// [`DiskFault::Full`].
    DiskFull = "full disk",
    /// [`DiskFault::Stall`].
    DiskStall = "disk stall",
    /// [`DiskFault::Slow`].
    SlowDisk = "slow disk",
    /// A wall clock jumps.
    WallJump = "wall clock jump",
    /// A clock runs at another rate.
    Drift = "clock drift",
    /// The external election names a leader.
    Elect = "external election",
}

impl FaultKind {
    /// Whether this kind destroys or changes bytes that were durable, so that the plan may let it
    /// happen to a minority of the voters only: a protocol that commits with a quorum survives
    /// the loss of what a minority stored, never of what a quorum stored.
    #[must_use]
    pub const fn damages(self) -> bool {
        match self {
            // Durable bytes are gone or wrong.
            Self::Wipe | Self::BitRot | Self::MisdirectedWrite => true,
            // Recovery cannot tell an unreadable file from one that is lost.
            Self::BadSector => true,
            // A disk names its owner, and another server refuses it: nothing is changed. This
            // holds while its epochs are there and legible, so plans never mix it with damage.
            Self::SwapDisks => false,
            // Nothing that a sync reported durable is touched. A server that cannot write, sync
            // or find space stops and recovers from what it had.
            Self::WriteError | Self::WriteErrors | Self::SyncError | Self::SyncErrors => false,
            Self::ReadError | Self::DiskFull | Self::DiskStall | Self::SlowDisk => false,
            Self::Crash | Self::Outage | Self::PowerLoss | Self::Pause => false,
            // No disk is concerned.
            Self::Halves | Self::Uneven | Self::IsolateOne | Self::IsolateLeader => false,
            Self::LeaderInMinority | Self::Bridge | Self::Ring | Self::OneWay => false,
            Self::Flapping | Self::Swizzle | Self::Block | Self::BreakLink | Self::Clog => false,
            Self::WallJump | Self::Drift | Self::Elect => false,
        }
    }
}

impl FaultKind {
    /// Whether this kind may end a write half way, so that its server finds the mark of a write
    /// without its bytes.
    #[must_use]
    pub const fn leaves_doubt(self) -> bool {
        matches!(
            self,
            Self::PowerLoss
                | Self::SwapDisks
                | Self::WriteError
                | Self::WriteErrors
                | Self::SyncError
                | Self::SyncErrors
                | Self::DiskFull
        )
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Shape {
    /// The kind of fault that a partition of this shape is.
    #[must_use]
    pub const fn kind(self) -> FaultKind {
        match self {
            Self::Halves => FaultKind::Halves,
            Self::Uneven => FaultKind::Uneven,
            Self::IsolateOne => FaultKind::IsolateOne,
            Self::IsolateLeader => FaultKind::IsolateLeader,
            Self::LeaderInMinority => FaultKind::LeaderInMinority,
            Self::Bridge => FaultKind::Bridge,
            Self::Ring => FaultKind::Ring,
            Self::OneWay => FaultKind::OneWay,
            Self::Flapping => FaultKind::Flapping,
            Self::Swizzle => FaultKind::Swizzle,
        }
    }
}

impl Fault {
    /// The kind under which this counts; `None` if it only ends another fault.
    #[must_use]
    pub fn kind(&self) -> Option<FaultKind> {
        Some(match self {
            Self::Crash(_) => FaultKind::Crash,
            Self::Outage(_) => FaultKind::Outage,
            Self::PowerLoss(_) => FaultKind::PowerLoss,
            Self::Pause(_) => FaultKind::Pause,
            Self::Wipe(_) => FaultKind::Wipe,
            Self::SwapDisks(..) => FaultKind::SwapDisks,
            Self::Partition { shape, .. } => shape.kind(),
            Self::Block(_) => FaultKind::Block,
            Self::BreakLink(..) => FaultKind::BreakLink,
            Self::Clog { extra, .. } if *extra > Duration::ZERO => FaultKind::Clog,
            Self::Disk { fault, .. } => return fault.kind(),
            Self::WallJump { .. } => FaultKind::WallJump,
            Self::Drift { .. } => FaultKind::Drift,
            Self::Elect { .. } => FaultKind::Elect,
            Self::Start(_) | Self::Resume(_) | Self::Unblock(_) | Self::Heal | Self::Clog { .. } => {
                return None;
            }
        })
    }
}

impl Fault {
    /// The servers whose disks or machines this harms.
    pub fn harmed(&self) -> BTreeSet<ServerId> {
        match self {
            Self::Wipe(server) | Self::Disk { server, .. } => [*server].into(),
            Self::SwapDisks(one, other) => [*one, *other].into(),
            Self::PowerLoss(servers) => servers.clone(),
            _ => BTreeSet::new(),
        }
    }

    /// What is left of this in a world without this server, if anything is.
    #[must_use]
    pub fn without(&self, gone: ServerId) -> Option<Self> {
        let left = |directions: &[Direction]| -> Option<Vec<Direction>> {
            let both_there = |(from, to): &&Direction| *from != gone && *to != gone;
            let left: Vec<Direction> = directions.iter().filter(both_there).copied().collect();
            (!left.is_empty()).then_some(left)
        };
        Some(match self {
            Self::PowerLoss(servers) => {
                let left: BTreeSet<ServerId> = servers.iter().copied().filter(|id| *id != gone).collect();
                return (!left.is_empty()).then_some(Self::PowerLoss(left));
            }
            Self::Partition { shape, blocked } => Self::Partition { shape: *shape, blocked: left(blocked)? },
            Self::Block(blocked) => Self::Block(left(blocked)?),
            Self::Unblock(blocked) => Self::Unblock(left(blocked)?),
            Self::Heal => Self::Heal,
            Self::Crash(server)
            | Self::Outage(server)
            | Self::Start(server)
            | Self::Pause(server)
            | Self::Resume(server)
            | Self::Wipe(server)
            | Self::Disk { server, .. }
            | Self::WallJump { server, .. }
            | Self::Drift { server, .. } => return (*server != gone).then(|| self.clone()),
            Self::SwapDisks(one, other)
            | Self::BreakLink(one, other)
            | Self::Clog { from: one, to: other, .. }
            | Self::Elect { server: one, leader: other } => {
                return (*one != gone && *other != gone).then(|| self.clone());
            }
        })
    }
}

impl DiskFault {
    /// The kind under which this counts; `None` if it only ends another fault.
    #[must_use]
    pub const fn kind(&self) -> Option<FaultKind> {
        Some(match self {
            Self::BitRot { .. } => FaultKind::BitRot,
            Self::BadSector { .. } => FaultKind::BadSector,
            Self::MisdirectedWrite => FaultKind::MisdirectedWrite,
            Self::WriteErrors(Failing::Once) => FaultKind::WriteError,
            Self::WriteErrors(Failing::ForGood) => FaultKind::WriteErrors,
            Self::SyncErrors(Failing::Once) => FaultKind::SyncError,
            Self::SyncErrors(Failing::ForGood) => FaultKind::SyncErrors,
            Self::ReadErrors(Failing::Once | Failing::ForGood) => FaultKind::ReadError,
            Self::Full => FaultKind::DiskFull,
            Self::Stall(_) => FaultKind::DiskStall,
            Self::Slow(_) => FaultKind::SlowDisk,
            Self::WriteErrors(_) | Self::SyncErrors(_) | Self::ReadErrors(_) | Self::Repair => return None,
        })
    }
}

mod words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_survives_a_round_trip_as_text() {
        let faults = [
            Fault::PowerLoss([ServerId(1), ServerId(3)].into()),
            Fault::Partition { shape: Shape::OneWay, blocked: vec![(ServerId(1), ServerId(2))] },
            Fault::Disk { server: ServerId(2), fault: DiskFault::SyncErrors(Failing::Once) },
            Fault::Clog { from: ServerId(1), to: ServerId(2), extra: Duration::from_millis(5) },
            Fault::Heal,
        ];
        for fault in faults {
            let text = serde_json::to_string(&fault).unwrap();
            assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault, "{text}");
        }
    }

    #[test]
    fn a_fault_of_kind_is_named_as_people_read_it() {
        for kind in FaultKind::ALL {
            assert_eq!(serde_json::to_string(kind).unwrap(), format!("\"{kind}\""));
        }
    }

    #[test]
    fn what_ends_a_fault_is_not_counted_as_one() {
        let repair = Fault::Disk { server: ServerId(1), fault: DiskFault::Repair };
        let unclog = Fault::Clog { from: ServerId(1), to: ServerId(2), extra: Duration::ZERO };
        for end in [Fault::Start(ServerId(1)), Fault::Resume(ServerId(1)), Fault::Heal, repair, unclog] {
            assert_eq!(end.kind(), None, "{end}");
        }
    }

    #[test]
    fn an_error_that_strikes_once_is_gone_afterwards() {
        let mut failing = Failing::Once;
        assert!(failing.strikes() && !failing.strikes());
        let mut failing = Failing::ForGood;
        assert!(failing.strikes() && failing.strikes());
    }
}
