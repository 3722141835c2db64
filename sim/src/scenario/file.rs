//! A scenario file: TOML that opens with the story in comments.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};
use toml::Spanned;
use zabrus_core::config::ElectionAlgorithm;
use zabrus_core::quorum::Ensemble;
use zabrus_core::{ConfigError, Duration, Instant, ServerId};

use super::sentence::Sentence;
use super::{Action, Condition, Holding, Mistake, Scenario, ScenarioError, Step, Wait};
use crate::settings::{LoadSettings, NetworkSettings, ServiceChoices, Settings, Transport};
use crate::units;

/// How long a `when` waits unless told.
const DEFAULT_LIMIT: Duration = Duration::from_seconds(60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    servers: Spanned<u64>,
    #[serde(default)]
    observers: u64,
    /// They are no members at first, and follow all others.
    #[serde(default)]
    joiners: u64,
    groups: Option<Spanned<Vec<Spanned<String>>>>,
    weights: Option<Spanned<BTreeMap<Spanned<String>, u32>>>,
    #[serde(default)]
    bugs: Vec<String>,
    #[serde(default)]
    kills: Vec<Spanned<String>>,
    start: Option<Spanned<String>>,
    recovers: Option<bool>,
    settings: Option<Spanned<ServerSettings>>,
    #[serde(default)]
    network: Network,
    #[serde(default)]
    disk: Disk,
    load: Option<Load>,
    step: Vec<Spanned<StepFile>>,
}

/// What the servers' configuration changes; the rest is the simulator's default.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerSettings {
    tick_time: Option<Span>,
    init_limit: Option<u32>,
    sync_limit: Option<u32>,
    sync_window: Option<usize>,
    disk_sync_percent: Option<u32>,
    snapshot_interval: Option<u64>,
    segment_bytes: Option<u64>,
    chunk_bytes: Option<usize>,
    counter_limit: Option<u32>,
    election: Option<Election>,
    link_checks: Option<bool>,
    local_sessions: Option<bool>,
    read_only_mode: Option<bool>,
    reconfig: Option<bool>,
    standalone: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Election {
    Fast,
    Basic,
    External,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    latency: Option<Between>,
    datagrams: Option<bool>,
    loss_per_mille: Option<u32>,
    duplicate_per_mille: Option<u32>,
    reorder_per_mille: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Disk {
    write: Option<Between>,
    sync: Option<Between>,
    names_reorder: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Load {
    clients: u32,
    interval: Option<Between>,
    keys: Option<u32>,
    value_bytes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepFile {
    at: Option<Spanned<Span>>,
    after: Option<Spanned<Span>>,
    when: Option<Spanned<Sentences>>,
    limit: Option<Spanned<Span>>,
    #[serde(rename = "do")]
    actions: Option<Spanned<Sentences>>,
    expect: Option<Spanned<Sentences>>,
    within: Option<Spanned<Span>>,
    #[serde(rename = "for")]
    lasting: Option<Spanned<Span>>,
}

/// One sentence or a list of them.
enum Sentences {
    One(String),
    Many(Vec<Spanned<String>>),
}

/// A span of time, as a string.
#[derive(Clone, Copy)]
struct Span(Duration);

/// One span of time, or a smallest and a largest one: `1ms..5ms`.
#[derive(Clone, Copy)]
struct Between(u64, u64);

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        units::parse_duration(text).map(Self)
    }
}

impl FromStr for Between {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let (least, most) = (units::parse_duration(least)?, units::parse_duration(most)?);
        if least <= most { Ok(Self(least.0, most.0)) } else { Err(format!("`{text}` ends before it begins")) }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

impl<'de> Deserialize<'de> for Between {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

fn from_text<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

impl<'de> Deserialize<'de> for Sentences {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Sentences;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sentence, or a list of sentences")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Sentences, E> {
                Ok(Sentences::One(text.into()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Sentences, A::Error> {
                let mut sentences = Vec::new();
                while let Some(sentence) = list.next_element()? {
                    sentences.push(sentence);
                }
                Ok(Sentences::Many(sentences))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Scenario {
    /// Reads the text of a scenario file. `path` is for complaints.
    ///
    /// # Errors
    /// The first mistake in it, with its place.
    pub fn parse(name: &str, path: &str, text: &str) -> Result<Self, ScenarioError> {
        Reader { text }.scenario(name, path).map_err(|mistake| ScenarioError::new(path, text, &mistake))
    }
}

struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn scenario(&self, name: &str, path: &str) -> Result<Scenario, Mistake> {
        let story = self.story()?;
        let file: File = toml::from_str(self.text).map_err(|error| Mistake {
            span: error.span().unwrap_or(0..0),
            message: error.message().replace('\n', ", "),
        })?;
        let settings = file.settings(self.ensemble(&file)?);
        let servers: Vec<_> = settings.servers().collect();
        settings.config(servers[0], true).validate().map_err(|error| {
            let place = match (&error, &file.settings) {
                (ConfigError::OutOfRange { .. }, Some(settings)) => settings.span(),
                _ => file.servers.span(),
            };
            Mistake { span: place, message: error.to_string() }
        })?;
        let start = match &file.start {
            None => servers.clone(),
            Some(text) => self.start(text, &servers)?,
        };
        let steps = file.step.iter().map(|step| self.step(step, &servers)).collect::<Result<_, _>>()?;
        let kills = file.kills.into_iter().map(mutant).collect::<Result<_, _>>()?;
        let (name, path, bugs) = (name.into(), path.into(), file.bugs);
        Ok(Scenario { name, path, story, bugs, kills, settings, start, steps })
    }

    /// The comments at the top.
    fn story(&self) -> Result<String, Mistake> {
        let lines = self.text.lines().map_while(|line| line.strip_prefix('#'));
        let story: Vec<_> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
        if story.first().is_none_or(|title| title.is_empty()) {
            let message = "a scenario opens with its story; expected `# ` and a title".into();
            return Err(Mistake { span: 0..0, message });
        }
        Ok(story.join("\n"))
    }

    fn start(&self, text: &Spanned<String>, servers: &[ServerId]) -> Result<Vec<ServerId>, Mistake> {
        let mut s = Sentence::new(text.get_ref(), self.offset(&text.span(), text.get_ref()));
        let start = match s.take_any(&["all", "none"]) {
            Some(0) => servers.to_vec(),
            Some(_) => Vec::new(),
            None => s.servers().map_err(|mistake| Mistake {
                message: mistake.message.replace("the number of a server", "`all`, `none` or server numbers"),
                ..mistake
            })?,
        };
        s.finish()?;
        exist(&start, servers, &text.span())?;
        Ok(start)
    }

    fn step(&self, step: &Spanned<StepFile>, servers: &[ServerId]) -> Result<Step, Mistake> {
        let refuse = |span: Range<usize>, message: &str| Err(Mistake { span, message: message.into() });
        let (line, span) = (self.text[..step.span().start].matches('\n').count() + 1, step.span());
        let step = step.get_ref();
        let conditions = |sentences: &Option<Spanned<Sentences>>| {
            self.sentences(sentences.as_ref(), servers, Condition::parse, Condition::named)
        };
        let action = |text: &str, offset| Action::parse(&mut Sentence::new(text, offset));
        let actions = self.sentences(step.actions.as_ref(), servers, action, Action::named)?;
        let expected = conditions(&step.expect)?;
        if let (Some(limit), None) = (&step.limit, &step.when) {
            return refuse(limit.span(), "`limit` belongs to `when`, which this step does not have");
        }
        let wait = match (&step.at, &step.after, &step.when) {
            (Some(at), None, None) => Wait::At(Instant(at.get_ref().0.0)),
            (None, after, None) => {
                Wait::After(after.as_ref().map_or(Duration::ZERO, |after| after.get_ref().0))
            }
            (None, None, when @ Some(_)) => Wait::When {
                conditions: conditions(when)?,
                limit: step.limit.as_ref().map_or(DEFAULT_LIMIT, |limit| limit.get_ref().0),
            },
            _ => {
                return refuse(
                    span,
                    "a step waits for one thing; expected only one of `at`, `after`, `when`",
                );
            }
        };
        let holding = match (&step.within, &step.lasting) {
            (None, None) => Holding::Now,
            (Some(within), None) => Holding::Within(within.get_ref().0),
            (None, Some(lasting)) => Holding::For(lasting.get_ref().0),
            (Some(_), Some(lasting)) => {
                return refuse(lasting.span(), "a step has `within` or `for`, not both");
            }
        };
        if expected.is_empty() && holding != Holding::Now {
            return refuse(span, "`within` and `for` belong to `expect`, which this step does not have");
        }
        if expected.is_empty() && actions.is_empty() && step.when.is_none() {
            return refuse(span, "this step does nothing; expected `do`, `expect` or `when`");
        }
        Ok(Step { line, wait, actions, expected, holding })
    }

    fn sentences<T>(
        &self,
        sentences: Option<&Spanned<Sentences>>,
        servers: &[ServerId],
        parse: impl Fn(&str, usize) -> Result<T, Mistake>,
        named: impl Fn(&T) -> Vec<ServerId>,
    ) -> Result<Vec<T>, Mistake> {
        let Some(sentences) = sentences else { return Ok(Vec::new()) };
        let texts: Vec<(Range<usize>, &str)> = match sentences.get_ref() {
            Sentences::One(text) => vec![(sentences.span(), text)],
            Sentences::Many(texts) => {
                texts.iter().map(|text| (text.span(), text.get_ref().as_str())).collect()
            }
        };
        let one = |(span, text): (Range<usize>, &str)| {
            let parsed = parse(text, self.offset(&span, text))?;
            exist(&named(&parsed), servers, &span)?;
            Ok(parsed)
        };
        texts.into_iter().map(one).collect()
    }

    /// Where the text of a string begins. With escapes in it the places within are a little off.
    fn offset(&self, span: &Range<usize>, text: &str) -> usize {
        let literal = &self.text[span.clone()];
        span.start + literal.find(text).unwrap_or(0)
    }
}

/// Only a build with mutants knows their names.
fn mutant(name: Spanned<String>) -> Result<String, Mistake> {
    #[cfg(feature = "mutants")]
    if !zabrus_core::mutation::Mutation::ALL.iter().any(|mutant| format!("{mutant:?}") == *name.get_ref()) {
        let message = format!("there is no mutant `{}`; expected one such as M01", name.get_ref());
        return Err(Mistake { span: name.span(), message });
    }
    Ok(name.into_inner())
}

fn exist(named: &[ServerId], servers: &[ServerId], span: &Range<usize>) -> Result<(), Mistake> {
    match named.iter().find(|server| !servers.contains(server)) {
        None => Ok(()),
        Some(server) => {
            let message = format!("there is no server {server}; expected 1 to {}", servers.len());
            Err(Mistake { span: span.clone(), message })
        }
    }
}

impl File {
    /// A calm world: nothing happens by chance but the delays.
    fn settings(&self, ensemble: Ensemble) -> Settings {
        let base = Settings::default();
        let none = ServerSettings::default();
        let own = self.settings.as_ref().map_or(&none, Spanned::get_ref);
        let local_sessions = own.local_sessions.unwrap_or_default();
        let read_only_mode = own.read_only_mode.unwrap_or_default();
        let last = ensemble.members.keys().next_back().map_or(0, |last| last.0);
        Settings {
            joiners: (last + 1..=last + self.joiners).map(ServerId).collect(),
            ensemble,
            election: match own.election {
                None | Some(Election::Fast) => ElectionAlgorithm::Fast,
                Some(Election::Basic) => ElectionAlgorithm::Basic,
                Some(Election::External) => ElectionAlgorithm::External,
            },
            tick_time: own.tick_time.map_or(base.tick_time, |span| span.0),
            init_limit: own.init_limit.unwrap_or(base.init_limit),
            sync_limit: own.sync_limit.unwrap_or(base.sync_limit),
            sync_window: own.sync_window.unwrap_or(base.sync_window),
            disk_sync_percent: own.disk_sync_percent.unwrap_or(base.disk_sync_percent),
            snapshot_interval: own.snapshot_interval.unwrap_or(base.snapshot_interval),
            segment_bytes: own.segment_bytes.unwrap_or(base.segment_bytes),
            chunk_bytes: own.chunk_bytes.unwrap_or(base.chunk_bytes),
            counter_limit: own.counter_limit.unwrap_or(base.counter_limit),
            link_checks: own.link_checks.unwrap_or(base.link_checks),
            network: self.network.settings(),
            disk: {
                let mut disk = base.disk;
                read(&mut disk.write_micros, self.disk.write);
                read(&mut disk.sync_micros, self.disk.sync);
                disk.names_reorder = self.disk.names_reorder.unwrap_or(disk.names_reorder);
                disk
            },
            service: ServiceChoices {
                local_sessions,
                upgrade_local_sessions: local_sessions,
                read_only_mode,
                reconfig: own.reconfig.unwrap_or(self.joiners > 0),
                standalone: own.standalone.unwrap_or(true),
                ..base.service
            },
            load: LoadSettings {
                // All who have a name.
                read_only_percent: if read_only_mode { 100 } else { 0 },
                ..self.load.as_ref().map_or(LoadSettings { clients: 0, ..base.load.clone() }, Load::settings)
            },
            start_all: false,
            faults: Vec::new(),
            liveness_expected: self.recovers.unwrap_or(true),
            ..base
        }
    }
}

fn read(range: &mut (u64, u64), told: Option<Between>) {
    if let Some(Between(least, most)) = told {
        *range = (least, most);
    }
}

impl Network {
    fn settings(&self) -> NetworkSettings {
        let mut network = NetworkSettings {
            slow_per_mille: 0,
            late_notice_per_mille: 0,
            reconnect_micros: (1_000, 20_000),
            loss_per_mille: self.loss_per_mille.unwrap_or(0),
            duplicate_per_mille: self.duplicate_per_mille.unwrap_or(0),
            reorder_per_mille: self.reorder_per_mille.unwrap_or(0),
            ..NetworkSettings::default()
        };
        if self.datagrams == Some(true) {
            network.mode = Transport::Datagram;
        }
        read(&mut network.latency_micros, self.latency);
        network
    }
}

impl Load {
    fn settings(&self) -> LoadSettings {
        let mut load =
            LoadSettings { clients: self.clients, quiet_micros: (0, 0), ..LoadSettings::default() };
        read(&mut load.interval_micros, self.interval);
        load.keys = self.keys.unwrap_or(load.keys);
        if let Some(bytes) = self.value_bytes {
            load.value_bytes = (bytes, bytes);
        }
        load
    }
}

mod ensemble;
#[cfg(test)]
mod tests;
