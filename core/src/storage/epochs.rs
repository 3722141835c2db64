//! The bytes of the epochs file.

use alloc::vec::Vec;

use super::Epochs;
use super::segment::{is_sealed, seal};
use crate::codec;

const MAGIC: [u8; 8] = *b"ZABREPO1";
const CHECKSUM_BYTES: usize = 4;

pub(super) fn encode(epochs: &Epochs) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(codec::encode(epochs));
    seal(bytes)
}

pub(super) fn decode(file: &[u8]) -> Option<Epochs> {
    if !is_sealed(file) {
        return None;
    }
    let body = file.strip_prefix(&MAGIC)?;
    codec::decode(&body[..body.len().checked_sub(CHECKSUM_BYTES)?]).ok()
}
