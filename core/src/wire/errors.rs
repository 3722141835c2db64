//! ZooKeeper's error codes (client.md section 8).

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// Why a request was not done. Nothing was changed, except that a failed write used a zxid.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i32)]
        pub enum ErrorCode {
            $($(#[$doc])* $name = $code,)*
        }

        impl ErrorCode {
            /// The error with this code; `None` for 0, which is success, and for unknown codes.
            #[must_use]
            pub const fn from_code(code: i32) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// The server failed in a way that it has no code for.
    SystemError = -1,
    /// In a failed multi: an operation behind the one that failed.
    RuntimeInconsistency = -2,
    /// The body of a request could not be decoded.
    MarshallingError = -5,
    /// No such operation here.
    Unimplemented = -6,
    /// An argument that can never be right.
    BadArguments = -8,
    /// The session is not known.
    UnknownSession = -12,
    /// No quorum of the new configuration is connected.
    NewConfigNoQuorum = -13,
    /// Another reconfiguration is under way.
    ReconfigInProgress = -14,
    /// No such node.
    NoNode = -101,
    /// The identities of the connection do not have the permission.
    NoAuth = -102,
    /// The node has another version.
    BadVersion = -103,
    /// Ephemeral nodes have no children.
    NoChildrenForEphemerals = -108,
    /// The node exists.
    NodeExists = -110,
    /// The node has children.
    NotEmpty = -111,
    /// The session has ended.
    SessionExpired = -112,
    /// The access control list is not valid.
    InvalidAcl = -114,
    /// The authentication was refused.
    AuthFailed = -115,
    /// The session belongs to another connection by now. Never on the wire: the connection is closed.
    SessionMoved = -118,
    /// The server is read-only.
    NotReadOnly = -119,
    /// A local session cannot own ephemeral nodes.
    EphemeralOnLocalSession = -120,
    /// No such watch.
    NoWatcher = -121,
    /// Reconfiguration is switched off.
    ReconfigDisabled = -123,
    /// Authentication is demanded.
    SessionClosedRequireSaslAuth = -124,
    /// A hard quota would be exceeded.
    QuotaExceeded = -125,
    /// The request waited too long.
    ThrottledOp = -127,
}

impl ErrorCode {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }
}

impl From<crate::jute::Error> for ErrorCode {
    fn from(_: crate::jute::Error) -> Self {
        Self::MarshallingError
    }
}
