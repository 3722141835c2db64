//! What a client is told without having asked.

use std::fmt;

/// Something happened to a watched node, or to the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// How the connection is.
    pub(crate) link: Link,
    /// What happened.
    pub(crate) kind: Kind,
    /// The node, as the client names it; `None` with [`Kind::None`].
    pub(crate) path: Option<String>,
    /// The transaction that caused it, -1 if that is not known.
    pub(crate) zxid: i64,
}

/// The connection, in ZooKeeper's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// It broke; the client looks for another server.
    Disconnected,
    /// A server has the session.
    SyncConnected,
    /// The server refused an identity.
    AuthFailed,
    /// A server without a quorum answers reads.
    ConnectedReadOnly,
    /// The session has ended, and its ephemeral nodes are gone.
    Expired,
    /// The client has closed the session.
    Closed,
}

/// What happened, in ZooKeeper's words (client.md section 9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only the connection changed.
    None,
    /// The node was created.
    NodeCreated,
    /// The node was deleted.
    NodeDeleted,
    /// Its data changed.
    NodeDataChanged,
    /// A child was created or deleted.
    NodeChildrenChanged,
    /// The client took its watch on the data away.
    DataWatchRemoved,
    /// The client took its watch on the children away.
    ChildWatchRemoved,
    /// The client took its persistent watch away.
    PersistentWatchRemoved,
}

impl Kind {
    /// The kind with this number on the wire, if servers send it.
    pub(super) fn from_wire(number: i32) -> Option<Self> {
        [Self::NodeCreated, Self::NodeDeleted, Self::NodeDataChanged, Self::NodeChildrenChanged]
            .get(usize::try_from(number).ok()?.checked_sub(1)?)
            .copied()
    }
}

impl Event {
    /// Of the connection alone.
    pub(super) fn of_link(link: Link) -> Self {
        Self { link, kind: Kind::None, path: None, zxid: -1 }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, kind, path, zxid } = self;
        let path = path.as_deref().unwrap_or("null");
        write!(f, "WatchedEvent state:{link:?} type:{kind:?} path:{path} zxid: {zxid}")
    }
}
