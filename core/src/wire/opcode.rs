//! The operations (client.md section 5).

macro_rules! opcodes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// What a frame asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i32)]
        pub enum OpCode {
            $($(#[$doc])* $name = $code,)*
        }

        impl OpCode {
            /// The operation with this number.
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

opcodes! {
    /// Make a node; the answer is its path.
    Create = 1,
    /// Remove a node.
    Delete = 2,
    /// The [`super::Stat`] of a node.
    Exists = 3,
    /// The data of a node.
    GetData = 4,
    /// Replace the data of a node.
    SetData = 5,
    /// The access control list of a node.
    GetAcl = 6,
    /// Replace it.
    SetAcl = 7,
    /// The names of the children.
    GetChildren = 8,
    /// Wait until this server has everything that was committed.
    Sync = 9,
    /// I am here.
    Ping = 11,
    /// The names of the children, and the [`super::Stat`].
    GetChildren2 = 12,
    /// Compare a version; only within a multi.
    Check = 13,
    /// Several writes, all or none.
    Multi = 14,
    /// As create; the answer has the [`super::Stat`] too.
    Create2 = 15,
    /// Change the ensemble.
    Reconfig = 16,
    /// Is there such a watch?
    CheckWatches = 17,
    /// Take watches away.
    RemoveWatches = 18,
    /// Make a node that goes when its last child has gone.
    CreateContainer = 19,
    /// The leader removes such a node. No client may.
    DeleteContainer = 20,
    /// Make a node that goes when it was not changed for some time.
    CreateTtl = 21,
    /// Several reads.
    MultiRead = 22,
    /// Prove an identity.
    Auth = 100,
    /// Arm watches again after a reconnect.
    SetWatches = 101,
    /// A step of a SASL exchange.
    Sasl = 102,
    /// The session's own ephemeral nodes.
    GetEphemerals = 103,
    /// How many descendants a node has.
    GetAllChildrenNumber = 104,
    /// As [`OpCode::SetWatches`], with persistent watches.
    SetWatches2 = 105,
    /// Arm a persistent watch.
    AddWatch = 106,
    /// The identities of this connection.
    WhoAmI = 107,
    /// A new session. Never in a frame: the handshake asks for it.
    CreateSession = -10,
    /// The end of the session.
    CloseSession = -11,
}

impl OpCode {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// Whether the leader orders it, so that it uses a zxid even when it fails.
    #[must_use]
    pub const fn is_write(self) -> bool {
        matches!(
            self,
            Self::Create
                | Self::Create2
                | Self::CreateContainer
                | Self::CreateTtl
                | Self::Delete
                | Self::DeleteContainer
                | Self::SetData
                | Self::SetAcl
                | Self::Multi
                | Self::Reconfig
                | Self::CreateSession
                | Self::CloseSession
        )
    }
}
