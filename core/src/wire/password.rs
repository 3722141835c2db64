//! Passwords of sessions (client.md section 3.4).

use super::{PASSWORD_BYTES, SessionId};

/// The password of `session`: Apache's own, so that sessions survive a move to this server and back.
/// It is what Java's `Random` gives from the seed below. Whoever knows the id can compute it, here as
/// there: it guards against mistakes, not against malice.
#[must_use]
pub fn password(session: SessionId) -> [u8; PASSWORD_BYTES] {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = (session.0.cast_unsigned() ^ 0xB341_5C00 ^ MULTIPLIER) & MASK;
    let mut password = [0; PASSWORD_BYTES];
    for word in password.chunks_exact_mut(4) {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        let output = (state >> 16) as u32;
        word.copy_from_slice(&output.to_le_bytes());
    }
    password
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values come from `java.util.Random`.
    #[test]
    fn passwords_are_those_of_apache() {
        let cases = [
            (1, 0x054c_c74a_3732_7db2_15e7_02e2_0c73_f005),
            (0x0100_000e_9480_0022, 0xaf70_3bc8_d6fa_ea13_5d1e_24c7_85b6_7729),
            (-1, 0x20f6_2cb5_648d_c2d7_7147_1c8a_2486_a9ee),
            (0x0123_4567_89ab_cdef, 0xf7cd_1b8b_3f94_6c47_7425_d41b_e3f6_67c6_u128),
        ];
        for (session, expected) in cases {
            assert_eq!(password(SessionId(session)), expected.to_be_bytes());
        }
    }
}
