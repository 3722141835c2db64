//! The commands on watches.

use super::answer::{Answer, Failure};
use super::command::Command;
use super::nodes::node;
use super::options::Parsed;
use crate::client::{Client, WatcherType};

pub(super) fn add(client: &Client, parsed: &Parsed) -> Result<Answer, Failure> {
    let wrong = || Command::named("addWatch").expect("it is in the table").wrong_usage();
    let recursive = match parsed.value("m").map(str::to_uppercase).as_deref() {
        None | Some("PERSISTENT_RECURSIVE") => true,
        Some("PERSISTENT") => false,
        Some(_) => return Err(wrong()),
    };
    if parsed.word(2).is_some() {
        return Err(wrong());
    }
    client.add_watch(node(parsed), recursive)?;
    Ok(Answer::default())
}

pub(super) fn remove(client: &Client, parsed: &Parsed) -> Result<Answer, Failure> {
    let kinds = [
        ("c", WatcherType::Children),
        ("d", WatcherType::Data),
        ("p", WatcherType::Persistent),
        ("r", WatcherType::PersistentRecursive),
    ];
    let which = kinds.iter().find(|(name, _)| parsed.has(name)).map_or(WatcherType::Any, |(_, which)| *which);
    client.remove_watches(node(parsed), which, parsed.has("l"))?;
    Ok(Answer::default())
}
