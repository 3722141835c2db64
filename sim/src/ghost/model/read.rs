//! What reads give at any zxid (client.md sections 5 and 7).

use std::sync::Arc;

use zabrus_core::wire::{
    ErrorCode, GetAclResponse, GetChildren2Response, GetDataResponse, Id, MultiHeader, MultiRequest, OpCode,
    PathOnly, PathWatch, Permissions, SessionId, Stat,
};
use zabrus_core::{Bytes, Zxid, jute};

use super::{Model, Node, acl, quota};

/// The body of an answer, or why there is none.
pub type Answer = Result<Vec<u8>, ErrorCode>;

/// Whether [`Model::read`] knows this operation.
#[must_use]
pub fn answers(op: OpCode) -> bool {
    use OpCode as Op;
    matches!(
        op,
        Op::Exists
            | Op::GetData
            | Op::GetAcl
            | Op::GetChildren
            | Op::GetChildren2
            | Op::MultiRead
            | Op::GetEphemerals
            | Op::GetAllChildrenNumber
            | Op::WhoAmI
    )
}

/// Whether two bodies of answers say the same: the order of names is nobody's promise.
#[must_use]
pub fn same(op: OpCode, one: &[u8], other: &[u8]) -> bool {
    one == other || sorted(op, one).is_some_and(|one| Some(one) == sorted(op, other))
}

/// The body with all names in ascending order, if it holds names.
fn sorted(op: OpCode, body: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = jute::Decoder::new(body);
    let mut bytes = Vec::new();
    let names = |decoder: &mut jute::Decoder<'_>, bytes: &mut Vec<u8>| {
        let mut names: Vec<String> = decoder.read().ok()?;
        names.sort_unstable();
        jute::encode_into(bytes, &names);
        Some(())
    };
    match op {
        OpCode::GetChildren | OpCode::GetChildren2 | OpCode::GetEphemerals => {
            names(&mut decoder, &mut bytes)?;
        }
        OpCode::MultiRead => loop {
            let header: MultiHeader = decoder.read().ok()?;
            jute::encode_into(&mut bytes, &header);
            match OpCode::from_code(header.op) {
                _ if header.done => break,
                Some(OpCode::GetChildren) => names(&mut decoder, &mut bytes)?,
                Some(OpCode::GetData) => {
                    let read: GetDataResponse = decoder.read().ok()?;
                    jute::encode_into(&mut bytes, &read);
                }
                _ => jute::encode_into(&mut bytes, &decoder.read::<i32>().ok()?),
            }
        },
        _ => return None,
    }
    bytes.extend_from_slice(decoder.remaining());
    Some(bytes)
}

impl Model {
    /// What a read by somebody gives after the last transaction up to `zxid`.
    ///
    /// # Errors
    /// As the read would be refused.
    pub fn read(
        &self,
        zxid: Zxid,
        (session, identities): (SessionId, &[Id]),
        op: OpCode,
        body: &[u8],
    ) -> Answer {
        let reader = Reader { model: self, zxid, identities };
        match op {
            OpCode::Exists => {
                let PathWatch { path, .. } = jute::Decoder::new(body).read()?;
                if path.contains('\0') {
                    return Err(ErrorCode::BadArguments);
                }
                Ok(jute::encode(&reader.readable(&path)?.1))
            }
            OpCode::GetData => {
                let PathWatch { path, .. } = jute::Decoder::new(body).read()?;
                Ok(jute::encode(&reader.data(&path)?))
            }
            OpCode::GetChildren => {
                let PathWatch { path, .. } = jute::Decoder::new(body).read()?;
                Ok(jute::encode(&reader.children(&path)?.children))
            }
            OpCode::GetChildren2 => {
                let PathWatch { path, .. } = jute::Decoder::new(body).read()?;
                Ok(jute::encode(&reader.children(&path)?))
            }
            OpCode::GetAcl => {
                let PathOnly { path } = jute::Decoder::new(body).read()?;
                let node = reader.permitted(&path, Permissions::READ | Permissions::ADMIN)?;
                let all = reader.may(node, Permissions::ADMIN);
                let acl = if all { node.acl.to_vec() } else { acl::masked(&node.acl) };
                Ok(jute::encode(&GetAclResponse { acl, stat: reader.stat(&path, node) }))
            }
            OpCode::GetAllChildrenNumber => {
                let PathOnly { path } = jute::Decoder::new(body).read()?;
                reader.permitted(&path, Permissions::READ)?;
                // Under its other name the root counts itself, as recorded from ZooKeeper.
                let own_too = i32::from(path.is_empty());
                let below = self.subtree(own(&path), zxid).count() as i32 - 1 + own_too;
                Ok(jute::encode(&below))
            }
            OpCode::GetEphemerals => {
                let prefix: Option<String> = jute::decode(body)?;
                let prefix = prefix.unwrap_or_default();
                let prefix = if prefix.trim().is_empty() { "/" } else { &prefix };
                let paths = self.ephemerals(session, zxid).filter(|path| path.starts_with(prefix));
                Ok(jute::encode(&paths.collect::<Vec<_>>()))
            }
            OpCode::WhoAmI => {
                let user = |id: &Id| match id.scheme.as_str() {
                    "digest" => id.id.split(':').next().unwrap_or_default().to_owned(),
                    _ => id.id.clone(),
                };
                let users: Vec<_> = identities.iter().map(|id| (id.scheme.clone(), user(id))).collect();
                Ok(jute::encode(&users))
            }
            OpCode::MultiRead => reader.several(body),
            _ => Err(ErrorCode::Unimplemented),
        }
    }
}

/// The root has two names for reads (client.md section 13).
#[must_use]
pub fn own(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

struct Reader<'a> {
    model: &'a Model,
    zxid: Zxid,
    identities: &'a [Id],
}

impl<'a> Reader<'a> {
    fn may(&self, node: &Node, wanted: i32) -> bool {
        self.model.settings.skip_acl || acl::permits(&node.acl, wanted, self.identities)
    }

    fn permitted(&self, path: &str, wanted: i32) -> Result<&'a Arc<Node>, ErrorCode> {
        let node = self.model.at(own(path), self.zxid).ok_or(ErrorCode::NoNode)?;
        if self.may(node, wanted) { Ok(node) } else { Err(ErrorCode::NoAuth) }
    }

    fn readable(&self, path: &str) -> Result<(&'a Arc<Node>, Stat), ErrorCode> {
        let node = self.permitted(path, Permissions::READ)?;
        Ok((node, self.stat(path, node)))
    }

    /// The usage of a quota is kept in place, without a version.
    fn stat(&self, path: &str, node: &Node) -> Stat {
        match quota::shown(self.model, path, self.zxid) {
            Some(data) => Stat { data_length: data.len() as i32, ..node.stat() },
            None => node.stat(),
        }
    }

    fn data(&self, path: &str) -> Result<GetDataResponse, ErrorCode> {
        let (node, stat) = self.readable(path)?;
        let shown = quota::shown(self.model, path, self.zxid).map(Bytes::from);
        Ok(GetDataResponse { data: shown.or_else(|| node.data.clone()), stat })
    }

    fn children(&self, path: &str) -> Result<GetChildren2Response, ErrorCode> {
        let (_, stat) = self.readable(path)?;
        let children = self.model.children(own(path), self.zxid).map(str::to_owned).collect();
        Ok(GetChildren2Response { children, stat })
    }

    fn several(&self, body: &[u8]) -> Answer {
        let reads = match MultiRequest::decode(body)? {
            MultiRequest::Reads(reads) => reads,
            MultiRequest::Writes(writes) if writes.is_empty() => Vec::new(),
            MultiRequest::Writes(_) => return Err(ErrorCode::MarshallingError),
        };
        let mut bytes = Vec::new();
        for (op, path) in reads {
            // No simulated client sends one.
            let path = path.ok_or(ErrorCode::MarshallingError)?;
            let header = MultiHeader { op: op.code(), done: false, err: 0 };
            let failed = match op {
                OpCode::GetData => match self.data(&path) {
                    Ok(read) => {
                        jute::encode_into(&mut bytes, &(header, read));
                        continue;
                    }
                    Err(error) => error,
                },
                _ => match self.children(&path) {
                    Ok(read) => {
                        jute::encode_into(&mut bytes, &(header, read.children));
                        continue;
                    }
                    Err(error) => error,
                },
            };
            let err = failed.code();
            jute::encode_into(&mut bytes, &(MultiHeader { op: -1, done: false, err }, err));
        }
        jute::encode_into(&mut bytes, &MultiHeader::END);
        Ok(bytes)
    }
}
