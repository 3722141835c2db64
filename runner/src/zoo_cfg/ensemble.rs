//! Who belongs to the ensemble, and who this server is.

use std::collections::BTreeMap;
use std::path::Path;

use zabrus_core::ServerId;
use zabrus_core::membership::{HostPort, ServerLine, parse_line};
use zabrus_core::quorum::{Ensemble, Member, MemberKind};

use super::keys::{Keys, Severity};
use crate::properties::Entry;

pub(super) struct Members {
    pub(super) id: ServerId,
    pub(super) ensemble: Ensemble,
    pub(super) servers: BTreeMap<ServerId, ServerLine>,
    pub(super) standalone: bool,
    /// `standaloneEnabled`.
    pub(super) standalone_enabled: bool,
    /// The client address in the own server line.
    pub(super) own_client: Option<HostPort>,
}

/// `None` only with an error among the remarks.
pub(super) fn take(
    keys: &mut Keys,
    data_directory: Option<&Path>,
    version: u64,
    read: impl Fn(&Path) -> Result<Option<String>, String>,
) -> Option<Members> {
    let lines = take_servers(keys);
    let switches =
        ["a single server line means a server alone", "a single server line makes an ensemble of one"];
    let standalone_enabled = keys.switch("standaloneEnabled", true, ["true", "false"], switches);
    let mut members: BTreeMap<_, _> = lines.iter().map(|(id, (_, line))| (*id, member(line))).collect();
    let hierarchical = take_groups(keys, &mut members);
    let voters = members.values().filter(|member| member.kind == MemberKind::Participant).count();
    let observers = members.len() - voters;
    let standalone = lines.is_empty() || (voters == 1 && standalone_enabled);
    if observers > 0 && (voters == 0 || standalone) {
        let text = "there are observers, but not the two participants that an ensemble needs";
        keys.remark(None, Severity::Error, text);
        return None;
    }
    if lines.is_empty() && !standalone_enabled {
        keys.remark(None, Severity::Error, "standaloneEnabled=false needs server lines");
        return None;
    }
    let id = own_id(keys, data_directory?, read, standalone)?;
    let own = lines.get(&id);
    take_peer_type(keys, own.map(|(_, line)| line));
    let own_client = own.and_then(|(_, line)| line.client.clone());
    if standalone {
        if let Some((_, (entry, _))) = lines.iter().next() {
            let text = "a single server is a server alone: this line only says where its clients are served";
            keys.remark(Some(entry.line), Severity::Warning, text);
        }
        let alone = Member { kind: MemberKind::Participant, group: 0, weight: 1 };
        let members = BTreeMap::from([(id, alone)]);
        let ensemble = Ensemble { version: 0, members, hierarchical: false };
        let servers = BTreeMap::new();
        return Some(Members { id, ensemble, servers, standalone, standalone_enabled, own_client });
    }
    for (server, (entry, line)) in &lines {
        keys.note(entry, describe(*server, line, *server == id));
    }
    if own.is_none() {
        let text = format!("myid says {id}, but there is no line server.{id}: correct one of them");
        keys.remark(None, Severity::Error, text);
        return None;
    }
    let ensemble = Ensemble { version, members, hierarchical };
    if !ensemble.voters().any(|voter| ensemble.may_lead(voter)) {
        keys.remark(None, Severity::Error, "nobody may lead: give some participant a weight above 0");
        return None;
    }
    let advice = match voters {
        2 => Some("two participants: if one fails, the other stops; use three"),
        voters if voters % 2 == 0 => {
            Some("an even number of participants: one less would survive as many failures")
        }
        _ => None,
    };
    if let Some(text) = advice {
        keys.remark(None, Severity::Warning, text);
    }
    let servers = lines.into_iter().map(|(id, (_, line))| (id, line)).collect();
    Some(Members { id, ensemble, servers, standalone, standalone_enabled, own_client })
}

fn take_servers(keys: &mut Keys) -> BTreeMap<ServerId, (Entry, ServerLine)> {
    let mut lines = BTreeMap::new();
    for (number, entry) in keys.take_numbered("server.") {
        match parse_line(&entry.value) {
            Ok(line) => {
                lines.insert(ServerId(number), (entry, line));
            }
            Err(what) => keys.error(&entry, format!("server.{number}: {what}")),
        }
    }
    lines
}

fn member(line: &ServerLine) -> Member {
    let kind = if line.observer { MemberKind::Observer } else { MemberKind::Participant };
    Member { kind, group: 0, weight: 1 }
}

/// `group.N=id:id:...` and `weight.ID=W` (zab.md section 12). Returns whether there are groups.
fn take_groups(keys: &mut Keys, members: &mut BTreeMap<ServerId, Member>) -> bool {
    let groups = keys.take_numbered("group.");
    let mut grouped = BTreeMap::new();
    for (group, entry) in &groups {
        for text in entry.value.split(':').map(str::trim) {
            let server = text.parse().ok().map(ServerId).filter(|id| members.contains_key(id));
            let Some((server, group)) = server.zip(u32::try_from(*group).ok()) else {
                keys.error(entry, format!("`{text}` must be the id of a server line"));
                continue;
            };
            if grouped.insert(server, group).is_some() {
                keys.error(entry, format!("server {server} is in two groups: groups must not overlap"));
            }
            if let Some(member) = members.get_mut(&server) {
                member.group = group;
            }
        }
        keys.note(entry, format!("group {group}: a quorum needs most of the weight in most of the groups"));
    }
    for (server, entry) in keys.take_numbered("weight.") {
        let member = members.get_mut(&ServerId(server)).filter(|_| !groups.is_empty());
        match (entry.value.parse(), member) {
            (Ok(weight), Some(member)) => {
                member.weight = weight;
                keys.note(&entry, format!("server {server} has weight {weight} within its group"));
            }
            (Ok(_), None) => {
                keys.error(&entry, format!("weight.{server} needs a line server.{server} and lines group.N"));
            }
            (Err(_), _) => keys.error(&entry, format!("`{}` must be a weight, 0 or more", entry.value)),
        }
    }
    let left_out = members.iter().find(|(id, member)| {
        member.kind == MemberKind::Participant && !groups.is_empty() && !grouped.contains_key(id)
    });
    if let Some((id, _)) = left_out {
        keys.remark(
            None,
            Severity::Error,
            format!("server {id} is in no group: with groups every participant is in one"),
        );
    }
    !groups.is_empty()
}

/// The number in `myid`; a server alone does without (0, as Apache's).
fn own_id(
    keys: &mut Keys,
    data_directory: &Path,
    read: impl Fn(&Path) -> Result<Option<String>, String>,
    standalone: bool,
) -> Option<ServerId> {
    let place = data_directory.join("myid");
    let problem = match read(&place) {
        Ok(Some(text)) => match text.trim().parse() {
            Ok(id) => return Some(ServerId(id)),
            Err(_) => {
                format!(
                    "{} must hold this server's number and nothing else, not `{}`",
                    place.display(),
                    text.trim()
                )
            }
        },
        Ok(None) if standalone => return Some(ServerId(0)),
        Ok(None) => {
            format!(
                "{} is missing: write the number N of this server's line server.N into it",
                place.display()
            )
        }
        Err(problem) => problem,
    };
    keys.remark(None, Severity::Error, problem);
    None
}

fn take_peer_type(keys: &mut Keys, own: Option<&ServerLine>) {
    let Some(entry) = keys.take("peerType") else { return };
    let observer = match entry.value.to_ascii_lowercase().as_str() {
        "observer" => true,
        "participant" => false,
        other => {
            return keys.error(&entry, format!("peerType must be participant or observer, not `{other}`"));
        }
    };
    if own.is_some_and(|line| line.observer != observer) {
        let text = "peerType differs from this server's own line, which counts";
        keys.remark(Some(entry.line), Severity::Warning, text);
    } else {
        keys.note(&entry, "as this server's own line says");
    }
}

fn describe(id: ServerId, line: &ServerLine, own: bool) -> String {
    let who = if own { "this server" } else { "another server" };
    let what = if line.observer { "observer" } else { "participant" };
    let ports: Vec<_> = line.addresses.iter().map(|address| address.election_port.to_string()).collect();
    format!("server {id}, {who}, {what}; servers talk on its election port {}", ports.join(" and "))
}
