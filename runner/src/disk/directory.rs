//! The files of one server: the core's one flat directory on one or two real ones.
//!
//! Everything lives in the subdirectory `zabrus` of `dataDir`; the log in that of `dataLogDir`. The
//! subdirectory of Apache ZooKeeper, `version-2`, is never touched.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, FallocateFlags};
use zabrus_core::Bytes;
use zabrus_core::storage::{Directory, DiskError, FileName, FileOperation};

pub(crate) const SUBDIRECTORY: &str = "zabrus";
const LOCK: &str = "lock";
const LOG_PREFIX: &str = "log.";
pub(crate) const APACHE_SUBDIRECTORY: &str = "version-2";

/// Why the data directory cannot be used.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// Another process has it.
    Locked(PathBuf),
    /// It holds data of Apache ZooKeeper and none of ours.
    Apache(PathBuf),
    /// There are no data of ours, and none must be made.
    Missing(PathBuf),
    /// A file of the log lies in `dataDir`, though there is a `dataLogDir`.
    StrayLog(PathBuf, PathBuf),
    /// The system refused.
    Io(PathBuf, io::Error),
}

/// The data directory of one server, locked.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    data: Side,
    /// If `dataLogDir` is another directory.
    log: Option<Side>,
    files: BTreeMap<FileName, File>,
    force_sync: bool,
    /// Whether the last change of a name was in the log's directory.
    changed_last: Option<bool>,
}

/// The files of a data directory as they were when it was listed, for recovery. Nothing here changes
/// any.
#[derive(Debug)]
pub(crate) struct Contents {
    data: PathBuf,
    /// If `dataLogDir` is another directory.
    log: Option<PathBuf>,
    files: Vec<(FileName, u64)>,
}

#[derive(Debug)]
struct Side {
    path: PathBuf,
    handle: File,
    /// Held as long as it is open.
    _lock: File,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(path) => {
                write!(
                    f,
                    "{}: another server uses this directory; stop it, or name another dataDir",
                    path.display()
                )
            }
            Self::Apache(path) => write!(
                f,
                "{}: this directory holds data of Apache ZooKeeper, and there are none of ours; import them, or \
                 name another dataDir to begin without them",
                path.display()
            ),
            Self::Missing(path) => write!(f, "{}: there is no such directory", path.display()),
            Self::StrayLog(file, log) => write!(
                f,
                "{}: the log is in dataDir, but zoo.cfg names a dataLogDir; move all files log.* into {}",
                file.display(),
                log.display()
            ),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl Side {
    fn open(parent: &Path) -> Result<Self, OpenError> {
        let path = parent.join(SUBDIRECTORY);
        let fails = |error| OpenError::Io(path.clone(), error);
        fs::create_dir_all(&path).map_err(fails)?;
        // Whoever loses the directory itself loses everything in it.
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(fails)?;
        let lock = OpenOptions::new().create(true).append(true).open(path.join(LOCK)).map_err(fails)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked(path)),
            Err(TryLockError::Error(error)) => return Err(fails(error)),
        }
        let handle = File::open(&path).map_err(fails)?;
        Ok(Self { path, handle, _lock: lock })
    }
}

/// The files in a directory, by name.
fn list(directory: &Path) -> io::Result<Vec<(FileName, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            // A server that runs removes files, also while somebody else looks.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        match entry.file_name().into_string() {
            Ok(name) if metadata.is_file() && name != LOCK => files.push((FileName(name), metadata.len())),
            _ => {}
        }
    }
    files.sort();
    Ok(files)
}

/// Apache ZooKeeper's files in a directory that has none of ours.
pub(crate) fn only_apache(directory: &Path) -> Option<PathBuf> {
    let apache = directory.join(APACHE_SUBDIRECTORY);
    let has_files = fs::read_dir(&apache).is_ok_and(|mut files| files.next().is_some());
    (has_files && !directory.join(SUBDIRECTORY).exists()).then_some(apache)
}

/// Whether both are names of one directory.
pub(crate) fn is_same(one: &Path, two: &Path) -> bool {
    one == two || matches!((fs::canonicalize(one), fs::canonicalize(two)), (Ok(one), Ok(two)) if one == two)
}

impl Contents {
    /// Those of a server's directories, which may run: nothing is locked.
    pub(crate) fn of(data: &Path, log: &Path) -> Result<Self, OpenError> {
        let log = (!is_same(data, log)).then(|| log.join(SUBDIRECTORY));
        let data = data.join(SUBDIRECTORY);
        if let Some(missing) = [Some(&data), log.as_ref()].into_iter().flatten().find(|path| !path.is_dir()) {
            return Err(OpenError::Missing(missing.clone()));
        }
        Self::list(data, log)
    }

    /// A directory that cannot be listed must not be taken for an empty one.
    fn list(data: PathBuf, log: Option<PathBuf>) -> Result<Self, OpenError> {
        let list = |path: &Path| list(path).map_err(|error| OpenError::Io(path.into(), error));
        let mut files = list(&data)?;
        if let Some(log) = &log {
            if let Some((stray, _)) = files.iter().find(|(name, _)| is_log(name)) {
                return Err(OpenError::StrayLog(data.join(&stray.0), log.clone()));
            }
            files.extend(list(log)?.into_iter().filter(|(name, _)| is_log(name)));
        }
        Ok(Self { data, log, files })
    }

    /// Where a file lies.
    pub(crate) fn path(&self, file: &FileName) -> PathBuf {
        self.log.as_ref().filter(|_| is_log(file)).unwrap_or(&self.data).join(&file.0)
    }
}

impl DataDirectory {
    /// Makes the directories if they are not there, and locks them.
    pub(crate) fn open(data: &Path, log: &Path, force_sync: bool) -> Result<Self, OpenError> {
        if let Some(apache) = [data, log].into_iter().find_map(only_apache) {
            return Err(OpenError::Apache(apache));
        }
        let data_side = Side::open(data)?;
        let log = if is_same(data, log) { None } else { Some(Side::open(log)?) };
        Ok(Self { data: data_side, log, files: BTreeMap::new(), force_sync, changed_last: None })
    }

    /// What recovery needs.
    pub(crate) fn contents(&self) -> Result<Contents, OpenError> {
        Contents::list(self.data.path.clone(), self.log.as_ref().map(|log| log.path.clone()))
    }

    /// Bytes in the data directory and in the log's.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        let size =
            |side: &Side| list(&side.path).map_or(0, |files| files.iter().map(|(_, length)| length).sum());
        let data = size(&self.data);
        (data, self.log.as_ref().map_or(data, size))
    }

    /// Forgets what the system remembers of the files, so that recovery reads what the medium
    /// holds: after a failed sync the page cache may show bytes that never reached it.
    pub(crate) fn forget_cached(&mut self) {
        self.files.clear();
        let names: Vec<_> = self.contents().map_or_else(|_| Vec::new(), |contents| contents.files);
        for (name, _) in names {
            if let Ok(file) = self.file(&name) {
                // Only advice; recovery syncs what it has read, and that may fail again.
                let _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
            }
        }
    }

    /// Carries out an operation. What it returns is empty except for reads.
    pub(crate) fn execute(&mut self, operation: &FileOperation) -> io::Result<Bytes> {
        match operation {
            FileOperation::Create { file } => self.create(file)?,
            FileOperation::Preallocate { file, length } => self.preallocate(file, *length)?,
            FileOperation::Write { file, offset, bytes } => self.file(file)?.write_all_at(bytes, *offset)?,
            FileOperation::Truncate { file, length } => self.file(file)?.set_len(*length)?,
            FileOperation::Sync { file } => self.sync(file)?,
            FileOperation::Rename { from, to } => self.rename(from, to)?,
            FileOperation::Remove { file } => {
                self.names_change(is_log(file))?;
                self.files.remove(file);
                fs::remove_file(self.path(file))?;
            }
            FileOperation::SyncDirectory => self.sync_names()?,
            FileOperation::Read { file, offset, length } => {
                return Ok(read_at_most(self.file(file)?, *offset, *length)?.into());
            }
        }
        Ok(Bytes::from([]))
    }

    fn side(&self, log: bool) -> &Side {
        self.log.as_ref().filter(|_| log).unwrap_or(&self.data)
    }

    fn path(&self, file: &FileName) -> PathBuf {
        self.side(is_log(file)).path.join(&file.0)
    }

    fn file(&mut self, name: &FileName) -> io::Result<&File> {
        if !self.files.contains_key(name) {
            let file = OpenOptions::new().read(true).write(true).open(self.path(name))?;
            self.files.insert(name.clone(), file);
        }
        Ok(&self.files[name])
    }

    fn create(&mut self, name: &FileName) -> io::Result<()> {
        self.names_change(is_log(name))?;
        let path = self.path(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        self.files.insert(name.clone(), file);
        Ok(())
    }

    fn preallocate(&mut self, name: &FileName, length: u64) -> io::Result<()> {
        let file = self.file(name)?;
        if file.metadata()?.len() >= length {
            return Ok(());
        }
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length) {
            // A file system that cannot reserve space can still grow the file, as preallocation
            // only saves time.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(length),
            result => Ok(result?),
        }
    }

    fn sync(&mut self, name: &FileName) -> io::Result<()> {
        if !self.force_sync {
            return self.file(name).map(drop);
        }
        let result = self.file(name)?.sync_data();
        if result.is_err() {
            self.files.remove(name);
        }
        result
    }

    fn rename(&mut self, from: &FileName, to: &FileName) -> io::Result<()> {
        self.names_change(is_log(to))?;
        fs::rename(self.path(from), self.path(to))?;
        self.files.remove(to);
        if let Some(file) = self.files.remove(from) {
            self.files.insert(to.clone(), file);
        }
        Ok(())
    }

    /// Keeps the changes of names in order across two directories, as one directory keeps them:
    /// what the first of them has is synced before the second one changes.
    fn names_change(&mut self, log: bool) -> io::Result<()> {
        if self.log.is_some() && self.changed_last.is_some_and(|last| last != log) {
            self.sync_names()?;
        }
        self.changed_last = Some(log);
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        for side in [Some(&self.data), self.log.as_ref()].into_iter().flatten().filter(|_| self.force_sync) {
            side.handle.sync_all()?;
        }
        self.changed_last = None;
        Ok(())
    }
}

fn is_log(file: &FileName) -> bool {
    file.0.starts_with(LOG_PREFIX)
}

/// Fewer bytes than `length` only at the end of the file.
fn read_at_most(file: &File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let available = file.metadata()?.len().saturating_sub(offset).min(length);
    let mut bytes = vec![0; available as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

impl Directory for Contents {
    fn list(&self) -> Vec<(FileName, u64)> {
        self.files.clone()
    }

    fn read(&self, file: &FileName, offset: u64, length: u64) -> Result<Vec<u8>, DiskError> {
        let opened = File::open(self.path(file));
        opened.and_then(|opened| read_at_most(&opened, offset, length)).map_err(|error| {
            tracing::error!(%file, %error, "a file of the data directory cannot be read");
            super::disk_error(&error)
        })
    }
}
