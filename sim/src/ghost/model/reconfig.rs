//! Changes of the ensemble (client.md section 16), as far as clients of the simulator ask for them. What a
//! server is stands here as the text of its line.

use std::collections::{BTreeMap, BTreeSet};

use zabrus_core::Bytes;
use zabrus_core::quorum::{Ensemble, Member, MemberKind};
use zabrus_core::wire::{Change, ErrorCode, GetDataResponse, Permissions, Reconfig};
use zabrus_core::{ServerId, Zxid, jute};

use super::draft::Draft;
use super::write::{Request, demand};
use super::{Model, Node};

pub(super) const CONFIG: &str = "/zookeeper/config";

/// The lines of servers by id, and those of groups and weights.
type Lines = (BTreeMap<u64, String>, Vec<String>);

fn lines(text: &str) -> Lines {
    let (mut servers, mut others) = (BTreeMap::new(), Vec::new());
    for line in text.lines().filter(|line| !line.starts_with("version=")) {
        match line.strip_prefix("server.").and_then(|rest| rest.split_once('=')) {
            Some((id, _)) => drop(servers.insert(id.parse().expect("an id"), line.to_owned())),
            None => others.push(line.to_owned()),
        }
    }
    (servers, others)
}

fn voters(servers: &BTreeMap<u64, String>) -> usize {
    servers.values().filter(|line| line.contains(":participant")).count()
}

impl Draft<'_> {
    /// The leader's own is the first: nobody asks whether it may.
    pub(super) fn reconfig(
        &mut self,
        request: &Request<'_>,
        asked: &Reconfig,
    ) -> Result<(Change, Vec<u8>), ErrorCode> {
        demand(self.model.settings().reconfig_enabled, ErrorCode::ReconfigDisabled)?;
        let node = self.node(CONFIG).expect("it is always there");
        let version = if node.version == -1 { node.mzxid } else { 0 };
        demand(asked.version == -1 || asked.version == version, ErrorCode::BadVersion)?;
        let data = node.data.clone().unwrap_or_default();
        let (mut next, others) = lines(str::from_utf8(&data).expect("the model wrote it"));
        let is_own = request.session.0 == 0;
        let mut others = others;
        match &asked.members {
            Some(all) => (next, others) = lines(&all.replace(',', "\n")),
            None => demand(others.is_empty() || is_own, ErrorCode::BadArguments)?,
        }
        for id in asked.leaving.iter().flat_map(|ids| ids.split(',')) {
            next.remove(&id.parse().map_err(|_| ErrorCode::MarshallingError)?);
        }
        for line in asked.joining.iter().flat_map(|lines| lines.split(',')) {
            let (name, place) = line.split_once('=').ok_or(ErrorCode::BadArguments)?;
            demand(place.contains(';'), ErrorCode::BadArguments)?;
            let id = name.strip_prefix("server.").and_then(|id| id.parse().ok());
            next.insert(id.ok_or(ErrorCode::MarshallingError)?, line.to_owned());
        }
        let fewest = if self.model.settings().standalone_enabled { 2 } else { 1 };
        demand(voters(&next) >= fewest, ErrorCode::BadArguments)?;
        if !is_own {
            self.permitted(request, CONFIG, Permissions::WRITE)?;
        }
        let mut text: String = next.values().chain(&others).map(|line| format!("{line}\n")).collect();
        text += &format!("version={:x}", request.zxid.0);
        let data = Bytes::from(text.as_bytes());
        let node = self.set_data(CONFIG, |node| {
            node.data = Some(data.clone());
            // One more is -1.
            node.version = -2;
        });
        let answer = GetDataResponse { data: Some(data.clone()), stat: node.stat() };
        Ok((Change::Reconfig { data }, jute::encode(&answer)))
    }
}

impl Model {
    /// The ids of the members after the last transaction up to `zxid`, and since which transaction they are
    /// that: 0 if they are what operators wrote. `None` if nobody may change them.
    #[must_use]
    pub fn members(&self, zxid: Zxid) -> Option<(u64, BTreeSet<u64>)> {
        let node = self.at(CONFIG, zxid).filter(|_| self.settings().reconfig_enabled)?;
        let (servers, _) = lines(str::from_utf8(node.data.as_deref()?).ok()?);
        Some((version(node), servers.into_keys().collect()))
    }

    /// Whether a reconfig at `zxid` to what `text` says changes who votes, or with which weight.
    #[must_use]
    pub fn changes_voters(&self, text: &[u8]) -> bool {
        let of = |text| ensemble(str::from_utf8(text).unwrap_or_default());
        let present = self.now(CONFIG).and_then(|node| node.data.clone()).unwrap_or_default();
        !of(&present).has_same_voters(&of(text))
    }

    /// The members that are to follow those, as long as they are only announced.
    #[must_use]
    pub fn announced(&self) -> Option<&str> {
        self.announced.as_deref()
    }

    /// The version alone.
    #[must_use]
    pub fn members_version(&self, zxid: Zxid) -> u64 {
        self.at(CONFIG, zxid).map_or(0, |node| version(node))
    }
}

/// The members that the text of the node names, with their groups and weights (zab.md section 12).
#[must_use]
pub fn ensemble(text: &str) -> Ensemble {
    let mut ensemble = Ensemble { version: 0, members: BTreeMap::new(), hierarchical: false };
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        let (kind, number) = name.split_once('.').unwrap_or((name, ""));
        let id = || ServerId(number.parse().unwrap_or_default());
        let members = &mut ensemble.members;
        match kind {
            "version" => ensemble.version = u64::from_str_radix(value, 16).unwrap_or_default(),
            "server" => {
                let observes = value.contains(":observer");
                let kind = if observes { MemberKind::Observer } else { MemberKind::Participant };
                members.insert(id(), Member { kind, group: 0, weight: 1 });
            }
            "group" => {
                ensemble.hierarchical = true;
                let group = number.parse().unwrap_or_default();
                let named = |id: &ServerId| value.split(':').any(|name| name == id.to_string());
                members.iter_mut().filter(|(id, _)| named(id)).for_each(|(_, member)| member.group = group);
            }
            "weight" => {
                let weight = value.parse().unwrap_or_default();
                members.entry(id()).and_modify(|member| member.weight = weight);
            }
            _ => {}
        }
    }
    ensemble
}

fn version(node: &Node) -> u64 {
    if node.version == -1 { node.mzxid.cast_unsigned() } else { 0 }
}
