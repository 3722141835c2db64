//! Bytes to records. Total: any bytes give a record or an error, and nothing larger than the input is
//! ever allocated.

use alloc::string::String;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::Error;

/// Reads Jute from a slice.
pub struct Decoder<'de> {
    input: &'de [u8],
}

impl<'de> Decoder<'de> {
    /// Reads from `input`.
    #[must_use]
    pub fn new(input: &'de [u8]) -> Self {
        Self { input }
    }

    /// The next record.
    ///
    /// # Errors
    /// If the input does not hold it.
    pub fn read<T: Deserialize<'de>>(&mut self) -> Result<T, Error> {
        T::deserialize(self)
    }

    /// What has not been read.
    #[must_use]
    pub fn remaining(&self) -> &'de [u8] {
        self.input
    }

    fn take(&mut self, count: usize) -> Result<&'de [u8], Error> {
        let (taken, rest) = self.input.split_at_checked(count).ok_or(Error::End)?;
        self.input = rest;
        Ok(taken)
    }

    fn int(&mut self) -> Result<i32, Error> {
        let (bytes, rest) = self.input.split_first_chunk().ok_or(Error::End)?;
        self.input = rest;
        Ok(i32::from_be_bytes(*bytes))
    }

    /// A length or count that is not null; below that there is none.
    fn length(&mut self) -> Result<Option<usize>, Error> {
        match self.int()? {
            -1 => Err(Error::Null),
            length => Ok(usize::try_from(length).ok()),
        }
    }

    fn buffer(&mut self) -> Result<&'de [u8], Error> {
        let length = self.length()?.ok_or(Error::Length)?;
        self.take(length).map_err(|_| Error::Length)
    }
}

macro_rules! unsupported {
    ($($method:ident),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(Error::Unsupported)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = Error;

    unsupported!(
        deserialize_any,
        deserialize_i8,
        deserialize_i16,
        deserialize_u16,
        deserialize_u32,
        deserialize_u64,
        deserialize_f32,
        deserialize_f64,
        deserialize_char,
        deserialize_map,
        deserialize_identifier,
        deserialize_ignored_any,
    );

    /// Any byte but zero is true, as ZooKeeper reads it.
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.take(1)? != [0])
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u8(self.take(1)?[0])
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i32(self.int()?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let (bytes, rest) = self.input.split_first_chunk().ok_or(Error::End)?;
        self.input = rest;
        visitor.visit_i64(i64::from_be_bytes(*bytes))
    }

    /// Bytes that are not UTF-8 become U+FFFD, which no path may contain (client.md section 1).
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match String::from_utf8_lossy(self.buffer()?) {
            alloc::borrow::Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            alloc::borrow::Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_bytes(self.buffer()?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.input.starts_with(&[0xff; 4]) {
            self.input = &self.input[4..];
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// A count below -1 is no elements, as ZooKeeper reads it.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.length()?.unwrap_or(0);
        visitor.visit_seq(Elements { decoder: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Elements { decoder: self, left })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(left, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        Err(Error::Unsupported)
    }
}

struct Elements<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    /// The count comes from the input: no more room is made than the input could fill.
    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.decoder.input.len() / 4))
    }
}
