//! Who may do what (client.md section 14).

use std::net::Ipv4Addr;

use zabrus_core::jute;
use zabrus_core::wire::{Acl, ErrorCode, Id};

/// Whether one of `identities` has one of the `wanted` permissions.
#[must_use]
pub fn permits(acl: &[Acl], wanted: i32, identities: &[Id]) -> bool {
    let covers = |entry: &Acl, id: &Id| match entry.id.scheme.as_str() {
        "ip" => id.scheme == "ip" && in_network(&entry.id.id, &id.id),
        scheme => id.scheme == scheme && id.id == entry.id.id,
    };
    let granted = |entry: &Acl| {
        let anyone = entry.id.scheme == "world" && entry.id.id == "anyone";
        entry.perms & wanted != 0 && (anyone || identities.iter().any(|id| covers(entry, id)))
    };
    acl.is_empty() || identities.iter().any(|id| id.scheme == "super") || acl.iter().any(granted)
}

/// An IPv4 network as `address` or `address/bits`. The clients of the simulator have no other.
fn network(text: &str) -> Option<(u32, u32)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, bits.parse().ok().filter(|bits| *bits <= 32)?),
        None => (text, 32),
    };
    let address: Ipv4Addr = address.parse().ok()?;
    Some((address.into(), bits))
}

fn in_network(wanted: &str, address: &str) -> bool {
    match (network(wanted), network(address)) {
        (Some((net, bits)), Some((own, _))) => bits == 0 || (net >> (32 - bits)) == (own >> (32 - bits)),
        _ => false,
    }
}

/// The list that create and setACL store for the one that they are given.
///
/// # Errors
/// If there is none.
pub(super) fn stored(acl: Option<Vec<Acl>>, identities: &[Id]) -> Result<Vec<Acl>, ErrorCode> {
    let mut list: Vec<Acl> = Vec::new();
    let mut seen: Vec<Acl> = Vec::new();
    for entry in acl.unwrap_or_default() {
        if seen.contains(&entry) {
            continue;
        }
        seen.push(entry.clone());
        let Id { scheme, id } = &entry.id;
        let valid = match scheme.as_str() {
            "world" => id == "anyone",
            "auth" => {
                let proved = identities.iter().filter(|id| id.scheme == "digest");
                let before = list.len();
                list.extend(proved.map(|id| Acl { perms: entry.perms, id: id.clone() }));
                if list.len() == before {
                    return Err(ErrorCode::InvalidAcl);
                }
                continue;
            }
            "ip" => network(id).is_some(),
            "digest" => id.split(':').count() == 2,
            _ => false,
        };
        if !valid {
            let is_null = id == jute::NULL && matches!(scheme.as_str(), "world" | "ip" | "digest");
            return Err(if is_null { ErrorCode::MarshallingError } else { ErrorCode::InvalidAcl });
        }
        list.push(entry);
    }
    if list.is_empty() { Err(ErrorCode::InvalidAcl) } else { Ok(list) }
}

/// The list as somebody without ADMIN sees it.
#[must_use]
pub(super) fn masked(acl: &[Acl]) -> Vec<Acl> {
    let mask = |entry: &Acl| {
        let mut entry = entry.clone();
        if entry.id.scheme == "digest" {
            let user = entry.id.id.split(':').next().unwrap_or_default();
            entry.id.id = format!("{user}:x");
        }
        entry
    };
    acl.iter().map(mask).collect()
}
