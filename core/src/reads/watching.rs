//! The operations on watches (client.md sections 9.2, 9.5 and 9.6).

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::ReadContext;
use crate::mutated;
use crate::watches::WatchKind;
use crate::wire::{ErrorCode, EventType, SetWatches, SetWatches2, Stat, notification};

/// The kind that checkWatches and removeWatches name; `None` for all of them.
fn named_kind(kind: i32) -> Result<Option<WatchKind>, ErrorCode> {
    Ok(Some(match kind {
        1 => WatchKind::Child,
        2 => WatchKind::Data,
        3 => return Ok(None),
        4 => WatchKind::Persistent,
        5 => WatchKind::Recursive,
        _ => return Err(ErrorCode::MarshallingError),
    }))
}

impl ReadContext<'_> {
    pub(super) fn watch_if(&mut self, wanted: bool, path: &str, kind: WatchKind) -> Result<(), ErrorCode> {
        if wanted {
            self.make_room([path])?;
            self.watches.add(self.client, path, kind);
        }
        Ok(())
    }

    /// Whether the connection may watch these paths too: an error rather than exhaustion.
    fn make_room<'p>(&self, paths: impl IntoIterator<Item = &'p str>) -> Result<(), ErrorCode> {
        let more = paths.into_iter().filter(|path| !self.watches.contains(self.client, path, None));
        let more = more.collect::<BTreeSet<_>>().len();
        let fits = self.watches.watched_by(self.client) + more <= self.settings.watch_limit;
        if more == 0 || fits { Ok(()) } else { Err(ErrorCode::QuotaExceeded) }
    }

    pub(super) fn add_watch(&mut self, path: &str, mode: i32) -> Result<(), ErrorCode> {
        let kind = match mode {
            0 => WatchKind::Persistent,
            1 => WatchKind::Recursive,
            _ => return Err(ErrorCode::MarshallingError),
        };
        self.watch_if(true, path, kind)
    }

    pub(super) fn check_watches(&self, path: &str, kind: i32) -> Result<(), ErrorCode> {
        let found = self.watches.contains(self.client, path, named_kind(kind)?);
        if found { Ok(()) } else { Err(ErrorCode::NoWatcher) }
    }

    pub(super) fn remove_watches(&mut self, path: &str, kind: i32) -> Result<(), ErrorCode> {
        let found = self.watches.remove(self.client, path, named_kind(kind)?);
        if found { Ok(()) } else { Err(ErrorCode::NoWatcher) }
    }

    /// For each watch of a client that was away: either the event that it missed, or the watch again (W7).
    /// What a persistent watch missed is lost, as with ZooKeeper. Nobody asks whether the client may read
    /// the node.
    pub(super) fn set_watches(
        &mut self,
        watches: &SetWatches2,
        out: &mut dyn FnMut(Vec<u8>),
    ) -> Result<(), ErrorCode> {
        let SetWatches2 { standard, persistent, recursive } = watches;
        let SetWatches { relative_zxid, data, exist, child } = standard;
        self.make_room(
            [data, exist, child, persistent, recursive].into_iter().flatten().map(String::as_str),
        )?;
        self.catch_up(data, WatchKind::Data, out, |stat| match stat {
            None => Some(EventType::NodeDeleted),
            Some(stat) if mutated!(M114) && stat.czxid > *relative_zxid => Some(EventType::NodeCreated),
            Some(stat) => (stat.mzxid > *relative_zxid).then_some(EventType::NodeDataChanged),
        });
        self.catch_up(exist, WatchKind::Data, out, |stat| stat.map(|_| EventType::NodeCreated));
        self.catch_up(child, WatchKind::Child, out, |stat| match stat {
            None => Some(EventType::NodeDeleted),
            Some(stat) => (stat.pzxid > *relative_zxid).then_some(EventType::NodeChildrenChanged),
        });
        for (paths, kind) in [(persistent, WatchKind::Persistent), (recursive, WatchKind::Recursive)] {
            for path in paths {
                self.watches.add(self.client, path, kind);
            }
        }
        Ok(())
    }

    fn catch_up(
        &mut self,
        paths: &[String],
        kind: WatchKind,
        out: &mut dyn FnMut(Vec<u8>),
        missed: impl Fn(Option<Stat>) -> Option<EventType>,
    ) {
        for path in paths {
            match missed(self.state.node(path).map(|node| node.stat())) {
                // The transaction that caused it is not known any more.
                Some(event) => out(notification(-1, event, path)),
                None => self.watches.add(self.client, path, kind),
            }
        }
    }
}
