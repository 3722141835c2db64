//! The first frames of a connection (client.md section 3).

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::SessionId;
use crate::identity::Bytes;
use crate::jute::{self, Decoder, Encoder, Error};

/// The length of every password that a server gives out, in bytes.
pub const PASSWORD_BYTES: usize = 16;

/// A client's first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    /// The protocol's version; clients send 0, servers ignore it.
    pub protocol_version: i32,
    /// The highest zxid that the client has seen.
    pub last_zxid_seen: i64,
    /// The session timeout that it asks for, in milliseconds.
    pub timeout: i32,
    /// Its session, 0 for a new one.
    pub session: SessionId,
    /// The session's password. Of any length, and may be null, for a new session.
    pub password: Option<Bytes>,
    /// Whether a read-only server would do. Absent in the frames of old clients.
    pub read_only: Option<bool>,
}

#[derive(Serialize, Deserialize)]
struct Fixed {
    protocol_version: i32,
    last_zxid_seen: i64,
    timeout: i32,
    session: SessionId,
    #[serde(with = "jute::buffer")]
    password: Option<Bytes>,
}

impl ConnectRequest {
    /// The request in a frame.
    ///
    /// # Errors
    /// If it holds none.
    pub fn decode(frame: &[u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(frame);
        let Fixed { protocol_version, last_zxid_seen, timeout, session, password } = decoder.read()?;
        let read_only = decoder.remaining().first().map(|byte| *byte != 0);
        Ok(Self { protocol_version, last_zxid_seen, timeout, session, password, read_only })
    }

    /// The frame, without its length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { protocol_version, last_zxid_seen, timeout, session, .. } = *self;
        let password = self.password.clone();
        let mut bytes = jute::encode(&Fixed { protocol_version, last_zxid_seen, timeout, session, password });
        bytes.extend(self.read_only.map(u8::from));
        bytes
    }
}

/// A server's first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectResponse {
    /// The session timeout in milliseconds; 0 says that the session is gone.
    pub timeout: i32,
    /// The session, 0 when it is gone.
    pub session: SessionId,
    /// Its password.
    pub password: [u8; PASSWORD_BYTES],
    /// Whether the server is read-only; only there if the request had the field.
    pub read_only: Option<bool>,
}

impl ConnectResponse {
    /// The session does not exist, or not any more.
    #[must_use]
    pub fn gone(read_only: Option<bool>) -> Self {
        Self { timeout: 0, session: SessionId(0), password: [0; PASSWORD_BYTES], read_only }
    }

    /// The whole frame with its length.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        super::response::framed(|bytes| {
            let password = &self.password[..];
            jute::encode_into(bytes, &(0i32, self.timeout, self.session));
            serde::Serializer::serialize_bytes(&mut Encoder::new(bytes), password).expect("16 bytes");
            bytes.extend(self.read_only.map(u8::from));
        })
    }

    /// The response in a frame without its length; for clients.
    ///
    /// # Errors
    /// If it holds none.
    pub fn decode(frame: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Fixed {
            _protocol_version: i32,
            timeout: i32,
            session: SessionId,
            #[serde(with = "crate::codec::bytes")]
            password: Bytes,
        }
        let mut decoder = Decoder::new(frame);
        let Fixed { timeout, session, password, .. } = decoder.read()?;
        let password = password.as_ref().try_into().map_err(|_| Error::Length)?;
        let read_only = decoder.remaining().first().map(|byte| *byte != 0);
        Ok(Self { timeout, session, password, read_only })
    }
}
