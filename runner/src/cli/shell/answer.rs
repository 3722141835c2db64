//! What a command prints: the text of zkCli, and the same as JSON.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use zabrus_core::Bytes;
use zabrus_core::wire::{Acl, ErrorCode, Permissions, Stat};

use crate::client::Error;

/// The result of a command that was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// For standard output, with the ends of the lines.
    pub(super) text: String,
    /// For standard error, likewise.
    pub(super) aside: String,
    /// An object with the same.
    pub(super) json: serde_json::Map<String, Value>,
}

/// Why a command was not done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) message: String,
    pub(super) exit_code: u8,
    /// The code of the protocol, if it was that.
    pub(super) code: Option<i32>,
    /// What there was to say until then.
    pub(super) before: Answer,
}

impl Answer {
    /// Adds a line.
    pub(super) fn line(mut self, line: impl AsRef<str>) -> Self {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
        self
    }

    /// Adds a line for standard error.
    pub(super) fn aside(mut self, line: impl AsRef<str>) -> Self {
        self.aside.push_str(line.as_ref());
        self.aside.push('\n');
        self
    }

    /// Adds a field to the object.
    pub(super) fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.json.insert(name.to_owned(), value.into());
        self
    }

    /// Adds what is known of a node, if it is wanted. JSON has it always.
    pub(super) fn stat(self, stat: &Stat, wanted: bool) -> Self {
        let answer = self.field("stat", stat_json(stat));
        if !wanted {
            return answer;
        }
        let lines = [
            format!("cZxid = 0x{:x}", stat.czxid),
            format!("ctime = {}", date(stat.ctime)),
            format!("mZxid = 0x{:x}", stat.mzxid),
            format!("mtime = {}", date(stat.mtime)),
            format!("pZxid = 0x{:x}", stat.pzxid),
            format!("cversion = {}", stat.cversion),
            format!("dataVersion = {}", stat.version),
            format!("aclVersion = {}", stat.aversion),
            format!("ephemeralOwner = 0x{:x}", stat.ephemeral_owner),
            format!("dataLength = {}", stat.data_length),
            format!("numChildren = {}", stat.num_children),
        ];
        lines.iter().fold(answer, Self::line)
    }

    /// The command failed behind what this says.
    pub(super) fn failure(&self, error: Error) -> Failure {
        Failure { before: self.clone(), ..error.into() }
    }

    /// Adds data: text if they are some, and base64 if not.
    pub(super) fn data(self, data: Option<&Bytes>) -> Self {
        match data.map(|data| (std::str::from_utf8(data), data)) {
            None => self.field("data", Value::Null),
            Some((Ok(text), _)) => self.field("data", text),
            Some((Err(_), data)) => self.field("dataBase64", base64(data)),
        }
    }
}

impl Failure {
    /// A sentence; the exit code is 1.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code: 1, code: None, before: Answer::default() }
    }

    pub(super) fn json(&self) -> Value {
        let name = self.code.map(Error::name);
        let error = json!({ "code": self.code, "name": name, "message": self.message });
        self.before.clone().field("error", error).json.into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let Error::Keeper { code, path } = &error else { return Self::new(error.to_string()) };
        let path = path.as_deref().unwrap_or("null");
        let message = match ErrorCode::from_code(*code) {
            Some(ErrorCode::NoNode) => format!("Node does not exist: {path}"),
            Some(ErrorCode::NoChildrenForEphemerals) => format!("Ephemerals cannot have children: {path}"),
            Some(ErrorCode::NodeExists) => format!("Node already exists: {path}"),
            Some(ErrorCode::NotEmpty) => format!("Node not empty: {path}"),
            Some(ErrorCode::NotReadOnly) => format!("Not a read-only call: {path}"),
            Some(ErrorCode::InvalidAcl) => format!("Acl is not valid : {path}"),
            Some(ErrorCode::NoAuth) => format!("Insufficient permission : {path}"),
            Some(ErrorCode::BadArguments) => format!("Arguments are not valid : {path}"),
            Some(ErrorCode::BadVersion) => format!("version No is not valid : {path}"),
            Some(ErrorCode::ReconfigInProgress) => {
                "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)".into()
            }
            Some(ErrorCode::NewConfigNoQuorum) => "No quorum of new config is connected and up-to-date with \
                 the leader of last commmitted config - try invoking reconfiguration after new servers are \
                 connected and synced"
                .into(),
            Some(ErrorCode::QuotaExceeded) => format!("Quota has exceeded : {path}"),
            _ => error.to_string(),
        };
        Self { code: Some(*code), ..Self::new(message) }
    }
}

/// As Java's Date, in the time zone of this machine.
fn date(millis: i64) -> String {
    let time = Timestamp::from_millisecond(millis).unwrap_or_default();
    time.to_zoned(TimeZone::system()).strftime("%a %b %d %H:%M:%S %Z %Y").to_string()
}

fn stat_json(stat: &Stat) -> Value {
    json!({
        "czxid": stat.czxid,
        "mzxid": stat.mzxid,
        "pzxid": stat.pzxid,
        "ctime": stat.ctime,
        "mtime": stat.mtime,
        "version": stat.version,
        "cversion": stat.cversion,
        "aversion": stat.aversion,
        "ephemeralOwner": format!("0x{:x}", stat.ephemeral_owner),
        "dataLength": stat.data_length,
        "numChildren": stat.num_children,
    })
}

pub(super) fn base64(data: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(data)
}

pub(super) fn from_base64(text: &str) -> Result<Vec<u8>, Failure> {
    use ::base64::Engine as _;
    let decoded = ::base64::engine::general_purpose::STANDARD.decode(text);
    decoded.map_err(|error| Failure::new(format!("-b argument must be in base64: {error}")))
}

/// Names as a list.
pub(super) fn list(names: &[String]) -> String {
    format!("[{}]", names.join(", "))
}

/// Bytes in hexadecimal, with a frame around them, and their text.
pub(super) fn hex_dump(data: &[u8]) -> String {
    if data.is_empty() {
        return String::new();
    }
    let rule = format!("+--------+{}+{}+\n", "-".repeat(49), "-".repeat(16));
    let mut text = format!("{}+{}+\n{0}|", " ".repeat(9), "-".repeat(49));
    text.extend((0..16).map(|column| format!("  {column:x}")));
    text.push_str(" |\n");
    text.push_str(&rule);
    for (row, bytes) in data.chunks(16).enumerate() {
        let hex: String = bytes.iter().map(|byte| format!(" {byte:02x}")).collect();
        let shown = bytes.iter().map(|byte| if (0x20..0x7f).contains(byte) { *byte as char } else { '.' });
        text.push_str(&format!("|{:08x}|{hex:<48} |{:<16}|\n", row * 16, shown.collect::<String>()));
    }
    text + rule.trim_end()
}

/// An entry of an access control list, on two lines.
pub(super) fn acl_text(entry: &Acl) -> String {
    format!("'{},'{}\n: {}", entry.id.scheme, entry.id.id, permissions(entry.perms))
}

pub(super) fn acl_json(entry: &Acl) -> Value {
    json!({ "scheme": entry.id.scheme, "id": entry.id.id, "perms": permissions(entry.perms) })
}

fn permissions(bits: i32) -> String {
    let letters = [
        (Permissions::CREATE, 'c'),
        (Permissions::DELETE, 'd'),
        (Permissions::READ, 'r'),
        (Permissions::WRITE, 'w'),
        (Permissions::ADMIN, 'a'),
    ];
    letters.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, letter)| letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hex_dump_has_sixteen_bytes_a_line_and_their_text() {
        let expected = "         +-------------------------------------------------+\n         \
             |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n\
             +--------+-------------------------------------------------+----------------+\n\
             |00000000| 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 |0123456789abcdef|\n\
             |00000010| 00 ff                                           |..              |\n\
             +--------+-------------------------------------------------+----------------+";
        assert_eq!(hex_dump(b"0123456789abcdef\0\xff"), expected);
        assert_eq!(hex_dump(b""), "");
    }

    #[test]
    fn data_that_are_no_text_are_base64_in_json() {
        let object =
            |data: Option<&[u8]>| Value::from(Answer::default().data(data.map(Bytes::from).as_ref()).json);
        assert_eq!(object(Some(b"x")), json!({ "data": "x" }));
        assert_eq!(object(Some(b"\xff")), json!({ "dataBase64": "/w==" }));
        assert_eq!(object(None), json!({ "data": null }));
    }

    #[test]
    fn a_node_has_eleven_lines() {
        let stat = Stat { czxid: 0x1f, ephemeral_owner: -1, cversion: -2, ..Stat::default() };
        let answer = Answer::default().stat(&stat, true);
        let lines: Vec<_> = answer.text.lines().collect();
        assert_eq!(lines.len(), 11);
        assert_eq!(
            (lines[0], lines[5], lines[8]),
            ("cZxid = 0x1f", "cversion = -2", "ephemeralOwner = 0xffffffffffffffff")
        );
        assert!(
            lines[1].starts_with("ctime = ")
                && lines[1].len() >= "ctime = Thu Jan 01 00:00:00 UTC 1970".len()
        );
    }

    #[test]
    fn refusals_are_worded_as_zkcli_does() {
        let failure = |code: ErrorCode| Failure::from(Error::new(code.code(), "/a")).message;
        assert_eq!(failure(ErrorCode::NoNode), "Node does not exist: /a");
        assert_eq!(failure(ErrorCode::NoWatcher), "KeeperErrorCode = No such watcher for /a");
        let loss = Error::Keeper { code: Error::CONNECTION_LOSS, path: None };
        assert_eq!(Failure::from(loss).message, "KeeperErrorCode = ConnectionLoss");
    }
}
