//! The one place that knows how our own records become bytes: serde through bincode.
//!
//! bincode is unmaintained and pinned; everything of it stays in this module so that another
//! format could replace it.

use alloc::vec::Vec;
use core::fmt;

use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// No record larger than this can be decoded, in bytes, and decoding never allocates beyond it.
/// Whoever builds records bounds them ([`crate::wire::FRAME_LIMIT`]).
pub const RECORD_LIMIT: usize = 64 << 20;

/// Bytes that are not the record they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError;

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed record")
    }
}

fn configuration() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<RECORD_LIMIT>()
}

/// Begins with room for what most records need, so that it does not grow byte by byte.
struct Roomy(Vec<u8>);

impl Writer for Roomy {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// The bytes of `record`. The limit binds only who decodes them.
#[must_use]
pub fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    let mut writer = Roomy(Vec::with_capacity(320));
    let encoded = bincode::serde::encode_into_writer(record, &mut writer, configuration());
    encoded.expect("our records are plain data");
    writer.0
}

/// The record that is exactly `bytes`.
///
/// # Errors
/// If the bytes are no such record, or if any are left over.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    match bincode::serde::decode_from_slice(bytes, configuration()) {
        Ok((record, used)) if used == bytes.len() => Ok(record),
        _ => Err(DecodeError),
    }
}

/// For fields of type [`crate::Bytes`], which serde would take byte by byte: `#[serde(with = ...)]`.
pub(crate) mod bytes {
    use alloc::vec::Vec;
    use core::fmt;

    use serde::de::{Deserializer, Error, SeqAccess, Visitor};
    use serde::ser::Serializer;

    use crate::identity::Bytes;

    pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        deserializer.deserialize_bytes(Whole)
    }

    struct Whole;

    impl<'de> Visitor<'de> for Whole {
        type Value = Bytes;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
            Ok(bytes.into())
        }

        // Formats without bytes of their own, such as JSON, have a list.
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Bytes, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = list.next_element()? {
                bytes.push(byte);
            }
            Ok(bytes.into())
        }
    }
}
