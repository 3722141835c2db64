//! Apache's snapshots (client.md section 23.3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zabrus_core::Bytes;
use zabrus_core::identity::Zxid;
use zabrus_core::jute::{self, Decoder};
use zabrus_core::state::{self, FuzzyState, State, StateLoader, StoredStat};
use zabrus_core::wire::{Acl, Id, Permissions, SessionId};

pub(crate) const MAGIC: [u8; 4] = *b"ZKSN";
const VERSION: i32 = 2;
const DATABASE: i64 = -1;
/// The number of the list that gives everything to everyone, which stands in no table.
const OPEN: i64 = -1;
const DIGEST_VERSION: i32 = 2;
/// What follows the last node, and each checksum.
const END: &str = "/";
const SEAL_BYTES: usize = 13;
/// A digest and its seal.
const DIGEST_BYTES: usize = 20 + SEAL_BYTES;
/// The last zxid and its seal.
const LAST_ZXID_BYTES: usize = 8 + SEAL_BYTES;
const BOTH_BYTES: usize = DIGEST_BYTES + LAST_ZXID_BYTES;

/// A snapshot as it was loaded.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) state: FuzzyState,
    /// The digest, and after which transaction the tree has it.
    pub(super) digest: Option<(Zxid, u64)>,
}

#[derive(Serialize, Deserialize)]
struct Node {
    #[serde(with = "jute::buffer")]
    data: Option<Bytes>,
    acl: i64,
    czxid: i64,
    mzxid: i64,
    ctime: i64,
    mtime: i64,
    version: i32,
    cversion: i32,
    aversion: i32,
    ephemeral_owner: i64,
    pzxid: i64,
}

fn open() -> Vec<Acl> {
    vec![Acl { perms: Permissions::ALL, id: Id { scheme: "world".into(), id: "anyone".into() } }]
}

/// Reads a snapshot, and checks its checksums.
pub(crate) fn decode(bytes: &[u8]) -> Result<Loaded, String> {
    let no_snapshot = "no snapshot of Apache ZooKeeper";
    let mut decoder = Decoder::new(bytes);
    let (magic, version, _): (i32, i32, i64) = decoder.read().map_err(|_| no_snapshot)?;
    if magic.to_be_bytes() != MAGIC || version != VERSION {
        return Err(no_snapshot.into());
    }
    let ends_early = |error: jute::Error| format!("the snapshot is damaged: {error}");
    let mut loader = StateLoader::default();
    for (session, timeout) in decoder.read::<Vec<(SessionId, i32)>>().map_err(ends_early)? {
        loader.session(session, timeout);
    }
    let lists: Vec<(i64, Vec<Acl>)> = decoder.read().map_err(ends_early)?;
    let mut lists: BTreeMap<i64, Vec<Acl>> = lists.into_iter().collect();
    lists.insert(OPEN, open());
    loop {
        let path: String = decoder.read().map_err(ends_early)?;
        if path == END {
            break;
        }
        let node: Node = decoder.read().map_err(ends_early)?;
        let path = if path.is_empty() { END } else { &path };
        let acl = lists.get(&node.acl).map(Vec::as_slice);
        let Node {
            data,
            czxid,
            mzxid,
            pzxid,
            ctime,
            mtime,
            version,
            cversion,
            aversion,
            ephemeral_owner,
            ..
        } = node;
        let stat =
            StoredStat { czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, ephemeral_owner };
        loader.node(path, data, acl, stat)?;
    }
    check_seal(bytes, &mut decoder)?;
    let mut digest = None;
    // Both were added later, and can be switched off.
    if matches!(decoder.remaining().len(), DIGEST_BYTES | BOTH_BYTES) {
        let (zxid, version, value): (i64, i32, i64) = decoder.read().map_err(ends_early)?;
        // A server that has applied nothing since its start writes zeros.
        let is_there = version == DIGEST_VERSION && zxid != 0;
        digest = is_there.then_some((Zxid(zxid.cast_unsigned()), value.cast_unsigned()));
        check_seal(bytes, &mut decoder)?;
    }
    if decoder.remaining().len() == LAST_ZXID_BYTES {
        // Of a fuzzy snapshot it is too late; the name counts.
        decoder.read::<i64>().map_err(ends_early)?;
        check_seal(bytes, &mut decoder)?;
    }
    if !decoder.remaining().is_empty() {
        return Err("the snapshot is damaged: it ends in something else".into());
    }
    Ok(Loaded { state: loader.finish()?, digest })
}

/// Checks the checksum that comes next, which is over everything before it.
fn check_seal(bytes: &[u8], decoder: &mut Decoder<'_>) -> Result<(), String> {
    let sealed = &bytes[..bytes.len() - decoder.remaining().len()];
    match decoder.read::<(i64, String)>() {
        Ok((checksum, end)) if checksum == i64::from(adler2::adler32_slice(sealed)) && end == END => Ok(()),
        _ => Err("the snapshot is damaged: its checksum is wrong or missing".into()),
    }
}

fn seal(bytes: &mut Vec<u8>) {
    let checksum = i64::from(adler2::adler32_slice(bytes));
    jute::encode_into(bytes, &(checksum, END));
}

/// The snapshot of a state after `zxid`.
pub(crate) fn encode(state: &State, zxid: Zxid) -> Vec<u8> {
    let mut writer = Writer::new(state);
    for (path, node) in state.nodes() {
        writer.node(&path, node);
    }
    writer.finish(zxid, state.node_digest())
}

/// A snapshot that is being written.
pub(super) struct Writer {
    bytes: Vec<u8>,
    lists: BTreeMap<Vec<Acl>, i64>,
}

impl Writer {
    /// Begins with the sessions and access control lists of a state.
    pub(super) fn new(state: &State) -> Self {
        let mut writer = Self { bytes: MAGIC.to_vec(), lists: BTreeMap::from([(open(), OPEN)]) };
        jute::encode_into(&mut writer.bytes, &(VERSION, DATABASE));
        jute::encode_into(&mut writer.bytes, &state.sessions().collect::<Vec<_>>());
        for (_, node) in state.nodes() {
            writer.number(node.acl());
        }
        let table = writer.lists.iter().filter(|(_, number)| **number != OPEN);
        let table: Vec<_> = table.map(|(list, number)| (number, list)).collect();
        jute::encode_into(&mut writer.bytes, &table);
        writer
    }

    /// The number of a list. They count from 1.
    fn number(&mut self, list: &[Acl]) -> i64 {
        let next = self.lists.len() as i64;
        self.lists.get(list).copied().unwrap_or_else(|| {
            self.lists.insert(list.to_vec(), next);
            next
        })
    }

    /// Adds a node, after its parent.
    pub(super) fn node(&mut self, path: &str, node: state::Node<'_>) {
        let (data, acl) = (node.data(), self.number(node.acl()));
        let StoredStat { czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, ephemeral_owner } =
            *node.stored();
        let node = Node {
            data,
            acl,
            czxid,
            mzxid,
            ctime,
            mtime,
            version,
            cversion,
            aversion,
            ephemeral_owner,
            pzxid,
        };
        jute::encode_into(&mut self.bytes, &(if path == END { "" } else { path }, node));
    }

    /// The bytes. `digest` is that of the tree after `zxid`.
    pub(super) fn finish(mut self, zxid: Zxid, digest: u64) -> Vec<u8> {
        jute::encode_into(&mut self.bytes, END);
        seal(&mut self.bytes);
        let (zxid, digest) = (zxid.0.cast_signed(), digest.cast_signed());
        jute::encode_into(&mut self.bytes, &(zxid, DIGEST_VERSION, digest));
        seal(&mut self.bytes);
        jute::encode_into(&mut self.bytes, &zxid);
        seal(&mut self.bytes);
        self.bytes
    }
}
