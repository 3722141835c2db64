//! What the fuzz targets do with arbitrary bytes. Each module is one target: it takes the bytes apart into
//! [`pieces`], does what they say, and asserts what must hold whatever they are.
#![forbid(unsafe_code)]

pub mod client;
#[path = "../../tests/common/mod.rs"]
pub mod common;
pub mod peer;
pub mod recovery;
pub mod snapshot;

use common::bench::Bench;

/// Cuts an input: each piece is a tag, a length in two bytes, and so many bytes, or what is left.
pub fn pieces(mut input: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (&[tag, high, low], rest) = input.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        input = rest;
        Some((tag, piece))
    })
}

/// The piece that [`pieces`] finds again.
pub fn piece(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a short piece").to_be_bytes();
    [&[tag], &length[..], bytes].concat()
}

/// A number of up to two bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(2).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The state is what its own digest says.
fn assert_digest(bench: &Bench) {
    let state = bench.replica.state();
    assert_eq!(state.digest(), state.recomputed_digest());
}
