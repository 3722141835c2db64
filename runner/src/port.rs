//! What a readiness event is about: a token names it.

use mio::Token;

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// A notice of another thread.
    Wake,
    /// The listener for clients.
    Clients,
    /// A client.
    Client,
    /// A listener for peers.
    Peers,
    /// A peer, or somebody who may be one.
    Peer,
}

const PORTS: [Port; 5] = [Port::Wake, Port::Clients, Port::Client, Port::Peers, Port::Peer];

impl Port {
    /// The token of the one with this number.
    pub(crate) fn token(self, number: u64) -> Token {
        let kind = PORTS.iter().position(|port| *port == self).expect("every port is in the list");
        Token(number as usize * PORTS.len() + kind)
    }

    /// What [`Port::token`] was asked.
    pub(crate) fn of(token: Token) -> (Self, u64) {
        (PORTS[token.0 % PORTS.len()], (token.0 / PORTS.len()) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_what_it_stands_for() {
        for port in PORTS {
            for number in [0, 1, 77, 1 << 40] {
                assert_eq!(Port::of(port.token(number)), (port, number));
            }
        }
    }
}
