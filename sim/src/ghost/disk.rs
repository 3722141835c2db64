//! The durable shadow D_i: kept step by step from synced bytes, never from what a replica says.

use std::collections::BTreeSet;

use zabrus_core::io::Input;
use zabrus_core::storage::offline::read_snapshot;
use zabrus_core::storage::segment::{BLOCK_BYTES, Header, Records};
use zabrus_core::storage::{Directory, DiskOperation, FileName, FileOperation, Recovered, Standing, recover};
use zabrus_core::{Bytes, Epoch, Position, Replica, ServerId, Zxid};

use super::durable::Durable;
use super::server::{ServerFacts, Structural};
use super::{Checked, Ghost};
use crate::checks::{
    Rule, b01_integrity, e10_epoch_monotonicity, r04_recover_is_pure, r05_no_resurrection,
    r06_never_shrink_silently, r09_purge_safety, w10_true_stats, y05_epoch_after_log, y08_truncation_safety,
    y15_snapshot_truth,
};
use crate::counters::Mark;
use crate::disk::{Disk, View};
use crate::violation::Violation;

#[cfg(test)]
mod tests;

/// Every so many syncs of a log the whole directory is recovered to compare.
const RECOVER_EVERY: u64 = 256;

/// Why D_i changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Sync,
    Crash,
    Damage,
}

impl Ghost {
    /// A replica asks for a disk operation: those that change more than the end of a log are noted.
    pub(super) fn asked_of_disk(&mut self, server: ServerId, asked: &DiskOperation) -> Checked {
        let facts = self.facts(server);
        facts.life.storage.get_or_insert(asked.id.incarnation);
        let operation = &asked.operation;
        let critical = match operation {
            FileOperation::Write { file, .. } | FileOperation::Sync { file } => {
                is_log(file) || is_epochs(file)
            }
            FileOperation::Truncate { file, .. } => is_log(file),
            FileOperation::Rename { from, .. } => is_epochs(from),
            _ => false,
        };
        facts.life.operations.push_back((asked.id, critical));
        let matters = match operation {
            FileOperation::Write { file, offset, .. } => {
                is_log(file) && *offset >= BLOCK_BYTES && *offset < facts.tail.offset
            }
            FileOperation::Preallocate { .. } | FileOperation::Read { .. } => false,
            _ => true,
        };
        if matters {
            facts.asked.push_back(operation.clone());
        }
        match operation {
            // What was here before has no meaning any more.
            FileOperation::Rename { from, to } if from.0 == "install.tmp" => {
                facts.whole_snapshots = snapshot_label(to).into_iter().collect();
            }
            FileOperation::Remove { file } => {
                let label = snapshot_label(file).filter(|label| facts.whole_snapshots.remove(label));
                let newer = label.map_or(0, |label| facts.whole_snapshots.range(label..).count());
                // A truncation removes the newest first; a server that starts removes what is dead.
                if let (Some(label), 1.., true) = (label, newer, facts.life.repaired) {
                    let verdict = r09_purge_safety::spares(label, newer, facts.config.snapshots_kept);
                    return self.judge(Rule::R9, server, verdict);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The completion of a disk operation reaches a replica. Returns whether it belongs to its life.
    pub(super) fn disk_answered(&mut self, server: ServerId, input: &Input) -> bool {
        let Input::Disk(completion) = input else { return true };
        let life = &mut self.facts(server).life;
        if life.storage.is_some_and(|storage| storage != completion.id.incarnation) {
            return false;
        }
        while let Some((id, critical)) = life.operations.pop_front() {
            if id == completion.id {
                life.disk_failed |= critical && completion.result.is_err();
                break;
            }
        }
        true
    }

    /// A sync took effect on the disk of `server`, or failed: then perhaps in part.
    ///
    /// # Errors
    /// The rule that the new durable state breaks.
    pub fn durable(
        &mut self,
        server: ServerId,
        operation: &FileOperation,
        failed: bool,
        disk: &Disk,
    ) -> Checked {
        let durable = disk.durable();
        self.facts(server).harmed = disk.is_damaged();
        self.carried_out(server, operation);
        // A failed sync may leave the slot without its records: the standing changes, too.
        if let FileOperation::Sync { file } = operation
            && (!is_log(file)
                || !failed && self.servers[&server].follows(file) && self.follow(server, file, durable)?)
        {
            return Ok(());
        }
        let removed_only =
            Structural { removed: true, ..Structural::default() } == self.servers[&server].structural;
        let after = self.recompute(server, durable)?;
        let facts = &self.servers[&server];
        if removed_only && *operation == FileOperation::SyncDirectory && !facts.harmed {
            let verdict = r09_purge_safety::check(&facts.durable, &after);
            self.judge(Rule::R9, server, verdict)?;
        }
        self.changed(server, after, Cause::Sync)?;
        // What a failed one left undone may still reach the disk.
        if !failed {
            self.facts(server).structural = Structural::default();
        }
        Ok(())
    }

    /// The process of `server` ended, and its disk lost what it lost.
    ///
    /// # Errors
    /// The rule that the new durable state breaks.
    pub fn crashed(&mut self, server: ServerId, disk: &Disk) -> Checked {
        self.counters.saw(Mark::Crashes);
        let facts = self.facts(server);
        if !facts.life.operations.is_empty() {
            self.counters.saw(Mark::CrashBetweenWrites);
        }
        self.down(server);
        let after = self.recompute(server, disk.durable())?;
        self.changed(server, after, Cause::Crash)?;
        // Whatever the page cache still holds becomes durable with the next sync.
        let facts = self.facts(server);
        facts.asked.clear();
        facts.structural = Structural { cut: true, removed: true, named: true };
        Ok(())
    }

    /// A fault was injected into the disk of `server`: from now on it may lack what it
    /// acknowledged, if it says so. `own_disk`: it is still the disk that the server had at first.
    ///
    /// # Errors
    /// The rule that the new durable state breaks.
    pub fn damaged(&mut self, server: ServerId, disk: &Disk, own_disk: bool) -> Checked {
        let facts = self.facts(server);
        facts.harmed = disk.is_damaged();
        facts.config.empty_is_expected = own_disk;
        let after = self.recompute(server, disk.durable())?;
        self.changed(server, after, Cause::Damage)
    }

    /// Whether the observer was told of the damage to a disk.
    #[cfg(test)]
    pub(crate) fn knows_of_damage(&self, server: ServerId) -> bool {
        self.servers[&server].harmed
    }

    /// A process starts with what recovery found in the directory as the system sees it.
    ///
    /// # Errors
    /// The rule that the recovery breaks.
    pub fn recovered(&mut self, server: ServerId, disk: &Disk, recovered: &Recovered) -> Checked {
        let found = summary(recovered);
        let config = self.servers[&server].config.clone();
        let again = recover(&config, &disk.view()).map(|again| summary(&again));
        let again = again.unwrap_or_else(|_| Durable::nothing(server));
        self.judge(
            Rule::R4,
            server,
            r04_recover_is_pure::check("two recoveries of the same bytes", &found, &again),
        )?;
        self.learn(server, recovered)?;
        let facts = &self.servers[&server];
        let (owed, before) = (facts.owed, facts.durable);
        let verdict = r05_no_resurrection::check(&self.history, &facts.removed, found.last);
        self.judge(Rule::R5, server, verdict)?;
        self.judge(Rule::R6, server, r06_never_shrink_silently::check(&self.history, owed, &found))?;
        self.snapshot_is_true(server, recovered)?;
        if let Some((label, state)) = &recovered.snapshot
            && self.history.committed_index(*label).is_some()
        {
            let verdict = w10_true_stats::check(state, self.model.subtree("/", label.zxid));
            self.judge(Rule::W10, server, verdict)?;
        }
        self.facts(server).whole_snapshots = whole_snapshots(disk.view());
        for (mark, seen) in [
            (Mark::RecoveredEmpty, recovered.empty),
            (Mark::RecoveredSnapshot, recovered.snapshot.is_some()),
            (Mark::RecoveredTail, recovered.cut_bytes > 0),
            (Mark::RecoveredUnsynced, found.last != before.last),
            (Mark::StandingTorn, matches!(recovered.epochs.standing, Standing::Torn(_))),
            (Mark::StandingDamaged, matches!(recovered.epochs.standing, Standing::Damaged(_))),
            (Mark::StandingBlank, recovered.epochs.standing == Standing::Blank),
        ] {
            if seen {
                self.counters.saw(mark);
            }
        }
        Ok(())
    }

    /// Y5 for every disk that names `epoch`, whose initial history has just become known.
    pub(super) fn all_reach_their_epoch(&mut self, epoch: Epoch) -> Checked {
        let servers: Vec<ServerId> = self.servers.keys().copied().collect();
        for server in servers {
            if self.servers[&server].durable.epochs.current_epoch == epoch {
                self.reaches_its_epoch(server)?;
            }
        }
        Ok(())
    }

    fn reaches_its_epoch(&mut self, server: ServerId) -> Checked {
        let facts = &self.servers[&server];
        let (durable, epoch) = (facts.durable, facts.durable.epochs.current_epoch);
        let Some(initial) = self.epochs.initial(epoch) else { return Ok(()) };
        if facts.excused(initial) {
            return Ok(());
        }
        let synchronized = epoch.0 + 1..=durable.epochs.accepted_epoch.max(facts.followed).0;
        let later = synchronized.filter_map(|later| self.epochs.initial(Epoch(later)));
        let verdict = y05_epoch_after_log::check(&self.history, epoch, initial, later, &durable);
        self.judge(Rule::Y5, server, verdict)
    }

    /// Takes the asked operations up to this sync for carried out.
    fn carried_out(&mut self, server: ServerId, sync: &FileOperation) {
        let facts = self.facts(server);
        while let Some(operation) = facts.asked.pop_front() {
            let structural = &mut facts.structural;
            match &operation {
                FileOperation::Write { .. } => structural.cut = true,
                FileOperation::Truncate { file, .. } => structural.cut |= is_log(file),
                FileOperation::Create { .. } | FileOperation::Rename { .. } => structural.named = true,
                // Truncation removes the newest segment; a purge never does.
                FileOperation::Remove { file } if facts.tail.file.as_ref() == Some(file) => {
                    structural.cut = true
                }
                FileOperation::Remove { .. } => structural.removed = true,
                _ => {}
            }
            if operation == *sync {
                break;
            }
        }
    }

    /// The end of the log grew by what the sync of its last segment made durable. False if that
    /// cannot be all.
    fn follow(&mut self, server: ServerId, file: &FileName, durable: View<'_>) -> Result<bool, Violation> {
        let facts = &self.servers[&server];
        let (mut last, offset) = (facts.durable.last, facts.tail.offset);
        let bytes = durable.bytes(file).and_then(|bytes| bytes.get(offset as usize..)).unwrap_or(&[]);
        let mut records = Records::new(last, offset, bytes);
        for record in records.by_ref() {
            self.learn_one(server, last, record.position, || Bytes::from(record.payload))?;
            last = record.position;
        }
        let facts = self.facts(server);
        if facts.harmed && last == facts.durable.last {
            return Ok(false);
        }
        facts.tail.offset = records.end().1;
        let after = facts.durable.grown(last);
        self.counters.saw(Mark::SyncsIncremental);
        if self.counters.seen(Mark::SyncsIncremental).is_multiple_of(RECOVER_EVERY) {
            let facts = &self.servers[&server];
            let full = recover(&facts.config, &durable);
            let full = full.map_or(Durable::nothing(server), |found| summary(&found));
            if facts.harmed && after != full {
                return Ok(false);
            }
            let what = "the durable state step by step and from all bytes";
            self.judge(Rule::R4, server, r04_recover_is_pure::check(what, &after, &full))?;
        }
        self.changed(server, after, Cause::Sync)?;
        Ok(true)
    }

    /// D_i from all durable bytes.
    fn recompute(&mut self, server: ServerId, durable: View<'_>) -> Result<Durable, Violation> {
        self.counters.saw(Mark::SyncsFull);
        let Ok(recovered) = recover(&self.servers[&server].config, &durable) else {
            self.counters.saw(Mark::Unusable);
            self.facts(server).tail = Default::default();
            return Ok(Durable::nothing(server));
        };
        self.learn(server, &recovered)?;
        self.snapshot_is_true(server, &recovered)?;
        let found = summary(&recovered);
        let tail = last_segment(durable, found.last);
        let facts = self.facts(server);
        (facts.tail.file, facts.tail.offset) = tail.map_or((None, 0), |(file, offset)| (Some(file), offset));
        Ok(found)
    }

    fn learn(&mut self, server: ServerId, recovered: &Recovered) -> Checked {
        let mut previous = label(recovered);
        for entry in &recovered.entries {
            self.learn_one(server, previous, entry.position, || entry.payload.clone())?;
            previous = entry.position;
        }
        Ok(())
    }

    /// A disk that swallowed a write never shows what its server believes to have stored, up to `upto`.
    pub(super) fn learn_memory(&mut self, server: ServerId, replica: &Replica, upto: Zxid) -> Checked {
        let mut previous = replica.storage().base();
        for entry in replica.storage().entries_after(previous.zxid) {
            if entry.position.zxid > upto {
                break;
            }
            self.learn_one(server, previous, entry.position, || entry.payload.clone())?;
            previous = entry.position;
        }
        Ok(())
    }

    fn learn_one(
        &mut self,
        server: ServerId,
        previous: Position,
        at: Position,
        payload: impl FnOnce() -> Bytes,
    ) -> Checked {
        match self.history.learn(previous, at, payload) {
            Ok(false) => Ok(()),
            Ok(true) => {
                let leader = self.epochs.leader(at.zxid.epoch());
                self.judge(Rule::B1, server, b01_integrity::check(at.zxid, server, leader))?;
                self.reconfigured(server, previous, at)
            }
            Err(sentence) => self.judge(Rule::B11, server, Err(sentence)),
        }
    }

    fn snapshot_is_true(&mut self, server: ServerId, recovered: &Recovered) -> Checked {
        let Some((label, tree)) = &recovered.snapshot else { return Ok(()) };
        if *label == self.servers[&server].durable.label {
            return Ok(());
        }
        let expected = self.history.committed_index(*label).map(|index| self.model.digest_at(index));
        self.judge(Rule::Y15, server, y15_snapshot_truth::check(*label, tree.recomputed_digest(), expected))
    }

    /// D_i is `after` from now on.
    fn changed(&mut self, server: ServerId, after: Durable, cause: Cause) -> Checked {
        let before = std::mem::replace(&mut self.facts(server).durable, after);
        if before == after && cause == Cause::Sync {
            return Ok(());
        }
        let harmed = self.servers[&server].harmed;
        let monotone = (!harmed).then_some(&before);
        if after.usable {
            self.judge(Rule::E10, server, e10_epoch_monotonicity::check(monotone, &after))?;
        }
        if before.epochs.current_epoch < after.epochs.current_epoch {
            self.facts(server).earlier_epoch = before.epochs.current_epoch;
        }
        let grown = self.history.is_prefix(before.last, after.last);
        if !grown {
            self.shrunk(server, &before, &after, cause, harmed)?;
        }
        if harmed && cause == Cause::Sync {
            self.replaced(server, &after)?;
        }
        if cause != Cause::Sync {
            let owed = self.servers[&server].owed;
            let verdict = r06_never_shrink_silently::check(&self.history, owed, &after);
            self.judge(Rule::R6, server, verdict)?;
            let removed = &self.servers[&server].removed;
            let verdict = r05_no_resurrection::check(&self.history, removed, after.last);
            self.judge(Rule::R5, server, verdict)?;
        } else if !self.servers[&server].removed.is_empty() {
            let mut removed = std::mem::take(&mut self.facts(server).removed);
            removed.retain(|position| !self.history.is_prefix(*position, after.last));
            self.facts(server).removed = removed;
        }
        self.reaches_its_epoch(server)?;
        if cause != Cause::Sync {
            let verdict = r06_never_shrink_silently::promise(self.servers[&server].promised, &after);
            self.judge(Rule::R6, server, verdict)?;
        }
        if cause == Cause::Damage {
            self.facts(server).removed.clear();
        }
        if self.configs.ever_voted(server) { self.survives(server) } else { Ok(()) }
    }

    /// The log of D_i is no continuation of what it was.
    fn shrunk(
        &mut self,
        server: ServerId,
        before: &Durable,
        after: &Durable,
        cause: Cause,
        harmed: bool,
    ) -> Checked {
        let mut cut = Vec::new();
        let held = self.history.committed_part(before.last, |position| cut.push(position));
        let announces =
            |at: &Position| self.configs.get(server, at.zxid).is_some_and(|config| config.is_next);
        if cause == Cause::Sync && cut.iter().any(announces) {
            self.counters.saw(Mark::AnnouncementsTruncated);
        }
        if harmed {
            let verdict = r06_never_shrink_silently::check(&self.history, held, after);
            return self.judge(Rule::R6, server, verdict);
        }
        let holds = self.history.committed_part(after.last, |_| {});
        let admitted = after.admits_lacking(held.zxid);
        let verdict = if admitted { Ok(()) } else { y08_truncation_safety::check(held, holds) };
        self.judge(Rule::Y8, server, verdict)?;
        let owed = self.servers[&server].owed;
        let keeps = self.history.is_prefix(owed, after.last);
        cut.retain(|position| !self.history.is_prefix(*position, after.last));
        let facts = self.facts(server);
        if cause == Cause::Sync {
            facts.removed.append(&mut cut);
            if !keeps {
                facts.owed = after.last;
            }
        } else if facts.structural != Structural::default() || !facts.asked.is_empty() {
            // A truncation or an installation was under way, and the loss of power let it through.
            facts.owed = held;
        }
        Ok(())
    }

    /// What a server gave up because its leader said so is no longer owed, unless it is committed.
    /// Without damage [`Ghost::shrunk`] sees to it.
    fn replaced(&mut self, server: ServerId, after: &Durable) -> Checked {
        let ServerFacts { owed, structural: Structural { cut, named, .. }, .. } = self.servers[&server];
        let kept = r06_never_shrink_silently::check(&self.history, owed, after);
        if kept.is_ok() || !(cut || named) {
            return Ok(());
        }
        let owed = self.history.committed_part(owed, |_| {});
        self.facts(server).owed = owed;
        self.judge(Rule::R6, server, r06_never_shrink_silently::check(&self.history, owed, after))
    }
}

fn is_log(file: &FileName) -> bool {
    file.0.starts_with("log.")
}

fn is_epochs(file: &FileName) -> bool {
    file.0.starts_with("epochs")
}

fn snapshot_label(file: &FileName) -> Option<Zxid> {
    u64::from_str_radix(file.0.strip_prefix("snapshot.")?, 16).ok().map(Zxid)
}

fn whole_snapshots(view: View<'_>) -> BTreeSet<Zxid> {
    let whole = |(file, length): (FileName, u64)| {
        let label = snapshot_label(&file)?;
        read_snapshot(&view.read(&file, 0, length).ok()?).map(|_| label)
    };
    view.list().into_iter().filter_map(whole).collect()
}

fn label(recovered: &Recovered) -> Position {
    recovered.snapshot.as_ref().map_or(Position::EMPTY, |(label, _)| *label)
}

fn summary(recovered: &Recovered) -> Durable {
    let label = label(recovered);
    let last = recovered.entries.last().map_or(label, |entry| entry.position);
    Durable { epochs: recovered.epochs, label, last, usable: true }
}

/// The segment that grows, and the offset behind its records, if they end at `last`.
fn last_segment(durable: View<'_>, last: Position) -> Option<(FileName, u64)> {
    let (file, _) = durable.list().into_iter().filter(|(file, _)| is_log(file)).max()?;
    let bytes = durable.bytes(&file)?;
    let base = Header::decode(bytes)?.base;
    let mut records = Records::new(base, BLOCK_BYTES, bytes.get(BLOCK_BYTES as usize..)?);
    records.by_ref().for_each(drop);
    let (end, offset) = records.end();
    (end == last).then_some((file, offset))
}
