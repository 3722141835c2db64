//! Faults in words, for the grid and for reports.

use std::fmt;

use super::{DiskFault, Failing, Fault};

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(server) => write!(f, "server {server} crashes"),
            Self::Outage(server) => write!(f, "server {server} crashes, for long"),
            Self::PowerLoss(servers) => {
                f.write_str("power loss at")?;
                servers.iter().try_for_each(|server| write!(f, " {server}"))
            }
            Self::Start(server) => write!(f, "server {server} is started"),
            Self::Pause(server) => write!(f, "server {server} stands still"),
            Self::Resume(server) => write!(f, "server {server} goes on"),
            Self::Wipe(server) => write!(f, "server {server} gets an empty disk"),
            Self::SwapDisks(one, other) => write!(f, "servers {one} and {other} swap disks"),
            Self::Partition { shape, blocked } => {
                write!(f, "{}:", shape.kind())?;
                directions(f, blocked)
            }
            Self::Block(blocked) => {
                f.write_str("blocked:")?;
                directions(f, blocked)
            }
            Self::Unblock(blocked) => {
                f.write_str("no longer blocked:")?;
                directions(f, blocked)
            }
            Self::Heal => f.write_str("the network is well again"),
            Self::BreakLink(one, other) => write!(f, "the connection of {one} and {other} breaks"),
            Self::Clog { from, to, extra } => write!(f, "{from} to {to} takes {extra} longer"),
            Self::Disk { server, fault } => write!(f, "disk of {server}: {fault}"),
            Self::WallJump { server, millis } => write!(f, "wall clock of {server} jumps by {millis} ms"),
            Self::Drift { server, per_million } => {
                write!(f, "clock of {server} drifts by {per_million} per million")
            }
            Self::Elect { server, leader } => write!(f, "server {server} is told to take {leader}"),
        }
    }
}

fn directions(f: &mut fmt::Formatter<'_>, blocked: &[super::Direction]) -> fmt::Result {
    blocked.iter().try_for_each(|(from, to)| write!(f, " {from}>{to}"))
}

impl fmt::Display for DiskFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = |name: &str| if name.is_empty() { "a file".to_owned() } else { format!("a file {name}*") };
        match self {
            Self::BitRot { file: name } => write!(f, "a bit flips in {}", file(name)),
            Self::BadSector { file: name } => write!(f, "a sector of {} is unreadable", file(name)),
            Self::MisdirectedWrite => f.write_str("the next write goes astray"),
            Self::WriteErrors(failing) => write!(f, "writes {failing}"),
            Self::SyncErrors(failing) => write!(f, "syncs {failing}"),
            Self::ReadErrors(failing) => write!(f, "reads {failing}"),
            Self::Full => f.write_str("full"),
            Self::Stall(time) => write!(f, "stalls for {time}"),
            Self::Slow(factor) => write!(f, "{factor} times slower"),
            Self::Repair => f.write_str("works again"),
        }
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "succeed",
            Self::Once => "fail once",
            Self::ForGood => "fail for good",
        })
    }
}
