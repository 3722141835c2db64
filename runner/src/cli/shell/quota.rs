//! The commands on quotas. A quota is two nodes that the client creates below `/zookeeper/quota`; the
//! server knows them by their names (client.md section 15).

use std::collections::BTreeMap;

use zabrus_core::wire::ErrorCode;

use super::acl;
use super::answer::{Answer, Failure};
use super::nodes::{node, visit};
use super::options::Parsed;
use crate::client::{Client, CreateMode, Error};

const ROOT: &str = "/zookeeper/quota";
const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// Options, and the keys that they are for.
const KEYS: [(&str, &str); 4] =
    [("n", "count"), ("b", "bytes"), ("N", "countHardLimit"), ("B", "byteHardLimit")];

/// Limits, or what is used of them. What is not there is -1.
#[derive(Debug, Default, PartialEq, Eq)]
struct Track(BTreeMap<String, i64>);

impl Track {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let pairs = text.split([',', ';']).filter_map(|pair| pair.split_once('='));
        // A key may end with a `=` that means nothing, for old servers.
        let number = |value: &str| value.trim_end_matches('=').parse().unwrap_or(-1);
        Self(pairs.map(|(key, value)| (key.to_owned(), number(value))).collect())
    }

    fn get(&self, key: &str) -> i64 {
        self.0.get(key).copied().unwrap_or(-1)
    }

    fn set(&mut self, key: &str, value: i64) {
        self.0.insert(key.to_owned(), value);
    }

    fn text(&self) -> String {
        let mut text = format!("count={},bytes={}", self.get("count"), self.get("bytes"));
        let mut others =
            self.0.iter().filter(|(key, _)| !matches!(key.as_str(), "count" | "bytes")).peekable();
        if others.peek().is_some() {
            text.push('=');
        }
        others.for_each(|(key, value)| text.push_str(&format!(";{key}={value}")));
        text
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!(self.0)
    }

    /// Of which of the two the limits are already exceeded.
    fn warnings(&self, used: &Self) -> Vec<String> {
        let exceeded = |soft: &str, hard: &str| {
            let used = used.get(soft);
            [soft, hard].iter().map(|key| self.get(key)).any(|limit| limit > -1 && limit < used)
        };
        let mut warnings = Vec::new();
        if exceeded("count", "countHardLimit") {
            let count = used.get("count");
            warnings.push(format!(
                "[Warning]: the count quota you create is less than the existing count:{count}"
            ));
        }
        if exceeded("bytes", "byteHardLimit") {
            let bytes = used.get("bytes");
            warnings.push(format!(
                "[Warning]: the bytes quota you create is less than the existing bytes:{bytes}"
            ));
        }
        warnings
    }
}

fn track(client: &Client, path: &str) -> Result<Track, Error> {
    Ok(Track::parse(client.data(path, false)?.data.as_deref().unwrap_or_default()))
}

fn limits_of(path: &str) -> String {
    format!("{ROOT}{path}/{LIMITS}")
}

fn stats_of(path: &str) -> String {
    format!("{ROOT}{path}/{STATS}")
}

pub(super) fn list(client: &Client, parsed: &Parsed) -> Result<Answer, Failure> {
    let path = node(parsed);
    let answer = Answer::default().aside(format!("absolute path is {}", limits_of(path)));
    let found =
        track(client, &limits_of(path)).and_then(|limits| Ok((limits, track(client, &stats_of(path))?)));
    match found {
        Ok((limits, used)) => Ok(answer
            .line(format!("Output quota for {path} {}", limits.text()))
            .line(format!("Output stat for {path} {}", used.text()))
            .field("quota", limits.json())
            .field("stat", used.json())),
        Err(error) if error.is(ErrorCode::NoNode) => {
            Ok(answer.aside(format!("quota for {path} does not exist.")).field("quota", None::<()>))
        }
        Err(error) => Err(answer.failure(error)),
    }
}

pub(super) fn set(client: &Client, parsed: &Parsed) -> Result<Answer, Failure> {
    let path = node(parsed);
    if path.starts_with(ROOT) {
        return Err(Failure::new(format!("cannot set a quota under the path: {ROOT}")));
    }
    let (key, limit) = wanted(parsed)?;
    if client.exists(path, false)?.is_none() {
        return Err(Failure::new(format!("{path} does not exist.")));
    }
    refuse_nested(client, path)?;
    let mut above = ROOT.to_owned();
    for name in path.split('/').skip(1) {
        above = format!("{above}/{name}");
        ensure(client, &above, None)?;
    }
    let mut limits = Track::default();
    match track(client, &limits_of(path)) {
        Ok(found) => {
            limits = found;
            limits.set(key, limit);
            client.set_data(&limits_of(path), limits.text().as_bytes(), -1)?;
        }
        Err(error) if error.is(ErrorCode::NoNode) => {
            KEYS.iter().for_each(|(_, key)| limits.set(key, -1));
            limits.set(key, limit);
            ensure(client, &limits_of(path), Some(limits.text().as_bytes()))?;
        }
        Err(error) => return Err(error.into()),
    }
    // The server counts what is there as soon as the node is.
    ensure(client, &stats_of(path), Some(b"count=0,bytes=0"))?;
    let warnings = limits.warnings(&track(client, &stats_of(path))?);
    Ok(warnings
        .iter()
        .fold(Answer::default(), Answer::line)
        .field("quota", limits.json())
        .field("warnings", warnings))
}

/// The limit that is to be set. The table of commands says that there is one.
fn wanted(parsed: &Parsed) -> Result<(&'static str, i64), Failure> {
    let found = KEYS.iter().find_map(|(option, key)| Some((*key, parsed.value(option)?)));
    let (key, text) = found.unwrap_or(("count", ""));
    let is_count = key.starts_with("count");
    let wrong = "NumberFormatException happens when parsing the option value";
    let limit: i64 = text.parse().map_err(|_| Failure::new(wrong))?;
    match limit {
        _ if is_count && i32::try_from(limit).is_err() => Err(Failure::new(wrong)),
        ..1 if is_count => Err(Failure::new("the num quota must be greater than zero")),
        ..0 => Err(Failure::new("the bytes quota must be greater than or equal to zero")),
        _ => Ok((key, limit)),
    }
}

/// Quotas within quotas do not work: only the nearest one counts.
fn refuse_nested(client: &Client, path: &str) -> Result<(), Failure> {
    let own = format!("{ROOT}{path}");
    let mut nodes = Vec::new();
    match visit(client, &own, false, &mut |node| nodes.push(node.to_owned())) {
        Err(error) if !error.is(ErrorCode::NoNode) => return Err(error.into()),
        _ => {}
    }
    let limits = nodes.iter().filter_map(|node| node.strip_suffix(LIMITS)?.strip_suffix('/'));
    if let Some(below) = limits.filter(|node| *node != own).find_map(|node| node.strip_prefix(ROOT)) {
        return Err(Failure::new(format!("{path} has a child {below} which has a quota")));
    }
    let above = path.match_indices('/').skip(1).map(|(end, _)| &path[..end]);
    for above in above {
        if client.exists(&limits_of(above), false)?.is_some() {
            return Err(Failure::new(format!("{path} has a parent {above} which has a quota")));
        }
    }
    Ok(())
}

fn ensure(client: &Client, path: &str, data: Option<&[u8]>) -> Result<(), Error> {
    match client.create(path, data, acl::open(), CreateMode::Persistent, false) {
        Err(error) if !error.is(ErrorCode::NodeExists) => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn delete(client: &Client, parsed: &Parsed) -> Result<Answer, Failure> {
    let path = node(parsed);
    if client.exists(&limits_of(path), false)?.is_none() {
        return Ok(Answer::default().line(format!("Quota does not exist for {path}")));
    }
    if let Some((_, key)) = KEYS.iter().find(|(option, _)| parsed.has(option)) {
        let mut limits = track(client, &limits_of(path))?;
        limits.set(key, -1);
        client.set_data(&limits_of(path), limits.text().as_bytes(), -1)?;
        return Ok(Answer::default());
    }
    let mut above = format!("{ROOT}{path}");
    for child in client.children(&above, false)?.children {
        client.delete(&format!("{above}/{child}"), -1)?;
    }
    // Then what is empty now, up to the root of all quotas.
    while above != ROOT && client.children(&above, false)?.children.is_empty() {
        client.delete(&above, -1)?;
        above.truncate(above.rfind('/').unwrap_or(0));
    }
    Ok(Answer::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_old_servers_can_read_them() {
        let text = "count=3,bytes=-1=;byteHardLimit=2;countHardLimit=100";
        let track = Track::parse(text.as_bytes());
        assert_eq!((track.get("count"), track.get("bytes"), track.get("byteHardLimit")), (3, -1, 2));
        assert_eq!(track.text(), text);
        assert_eq!(Track::parse(b"count=5,bytes=").text(), "count=5,bytes=-1");
    }

    #[test]
    fn limits_that_are_exceeded_already_are_a_warning() {
        let used = Track::parse(b"count=5,bytes=25");
        let warnings = |limits: &str| Track::parse(limits.as_bytes()).warnings(&used).len();
        assert_eq!(warnings("count=4,bytes=24"), 2);
        assert_eq!(warnings("count=5,bytes=-1=;byteHardLimit=3"), 1);
        assert_eq!(warnings("count=5,bytes=25"), 0);
    }
}
