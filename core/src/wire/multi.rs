//! multi and multiRead (client.md section 7).

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{ErrorCode, OpCode, Stat, Write};
use crate::jute::{self, Decoder};

/// Stands before each operation, each result, and at the end. 9 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultiHeader {
    /// An [`OpCode`]; -1 at the end and before an error.
    pub op: i32,
    /// This is the end.
    pub done: bool,
    /// An error code; -1 in requests and at the end.
    pub err: i32,
}

impl MultiHeader {
    /// The end.
    pub const END: Self = Self { op: -1, done: true, err: -1 };
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiRequest {
    /// Writes and checks: all of them or none.
    Writes(Vec<Write>),
    /// getData or getChildren, by path; a null one spoils what comes behind it.
    Reads(Vec<(OpCode, Option<String>)>),
}

impl MultiRequest {
    /// The operations in a body. An empty one holds writes.
    ///
    /// # Errors
    /// If it does not decode, or mixes the two kinds, or holds anything else.
    pub fn decode(body: &[u8]) -> Result<Self, ErrorCode> {
        #[derive(Deserialize)]
        struct Read {
            path: Option<String>,
            #[serde(rename = "watch")]
            _watch: bool,
        }
        let (mut writes, mut reads) = (Vec::new(), Vec::new());
        let mut decoder = Decoder::new(body);
        loop {
            let header: MultiHeader = decoder.read()?;
            if header.done {
                break;
            }
            match OpCode::from_code(header.op) {
                Some(
                    op @ (OpCode::Create
                    | OpCode::Create2
                    | OpCode::CreateContainer
                    | OpCode::CreateTtl
                    | OpCode::Delete
                    | OpCode::SetData
                    | OpCode::Check),
                ) => writes.push(Self::checked(Write::read(op, &mut decoder)?)?),
                Some(op @ (OpCode::GetData | OpCode::GetChildren)) => {
                    let Read { path, .. } = decoder.read()?;
                    reads.push((op, path));
                }
                _ => return Err(ErrorCode::MarshallingError),
            }
        }
        match (writes.is_empty(), reads.is_empty()) {
            (_, true) => Ok(Self::Writes(writes)),
            (true, false) => Ok(Self::Reads(reads)),
            (false, false) => Err(ErrorCode::MarshallingError),
        }
    }

    /// What ZooKeeper refuses while it takes a multi apart, and so for all of it. It refuses a
    /// single create like that with a code of its own.
    fn checked(write: Write) -> Result<Write, ErrorCode> {
        let path = match &write {
            Write::Create { create, .. } => &create.path,
            Write::Delete(delete) => &delete.path,
            Write::SetData(set) => &set.path,
            Write::Check(check) => &check.path,
            _ => return Ok(write),
        };
        if path == jute::NULL {
            return Err(ErrorCode::MarshallingError);
        }
        match &write {
            Write::Create { op: OpCode::CreateTtl, .. } => Ok(write),
            Write::Create { create, .. } if create.acl.is_none() || !matches!(create.flags, 0..=4) => {
                Err(ErrorCode::MarshallingError)
            }
            _ => Ok(write),
        }
    }
}

/// What one operation of a multi came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiResult {
    /// create: the path.
    Create(String),
    /// create2 and the others: the path and the node.
    Create2(String, Stat),
    /// delete.
    Delete,
    /// setData.
    SetData(Stat),
    /// check.
    Check,
    /// Not done: the code, which is 0 for what would have succeeded (client.md section 7).
    Error(i32),
}

/// Appends the results of a multi.
pub fn encode_multi_results(bytes: &mut Vec<u8>, results: &[MultiResult]) {
    let header = |op: OpCode| MultiHeader { op: op.code(), done: false, err: 0 };
    for result in results {
        match result {
            MultiResult::Create(path) => jute::encode_into(bytes, &(header(OpCode::Create), path)),
            MultiResult::Create2(path, stat) => {
                jute::encode_into(bytes, &(header(OpCode::Create2), path, stat))
            }
            MultiResult::Delete => jute::encode_into(bytes, &header(OpCode::Delete)),
            MultiResult::SetData(stat) => jute::encode_into(bytes, &(header(OpCode::SetData), stat)),
            MultiResult::Check => jute::encode_into(bytes, &header(OpCode::Check)),
            MultiResult::Error(err) => {
                jute::encode_into(bytes, &(MultiHeader { op: -1, done: false, err: *err }, *err));
            }
        }
    }
    jute::encode_into(bytes, &MultiHeader::END);
}
