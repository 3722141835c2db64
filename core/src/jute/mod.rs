//! Jute, the encoding of ZooKeeper's records, as a serde format (client.md section 1).
//!
//! | serde | Jute |
//! |---|---|
//! | `bool`, `u8` | one byte |
//! | `i32`, `i64` | four and eight bytes, big-endian |
//! | `str` | ustring: int length in bytes, UTF-8 |
//! | bytes | buffer: int length, bytes |
//! | sequence | vector: int count, elements |
//! | `Option` of one of the last three | length or count -1 for `None` |
//! | struct, tuple | the fields in order |
//!
//! So null, empty and absent stay three things: `None`, an empty value, and the end of the input,
//! which only [`Decoder::remaining`] sees. Everything else that serde knows is refused: ZooKeeper's
//! records have none of it.

mod de;
mod ser;

use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use de::Decoder;
pub use ser::Encoder;

/// Why bytes are not the record that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The input ended within the record.
    End,
    /// A length below -1, or beyond what is left of the input.
    Length,
    /// A null where the record has none.
    Null,
    /// A type that Jute does not have: a mistake of this program, not of the input.
    Unsupported,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::End => "the record ends too early",
            Self::Length => "unreasonable length",
            Self::Null => "null where the record has none",
            Self::Unsupported => "a type that Jute does not have",
        })
    }
}

impl core::error::Error for Error {}

impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Unsupported
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Unsupported
    }
}

/// The bytes of `record`.
#[must_use]
pub fn encode<T: Serialize + ?Sized>(record: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_into(&mut bytes, record);
    bytes
}

/// Appends the bytes of `record`.
pub fn encode_into<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, record: &T) {
    record.serialize(&mut Encoder::new(bytes)).expect("records are made of what Jute has");
}

/// The record at the beginning of `bytes`; what follows it is ignored, as ZooKeeper does.
///
/// # Errors
/// If there is none.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    Decoder::new(bytes).read()
}

/// What a null string is read as where null is refused with another code than an empty one is. It is no
/// path, and nobody's id.
pub const NULL: &str = "\0";

/// For fields of type `String` that may be null, which is read as [`NULL`].
pub(crate) mod null_is_nul {
    use alloc::string::String;

    use serde::{Deserialize, Deserializer};

    pub(crate) use super::null_is_empty::serialize;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or_else(|| super::NULL.into()))
    }
}

/// For fields of type `String` that may be null, which is as good as empty.
pub(crate) mod null_is_empty {
    use alloc::string::String;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// As an option, since other formats than Jute mark one.
    pub(crate) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        Some(text).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or_default())
    }
}

/// For fields of type `Option<Bytes>`: a buffer that may be null.
pub mod buffer {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::identity::Bytes;

    #[derive(Serialize, Deserialize)]
    struct Whole(#[serde(with = "crate::codec::bytes")] Bytes);

    struct Borrowed<'a>(&'a Bytes);

    impl Serialize for Borrowed<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }

    /// As serde's `with` asks.
    ///
    /// # Errors
    /// As the serializer's.
    pub fn serialize<S: Serializer>(bytes: &Option<Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(Borrowed).serialize(serializer)
    }

    /// As serde's `with` asks.
    ///
    /// # Errors
    /// As the deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bytes>, D::Error> {
        Ok(Option::<Whole>::deserialize(deserializer)?.map(|whole| whole.0))
    }
}

#[cfg(test)]
mod tests;
