//! Our own data directories and backups.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use zabrus_core::identity::{Epoch, Position, ServerId, Zxid};
use zabrus_core::quorum::Ensemble;
use zabrus_core::state::State;
use zabrus_core::storage::offline::{found, read_epochs, read_snapshot, write_snapshot};
use zabrus_core::storage::{Directory, Epochs, FileName, FileOperation, Recovered, Standing, recover};
use zabrus_core::wire::Transaction;
use zabrus_core::{Bytes, Config};

use super::{At, DataError, Image, hexadecimal, is_in_use, publish};
use crate::disk::{Contents, DataDirectory, SUBDIRECTORY, is_same};
use crate::node::StartError;
use crate::zoo_cfg::Settings;

const EPOCHS: &str = "epochs";
/// How a backup begins, and every snapshot of ours.
const MAGIC: [u8; 8] = *b"ZABRSNP1";
/// What must be removed before a server would start from other data.
const IN_USE: &str = "there are data already: stop the server and move this directory away";
/// A server that runs may remove old files while they are read; then it is done again.
const ATTEMPTS: usize = 10;

/// Where the data of one server are.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) data: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) config: Config,
}

impl Place {
    /// Where a zoo.cfg says.
    pub(crate) fn of(settings: &Settings) -> Self {
        let Settings { data_directory, log_directory, core, .. } = settings;
        Self { data: data_directory.clone(), log: log_directory.clone(), config: core.clone() }
    }

    /// A data directory without a zoo.cfg. Whose it is, is said by the data or by `myid`.
    pub(crate) fn directory(data: &Path) -> Result<Self, DataError> {
        let epochs = fs::read(data.join(SUBDIRECTORY).join(EPOCHS)).ok().and_then(|file| read_epochs(&file));
        let myid = data.join("myid");
        let id = match (epochs, fs::read_to_string(&myid)) {
            (Some(epochs), _) => epochs.server,
            (None, Err(error)) if error.kind() == io::ErrorKind::NotFound => ServerId(0),
            (None, text) => {
                let text = text.at(&myid)?;
                let id = text.trim().parse().map(ServerId);
                id.map_err(|_| DataError::new(&myid, format!("`{}` is no number", text.trim())))?
            }
        };
        let config = Config::new(id, Ensemble::plain(1, 0));
        Ok(Self { data: data.into(), log: data.into(), config })
    }
}

/// What recovery would find, at one moment. The server may run.
pub(crate) fn look(place: &Place) -> Result<(Contents, Recovered), DataError> {
    let list = || Contents::of(&place.data, &place.log).map_err(|error| DataError::new(&place.data, error));
    let mut contents = list()?;
    for _ in 0..ATTEMPTS {
        let recovered = recover(&place.config, &contents)
            .map_err(|error| DataError::new(&place.data, StartError::Recovery(error)))?;
        let after = list()?;
        let names = |contents: &Contents| -> Vec<_> {
            let names = contents.list().into_iter().map(|(name, _)| name.0);
            names.filter(|name| !name.ends_with(".tmp")).collect()
        };
        let is_sound = recovered.epochs.standing == Standing::Sound;
        if names(&contents) == names(&after) && (is_sound || contents.list() == after.list()) {
            return Ok((contents, recovered));
        }
        contents = after;
    }
    Err(DataError::new(&place.data, "a server changes it all the time; try again, or stop the server"))
}

/// The state at the end of the log, and its position.
pub(crate) fn replayed(recovered: &mut Recovered) -> Result<(Position, State), String> {
    let (mut position, mut state) =
        recovered.snapshot.take().unwrap_or_else(|| (Position::EMPTY, State::default()));
    for entry in &recovered.entries {
        let zxid = hexadecimal(entry.position.zxid);
        let transaction = Transaction::decode(&entry.payload);
        let transaction = transaction.map_err(|error| format!("{zxid} is no transaction: {error}"))?;
        state.apply(&transaction, &mut |_| ());
        if transaction.digest.is_some_and(|digest| digest != state.digest()) {
            return Err(format!("after {zxid} the digest of the state is another one"));
        }
        position = entry.position;
    }
    Ok((position, state))
}

/// Everything that a server has in its log. `force`: also where transactions may be missing.
pub(crate) fn read(place: &Place, force: bool) -> Result<Image, DataError> {
    let (_, mut recovered) = look(place)?;
    let fails = |what: String| DataError::new(&place.data, what);
    let (position, state) = replayed(&mut recovered).map_err(fails)?;
    let Recovered { epochs, findings, .. } = recovered;
    if epochs.standing != Standing::Sound && !force {
        let found = findings.into_iter().map(|finding| format!("\n{finding}")).collect::<String>();
        let advice = "take another server's data, or --force";
        return Err(fails(format!(
            "transactions that clients were told are done may be missing: {advice}{found}"
        )));
    }
    if position.zxid == Zxid::ZERO {
        return Err(fails("there is nothing in it: no transaction was ever made".into()));
    }
    let Epochs { accepted_epoch, current_epoch, .. } = epochs;
    Ok(Image { position, state, accepted_epoch, current_epoch, notes: findings })
}

/// The state of a server that runs. What it had not yet applied, with `applied` as the last, is not in it
/// unless a snapshot has it: it may never be committed.
pub(crate) fn read_committed(place: &Place, applied: Zxid) -> Result<(Position, State), DataError> {
    let (_, mut recovered) = look(place)?;
    recovered.entries.retain(|entry| entry.position.zxid <= applied);
    replayed(&mut recovered).map_err(|what| DataError::new(&place.data, what))
}

/// Makes the data directory of a server that has none.
pub(crate) fn write(image: &Image, place: &Place) -> Result<PathBuf, DataError> {
    let Place { data, log, config } = place;
    let target = |parent: &Path| parent.join(SUBDIRECTORY);
    fs::create_dir_all(data).at(data)?;
    fs::create_dir_all(log).at(log)?;
    // The log's first: without the epochs beside the snapshot no server trusts it.
    let parents = if is_same(data, log) { vec![data] } else { vec![log, data] };
    for &parent in &parents {
        if is_in_use(&target(parent)) {
            return Err(DataError::new(&target(parent), IN_USE));
        }
    }
    let epochs = Epochs {
        server: config.id,
        accepted_epoch: image.accepted_epoch,
        accepted_leader: None,
        current_epoch: image.current_epoch,
        standing: Standing::Sound,
    };
    // All is made in another place: what was interrupted is not taken for data.
    let staging = |parent: &Path| parent.join(format!("{SUBDIRECTORY}.unfinished"));
    for parent in parents.iter().map(|parent| staging(parent)) {
        if parent.exists() {
            fs::remove_dir_all(&parent).at(&parent)?;
        }
        fs::create_dir(&parent).at(&parent)?;
    }
    let opened = DataDirectory::open(&staging(data), &staging(log), true);
    let mut directory = opened.map_err(|error| DataError::new(data, error))?;
    for operation in found(config, &epochs, image.position, &image.state) {
        directory.execute(&operation).at(data)?;
    }
    drop(directory);
    for parent in parents {
        publish(&target(&staging(parent)), &target(parent))?;
        fs::remove_dir(staging(parent)).at(parent)?;
    }
    Ok(target(data))
}

/// Writes everything into one file, which must not be there. Below a directory it gets a name of its own.
pub(crate) fn back_up(image: &Image, to: &Path) -> Result<PathBuf, DataError> {
    let zxid = image.position.zxid;
    let file = if to.is_dir() { to.join(format!("zabrus-backup.{:016x}", zxid.0)) } else { to.into() };
    if file.exists() {
        return Err(DataError::new(&file, "there is such a file already"));
    }
    let mut unfinished = file.clone().into_os_string();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let open = File::create(&unfinished).at(&unfinished)?;
    let name = FileName(String::new());
    let chunk_bytes = Config::new(ServerId(0), Ensemble::plain(1, 0)).chunk_bytes;
    for operation in write_snapshot(name, image.position, &image.state, chunk_bytes) {
        match operation {
            FileOperation::Write { offset, bytes, .. } => write_at(&open, offset, &bytes),
            FileOperation::Sync { .. } => open.sync_all(),
            _ => Ok(()),
        }
        .at(&unfinished)?;
    }
    publish(&unfinished, &file)?;
    Ok(file)
}

fn write_at(file: &File, offset: u64, bytes: &Bytes) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// Whether a file wants to be a backup.
pub(crate) fn is_backup(file: &Path) -> bool {
    let mut begin = [0; MAGIC.len()];
    File::open(file).and_then(|mut file| file.read_exact(&mut begin)).is_ok_and(|()| begin == MAGIC)
}

/// What is in a backup, or in a snapshot file of a data directory.
pub(crate) fn open_backup(file: &Path) -> Result<Image, DataError> {
    let bytes = fs::read(file).at(file)?;
    let read = read_snapshot(&bytes);
    let (position, state) = read.ok_or_else(|| DataError::new(file, "it is no backup, or damaged"))?;
    let epoch: Epoch = position.zxid.epoch();
    Ok(Image { position, state, accepted_epoch: epoch, current_epoch: epoch, notes: Vec::new() })
}
