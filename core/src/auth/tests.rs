use super::*;
use crate::time::Duration;
use crate::wire::Permissions;

fn id(scheme: &str, id: &str) -> Id {
    Id { scheme: scheme.into(), id: id.into() }
}

fn entry(perms: i32, scheme: &str, name: &str) -> Acl {
    Acl { perms, id: id(scheme, name) }
}

fn settings() -> ServiceSettings {
    ServiceSettings::new(Duration::from_millis(2_000))
}

fn digest(credentials: &[u8]) -> Auth {
    Auth { kind: 0, scheme: "digest".into(), auth: Some(credentials.into()) }
}

#[test]
fn an_empty_list_allows_everything() {
    assert!(permits(&[], Permissions::ADMIN, &[]));
}

#[test]
fn one_entry_with_one_of_the_wanted_bits_is_enough() {
    let acl = [entry(Permissions::READ, "world", "anyone"), entry(Permissions::WRITE, "digest", "u:h")];
    assert!(permits(&acl, Permissions::READ | Permissions::ADMIN, &[]));
    assert!(!permits(&acl, Permissions::WRITE, &[id("ip", "1.2.3.4"), id("digest", "u:other")]));
    assert!(permits(&acl, Permissions::WRITE, &[id("ip", "1.2.3.4"), id("digest", "u:h")]));
    assert!(!permits(&acl, Permissions::DELETE, &[id("digest", "u:h")]));
    assert!(!permits(&[entry(0, "world", "anyone")], Permissions::READ, &[]));
}

#[test]
fn the_super_user_may_do_everything_and_no_list_can_name_them() {
    assert!(permits(&[entry(1, "digest", "u:h")], Permissions::ADMIN, &[id("super", "")]));
    assert_eq!(checked_acl(&settings(), Some(vec![entry(31, "super", "")]), &[]), Err(ErrorCode::InvalidAcl));
}

#[test]
fn without_access_control_everybody_may_do_everything() {
    let acl = [entry(Permissions::READ, "digest", "u:h")];
    assert_eq!(check(&settings(), &acl, Permissions::READ, &[]), Err(ErrorCode::NoAuth));
    let open = ServiceSettings { skip_acl: true, ..settings() };
    assert_eq!(check(&open, &acl, Permissions::READ, &[]), Ok(()));
}

#[test]
fn a_scheme_without_provider_matches_nobody() {
    assert!(!permits(&[entry(31, "sasl", "u")], Permissions::READ, &[id("sasl", "u")]));
}

/// What Apache ZooKeeper 3.9.5 says to each expression, and to the addresses 127.0.0.1, ::1,
/// 10.1.2.3 and 2001:db8::7 against it. Not here, because different on purpose: it also takes
/// numbers such as 01 and +4 within an IPv4 address.
#[test]
fn addresses_match_by_their_first_bits() {
    let cases = [
        ("127.0.0.1", true, "T---"),
        ("127.0.0.1/32", true, "T---"),
        ("127.0.0.0/8", true, "T---"),
        ("10.0.0.0/0", true, "T-T-"),
        ("127.0.0.1/33", false, "----"),
        ("127.0.0.1/-1", false, "----"),
        ("127.0.0.1/", false, "----"),
        ("127.0.0.1/+8", true, "T---"),
        ("127.0.0.1/08", true, "T---"),
        ("127.0.0.1/8/9", false, "----"),
        ("127.0.0.1/a", false, "----"),
        ("::1", true, "-T--"),
        ("::1/128", true, "-T--"),
        ("::/0", true, "-T-T"),
        ("::/129", false, "----"),
        ("::ffff:127.0.0.1", false, "----"),
        ("::ffff:10.0.0.1/104", false, "----"),
        ("fe80::1%eth0", false, "----"),
        ("1.2.3", false, "----"),
        ("256.1.1.1", false, "----"),
        ("", false, "----"),
        ("/8", false, "----"),
        ("0:0:0:0:0:0:0:1", true, "-T--"),
        ("1.2.3.4.", false, "----"),
        ("[::1]", false, "----"),
        (" 1.2.3.4", false, "----"),
        ("localhost", false, "----"),
        ("2001:db8::/32", true, "---T"),
        ("2001:DB8::5/64", true, "---T"),
        ("1::2::3", false, "----"),
    ];
    for (expression, valid, matches) in cases {
        let acl = vec![entry(Permissions::READ, "ip", expression)];
        assert_eq!(checked_acl(&settings(), Some(acl.clone()), &[]).is_ok(), valid, "{expression}");
        let found: String = ["127.0.0.1", "0:0:0:0:0:0:0:1", "10.1.2.3", "2001:db8:0:0:0:0:0:7"]
            .map(
                |address| {
                    if permits(&acl, Permissions::READ, &[address_identity(address)]) { 'T' } else { '-' }
                },
            )
            .iter()
            .collect();
        assert_eq!(found, matches, "{expression}");
    }
}

#[test]
fn digest_ids_have_two_parts_as_java_counts_them() {
    let cases = [
        ("a:b", true),
        (":b", true),
        ("a:b:", true),
        ("a", false),
        ("a:", false),
        ("a::", false),
        ("a:b:c", false),
        ("a::b", false),
        ("", false),
        (":", false),
    ];
    for (name, valid) in cases {
        assert_eq!(
            checked_acl(&settings(), Some(vec![entry(31, "digest", name)]), &[]).is_ok(),
            valid,
            "{name}"
        );
    }
}

#[test]
fn a_list_loses_its_duplicates_and_keeps_its_order() {
    let (a, b) = (entry(255, "world", "anyone"), entry(0, "digest", "u:h"));
    let checked = checked_acl(&settings(), Some(vec![b.clone(), a.clone(), b.clone()]), &[]);
    assert_eq!(checked, Ok(vec![b, a]));
}

#[test]
fn null_empty_and_unknown_lists_are_invalid() {
    for acl in [
        None,
        Some(vec![]),
        Some(vec![entry(31, "world", "someone")]),
        Some(vec![entry(31, "world", "anyone"), entry(31, "sasl", "u")]),
    ] {
        assert_eq!(checked_acl(&settings(), acl, &[]), Err(ErrorCode::InvalidAcl));
    }
}

#[test]
fn a_null_id_of_a_known_scheme_cannot_be_marshalled() {
    for scheme in ["world", "digest", "ip"] {
        let list = Some(vec![entry(31, scheme, jute::NULL)]);
        assert_eq!(checked_acl(&settings(), list, &[]), Err(ErrorCode::MarshallingError), "{scheme}");
    }
    assert_eq!(
        checked_acl(&settings(), Some(vec![entry(31, "sasl", jute::NULL)]), &[]),
        Err(ErrorCode::InvalidAcl)
    );
    let proved = [id("digest", "u:h")];
    assert_eq!(
        checked_acl(&settings(), Some(vec![entry(31, "auth", jute::NULL)]), &proved),
        Ok(vec![entry(31, "digest", "u:h")])
    );
}

#[test]
fn auth_stands_for_the_identities_that_were_proved() {
    let identities = [id("ip", "1.2.3.4"), id("super", ""), id("digest", "u:h"), id("digest", "v:h")];
    let acl = vec![entry(3, "auth", "whoever"), entry(1, "world", "anyone")];
    let expected = vec![entry(3, "digest", "u:h"), entry(3, "digest", "v:h"), entry(1, "world", "anyone")];
    assert_eq!(checked_acl(&settings(), Some(acl.clone()), &identities), Ok(expected));
    assert_eq!(checked_acl(&settings(), Some(acl), &identities[..2]), Err(ErrorCode::InvalidAcl));
}

#[test]
fn auth_cannot_grow_a_list_beyond_a_frame() {
    let identities: Vec<Id> = (0..1_000).map(|n| id("digest", &alloc::format!("{n}:h"))).collect();
    let acl: Vec<Acl> = (0..1_000).map(|perms| entry(perms, "auth", "")).collect();
    assert_eq!(checked_acl(&settings(), Some(acl), &identities), Err(ErrorCode::InvalidAcl));
}

/// The hashes are Apache's.
#[test]
fn a_password_is_hashed_with_its_user() {
    let cases = [
        ("u:p", "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ="),
        ("super:admin", "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="),
        ("u", "u:UeaYkqtJ34XGIwzMV/jh0WBsrMw="),
        ("", ":2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
        ("u:p:q", "u:VIgTKUjc2iscZoJn2UUrdGNNgW4="),
        ("é:ü", "é:Ztqg8TrMmzkSFpOaDBO87lu10+c="),
    ];
    for (credentials, expected) in cases {
        let identities = authenticate(&settings(), "1.2.3.4", &digest(credentials.as_bytes()));
        assert_eq!(identities, Ok(vec![id("digest", expected)]));
    }
}

#[test]
fn the_super_digest_makes_a_super_user_who_has_the_digest_too() {
    let settings =
        ServiceSettings { super_digest: Some("super:xQJmxLMiHGwaqBvst5y6rkB6HQs=".into()), ..settings() };
    let expected = vec![id("super", ""), id("digest", "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=")];
    assert_eq!(authenticate(&settings, "1.2.3.4", &digest(b"super:admin")), Ok(expected));
    assert_eq!(authenticate(&settings, "1.2.3.4", &digest(b"super:guess")).map(|ids| ids.len()), Ok(1));
}

#[test]
fn only_ip_and_digest_can_be_proved() {
    for scheme in ["world", "auth", "super", "sasl", "x509", ""] {
        let auth = Auth { scheme: scheme.into(), ..digest(b"u:p") };
        assert_eq!(authenticate(&settings(), "1.2.3.4", &auth), Err(ErrorCode::AuthFailed), "{scheme}");
    }
    let nothing = Auth { auth: None, ..digest(b"") };
    assert_eq!(authenticate(&settings(), "1.2.3.4", &nothing), Err(ErrorCode::AuthFailed));
    let ip = Auth { scheme: "ip".into(), ..nothing };
    assert_eq!(authenticate(&settings(), "1.2.3.4", &ip), Ok(vec![id("ip", "1.2.3.4")]));
}

#[test]
fn hashes_are_hidden_and_other_schemes_are_not() {
    let acl = [entry(31, "digest", "u:hash:more"), entry(1, "ip", "::1"), entry(1, "digest", "u")];
    assert_eq!(masked(&acl), [entry(31, "digest", "u:x"), entry(1, "ip", "::1"), entry(1, "digest", "u")]);
    assert_eq!(user_name("digest", "u:hash"), "u");
    assert_eq!(user_name("ip", "::1"), "::1");
}

#[test]
fn without_the_scheme_digest_nobody_proves_one_and_no_list_names_one() {
    let settings = ServiceSettings { digest: None, ..settings() };
    assert_eq!(authenticate(&settings, "1.2.3.4", &digest(b"u:p")), Err(ErrorCode::AuthFailed));
    let named = |scheme: &str, name: &str| checked_acl(&settings, Some(vec![entry(31, scheme, name)]), &[]);
    assert_eq!(named("digest", "u:hash"), Err(ErrorCode::InvalidAcl));
    assert_eq!(named("digest", jute::NULL), Err(ErrorCode::InvalidAcl));
    assert!(named("ip", "1.2.3.4").is_ok());
}

#[test]
fn the_operator_chooses_the_hash_of_the_scheme_digest() {
    let proved = |name: &str| {
        let settings = ServiceSettings { digest: DigestAlgorithm::from_name(name), ..settings() };
        authenticate(&settings, "1.2.3.4", &digest(b"u:p")).map(|ids| ids[0].id.len())
    };
    let (sha1, sha256, sha512) = ("u:".len() + 28, "u:".len() + 44, "u:".len() + 88);
    assert_eq!((proved("SHA1"), proved("sha-256"), proved("SHA-512")), (Ok(sha1), Ok(sha256), Ok(sha512)));
    assert_eq!(DigestAlgorithm::from_name("MD5"), None);
}

#[test]
fn who_must_prove_something_is_admitted_with_one_identity_of_the_schemes() {
    let admitted = |schemes: Option<&[&str]>, scheme: &str| {
        let enforced_schemes = schemes.map(|names| names.iter().map(|name| (*name).into()).collect());
        is_admitted(
            &ServiceSettings { enforced_schemes, ..settings() },
            &[id("ip", "1.2.3.4"), id(scheme, "x")],
        )
    };
    assert!(admitted(None, "none"));
    assert!(admitted(Some(&["digest", "sasl"]), "digest"));
    assert!(admitted(Some(&["ip"]), "none"));
    assert!(!admitted(Some(&["digest", "sasl"]), "none") && !admitted(Some(&[]), "digest"));
}

#[test]
fn a_connection_proves_no_more_identities_than_its_writes_can_carry() {
    let mut identities = vec![id("ip", "1.2.3.4")];
    let long = id("digest", &"u".repeat(IDENTITIES_LIMIT / 2));
    assert_eq!(add_identities(&mut identities, vec![long.clone()]), Ok(()));
    assert_eq!(add_identities(&mut identities, vec![long]), Ok(()), "nothing new");
    assert_eq!(identities.len(), 2);
    let other = id("digest", &"v".repeat(IDENTITIES_LIMIT / 2));
    assert_eq!(add_identities(&mut identities, vec![other]), Err(ErrorCode::AuthFailed));
}
