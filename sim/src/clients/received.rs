//! What clients hear, decoded as a client would.

use zabrus_core::wire::{ConnectResponse, ReplyHeader, WatcherEvent, xid};
use zabrus_core::{Bytes, jute};

/// A frame from a server, or the end of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// The answer to the handshake.
    Session(ConnectResponse),
    /// What came in place of the answer to the handshake.
    TurnedAway(ReplyHeader),
    /// The answer to a request.
    Reply {
        /// Its header.
        header: ReplyHeader,
        /// Whatever follows it.
        body: Bytes,
    },
    /// A watch fired.
    Event {
        /// The transaction, -1 for what is caught up.
        zxid: i64,
        /// What happened.
        event: i32,
        /// To which node.
        path: String,
    },
    /// The server has closed the connection.
    Closed,
    /// Bytes that are none of these: what is wrong.
    Garbage(&'static str),
}

impl Received {
    /// Decodes what came on a connection, with its length; `greeted` if the handshake is over.
    #[must_use]
    pub fn decode(bytes: Option<&[u8]>, greeted: bool) -> Self {
        let Some(bytes) = bytes else { return Self::Closed };
        let Some((length, frame)) = bytes.split_first_chunk() else { return Self::Garbage("has no length") };
        if i32::from_be_bytes(*length) as usize != frame.len() {
            return Self::Garbage("has another length than it says");
        }
        if !greeted && frame.len() == 16 {
            return jute::decode(frame).map_or(Self::Garbage("has no header"), Self::TurnedAway);
        }
        if !greeted {
            let response = ConnectResponse::decode(frame);
            return response.map_or(Self::Garbage("is no answer to a handshake"), Self::Session);
        }
        let mut decoder = jute::Decoder::new(frame);
        let Ok(header) = decoder.read::<ReplyHeader>() else { return Self::Garbage("has no header") };
        if header.xid != xid::NOTIFICATION {
            return Self::Reply { header, body: decoder.remaining().into() };
        }
        match decoder.read::<WatcherEvent<'_>>() {
            Ok(WatcherEvent { event, state: 3, path }) if header.err == 0 => {
                Self::Event { zxid: header.zxid, event, path: path.into_owned() }
            }
            _ => Self::Garbage("is no event"),
        }
    }
}

#[cfg(test)]
mod tests {
    use zabrus_core::wire::{ErrorCode, EventType, reply, reply_error};

    use super::*;

    #[test]
    fn frames_are_what_they_should_be_or_garbage() {
        let event = reply(xid::NOTIFICATION, 7, &WatcherEvent::new(EventType::NodeDeleted, "/a"));
        let expected = Received::Event { zxid: 7, event: 2, path: "/a".into() };
        assert_eq!(Received::decode(Some(&event), true), expected);
        let refused = reply_error(3, 7, ErrorCode::NoNode);
        assert!(
            matches!(Received::decode(Some(&refused), true), Received::Reply { header, .. } if header.err == -101)
        );
        assert!(matches!(Received::decode(Some(&refused[..19]), true), Received::Garbage(_)));
        assert!(matches!(Received::decode(Some(&refused), false), Received::TurnedAway(_)));
        assert!(matches!(Received::decode(Some(&event), false), Received::Garbage(_)));
        let gone = ConnectResponse::gone(Some(false));
        assert_eq!(Received::decode(Some(&gone.frame()), false), Received::Session(gone));
        assert_eq!(Received::decode(None, true), Received::Closed);
    }
}
