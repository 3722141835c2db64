//! Takes the keys of a zoo.cfg one by one, and keeps what an operator should know about each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use crate::properties::Entry;

/// How much a remark matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// What a line means.
    Note,
    /// A line does not do what its author may expect.
    Warning,
    /// A line gives up a guarantee.
    Danger,
    /// The file cannot be used.
    Error,
}

/// Something to know about the file or one of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    /// `None` if it is about something that is missing.
    pub(crate) line: Option<usize>,
    pub(crate) severity: Severity,
    pub(crate) text: String,
}

/// The keys that nobody has taken yet, and the remarks so far.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    rest: BTreeMap<String, Entry>,
    /// The keys that somebody asked for.
    asked: BTreeSet<String>,
    pub(crate) remarks: Vec<Remark>,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Danger => "DANGER",
            Self::Error => "ERROR",
        })
    }
}

impl Keys {
    /// Of several entries with one key the last counts.
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        let mut keys = Self::default();
        for entry in entries {
            let (key, line) = (entry.key.clone(), entry.line);
            if let Some(earlier) = keys.rest.insert(entry.key.clone(), entry) {
                let text = format!("{key} stands again on line {line}, which counts");
                keys.remark(Some(earlier.line), Severity::Warning, text);
            }
        }
        keys
    }

    pub(crate) fn remark(&mut self, line: Option<usize>, severity: Severity, text: impl Into<String>) {
        self.remarks.push(Remark { line, severity, text: text.into() });
    }

    /// A remark on a line.
    pub(crate) fn note(&mut self, entry: &Entry, text: impl Into<String>) {
        self.remark(Some(entry.line), Severity::Note, text);
    }

    /// An error on a line.
    pub(crate) fn error(&mut self, entry: &Entry, text: impl Into<String>) {
        self.remark(Some(entry.line), Severity::Error, text);
    }

    /// The line of `key`, if it is there and not taken.
    pub(crate) fn line(&self, key: &str) -> Option<usize> {
        self.rest.get(key).map(|entry| entry.line)
    }

    /// The entry of `key`, which is taken then.
    pub(crate) fn take(&mut self, key: &str) -> Option<Entry> {
        self.asked.insert(key.to_owned());
        self.rest.remove(key)
    }

    /// The entries `prefix` + number, in the order of the numbers; they are taken then.
    pub(crate) fn take_numbered(&mut self, prefix: &str) -> Vec<(u64, Entry)> {
        let keys: Vec<_> = self.rest.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
        let mut numbered = Vec::new();
        for key in keys {
            let Some(entry) = self.take(&key) else { continue };
            match key[prefix.len()..].parse() {
                Ok(number) => numbered.push((number, entry)),
                Err(_) => {
                    self.error(&entry, format!("`{key}`: `{prefix}` must be followed by a server's id"))
                }
            }
        }
        numbered.sort_by_key(|(number, _)| *number);
        numbered
    }

    /// The key that somebody asked for and that is written as `key` but for upper and lower case.
    pub(crate) fn similar(&self, key: &str) -> Option<&str> {
        self.asked.iter().map(String::as_str).find(|asked| asked.eq_ignore_ascii_case(key))
    }

    /// Another entry, from another file. Of several with one key the last counts.
    pub(crate) fn add(&mut self, entry: Entry) {
        self.rest.insert(entry.key.clone(), entry);
    }

    /// All whose keys are `of_interest`; they are taken then.
    pub(crate) fn take_all(&mut self, of_interest: impl Fn(&str) -> bool) -> Vec<Entry> {
        self.rest.extract_if(.., |key, _| of_interest(key)).map(|(_, entry)| entry).collect()
    }

    /// All that is left.
    pub(crate) fn take_rest(&mut self) -> impl Iterator<Item = Entry> + use<> {
        std::mem::take(&mut self.rest).into_values()
    }

    /// Takes the key if its value is -1, which stands for the default.
    pub(crate) fn take_unset(&mut self, key: &str) {
        if self.rest.get(key).is_some_and(|entry| entry.value == "-1")
            && let Some(entry) = self.take(key)
        {
            self.note(&entry, "as if it were not set");
        }
    }

    /// A whole number, or `default`. `meaning` explains the line.
    pub(crate) fn number(
        &mut self,
        key: &str,
        default: u64,
        range: RangeInclusive<u64>,
        meaning: impl Fn(u64) -> String,
    ) -> u64 {
        let Some(entry) = self.take(key) else { return default };
        match parse_number(&entry.value).filter(|number| range.contains(number)) {
            Some(number) => {
                self.note(&entry, meaning(number));
                number
            }
            None => {
                let (low, high) = (range.start(), range.end());
                let text = format!(
                    "{key} must be a number from {low} to {high}, not `{}`; ZooKeeper's default is {default}",
                    entry.value
                );
                self.error(&entry, text);
                default
            }
        }
    }

    /// True or false, or `default`. Two words say true and false.
    pub(crate) fn switch(&mut self, key: &str, default: bool, words: [&str; 2], meanings: [&str; 2]) -> bool {
        let Some(entry) = self.take(key) else { return default };
        let Some(index) = words.iter().position(|word| word.eq_ignore_ascii_case(&entry.value)) else {
            let text = format!("{key} must be `{}` or `{}`, not `{}`", words[0], words[1], entry.value);
            self.error(&entry, text);
            return default;
        };
        self.note(&entry, meanings[index]);
        index == 0
    }
}

/// Decimal, or hexadecimal after `0x` as Java's system properties allow it.
fn parse_number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
