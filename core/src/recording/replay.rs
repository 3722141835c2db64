//! A recorded life, lived again.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::cell::{Cell, RefCell};
use core::fmt;

use super::directory::Remembered;
use super::{Chain, Landmark, Record, Records};
use crate::io::{Input, Output};
use crate::replica::Replica;
use crate::storage::{RecoveryError, recover};
use crate::time::Now;

/// A replica that lives a recorded life again.
pub struct Replay<'a> {
    records: Records<'a>,
    replica: Replica,
    chain: Chain,
    /// The time of the start or of the last input.
    now: Now,
    inputs: u64,
    last: Option<Box<Input>>,
}

impl fmt::Debug for Replay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Replay({} inputs)", self.inputs)
    }
}

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The next input was handled.
    Handled,
    /// The recording ends here, in order: all is as it was.
    Ended,
    /// The recording breaks off here, with so many bytes behind that are no record. All is as it
    /// was, but for what came of the last input, which is not in the recording.
    BrokenOff(usize),
}

/// Why a recording cannot be replayed to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// The file is no recording.
    NoRecording,
    /// It has no whole start, or another version of the program wrote it.
    NoStart,
    /// Recovery refused the data directory, so there never was a replica.
    Refused(RecoveryError),
    /// Recovery reads something else than it did.
    RecoveryDiffers,
    /// What comes of an input is not what came of it.
    Diverged {
        /// The number of that input, from 1; 0 stands for the start.
        number: u64,
        /// When the replica took it.
        now: Now,
        /// The input, if it is not the start.
        input: Option<Box<Input>>,
    },
    /// A record stands where it has no meaning, behind so many inputs.
    Misplaced(u64),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRecording => f.write_str("this is no recording of a server"),
            Self::NoStart => f.write_str(
                "no start can be read: it was never written whole, or by another version of the program",
            ),
            Self::Refused(error) => write!(f, "recovery refused the data directory: {error:?}"),
            Self::RecoveryDiffers => f.write_str("recovery reads something else than was recorded"),
            Self::Diverged { number: 0, .. } => f.write_str("the start leads to something else than it did"),
            Self::Diverged { number, now, input } => {
                let what = input.as_ref().map_or(String::new(), |input| describe(input));
                write!(f, "input {number} at {}, {what}, leads to something else than it did", now.monotonic)
            }
            Self::Misplaced(inputs) => write!(f, "the record behind input {inputs} has no meaning there"),
        }
    }
}

impl core::error::Error for ReplayError {}

impl<'a> Replay<'a> {
    /// Recovers as the server did, and starts a replica. Its first outputs go to `see`.
    ///
    /// # Errors
    /// If there is no start, or another one.
    pub fn new(recording: &'a [u8], see: impl FnMut(Now, &Replica, &Output)) -> Result<Self, ReplayError> {
        let mut records = Records::new(recording).ok_or(ReplayError::NoRecording)?;
        let (Some(Record::Program(_)), Some(Record::Config(config))) = (records.next(), records.next())
        else {
            return Err(ReplayError::NoStart);
        };
        let directory = Remembered { records: RefCell::new(records), diverged: Cell::new(false) };
        let recovered = recover(&config, &directory);
        if directory.diverged.get() {
            // A recording that breaks off there is not another recovery.
            let broken_off = directory.records.borrow_mut().next().is_none();
            return Err(if broken_off { ReplayError::NoStart } else { ReplayError::RecoveryDiffers });
        }
        let recovered = recovered.map_err(ReplayError::Refused)?;
        let mut records = directory.records.into_inner();
        let (seed, now) = match records.next() {
            Some(Record::Start { seed, now }) => (seed, now),
            None => return Err(ReplayError::NoStart),
            Some(_) => return Err(ReplayError::RecoveryDiffers),
        };
        let replica = Replica::new(*config, recovered, seed, now);
        let mut replay = Self { records, replica, chain: Chain::default(), now, inputs: 0, last: None };
        replay.drain(see);
        Ok(replay)
    }

    /// Goes on by one input. What comes of it goes to `see`, with the time and the replica.
    ///
    /// # Errors
    /// If what came of an earlier input is not what the recording says.
    pub fn step(&mut self, see: impl FnMut(Now, &Replica, &Output)) -> Result<Progress, ReplayError> {
        match self.records.next() {
            Some(Record::Input { chain, now, input }) => {
                self.compare(chain)?;
                self.inputs += 1;
                self.now = now;
                self.last = Some(Box::new(input.clone()));
                self.replica.handle(now, input);
                self.drain(see);
                Ok(Progress::Handled)
            }
            Some(Record::End { chain }) => {
                self.compare(chain)?;
                Ok(Progress::Ended)
            }
            Some(_) => Err(ReplayError::Misplaced(self.inputs)),
            None => Ok(Progress::BrokenOff(self.records.rest())),
        }
    }

    fn drain(&mut self, mut see: impl FnMut(Now, &Replica, &Output)) {
        while let Some(output) = self.replica.poll() {
            self.chain.output(&output);
            see(self.now, &self.replica, &output);
            if matches!(output, Output::Halt { .. }) {
                return; // Its driver did not ask it for anything more.
            }
        }
        self.chain.drained(&Landmark::of(&self.replica));
    }

    fn compare(&self, recorded: u64) -> Result<(), ReplayError> {
        if self.chain.value() == recorded {
            return Ok(());
        }
        Err(ReplayError::Diverged { number: self.inputs, now: self.now, input: self.last.clone() })
    }

    /// The replica as it is now.
    #[must_use]
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The inputs so far.
    #[must_use]
    pub fn inputs(&self) -> u64 {
        self.inputs
    }

    /// The hash over all that came of them.
    #[must_use]
    pub fn chain(&self) -> Chain {
        self.chain
    }

    /// The time of the last of them, or of the start.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }
}

/// An input in a few words, without what a client said.
fn describe(input: &Input) -> String {
    match input {
        Input::Tick => "a tick".into(),
        Input::Connected { peer, connection } => format!("connection {} to server {peer}", connection.0),
        Input::Disconnected { peer, connection } => {
            format!("the loss of connection {} to server {peer}", connection.0)
        }
        Input::Frame { peer, bytes, .. } => format!("a frame of {} bytes from server {peer}", bytes.len()),
        Input::Disk(completion) => {
            let result = completion.result.as_ref().map(|bytes| bytes.len());
            format!("the disk's answer {result:?} to operation {}", completion.id.number)
        }
        Input::ClientConnected { client, .. } => format!("the connection of client {}", client.0),
        Input::ClientFrame { client, bytes } => {
            format!("a frame of {} bytes from client {}", bytes.len(), client.0)
        }
        Input::ClientGone { client } => format!("the end of client {}", client.0),
        Input::Command(command) => format!("the command {command:?}"),
    }
}
