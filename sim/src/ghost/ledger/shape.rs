//! Whether a body has the fields of its operation (client.md sections 1 and 5), in the ledger's own reading:
//! it judges what the servers make of it.

use zabrus_core::wire::OpCode;

/// A letter for each field: `i`nt, `l`ong, `b`uffer or ustring, vector of `a`ccess control entries. For the
/// writes, except multi, and for sync; of others nothing is asked.
fn fields(op: OpCode) -> &'static str {
    match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => "bbai",
        OpCode::CreateTtl => "bbail",
        OpCode::SetData => "bbi",
        OpCode::SetAcl => "bai",
        OpCode::Delete => "bi",
        OpCode::Reconfig => "bbbl",
        OpCode::Sync | OpCode::DeleteContainer => "b",
        _ => "",
    }
}

/// Whether `body` is whole. What stands behind it is ignored.
pub(super) fn is_whole(op: OpCode, body: &[u8]) -> bool {
    let mut at = 0;
    fields(op).chars().all(|field| skip(field, body, &mut at).is_some())
}

fn skip(field: char, body: &[u8], at: &mut usize) -> Option<()> {
    match field {
        'i' => advance(body, at, 4),
        'l' => advance(body, at, 8),
        'b' => match int(body, at)? {
            -1 => Some(()),
            length => advance(body, at, usize::try_from(length).ok()?),
        },
        // Permissions, scheme and id. Null, or any number below it, is no entries.
        _ => (0..int(body, at)?).try_for_each(|_| "ibb".chars().try_for_each(|field| skip(field, body, at))),
    }
}

fn int(body: &[u8], at: &mut usize) -> Option<i32> {
    let start = *at;
    advance(body, at, 4)?;
    Some(i32::from_be_bytes(body[start..*at].try_into().ok()?))
}

fn advance(body: &[u8], at: &mut usize, bytes: usize) -> Option<()> {
    *at = at.checked_add(bytes).filter(|end| *end <= body.len())?;
    Some(())
}

#[cfg(test)]
mod tests {
    use zabrus_core::jute;
    use zabrus_core::wire::{Create, Delete};

    use super::*;
    use crate::ghost::model::open_acl;

    #[test]
    fn a_body_is_whole_up_to_its_last_byte_and_whatever_stands_behind_it() {
        let create = Create { path: "/a".into(), data: None, acl: Some(open_acl()), flags: 0 };
        let delete = Delete { path: "/a".into(), version: -1 };
        for (op, mut body) in
            [(OpCode::Create, jute::encode(&create)), (OpCode::Delete, jute::encode(&delete))]
        {
            assert!((0..body.len()).all(|end| !is_whole(op, &body[..end])), "{op:?}");
            assert!(is_whole(op, &body));
            body.push(7);
            assert!(is_whole(op, &body));
        }
        assert!(is_whole(OpCode::GetData, &[]));
    }

    #[test]
    fn null_is_a_buffer_and_what_is_below_it_is_none() {
        assert!(is_whole(OpCode::Sync, &(-1_i32).to_be_bytes()));
        assert!(!is_whole(OpCode::Sync, &(-2_i32).to_be_bytes()));
        assert!(!is_whole(OpCode::Sync, &i32::MAX.to_be_bytes()));
        let no_entries = [(-1_i32).to_be_bytes(), (-2_i32).to_be_bytes(), [0; 4]].concat();
        assert!(is_whole(OpCode::SetAcl, &no_entries));
    }
}
