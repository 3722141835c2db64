//! The commands on nodes.

use std::path::Path;

use zabrus_core::wire::{ErrorCode, OpCode, Stat};

use super::acl;
use super::answer::{Answer, Failure, acl_json, acl_text, base64, from_base64, hex_dump, list};
use super::command::Command;
use super::options::Parsed;
use crate::client::{Client, CreateMode, Error, Reconfig};
use crate::properties;

type Outcome = Result<Answer, Failure>;

/// The longest time to live, in milliseconds (client.md section 12).
const LONGEST_TTL: i64 = (1 << 40) - 1;

/// How many batches of deletes may be on their way.
const BATCHES_AHEAD: usize = 10;

/// The node. The table of commands says that there is one.
pub(super) fn node(parsed: &Parsed) -> &str {
    parsed.word(1).unwrap_or_default()
}

/// Whether the option is there, or the word that stood for it before there were options.
fn watch(parsed: &Parsed, advice: &str) -> (bool, Answer) {
    match parsed.word(2) {
        Some(_) => {
            let command = parsed.words[0].as_str();
            let line = format!(
                "'{command} path [watch]' has been deprecated. Please use '{command} {advice} path' instead."
            );
            (true, Answer::default().aside(line))
        }
        None => (parsed.has("w"), Answer::default()),
    }
}

fn version(parsed: &Parsed) -> Result<i32, Failure> {
    let wrong = |_| Failure::new("-v argument must be an int value");
    parsed.value("v").map_or(Ok(-1), |text| text.parse().map_err(wrong))
}

pub(super) fn ls(client: &Client, parsed: &Parsed) -> Outcome {
    let path = node(parsed);
    let (watch, answer) = watch(parsed, "[-w]");
    if parsed.has("R") {
        let mut paths = Vec::new();
        let visited = visit(client, path, watch, &mut |path| paths.push(path.to_owned()));
        let answer = paths.iter().fold(answer, Answer::line).field("paths", paths);
        return visited.map_err(|error| answer.failure(error)).map(|()| answer);
    }
    let found = client.children(path, watch).map_err(|error| answer.failure(error))?;
    let answer = answer.line(list(&found.children)).field("children", found.children);
    Ok(answer.stat(&found.stat, parsed.has("s")))
}

/// Calls `see` for a node and all below it, in the order in which zkCli shows them: the children of a
/// node, and then what is below each.
pub(super) fn visit(
    client: &Client,
    path: &str,
    watch: bool,
    see: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    client.data(path, watch)?;
    see(path);
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        let children = match client.children(&path, watch) {
            Ok(found) => found.children,
            // It was deleted in between.
            Err(error) if error.is(ErrorCode::NoNode) => continue,
            Err(error) => return Err(error),
        };
        let paths: Vec<_> = children.iter().map(|name| child(&path, name)).collect();
        paths.iter().for_each(|path| see(path));
        waiting.extend(paths.into_iter().rev());
    }
    Ok(())
}

fn child(path: &str, name: &str) -> String {
    if path == "/" { format!("/{name}") } else { format!("{path}/{name}") }
}

pub(super) fn get(client: &Client, parsed: &Parsed) -> Outcome {
    let (watch, answer) = watch(parsed, "[-s] [-w]");
    let found = client.data(node(parsed), watch).map_err(|error| answer.failure(error))?;
    let bytes = found.data.as_deref().unwrap_or(b"null");
    let text = if parsed.has("x") {
        hex_dump(bytes)
    } else if parsed.has("b") {
        base64(bytes)
    } else {
        String::from_utf8_lossy(bytes).into_owned()
    };
    Ok(answer.line(text).data(found.data.as_ref()).stat(&found.stat, parsed.has("s")))
}

pub(super) fn set(client: &Client, parsed: &Parsed) -> Outcome {
    let data = parsed.word(2).unwrap_or_default();
    let data = if parsed.has("b") { from_base64(data)? } else { data.as_bytes().to_vec() };
    let stat = client.set_data(node(parsed), &data, version(parsed)?)?;
    Ok(Answer::default().stat(&stat, parsed.has("s")))
}

pub(super) fn create(client: &Client, parsed: &Parsed) -> Outcome {
    let refuse = |why: &str| Err(Failure::new(why));
    let [sequential, ephemeral, container] = ["s", "e", "c"].map(|name| parsed.has(name));
    if container && (ephemeral || sequential) {
        return refuse("-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.");
    }
    let mode = match parsed.value("t").map(str::parse) {
        Some(Err(_)) => return refuse("-t argument must be a long value"),
        Some(Ok(_)) if ephemeral => return refuse("TTLs cannot be used with Ephemeral znodes"),
        Some(Ok(_)) if container => return refuse("TTLs cannot be used with Container znodes"),
        Some(Ok(ttl)) if (1..=LONGEST_TTL).contains(&ttl) => CreateMode::Ttl(ttl),
        Some(Ok(_)) => {
            return refuse(&format!("ttl must be positive and cannot be larger than: {LONGEST_TTL}"));
        }
        None if ephemeral => CreateMode::Ephemeral,
        None if container => CreateMode::Container,
        None => CreateMode::Persistent,
    };
    let (acl, complaints) = parsed.word(3).map_or_else(|| (acl::open(), Vec::new()), acl::parse);
    let answer = complaints.iter().fold(Answer::default(), Answer::aside);
    let result = if acl.is_empty() {
        Err(empty_acl())
    } else {
        client.create(node(parsed), parsed.word(2).map(str::as_bytes), acl, mode, sequential)
    };
    let path = result.map_err(|error| {
        // zkCli says this twice.
        let twice = error.is(ErrorCode::InvalidAcl).then(|| error.to_string());
        twice.iter().fold(answer.clone(), Answer::aside).failure(error)
    })?;
    Ok(answer.aside(format!("Created {path}")).field("path", path))
}

/// For a list without entries. ZooKeeper's clients do not even send it.
fn empty_acl() -> Error {
    Error::Keeper { code: ErrorCode::InvalidAcl.code(), path: None }
}

pub(super) fn delete(client: &Client, parsed: &Parsed) -> Outcome {
    let (answer, version) = match parsed.word(2) {
        // zkCli forgets this version, which somebody typed to be safe.
        Some(text) => {
            let wrong = |_| Failure::new("the version must be an int value");
            let line =
                "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.";
            (Answer::default().aside(line), text.parse().map_err(wrong)?)
        }
        None => (Answer::default(), version(parsed)?),
    };
    client.delete(node(parsed), version).map_err(|error| answer.failure(error))?;
    Ok(answer)
}

pub(super) fn delete_all(client: &Client, parsed: &Parsed) -> Outcome {
    let wrong = |_| Failure::new("-b argument must be an int value");
    let batch: i32 = parsed.value("b").map_or(Ok(1_000), |text| text.parse().map_err(wrong))?;
    let mut paths = vec![node(parsed).to_owned()];
    let mut next = 0;
    while let Some(path) = paths.get(next) {
        let children = client.children(path, false)?.children;
        let below: Vec<_> = children.iter().map(|name| child(path, name)).collect();
        paths.extend(below);
        next += 1;
    }
    // What is below goes first.
    paths.reverse();
    let count = paths.len();
    match usize::try_from(batch) {
        Ok(batch) if batch > 0 => {
            let mut on_their_way = std::collections::VecDeque::new();
            let mut batches = paths.chunks(batch);
            loop {
                while on_their_way.len() < BATCHES_AHEAD
                    && let Some(batch) = batches.next()
                {
                    on_their_way.push_back(client.delete_all(batch));
                }
                let Some(first) = on_their_way.pop_front() else { break };
                if first.wait()?.op != OpCode::Delete.code() {
                    return Err(Failure::new("Failed to delete some node(s) in the subtree!"));
                }
            }
        }
        _ => paths.iter().try_for_each(|path| client.delete(path, -1))?,
    }
    Ok(Answer::default().field("deleted", count))
}

pub(super) fn stat(client: &Client, parsed: &Parsed) -> Outcome {
    let (watch, answer) = watch(parsed, "[-w]");
    let path = node(parsed);
    let missing = || Error::new(ErrorCode::NoNode.code(), path);
    let stat: Result<Stat, Error> = client.exists(path, watch).and_then(|stat| stat.ok_or_else(missing));
    let stat = stat.map_err(|error| answer.failure(error))?;
    Ok(answer.stat(&stat, true))
}

pub(super) fn sync(client: &Client, parsed: &Parsed) -> Outcome {
    client.sync(node(parsed))?;
    Ok(Answer::default().line("Sync is OK"))
}

pub(super) fn get_acl(client: &Client, parsed: &Parsed) -> Outcome {
    let found = client.acl(node(parsed))?;
    let answer = found.acl.iter().fold(Answer::default(), |answer, entry| answer.line(acl_text(entry)));
    let entries: Vec<_> = found.acl.iter().map(acl_json).collect();
    Ok(answer.field("acl", entries).stat(&found.stat, parsed.has("s")))
}

pub(super) fn set_acl(client: &Client, parsed: &Parsed) -> Outcome {
    let (acl, complaints) = acl::parse(parsed.word(2).unwrap_or_default());
    let answer = complaints.iter().fold(Answer::default(), Answer::aside);
    if acl.is_empty() {
        return Err(answer.failure(empty_acl()));
    }
    let (path, version) = (node(parsed), version(parsed)?);
    if !parsed.has("R") {
        let stat = client.set_acl(path, acl, version)?;
        return Ok(answer.stat(&stat, parsed.has("s")));
    }
    let mut paths = Vec::new();
    visit(client, path, false, &mut |path| paths.push(path.to_owned()))?;
    let mut refusals = Vec::new();
    for path in &paths {
        if let Err(error) = client.set_acl(path, acl.clone(), version) {
            refusals.push(error.to_string());
        }
    }
    if refusals.is_empty() {
        return Ok(answer);
    }
    Err(Failure { before: answer, ..Failure::new(refusals.join("\n")) })
}

pub(super) fn add_auth(client: &Client, parsed: &Parsed) -> Outcome {
    client.add_auth(node(parsed), parsed.word(2).map(str::as_bytes));
    Ok(Answer::default())
}

pub(super) fn who_am_i(client: &Client, _: &Parsed) -> Outcome {
    let identities = client.who_am_i()?;
    let answer = Answer::default().line("Auth scheme: User");
    let answer =
        identities.iter().fold(answer, |answer, (scheme, user)| answer.line(format!("{scheme}: {user}")));
    let identities: Vec<_> = identities
        .into_iter()
        .map(|(scheme, user)| serde_json::json!({ "scheme": scheme, "user": user }))
        .collect();
    Ok(answer.field("identities", identities))
}

pub(super) fn ephemerals(client: &Client, parsed: &Parsed) -> Outcome {
    let paths = client.ephemerals(parsed.word(1).unwrap_or("/"))?;
    Ok(Answer::default().line(list(&paths)).field("paths", paths))
}

pub(super) fn all_children_number(client: &Client, parsed: &Parsed) -> Outcome {
    let number = client.all_children_number(node(parsed))?;
    Ok(Answer::default().line(number.to_string()).field("number", number))
}

pub(super) fn config(client: &Client, parsed: &Parsed) -> Outcome {
    let found = client.config(parsed.has("w"))?;
    let text = found.data.as_deref().map_or("null".into(), String::from_utf8_lossy);
    let text = if parsed.has("c") { client_addresses(&text) } else { text.into_owned() };
    Ok(Answer::default().line(&text).field("config", text).stat(&found.stat, parsed.has("s")))
}

/// The version, and where clients connect to.
fn client_addresses(config: &str) -> String {
    let lines = || config.lines().filter_map(|line| line.split_once('='));
    let version = lines().find(|(key, _)| *key == "version").map_or("", |(_, version)| version);
    let servers = lines().filter(|(key, _)| key.starts_with("server."));
    let addresses: Vec<_> = servers
        .filter_map(|(_, server)| server.split_once(';'))
        .map(|(_, client)| if client.contains(':') { client.to_owned() } else { format!("0.0.0.0:{client}") })
        .collect();
    format!("{version} {}", addresses.join(","))
}

pub(super) fn reconfig(client: &Client, parsed: &Parsed) -> Outcome {
    let [file, members, add, remove] = ["file", "members", "add", "remove"].map(|name| parsed.value(name));
    let (is_whole, is_change) = (file.or(members).is_some(), add.or(remove).is_some());
    if !is_whole && !is_change {
        return Err(Command::named("reconfig").expect("it is in the table").wrong_usage());
    }
    let wrong = |_| Failure::new("-v must be followed by a long (configuration version)");
    let version = parsed.value("v").map_or(Ok(-1), |text| i64::from_str_radix(text, 16).map_err(wrong))?;
    if is_whole && is_change {
        return Err(Failure::new(
            "Can't use -file or -members together with -add or -remove (mixing incremental and \
             non-incremental modes is not allowed)",
        ));
    }
    if file.is_some() && members.is_some() {
        return Err(Failure::new(
            "Can't use -file and -members together (conflicting non-incremental modes)",
        ));
    }
    let members = match file {
        Some(file) => Some(members_in(Path::new(file))?),
        None => members.map(str::to_lowercase),
    };
    let [joining, leaving] = [add, remove].map(|list| list.map(str::to_lowercase));
    let found = client.reconfig(&Reconfig { joining, leaving, members, version })?;
    let config = String::from_utf8_lossy(found.data.as_deref().unwrap_or_default()).into_owned();
    let answer = Answer::default().line(format!("Committed new configuration:\n{config}"));
    Ok(answer.field("config", config).stat(&found.stat, parsed.has("s")))
}

/// The lines of a file that say who belongs to the ensemble.
fn members_in(file: &Path) -> Result<String, Failure> {
    let wrong =
        |why: &dyn std::fmt::Display| Failure::new(format!("Error processing {}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    let is_member = |key: &str| ["server.", "group.", "weight."].iter().any(|begin| key.starts_with(begin));
    let entries = properties::parse(&text).map_err(|error| wrong(&error))?;
    let lines = entries.iter().filter(|entry| is_member(&entry.key));
    let lines: Vec<_> = lines.map(|entry| format!("{}={}", entry.key, entry.value)).collect();
    if lines.is_empty() {
        return Err(wrong(&"it names no server"));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_for_clients_stand_behind_the_semicolons() {
        let config = "server.1=a:1:2:participant;b:3\nserver.2=c:1:2:observer;4\nserver.3=d:1:2\nversion=1f";
        assert_eq!(client_addresses(config), "1f b:3,0.0.0.0:4");
        assert_eq!(client_addresses(""), " ");
    }
}
