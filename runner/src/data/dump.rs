//! `zabrus dump`: what is in a log or a snapshot, ours or Apache's, a line for each thing.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde_json::Value;
use zabrus_core::Bytes;
use zabrus_core::identity::Zxid;
use zabrus_core::state::{Owner, State, StoredStat};
use zabrus_core::storage::offline::read_snapshot;
use zabrus_core::storage::segment::{BLOCK_BYTES, Header, Records, Slot};
use zabrus_core::wire::{Acl, Change, OpCode, Transaction};

use super::apache::log::{self as apache_log, Entries};
use super::apache::{snapshot as apache_snapshot, unpacked};
use super::hexadecimal;

/// What is known of one thing, in the order in which it is shown.
type Facts = Vec<(&'static str, Value)>;

/// Where the lines go, and in which form.
pub(crate) struct Dump<W> {
    pub(crate) out: W,
    pub(crate) json: bool,
}

/// Why a dump ended early.
#[derive(Debug)]
pub(crate) enum DumpError {
    /// The file is not what it should be, from some place on.
    Damage(String),
    /// Nobody takes the output any more.
    Out(io::Error),
}

impl From<io::Error> for DumpError {
    fn from(error: io::Error) -> Self {
        Self::Out(error)
    }
}

fn damage(what: impl Into<String>) -> DumpError {
    DumpError::Damage(what.into())
}

impl<W: Write> Dump<W> {
    /// Prints the transactions of a log, up to its first damage.
    pub(crate) fn log(&mut self, path: &Path) -> Result<(), DumpError> {
        let bytes = fs::read(path).map_err(|error| damage(error.to_string()))?;
        if bytes.starts_with(&apache_log::MAGIC) {
            let mut entries = Entries::new(&bytes);
            for transaction in entries.by_ref() {
                self.transaction(&transaction)?;
            }
            let unfinished =
                entries.unfinished().map(|at| format!("the entry at byte {at} was not finished"));
            return match entries.damage().map(str::to_owned).or(unfinished) {
                Some(what) => Err(DumpError::Damage(what)),
                None => Ok(()),
            };
        }
        let header = Header::decode(&bytes).ok_or_else(|| damage("no log, or its header is damaged"))?;
        let area = bytes.get(BLOCK_BYTES as usize..).unwrap_or_default();
        let mut records = Records::new(header.base, BLOCK_BYTES, area);
        for record in records.by_ref() {
            let zxid = hexadecimal(record.position.zxid);
            let transaction = Transaction::decode(record.payload);
            let transaction =
                transaction.map_err(|error| damage(format!("{zxid}: no transaction: {error}")))?;
            self.transaction(&transaction)?;
        }
        let (last, offset) = records.end();
        let durable = Slot::all(&bytes).map(|slot| slot.durable).max().unwrap_or(Zxid::ZERO);
        if durable > last.zxid {
            let missing = hexadecimal(durable);
            return Err(damage(format!(
                "the record at byte {offset} is damaged; the log went on to {missing}"
            )));
        }
        Ok(())
    }

    /// Prints the sessions and nodes of a snapshot.
    pub(crate) fn snapshot(&mut self, path: &Path) -> Result<(), DumpError> {
        let bytes = unpacked(path).map_err(DumpError::Damage)?;
        let state = if bytes.starts_with(&apache_snapshot::MAGIC) {
            apache_snapshot::decode(&bytes).map_err(DumpError::Damage)?.state.into_state()
        } else {
            let read = read_snapshot(&bytes);
            read.ok_or_else(|| damage("no snapshot, or it is damaged"))?.1
        };
        self.state(&state)
    }

    fn state(&mut self, state: &State) -> Result<(), DumpError> {
        for (session, timeout) in state.sessions() {
            self.line(&vec![("session", session.to_string().into()), ("timeout", timeout.into())])?;
        }
        for (path, node) in state.nodes() {
            let StoredStat {
                czxid,
                mzxid,
                pzxid,
                ctime,
                mtime,
                version,
                cversion,
                aversion,
                ephemeral_owner,
            } = *node.stored();
            let zxid = |zxid: i64| Value::from(hexadecimal(Zxid(zxid.cast_unsigned())));
            let mut facts: Facts = vec![("path", path.into())];
            facts.extend(match Owner::from_stored(ephemeral_owner) {
                Owner::Nobody => None,
                Owner::Session(session) => Some(("ephemeralOwner", session.to_string().into())),
                Owner::Container => Some(("container", true.into())),
                Owner::TimeToLive(ttl) => Some(("ttl", ttl.into())),
            });
            facts.extend([
                ("czxid", zxid(czxid)),
                ("mzxid", zxid(mzxid)),
                ("pzxid", zxid(pzxid)),
                ("ctime", self.time(ctime)),
                ("mtime", self.time(mtime)),
                ("version", version.into()),
                ("cversion", cversion.into()),
                ("aversion", aversion.into()),
                ("acl", acl(node.acl())),
            ]);
            facts.extend(self.data(node.data().as_ref()));
            self.line(&facts)?;
        }
        Ok(())
    }

    fn transaction(&mut self, transaction: &Transaction) -> Result<(), DumpError> {
        let Transaction { session, cxid, zxid, time, change, digest, .. } = transaction;
        let mut facts: Facts = vec![
            ("zxid", hexadecimal(*zxid).into()),
            ("time", self.time(*time)),
            ("session", session.to_string().into()),
            ("cxid", (*cxid).into()),
        ];
        if let Change::Multi(changes) = change {
            facts.push(("type", "multi".into()));
            let parts = changes.iter().map(|change| {
                let facts = self.change(change).into_iter();
                Value::Object(facts.map(|(key, value)| (key.to_owned(), value)).collect())
            });
            facts.push(("changes", parts.collect()));
        } else {
            facts.extend(self.change(change));
        }
        facts.extend(digest.map(|digest| ("digest", digest.to_string().into())));
        self.line(&facts)
    }

    fn change(&self, change: &Change) -> Facts {
        let mut facts: Facts = vec![("type", kind(change).into())];
        match change {
            Change::CreateSession { timeout } => facts.push(("timeout", (*timeout).into())),
            Change::CloseSession { paths } => facts.push(("paths", paths.clone().into())),
            Change::Create { path, data, acl: list, ephemeral, parent_cversion, ttl, .. } => {
                facts.push(("path", path.clone().into()));
                facts.extend(ephemeral.then_some(("ephemeral", true.into())));
                facts.extend((*ttl > 0).then_some(("ttl", (*ttl).into())));
                facts.extend([("parentCVersion", (*parent_cversion).into()), ("acl", acl(list))]);
                facts.extend(self.data(data.as_ref()));
            }
            Change::Delete { path, .. } => facts.push(("path", path.clone().into())),
            Change::SetData { path, data, version } => {
                facts.extend([("path", path.clone().into()), ("version", (*version).into())]);
                facts.extend(self.data(data.as_ref()));
            }
            Change::Reconfig { data } | Change::NextMembers { data } => facts.extend(self.data(Some(data))),
            Change::SetAcl { path, acl: list, version } => {
                facts.extend([
                    ("path", path.clone().into()),
                    ("aversion", (*version).into()),
                    ("acl", acl(list)),
                ]);
            }
            Change::Check { path, version } => {
                facts.extend([("path", path.clone().into()), ("version", (*version).into())]);
            }
            Change::Error(code) => facts.push(("code", (*code).into())),
            // They do not nest.
            Change::Multi(_) => {}
        }
        facts
    }

    /// Lines are for people and show how much there is; JSON is for programs and has all of it.
    fn data(&self, data: Option<&Bytes>) -> Facts {
        let mut facts: Facts = vec![("dataLength", data.map_or(-1, |data| data.len() as i64).into())];
        if let Some(data) = data.filter(|_| self.json) {
            facts.push(match std::str::from_utf8(data) {
                Ok(text) => ("data", text.into()),
                Err(_) => {
                    ("dataHex", data.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
                }
            });
        }
        facts
    }

    fn time(&self, millis: i64) -> Value {
        if self.json { millis.into() } else { utc(millis).into() }
    }

    fn line(&mut self, facts: &Facts) -> Result<(), DumpError> {
        let text = |value: &Value| match value {
            Value::String(text) if !self.json => text.clone(),
            value => value.to_string(),
        };
        let pairs = facts.iter().map(|(key, value)| {
            if self.json { format!("\"{key}\":{}", text(value)) } else { format!("{key}={}", text(value)) }
        });
        let pairs: Vec<String> = pairs.collect();
        if self.json {
            writeln!(self.out, "{{{}}}", pairs.join(","))?;
        } else {
            writeln!(self.out, "{}", pairs.join(" "))?;
        }
        Ok(())
    }
}

fn kind(change: &Change) -> &'static str {
    match change {
        Change::CreateSession { .. } => "createSession",
        Change::CloseSession { .. } => "closeSession",
        Change::Create { op: OpCode::CreateContainer, .. } => "createContainer",
        Change::Create { op: OpCode::CreateTtl, .. } => "createTTL",
        Change::Create { .. } => "create",
        Change::Delete { op: OpCode::DeleteContainer, .. } => "deleteContainer",
        Change::Delete { .. } => "delete",
        Change::SetData { .. } => "setData",
        Change::Reconfig { .. } => "reconfig",
        Change::NextMembers { .. } => "nextMembers",
        Change::SetAcl { .. } => "setACL",
        Change::Check { .. } => "check",
        Change::Error(_) => "error",
        Change::Multi(_) => "multi",
    }
}

fn acl(list: &[Acl]) -> Value {
    list.iter()
        .map(|acl| Value::from(format!("{}:{}:{}", acl.id.scheme, acl.id.id, letters(acl.perms))))
        .collect()
}

/// Permissions as zkCli writes them; a number where there are more.
fn letters(perms: i32) -> String {
    let letters: String =
        "rwcda".chars().zip(0..).filter(|(_, bit)| perms >> bit & 1 == 1).map(|(c, _)| c).collect();
    if perms & !31 == 0 { letters } else { perms.to_string() }
}

/// Milliseconds since the Unix epoch as a date, without leap seconds, as Java counts them.
fn utc(millis: i64) -> String {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    let (days, rest) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    // Counted from the first of March of a year that 400 divides, so that leap days come last.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(DAYS_OF_400_YEARS), shifted.rem_euclid(DAYS_OF_400_YEARS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (seconds, millis) = (rest / 1_000, rest % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(951_868_799_999), "2000-02-29T23:59:59.999Z");
        assert_eq!(utc(1_795_273_998_001), "2026-11-21T15:13:18.001Z");
        assert_eq!(utc(-1), "1969-12-31T23:59:59.999Z");
        utc(i64::MIN / 2);
    }

    #[test]
    fn permissions_are_letters() {
        assert_eq!(
            (letters(31), letters(1), letters(0), letters(255)),
            ("rwcda".into(), "r".into(), String::new(), "255".into())
        );
    }
}
