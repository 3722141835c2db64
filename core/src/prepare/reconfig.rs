//! Changes of the ensemble (client.md section 16, zab.md section 13), with the checks in ZooKeeper's order.

use super::Step;
use super::record::Record;
use crate::identity::{Bytes, ServerId};
use crate::membership::{CONFIG_PATH, Membership, ServerLine, parse_line};
use crate::mutated;
use crate::state::StoredStat;
use crate::wire::{Change, ErrorCode, Permissions, Reconfig, SessionId};

impl Step<'_> {
    /// Members that do not change who votes change at once. Others are announced first, and change when this is
    /// executed again after the announcement was applied. The leader asks for one itself, with which it installs
    /// what its operator wrote, or ends what an earlier leader announced.
    pub(super) fn reconfig(&mut self, request: &Reconfig) -> Result<Change, ErrorCode> {
        let settings = &self.preparer.settings;
        if !settings.reconfig_enabled {
            return Err(ErrorCode::ReconfigDisabled);
        }
        let told = Membership::parse(&settings.ensemble_text).ok().filter(|told| !told.servers.is_empty());
        let told = told.ok_or(ErrorCode::Unimplemented)?;
        let present = self.state.membership().unwrap_or(told);
        if self.preparer.reconfig.is_some() {
            return Err(ErrorCode::ReconfigInProgress);
        }
        if request.version != -1 && request.version.cast_unsigned() != present.ensemble.version {
            return Err(ErrorCode::BadVersion);
        }
        let is_own = self.request.session == SessionId::default();
        let announced = self.state.next_members();
        let next = match &request.members {
            None if is_own => announced.as_ref().unwrap_or(&present).clone(),
            Some(all) => replaced(all)?,
            None => changed(&present, request)?,
        };
        let is_joint = !next.ensemble.has_same_voters(&present.ensemble);
        if let Some(announced) = &announced {
            if announced.lines() != next.lines() {
                return Err(ErrorCode::ReconfigInProgress);
            }
        } else {
            // Whoever announced it has asked this, with settings that may have been others.
            let fewest = if settings.standalone_enabled { 2 } else { 1 };
            if next.ensemble.voters().count() < fewest {
                return Err(ErrorCode::BadArguments);
            }
            let is_there = next.ensemble.is_quorum(&self.preparer.in_sync) || mutated!(M134);
            if is_joint && !is_there {
                return Err(ErrorCode::NewConfigNoQuorum);
            }
        }
        let before = self.node(CONFIG_PATH)?;
        if !is_own {
            self.permit(&before, Permissions::WRITE)?;
        }
        self.preparer.reconfig = Some(self.zxid);
        let data = Bytes::from(next.with_version(self.zxid.0).text().as_bytes());
        if is_joint && announced.is_none() {
            return Ok(Change::NextMembers { data });
        }
        let stat =
            StoredStat { mzxid: self.zxid.0.cast_signed(), mtime: self.time, version: -1, ..before.stat };
        let more = data.len() as i64 - before.length;
        let after = Record { stat, ..before.clone() }.with_data(CONFIG_PATH, &data);
        self.put(CONFIG_PATH, Some(&before), Some(after));
        self.charge(CONFIG_PATH, 0, more, Some(&data));
        Ok(Change::Reconfig { data })
    }
}

/// All members at once.
fn replaced(lines: &str) -> Result<Membership, ErrorCode> {
    let next = Membership::parse(&lines.replace(',', "\n")).map_err(|_| ErrorCode::BadArguments)?;
    if next.ensemble.voters().any(|id| next.ensemble.may_lead(id)) {
        Ok(next)
    } else {
        Err(ErrorCode::BadArguments)
    }
}

/// Some go, then others come or change. An id that is no number is what ZooKeeper cannot read.
fn changed(present: &Membership, request: &Reconfig) -> Result<Membership, ErrorCode> {
    if present.ensemble.hierarchical {
        return Err(ErrorCode::BadArguments);
    }
    let mut servers = present.servers.clone();
    for id in parts(request.leaving.as_deref(), ',') {
        servers.remove(&server_id(id)?);
    }
    let mut joins = false;
    for joiner in parts(request.joining.as_deref(), ',') {
        let (id, line) = joining(joiner)?;
        servers.insert(id, line);
        joins = true;
    }
    let next = Membership::of(servers, 0);
    if joins && next.has_address_twice() { Err(ErrorCode::BadArguments) } else { Ok(next) }
}

/// `server.N=line`, with a port for clients.
fn joining(text: &str) -> Result<(ServerId, ServerLine), ErrorCode> {
    let mut halves = parts(Some(text), '=');
    let (Some(name), Some(line), None) = (halves.next(), halves.next(), halves.next()) else {
        return Err(ErrorCode::BadArguments);
    };
    let id = server_id(name.rsplit('.').next().unwrap_or(name))?;
    let line = parse_line(line).ok().filter(|line| line.client.is_some()).ok_or(ErrorCode::BadArguments)?;
    Ok((id, line))
}

fn server_id(text: &str) -> Result<ServerId, ErrorCode> {
    text.parse().map(ServerId).map_err(|_| ErrorCode::MarshallingError)
}

/// What stands between separators, and is something.
fn parts(text: Option<&str>, separator: char) -> impl Iterator<Item = &str> {
    text.into_iter()
        .flat_map(move |text| text.split(separator))
        .map(str::trim)
        .filter(|part| !part.is_empty())
}
