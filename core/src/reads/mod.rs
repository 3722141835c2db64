//! What a server answers by itself, from the state that it has applied (client.md sections 5 and 7).
//!
//! A read and the arming of its watch are one step, so no transaction comes between them (W8).

mod watching;

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::auth;
use crate::config::ServiceSettings;
use crate::identity::Zxid;
use crate::io::ClientId;
use crate::jute::{self, Decoder};
use crate::mutated;
use crate::state::{Node, State};
use crate::watches::{WatchKind, Watches};
use crate::wire::{
    self, AddWatch, ErrorCode, GetAclResponse, GetDataResponse, Id, MultiHeader, MultiRequest, OpCode,
    PathOnly, PathWatch, Permissions, ReplyHeader, SessionId, SetWatches, SetWatches2, Stat, WatcherType,
    reply, reply_error,
};

/// The longest answer to a multiRead, in bytes, save for its last part: a frame of a megabyte could ask
/// for tens of gigabytes. What lies behind is refused.
pub const MULTI_READ_LIMIT: usize = 64 << 20;

/// Who reads, and what.
pub struct ReadContext<'a> {
    /// What this server has applied.
    pub state: &'a State,
    /// Its watches.
    pub watches: &'a mut Watches,
    /// The connection.
    pub client: ClientId,
    /// Its session.
    pub session: SessionId,
    /// Whom it has proved to be.
    pub identities: &'a [Id],
    /// The last transaction that this server has applied.
    pub zxid: Zxid,
    /// The settings.
    pub settings: &'a ServiceSettings,
}

/// Answers one read: gives whole frames to `out`, the events that setWatches catches up with first, the
/// reply last. An operation that is no read is refused as unknown.
pub fn answer(mut context: ReadContext<'_>, xid: i32, op: OpCode, body: &[u8], out: &mut dyn FnMut(Vec<u8>)) {
    // ZOOKEEPER-1412: what this server had applied, whatever the request was.
    let zxid = if mutated!(M113) { 0 } else { context.zxid.0.cast_signed() };
    let frame = context.read(xid, zxid, op, body, out);
    out(frame.unwrap_or_else(|error| reply_error(xid, zxid, error)));
}

impl<'a> ReadContext<'a> {
    fn read(
        &mut self,
        xid: i32,
        zxid: i64,
        op: OpCode,
        body: &[u8],
        out: &mut dyn FnMut(Vec<u8>),
    ) -> Result<Vec<u8>, ErrorCode> {
        let mut body = Decoder::new(body);
        Ok(match op {
            OpCode::GetData => {
                let PathWatch { path, watch } = body.read()?;
                let node = self.readable(&path)?;
                self.watch_if(watch, &path, WatchKind::Data)?;
                reply(xid, zxid, &GetDataResponse { data: node.data(), stat: node.stat() })
            }
            OpCode::Exists => {
                let PathWatch { path, watch } = body.read()?;
                let stat = self.exists(&path, watch)?;
                reply(xid, zxid, &stat)
            }
            OpCode::GetChildren => {
                let PathWatch { path, watch } = body.read()?;
                let node = self.readable(&path)?;
                self.watch_if(watch, &path, WatchKind::Child)?;
                reply(xid, zxid, &names(node))
            }
            OpCode::GetChildren2 => {
                let PathWatch { path, watch } = body.read()?;
                let node = self.readable(&path)?;
                self.watch_if(watch, &path, WatchKind::Child)?;
                reply(xid, zxid, &(names(node), node.stat()))
            }
            OpCode::GetAcl => {
                let PathOnly { path } = body.read()?;
                reply(xid, zxid, &self.acl(&path)?)
            }
            OpCode::GetAllChildrenNumber => {
                let PathOnly { path } = body.read()?;
                // ZooKeeper counts the root among its own descendants where it has its other name.
                let descendants = self.readable(&path)?.descendants() + usize::from(path.is_empty());
                reply(xid, zxid, &i32::try_from(descendants).unwrap_or(i32::MAX))
            }
            OpCode::GetEphemerals => {
                let prefix: Option<Cow<'_, str>> = body.read()?;
                let prefix = prefix.unwrap_or_default();
                // As Java trims: blanks and everything below them.
                let all = matches!(prefix.trim_matches(|c| c <= ' '), "" | "/");
                let paths = self.state.ephemerals(self.session);
                let paths: Vec<_> = paths.filter(|path| all || path.starts_with(&*prefix)).collect();
                reply(xid, zxid, &paths)
            }
            OpCode::MultiRead => {
                let mut results = Vec::new();
                let whole = self.multi_read(&mut results, MultiRequest::decode(body.remaining())?);
                let err = whole.map_or_else(ErrorCode::code, |()| 0);
                wire::answer(ReplyHeader { xid, zxid, err }, |bytes| bytes.append(&mut results))
            }
            OpCode::WhoAmI => {
                let whom = |id: &'a Id| (&*id.scheme, auth::user_name(&id.scheme, &id.id));
                reply(xid, zxid, &self.identities.iter().map(whom).collect::<Vec<_>>())
            }
            OpCode::AddWatch => {
                let AddWatch { path, mode } = body.read()?;
                self.add_watch(&path.unwrap_or_default(), mode)?;
                reply(xid, zxid, &0_i32)
            }
            OpCode::CheckWatches => {
                let WatcherType { path, kind } = body.read()?;
                self.check_watches(&path.unwrap_or_default(), kind)?;
                reply(xid, zxid, &())
            }
            OpCode::RemoveWatches => {
                let WatcherType { path, kind } = body.read()?;
                self.remove_watches(&path.unwrap_or_default(), kind)?;
                reply(xid, zxid, &())
            }
            OpCode::SetWatches => {
                let standard: SetWatches = body.read()?;
                self.set_watches(&SetWatches2 { standard, ..SetWatches2::default() }, out)?;
                reply(xid, zxid, &())
            }
            OpCode::SetWatches2 => {
                self.set_watches(&body.read()?, out)?;
                reply(xid, zxid, &())
            }
            _ => return Err(ErrorCode::Unimplemented),
        })
    }

    /// The node at `path`, if the client may read it.
    fn readable(&self, path: &str) -> Result<Node<'a>, ErrorCode> {
        self.permitted(path, Permissions::READ)
    }

    fn permitted(&self, path: &str, wanted: i32) -> Result<Node<'a>, ErrorCode> {
        let node = self.state.node(path).ok_or(ErrorCode::NoNode)?;
        auth::check(self.settings, node.acl(), wanted, self.identities)?;
        Ok(node)
    }

    /// A node that is missing is watched too; one that may not be read is not.
    fn exists(&mut self, path: &str, watch: bool) -> Result<Stat, ErrorCode> {
        if path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        let stat = self.readable(path).map(|node| node.stat());
        self.watch_if(watch && stat != Err(ErrorCode::NoAuth), path, WatchKind::Data)?;
        stat
    }

    fn acl(&self, path: &str) -> Result<GetAclResponse, ErrorCode> {
        let node = self.permitted(path, Permissions::READ | Permissions::ADMIN)?;
        let administers = auth::check(self.settings, node.acl(), Permissions::ADMIN, self.identities).is_ok();
        let acl = if administers { node.acl().to_vec() } else { auth::masked(node.acl()) };
        Ok(GetAclResponse { acl, stat: node.stat() })
    }

    /// Appends the results. Where the request is spoilt they end, and the whole is refused.
    fn multi_read(&self, bytes: &mut Vec<u8>, request: MultiRequest) -> Result<(), ErrorCode> {
        let (reads, mut whole) = match request {
            MultiRequest::Reads(reads) => (reads, Ok(())),
            MultiRequest::Writes(writes) if writes.is_empty() => (Vec::new(), Ok(())),
            MultiRequest::Writes(_) => (Vec::new(), Err(ErrorCode::MarshallingError)),
        };
        for (op, path) in reads {
            let Some(path) = path else {
                whole = Err(ErrorCode::MarshallingError);
                break;
            };
            let fits = if bytes.len() < MULTI_READ_LIMIT { Ok(()) } else { Err(ErrorCode::SystemError) };
            let header = MultiHeader { op: op.code(), done: false, err: 0 };
            match fits.and_then(|()| self.readable(&path)) {
                Ok(node) if op == OpCode::GetData => {
                    let data = GetDataResponse { data: node.data(), stat: node.stat() };
                    jute::encode_into(bytes, &(header, data));
                }
                Ok(node) => jute::encode_into(bytes, &(header, names(node))),
                Err(error) => {
                    let err = error.code();
                    jute::encode_into(bytes, &(MultiHeader { op: -1, done: false, err }, err));
                }
            }
        }
        jute::encode_into(bytes, &MultiHeader::END);
        whole
    }
}

fn names(node: Node<'_>) -> Vec<&str> {
    node.children().collect()
}

#[cfg(test)]
mod tests;
