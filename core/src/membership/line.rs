//! The lines `server.N` (client.md section 21):
//! `host:quorum:election[:role][|host:quorum:election[:role]...][;[clienthost:]clientport]`.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// A host, by name or by number, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Without the brackets of an IPv6 address.
    pub host: String,
    /// From 1.
    pub port: u16,
}

/// One of the addresses of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Without the brackets of an IPv6 address.
    pub host: String,
    /// Where ZooKeeper's leaders listen for learners; ours do not.
    pub quorum_port: u16,
    /// Where servers listen for each other.
    pub election_port: u16,
}

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLine {
    /// At least one.
    pub addresses: Vec<Address>,
    /// It does not vote.
    pub observer: bool,
    /// Where it serves clients, if the line says so. The host is `0.0.0.0` if only a port is given.
    pub client: Option<HostPort>,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

/// A host as it stands before a colon and a port.
#[must_use]
pub fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

impl fmt::Display for ServerLine {
    /// As `/zookeeper/config` has it (client.md section 16).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Address { host, quorum_port, election_port }) in self.addresses.iter().enumerate() {
            let bar = if number == 0 { "" } else { "|" };
            write!(f, "{bar}{}:{quorum_port}:{election_port}", bracketed(host))?;
        }
        f.write_str(if self.observer { ":observer" } else { ":participant" })?;
        self.client.iter().try_for_each(|client| write!(f, ";{client}"))
    }
}

/// The meaning of the value of `server.N`.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse(value: &str) -> Result<ServerLine, String> {
    let (servers, client) = match value.split_once(';') {
        Some((servers, client)) => (servers, Some(parse_client(client.trim())?)),
        None => (value, None),
    };
    let mut observer = false;
    let mut addresses = Vec::new();
    for text in servers.split('|').map(str::trim) {
        let (host, rest) = split_host(text)?;
        let fields: Vec<_> = rest.split(':').map(str::trim).collect();
        let (quorum, election, role) = match fields[..] {
            [quorum, election] => (quorum, election, None),
            [quorum, election, role] => (quorum, election, Some(role)),
            _ => return Err(format!("`{text}` must have the form host:quorumPort:electionPort[:role]")),
        };
        observer = match role.map(str::to_ascii_lowercase).as_deref() {
            None => observer,
            Some("participant") => false,
            Some("observer") => true,
            Some(other) => return Err(format!("`{other}` must be `participant` or `observer`")),
        };
        let address = Address { host, quorum_port: port(quorum)?, election_port: port(election)? };
        if address.quorum_port == address.election_port {
            return Err(format!("`{text}`: quorum port and election port must differ"));
        }
        addresses.push(address);
    }
    Ok(ServerLine { addresses, observer, client })
}

fn parse_client(text: &str) -> Result<HostPort, String> {
    if !text.contains(':') {
        return Ok(HostPort { host: "0.0.0.0".into(), port: port(text)? });
    }
    let (host, rest) = split_host(text)?;
    Ok(HostPort { host, port: port(rest)? })
}

/// In no host, but with a meaning in the texts and files that hold it: behind a line break would be another line.
fn is_foreign(character: char) -> bool {
    character.is_control() || character.is_whitespace() || matches!(character, ',' | '=' | '\\')
}

/// The host, and what follows its colon.
fn split_host(text: &str) -> Result<(String, &str), String> {
    let parts = match text.strip_prefix('[') {
        Some(inside) => inside.split_once("]:"),
        None => text.split_once(':'),
    };
    match parts {
        Some((host, rest)) if !host.is_empty() && !host.contains(is_foreign) => Ok((host.to_owned(), rest)),
        _ => Err(format!("`{text}` must begin with a host and a colon, an IPv6 address in brackets")),
    }
}

fn port(text: &str) -> Result<u16, String> {
    match text.trim().parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(format!("`{text}` must be a port from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::identity::ServerId;
    use crate::membership::Membership;

    fn address(host: &str, quorum_port: u16, election_port: u16) -> Address {
        Address { host: host.into(), quorum_port, election_port }
    }

    #[test]
    fn a_plain_line_is_a_participant() {
        let line = parse("zoo1:2888:3888").expect("valid");
        let addresses = vec![address("zoo1", 2888, 3888)];
        assert_eq!(line, ServerLine { addresses, observer: false, client: None });
    }

    #[test]
    fn role_and_client_address_are_read() {
        let line = parse("zoo1:2888:3888:observer;10.0.0.1:2181").expect("valid");
        assert!(line.observer);
        assert_eq!(line.client, Some(HostPort { host: "10.0.0.1".into(), port: 2181 }));
        assert!(!parse("zoo1:2888:3888:PARTICIPANT").expect("valid").observer);
    }

    #[test]
    fn a_client_port_alone_is_on_all_addresses() {
        let client = parse("zoo1:2888:3888;2181").expect("valid").client;
        assert_eq!(client, Some(HostPort { host: "0.0.0.0".into(), port: 2181 }));
    }

    #[test]
    fn several_addresses_and_ipv6_are_read() {
        let line = parse("[2001:db8::1]:2888:3888|zoo1-b:2889:3889:participant;[::]:2181").expect("valid");
        assert_eq!(line.addresses, [address("2001:db8::1", 2888, 3888), address("zoo1-b", 2889, 3889)]);
        assert_eq!(line.client, Some(HostPort { host: "::".into(), port: 2181 }));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (value, complaint) in [
            ("zoo1", "must begin with a host"),
            (":2888:3888", "must begin with a host"),
            ("zoo1\nserver.2:2888:3888", "must begin with a host"),
            ("zoo1:2888:3888;zoo 1:2181", "must begin with a host"),
            ("zoo1:2888", "must have the form"),
            ("zoo1:2888:3888:leader", "`participant` or `observer`"),
            ("zoo1:2888:x", "`x` must be a port"),
            ("zoo1:2888:0", "`0` must be a port"),
            ("zoo1:2888:2888", "must differ"),
            ("zoo1:2888:3888;", "must be a port"),
            ("[::1:2888:3888", "in brackets"),
        ] {
            let error = parse(value).expect_err(value);
            assert!(error.contains(complaint), "{value}: {error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_a_line_or_an_error(value in r"([a-z0-9:;|\[\]. ]|\PC)*") {
            if let Ok(line) = parse(&value) {
                prop_assert!(!line.addresses.is_empty());
                prop_assert_eq!(parse(&line.to_string()), Ok(line));
            }
        }

        #[test]
        fn a_line_is_one_line_of_a_text(
            host in r"([a-z0-9.#!]|[,=\\\s]|\pC)+",
            client in r"([a-z0-9.#!]|[,=\\\s]|\pC)+",
        ) {
            if let Ok(line) = parse(&format!("{host}:1:2;{client}:3")) {
                let membership = Membership::of([(ServerId(1), line)].into(), 7);
                prop_assert_eq!(Membership::parse(&membership.text()), Ok(membership));
            }
        }
    }
}
