//! The names of the files in the data directory.

use alloc::format;
use alloc::string::String;

use super::FileName;
use crate::identity::Zxid;

pub(super) const EPOCHS: &str = "epochs";
pub(super) const EPOCHS_TEMPORARY: &str = "epochs.tmp";
pub(super) const SNAPSHOT_TEMPORARY: &str = "snapshot.tmp";
pub(super) const INSTALL_TEMPORARY: &str = "install.tmp";

const LOG_PREFIX: &str = "log.";
const SNAPSHOT_PREFIX: &str = "snapshot.";

/// What a file is, by its name.
pub(super) enum Kind {
    Epochs,
    /// A log segment, with the zxid before its first record.
    Log(Zxid),
    /// A snapshot, with its label.
    Snapshot(Zxid),
    /// Something that was being written when its server stopped.
    Temporary,
    /// Not ours.
    Unknown,
}

pub(super) fn kind(file: &FileName) -> Kind {
    let name = file.0.as_str();
    match name {
        EPOCHS => Kind::Epochs,
        EPOCHS_TEMPORARY | SNAPSHOT_TEMPORARY | INSTALL_TEMPORARY => Kind::Temporary,
        _ => {
            if let Some(base) = name.strip_prefix(LOG_PREFIX).and_then(zxid) {
                Kind::Log(base)
            } else if let Some(label) = name.strip_prefix(SNAPSHOT_PREFIX).and_then(zxid) {
                Kind::Snapshot(label)
            } else {
                Kind::Unknown
            }
        }
    }
}

fn zxid(digits: &str) -> Option<Zxid> {
    // Only the form that we write ourselves: two names must never mean one file.
    let zxid = Zxid(u64::from_str_radix(digits, 16).ok()?);
    (hexadecimal(zxid) == digits).then_some(zxid)
}

fn hexadecimal(zxid: Zxid) -> String {
    format!("{:016x}", zxid.0)
}

pub(super) fn log(base: Zxid) -> FileName {
    FileName(format!("{LOG_PREFIX}{}", hexadecimal(base)))
}

pub(super) fn snapshot(label: Zxid) -> FileName {
    FileName(format!("{SNAPSHOT_PREFIX}{}", hexadecimal(label)))
}

pub(super) fn file(name: &str) -> FileName {
    FileName(name.into())
}
