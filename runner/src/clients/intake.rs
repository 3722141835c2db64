//! What clients say: bytes, words and frames, as much of them as there is room for.

use std::collections::VecDeque;

use zabrus_core::Instant;
use zabrus_core::io::{ClientId, Input};
use zabrus_core::wire::{ConnectRequest, SessionId};

use super::{Clients, QUEUE_PAUSES, Stage};
use crate::channel::{Broken, SCRATCH_BYTES, Turn};
use crate::operator::words::Word;

impl Clients {
    /// Something can be read at once, if there is room for `room` requests.
    pub(crate) fn has_work(&self, room: usize) -> bool {
        room > 0 && !self.readable.is_empty()
    }

    /// Gives every connection with something to read a turn, until `room` requests came.
    pub(crate) fn read(
        &mut self,
        now: Instant,
        scratch: &mut [u8; SCRATCH_BYTES],
        inputs: &mut Vec<Input>,
        questions: &mut VecDeque<(ClientId, Word)>,
        mut room: usize,
    ) {
        let mut readable = std::mem::take(&mut self.readable);
        let behind = readable.split_off(&(self.last_served + 1));
        for number in behind.into_iter().chain(readable) {
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            if connection.channel.queued() > QUEUE_PAUSES {
                connection.stalled = true;
                continue;
            }
            if connection.paused {
                continue;
            }
            // What begins with other bytes than a word's is a request.
            let asks = match connection.stage {
                Stage::Fresh => connection.channel.unused().len() >= 4,
                stage => stage == Stage::Talking,
            };
            if room == 0 && asks {
                self.hold(number);
                continue;
            }
            let turn = connection.channel.read(scratch);
            if connection.stage == Stage::Fresh
                && let Some(first) = connection.channel.unused().first_chunk::<4>()
                && let Some(word) = Word::recognize(first)
            {
                connection.stage = Stage::Asked;
                connection.traffic.received += 1;
                self.figures.received += 1;
                questions.push_back((ClientId(number), word));
            }
            if matches!(connection.stage, Stage::Asked | Stage::Closing | Stage::Leaving) {
                connection.channel.consume(connection.channel.unused().len());
                match turn {
                    Ok(Turn::Blocked) => {}
                    Ok(Turn::More) => {
                        self.readable.insert(number);
                    }
                    // It may still read what is on its way.
                    Err(_) if connection.stage != Stage::Leaving => {}
                    Err(_) => self.remove(number, inputs),
                }
                continue;
            }
            // What waited goes with its connection.
            let frames = match &turn {
                Err(_) if connection.held => Ok(()),
                _ => self.take_frames(number, now, inputs, &mut room),
            };
            match turn.and_then(|turn| frames.map(|()| turn)) {
                Ok(Turn::Blocked) => {
                    if self.connections.get(&number).is_some_and(|connection| connection.forgotten() <= now) {
                        self.figures.dropped += 1;
                        self.remove(number, inputs);
                    }
                }
                Ok(Turn::More) => {
                    self.readable.insert(number);
                }
                Err(broken) => {
                    let session = self.session(ClientId(number)).unwrap_or_default();
                    tracing::debug!(client = number, %session, "the connection is gone: {broken}");
                    let stage = self.connections.get(&number).map(|connection| connection.stage);
                    let by_itself = matches!(broken, Broken::Closed | Broken::Io(_));
                    self.figures.dropped += u64::from(by_itself && stage == Some(Stage::Talking));
                    self.figures.too_large += u64::from(matches!(broken, Broken::BadLength(1..)));
                    self.remove(number, inputs);
                }
            }
        }
    }

    /// There is no room for what a connection asks.
    fn hold(&mut self, number: u64) {
        self.readable.insert(number);
        if let Some(connection) = self.connections.get_mut(&number)
            && !std::mem::replace(&mut connection.held, true)
        {
            self.figures.held += 1;
        }
    }

    fn take_frames(
        &mut self,
        number: u64,
        now: Instant,
        inputs: &mut Vec<Input>,
        room: &mut usize,
    ) -> Result<(), Broken> {
        let Some(connection) = self.connections.get_mut(&number) else { return Ok(()) };
        let client = ClientId(number);
        if *room > 0 {
            connection.held = false;
            self.last_served = number;
        }
        loop {
            if *room == 0 {
                if !connection.channel.unused().is_empty() {
                    self.hold(number);
                }
                return Ok(());
            }
            let Some(bytes) = connection.channel.next_frame(self.settings.frame_limit)? else {
                return Ok(());
            };
            *room -= 1;
            let large = self.settings.requests.large_bytes(bytes.len());
            if !self.settings.requests.admits(bytes.len(), self.large) {
                self.figures.too_large += 1;
                let (address, session) = (connection.address, connection.traffic.session);
                tracing::warn!(
                    client = number, %session, %address, "a request of {} bytes is too much beside {} bytes of \
                    large ones; see largeRequestMaxBytes", bytes.len(), self.large
                );
                self.remove(number, inputs);
                return Ok(());
            }
            if connection.stage == Stage::Fresh {
                if self.throttle.as_mut().is_some_and(|throttle| !throttle.admits(now)) {
                    self.figures.rejected += 1;
                    tracing::debug!(
                        client = number,
                        "too many clients come at once; see connection_throttle_tokens"
                    );
                    self.remove(number, inputs);
                    return Ok(());
                }
                connection.stage = Stage::Talking;
                self.figures.handshakes += 1;
                let attaches =
                    ConnectRequest::decode(&bytes).is_ok_and(|asked| asked.session != SessionId(0));
                self.figures.reattached += u64::from(attaches);
                let address = connection.address.ip().to_canonical();
                inputs.push(Input::ClientConnected { client, address });
            }
            let before = connection.traffic.large;
            connection.traffic.arrived(&bytes, large, now);
            self.large += connection.traffic.large - before;
            self.figures.received += 1;
            self.figures.bytes_received += 4 + bytes.len() as u64;
            inputs.push(Input::ClientFrame { client, bytes });
        }
    }
}
