//! Who may do what: identities of connections, and access control lists (client.md section 14).

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};

use crate::config::{DigestAlgorithm, ServiceSettings};
use crate::jute;
use crate::wire::{Acl, Auth, ErrorCode, FRAME_LIMIT, Id};

/// The bytes of all identities of a connection together. They travel with each of its writes.
pub const IDENTITIES_LIMIT: usize = 64 << 10;

/// The schemes of which this server knows how to judge an identity.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Digest,
    Ip,
}

impl Scheme {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "digest" => Some(Self::Digest),
            "ip" => Some(Self::Ip),
            _ => None,
        }
    }

    /// Whether this server has the scheme.
    fn is_provided(self, settings: &ServiceSettings) -> bool {
        self == Self::Ip || settings.digest.is_some()
    }

    /// Whether an access control list may name `id`.
    fn is_valid(self, id: &str) -> bool {
        match self {
            // Java's split forgets empty strings at the end: `user:hash:` counts as two parts.
            Self::Digest => {
                let parts = id.trim_end_matches(':');
                parts.matches(':').count() == 1
            }
            Self::Ip => Network::parse(id).is_some(),
        }
    }

    /// Whether the identity `id` is among those that an entry for `expected` means.
    fn matches(self, id: &str, expected: &str) -> bool {
        match self {
            Self::Digest => id == expected,
            Self::Ip => Network::parse(expected)
                .is_some_and(|network| id.parse().is_ok_and(|address| network.contains(address))),
        }
    }
}

/// The addresses that share their first bits with one.
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// `address` or `address/bits`.
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        // ZooKeeper takes no IPv6 address that ends in an IPv4 address.
        if address.contains(':') && address.contains('.') {
            return None;
        }
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        (bits <= width).then_some(Self { address, bits })
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bits
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

/// Whether a node with the list `acl` gives any of the bits `wanted` to one of these identities. An
/// empty list gives everything to everybody.
#[must_use]
pub fn permits(acl: &[Acl], wanted: i32, identities: &[Id]) -> bool {
    acl.is_empty()
        || acl.iter().any(|entry| entry.perms & wanted != 0 && names_one_of(&entry.id, identities))
        || identities.iter().any(|id| id.scheme == "super")
}

fn names_one_of(expected: &Id, identities: &[Id]) -> bool {
    is_anyone(expected)
        || Scheme::from_name(&expected.scheme).is_some_and(|scheme| {
            identities.iter().any(|id| id.scheme == expected.scheme && scheme.matches(&id.id, &expected.id))
        })
}

fn is_anyone(id: &Id) -> bool {
    id.scheme == "world" && id.id == "anyone"
}

/// Whether a client with these identities may ask for anything.
#[must_use]
pub fn is_admitted(settings: &ServiceSettings, identities: &[Id]) -> bool {
    let Some(schemes) = &settings.enforced_schemes else { return true };
    identities.iter().any(|id| schemes.contains(&id.scheme))
}

/// [`permits`], unless the operator has switched access control off. Reads, writes and watch events
/// all ask here.
///
/// # Errors
/// [`ErrorCode::NoAuth`] if not.
pub fn check(
    settings: &ServiceSettings,
    acl: &[Acl],
    wanted: i32,
    identities: &[Id],
) -> Result<(), ErrorCode> {
    if settings.skip_acl || permits(acl, wanted, identities) { Ok(()) } else { Err(ErrorCode::NoAuth) }
}

/// The list that a node gets for the one in a create or setACL: without duplicates, and with the
/// connection's identities in place of the scheme `auth`.
///
/// # Errors
/// [`ErrorCode::InvalidAcl`], or [`ErrorCode::MarshallingError`] for a null id.
pub fn checked_acl(
    settings: &ServiceSettings,
    acl: Option<Vec<Acl>>,
    identities: &[Id],
) -> Result<Vec<Acl>, ErrorCode> {
    let scheme = |name: &str| Scheme::from_name(name).filter(|scheme| scheme.is_provided(settings));
    let acl = acl.unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mut checked = Vec::with_capacity(acl.len());
    let mut expanded_bytes = 0;
    for entry in acl.iter().filter(|entry| seen.insert(*entry)) {
        if entry.id.scheme == "auth" {
            let before = checked.len();
            for id in identities.iter().filter(|id| Scheme::from_name(&id.scheme) == Some(Scheme::Digest)) {
                // Many entries times many identities would be more than any frame can hold.
                expanded_bytes += id.id.len() + size_of::<Acl>();
                if expanded_bytes > FRAME_LIMIT {
                    return Err(ErrorCode::InvalidAcl);
                }
                checked.push(Acl { perms: entry.perms, id: id.clone() });
            }
            if checked.len() == before {
                return Err(ErrorCode::InvalidAcl);
            }
        } else if is_anyone(&entry.id)
            || scheme(&entry.id.scheme).is_some_and(|scheme| scheme.is_valid(&entry.id.id))
        {
            checked.push(entry.clone());
        } else if entry.id.id == jute::NULL
            && (entry.id.scheme == "world" || scheme(&entry.id.scheme).is_some())
        {
            return Err(ErrorCode::MarshallingError);
        } else {
            return Err(ErrorCode::InvalidAcl);
        }
    }
    if checked.is_empty() { Err(ErrorCode::InvalidAcl) } else { Ok(checked) }
}

/// The identity that every connection from `address` begins with.
#[must_use]
pub fn address_identity(address: &str) -> Id {
    Id { scheme: "ip".into(), id: address.into() }
}

/// Adds the identities that an auth request proved to those of a connection.
///
/// # Errors
/// [`ErrorCode::AuthFailed`] if they are too many.
pub fn add_identities(identities: &mut Vec<Id>, proved: Vec<Id>) -> Result<(), ErrorCode> {
    for id in proved {
        if !identities.contains(&id) {
            identities.push(id);
        }
    }
    let bytes = |id: &Id| size_of::<Id>() + id.scheme.len() + id.id.len();
    let total: usize = identities.iter().map(bytes).sum();
    if total <= IDENTITIES_LIMIT { Ok(()) } else { Err(ErrorCode::AuthFailed) }
}

/// The identities that an auth request proves; the connection has them from now on.
///
/// # Errors
/// [`ErrorCode::AuthFailed`]: it is answered, and the connection closed.
pub fn authenticate(settings: &ServiceSettings, address: &str, auth: &Auth) -> Result<Vec<Id>, ErrorCode> {
    match (Scheme::from_name(&auth.scheme).ok_or(ErrorCode::AuthFailed)?, settings.digest) {
        (Scheme::Ip, _) => Ok(vec![address_identity(address)]),
        (Scheme::Digest, None) => Err(ErrorCode::AuthFailed),
        (Scheme::Digest, Some(algorithm)) => {
            let credentials = String::from_utf8_lossy(auth.auth.as_ref().ok_or(ErrorCode::AuthFailed)?);
            let digest = user_and_hash(algorithm, &credentials);
            let mut identities = Vec::new();
            if settings.super_digest.as_ref() == Some(&digest) {
                identities.push(Id { scheme: "super".into(), id: String::new() });
            }
            identities.push(Id { scheme: "digest".into(), id: digest });
            Ok(identities)
        }
    }
}

/// `user:hash` for `user:password`: how the scheme digest calls somebody.
fn user_and_hash(algorithm: DigestAlgorithm, credentials: &str) -> String {
    let mut text = user_name("digest", credentials).to_string();
    text.push(':');
    let credentials = credentials.as_bytes();
    match algorithm {
        DigestAlgorithm::Sha1 => STANDARD.encode_string(Sha1::digest(credentials), &mut text),
        DigestAlgorithm::Sha256 => STANDARD.encode_string(Sha256::digest(credentials), &mut text),
        DigestAlgorithm::Sha512 => STANDARD.encode_string(Sha512::digest(credentials), &mut text),
    }
    text
}

/// What whoAmI shows of an identity: of the scheme digest only the user.
#[must_use]
pub fn user_name<'a>(scheme: &str, id: &'a str) -> &'a str {
    match id.split_once(':') {
        Some((user, _)) if scheme == "digest" => user,
        _ => id,
    }
}

/// The list as those see it who may read but not administer the node: without hashes.
#[must_use]
pub fn masked(acl: &[Acl]) -> Vec<Acl> {
    let mut acl = acl.to_vec();
    for Id { scheme, id } in acl.iter_mut().map(|entry| &mut entry.id) {
        if let Some(colon) = id.find(':').filter(|_| scheme == "digest") {
            id.truncate(colon);
            id.push_str(":x");
        }
    }
    acl
}

#[cfg(test)]
mod tests;
