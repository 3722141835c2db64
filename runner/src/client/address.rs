//! Connection strings: `host:port,host:port/chroot`.

use super::error::Error;
use super::path;

const DEFAULT_PORT: u16 = 2181;

/// The servers of an ensemble, and the node that is the client's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectString {
    /// Names or addresses, and ports.
    pub(crate) servers: Vec<(String, u16)>,
    /// Stands before every path on the wire; empty for none.
    pub(crate) chroot: String,
}

impl ConnectString {
    /// Reads one as ZooKeeper's clients do: without a port 2181 is meant, an IPv6 address stands in
    /// brackets.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let (servers, chroot) = text.split_at(text.find('/').unwrap_or(text.len()));
        let chroot = if chroot == "/" { "" } else { chroot };
        if !chroot.is_empty() {
            path::validate(chroot)?;
        }
        let servers = servers.split(',').map(str::trim).filter(|server| !server.is_empty());
        let servers = servers.map(parse_server).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(Error::Invalid(format!("`{text}` names no server: say host:port")));
        }
        Ok(Self { servers, chroot: chroot.to_owned() })
    }

    /// A path on the wire.
    pub(super) fn to_server(&self, path: &str) -> String {
        if path == "/" && !self.chroot.is_empty() {
            return self.chroot.clone();
        }
        format!("{}{path}", self.chroot)
    }

    /// A path for the caller. One that is not below the root stays as it is.
    pub(super) fn to_client(&self, path: &str) -> String {
        match path.strip_prefix(&self.chroot) {
            Some("") if !path.is_empty() => "/".to_owned(),
            Some(rest) if rest.starts_with('/') => rest.to_owned(),
            _ => path.to_owned(),
        }
    }
}

fn parse_server(text: &str) -> Result<(String, u16), Error> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or(rest)),
        None => text.rsplit_once(':').unwrap_or((text, "")),
    };
    let port = if port.is_empty() { Some(DEFAULT_PORT) } else { port.parse().ok() };
    match port {
        Some(port) if !host.is_empty() => Ok((host.to_owned(), port)),
        _ => Err(Error::Invalid(format!("`{text}` is no address of a server: say host:port"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(text: &str) -> Vec<(String, u16)> {
        ConnectString::parse(text).expect("valid").servers
    }

    #[test]
    fn a_connection_string_has_servers_with_ports_and_a_root() {
        let all = [("a".into(), 1), ("b".into(), 2181), ("::1".into(), 3), ("::2".into(), 2181)];
        assert_eq!(servers("a:1, b,[::1]:3,[::2]"), all);
        assert_eq!(ConnectString::parse("a/").expect("valid").chroot, "");
        assert_eq!(ConnectString::parse("a:1/x/y").expect("valid").chroot, "/x/y");
    }

    #[test]
    fn a_wrong_connection_string_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "`` names no server: say host:port"),
            ("a:x", "`a:x` is no address of a server: say host:port"),
            (":1", "`:1` is no address of a server: say host:port"),
            ("a/x/", "Path must not end with / character"),
        ] {
            assert_eq!(ConnectString::parse(text), Err(Error::Invalid(reason.into())), "{text}");
        }
    }

    #[test]
    fn a_root_stands_before_the_paths_on_the_wire_only() {
        let address = ConnectString::parse("a/x").expect("valid");
        for (client, server) in [("/", "/x"), ("/b", "/x/b")] {
            assert_eq!(address.to_server(client), server);
            assert_eq!(address.to_client(server), client);
        }
        assert_eq!(address.to_client("/xy"), "/xy", "a neighbour is not below");
        let plain = ConnectString::parse("a").expect("valid");
        assert_eq!((plain.to_server("/"), plain.to_client("/")), ("/".into(), "/".into()));
    }
}
