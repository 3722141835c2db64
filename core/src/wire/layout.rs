//! Whether a body has the fields of its operation, whatever is in them.

use super::OpCode;
use Field::{AclList, Buffer, Int, Long};

enum Field {
    Int,
    Long,
    /// A buffer or a ustring. May be null.
    Buffer,
    /// A vector of access control entries. May be null; a count below that is no entries.
    AclList,
}

/// Whether `body` decodes. For the writes, except multi, and for sync and sasl; there is no question
/// with others. A server asks before it passes a write on, since one that does not decode uses no zxid.
#[must_use]
pub fn is_well_formed(op: OpCode, body: &[u8]) -> bool {
    let fields: &[Field] = match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => &[Buffer, Buffer, AclList, Int],
        OpCode::CreateTtl => &[Buffer, Buffer, AclList, Int, Long],
        OpCode::Delete => &[Buffer, Int],
        OpCode::SetData => &[Buffer, Buffer, Int],
        OpCode::SetAcl => &[Buffer, AclList, Int],
        OpCode::Reconfig => &[Buffer, Buffer, Buffer, Long],
        OpCode::DeleteContainer | OpCode::Sync | OpCode::Sasl => &[Buffer],
        _ => &[],
    };
    skip(fields, body).is_some()
}

/// What stands behind these fields, if they are all there.
fn skip<'a>(fields: &[Field], body: &'a [u8]) -> Option<&'a [u8]> {
    fields.iter().try_fold(body, |body, field| match field {
        Int => body.get(4..),
        Long => body.get(8..),
        Buffer => {
            let (length, body) = body.split_first_chunk()?;
            match i32::from_be_bytes(*length) {
                -1 => Some(body),
                length => body.get(usize::try_from(length).ok()?..),
            }
        }
        AclList => {
            let (count, body) = body.split_first_chunk()?;
            (0..i32::from_be_bytes(*count)).try_fold(body, |body, _| skip(&[Int, Buffer, Buffer], body))
        }
    })
}
