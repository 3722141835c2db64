//! How clients prove who they are, and whether they must.

use zabrus_core::config::{DigestAlgorithm, ServiceSettings};

use super::keys::Keys;

/// The schemes of this server.
const SCHEMES: [&str; 2] = ["digest", "ip"];

pub(super) fn authentication(keys: &mut Keys, service: &mut ServiceSettings) {
    service.super_digest = keys.take("DigestAuthenticationProvider.superDigest").map(|entry| {
        keys.note(&entry, "this user may do everything");
        entry.value
    });
    if let Some(entry) = keys.take("DigestAuthenticationProvider.digestAlg") {
        match DigestAlgorithm::from_name(&entry.value) {
            Some(algorithm) => {
                service.digest = Some(algorithm);
                keys.note(&entry, "the hash in the identities of the scheme digest, the same on all servers");
            }
            None => {
                let text = format!("digestAlg must be SHA1, SHA-256 or SHA-512, not `{}`", entry.value);
                keys.error(&entry, text);
            }
        }
    }
    let meanings = ["clients may prove a user and password", "there is no scheme digest"];
    if !keys.switch("DigestAuthenticationProvider.enabled", true, ["true", "false"], meanings) {
        service.digest = None;
    }
    enforcement(keys, service);
}

/// ZooKeeper's `enforce.auth`: whoever has proved nothing is sent away.
fn enforcement(keys: &mut Keys, service: &mut ServiceSettings) {
    let meanings = ["whoever has not authenticated is sent away", "nobody has to authenticate"];
    let schemes = keys.take("enforce.auth.schemes");
    if !keys.switch("enforce.auth.enabled", false, ["true", "false"], meanings) {
        return;
    }
    let Some(entry) = schemes else {
        let text = "enforce.auth.enabled=true needs enforce.auth.schemes: digest, ip or both";
        return keys.remark(None, super::keys::Severity::Error, text);
    };
    let named: Vec<String> = entry.value.split(',').map(|name| name.trim().to_owned()).collect();
    let provided =
        |name: &String| SCHEMES.contains(&name.as_str()) && (name != "digest" || service.digest.is_some());
    match named.iter().find(|name| !provided(name)) {
        Some(name) => {
            keys.error(&entry, format!("this server has no scheme `{name}`: nobody could prove one"))
        }
        None => keys.note(&entry, "one identity of these schemes is enough"),
    }
    service.enforced_schemes = Some(named);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::Entry;
    use crate::zoo_cfg::keys::Severity;

    fn read(lines: &[(&str, &str)]) -> (ServiceSettings, Vec<Severity>) {
        let entry = |(line, (key, value)): (usize, &(&str, &str))| Entry {
            line,
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        };
        let mut keys = Keys::new(lines.iter().enumerate().map(entry).collect());
        let mut service = ServiceSettings::new(zabrus_core::Duration::from_millis(2_000));
        authentication(&mut keys, &mut service);
        let errors = keys.remarks.iter().map(|remark| remark.severity).filter(|of| *of == Severity::Error);
        (service, errors.collect())
    }

    #[test]
    fn without_keys_digests_are_sha1_and_nobody_must_authenticate() {
        let (service, errors) = read(&[]);
        assert_eq!((service.digest, service.enforced_schemes), (Some(DigestAlgorithm::Sha1), None));
        assert!(errors.is_empty());
    }

    #[test]
    fn the_schemes_of_an_enforced_authentication_are_those_of_this_server() {
        let on = ("enforce.auth.enabled", "true");
        let (service, errors) = read(&[on, ("enforce.auth.schemes", "digest, ip")]);
        assert_eq!(service.enforced_schemes, Some(vec!["digest".to_owned(), "ip".to_owned()]));
        assert!(errors.is_empty());
        assert_eq!(read(&[on]).1.len(), 1);
        assert_eq!(read(&[on, ("enforce.auth.schemes", "sasl")]).1.len(), 1);
        let off = ("DigestAuthenticationProvider.enabled", "false");
        assert_eq!(read(&[on, off, ("enforce.auth.schemes", "digest")]).1.len(), 1);
        assert_eq!(read(&[("enforce.auth.schemes", "sasl")]).0.enforced_schemes, None);
    }

    #[test]
    fn an_unknown_hash_is_an_error() {
        let (service, errors) = read(&[("DigestAuthenticationProvider.digestAlg", "SHA-256")]);
        assert_eq!((service.digest, errors.len()), (Some(DigestAlgorithm::Sha256), 0));
        assert_eq!(read(&[("DigestAuthenticationProvider.digestAlg", "MD5")]).1.len(), 1);
    }
}
