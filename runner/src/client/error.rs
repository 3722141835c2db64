//! Why a request was not done.

use std::fmt;

use zabrus_core::wire::ErrorCode;

/// A refusal. Nothing was changed, except after [`Error::CONNECTION_LOSS`], when nobody can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// A code of ZooKeeper's (client.md section 8), and the node that the request was about.
    Keeper {
        /// The number on the wire, or one that only clients make.
        code: i32,
        /// As the caller named it.
        path: Option<String>,
    },
    /// What was given is no path, or no address; the sentence says why. Nothing was sent.
    Invalid(String),
}

impl Error {
    /// The connection broke after the request was sent, or there was none for too long.
    pub(crate) const CONNECTION_LOSS: i32 = -4;
    /// What the server sent makes no sense.
    pub(crate) const MARSHALLING: i32 = ErrorCode::MarshallingError.code();
    /// The session has ended.
    pub(crate) const SESSION_EXPIRED: i32 = ErrorCode::SessionExpired.code();
    /// The server refused an identity, and the session with it.
    pub(crate) const AUTH_FAILED: i32 = ErrorCode::AuthFailed.code();

    /// The error `code` on `path`.
    pub(crate) fn new(code: i32, path: &str) -> Self {
        Self::Keeper { code, path: Some(path.to_owned()) }
    }

    /// Whether the server answered this.
    pub(crate) fn is(&self, wanted: ErrorCode) -> bool {
        matches!(self, Self::Keeper { code, .. } if *code == wanted.code())
    }

    /// What ZooKeeper's tools call the code.
    pub(crate) fn name(code: i32) -> &'static str {
        match code {
            -1 => "SystemError",
            -2 => "RuntimeInconsistency",
            -3 => "DataInconsistency",
            -4 => "ConnectionLoss",
            -5 => "MarshallingError",
            -6 => "Unimplemented",
            -7 => "OperationTimeout",
            -8 => "BadArguments",
            -12 => "Unknown session",
            -13 => "NewConfigNoQuorum",
            -14 => "ReconfigInProgress",
            -100 => "APIError",
            -101 => "NoNode",
            -102 => "NoAuth",
            -103 => "BadVersion",
            -108 => "NoChildrenForEphemerals",
            -110 => "NodeExists",
            -111 => "Directory not empty",
            -112 => "Session expired",
            -114 => "InvalidACL",
            -115 => "AuthFailed",
            -118 => "Session moved",
            -119 => "Not a read-only call",
            -120 => "Ephemeral node on local session",
            -121 => "No such watcher",
            -122 => "RequestTimeout",
            -123 => "Reconfig is disabled",
            -124 => "Session closed because client failed to authenticate",
            -125 => "Quota has exceeded",
            -127 => "Op throttled due to high load",
            _ => "Unknown error",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keeper { code, path: Some(path) } => {
                write!(f, "KeeperErrorCode = {} for {path}", Self::name(*code))
            }
            Self::Keeper { code, path: None } => write!(f, "KeeperErrorCode = {}", Self::name(*code)),
            Self::Invalid(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {}
