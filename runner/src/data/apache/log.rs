//! Apache's transaction log (client.md section 23.2).

use zabrus_core::ServerId;
use zabrus_core::jute::Decoder;
use zabrus_core::wire::{Origin, Transaction};

pub(crate) const MAGIC: [u8; 4] = *b"ZKLG";
const VERSION: i32 = 2;
const HEADER_BYTES: usize = 16;
const END_OF_ENTRY: u8 = 0x42;

/// Nobody waits for what is read from a file.
pub(super) const NOBODY: Origin = Origin { server: ServerId(0), boot: 0, client: 0, number: 0 };

/// The transactions of a log file, up to its end or its first damage.
#[derive(Debug)]
pub(crate) struct Entries<'a> {
    bytes: &'a [u8],
    offset: usize,
    damage: Option<String>,
    is_unfinished: bool,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let mut entries = Self { bytes, offset: HEADER_BYTES, damage: None, is_unfinished: false };
        let header: Result<(i32, i32, i64), _> = Decoder::new(bytes).read();
        match header {
            Ok((magic, VERSION, _)) if magic.to_be_bytes() == MAGIC => {}
            // A server that is killed right after it made a file leaves zeros or less.
            _ if bytes.iter().all(|byte| *byte == 0) => entries.bytes = &[],
            _ => entries.damage = Some("no transaction log of Apache ZooKeeper".into()),
        }
        entries
    }

    /// Why the transactions ended before the file did.
    pub(crate) fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Where an entry begins that its server did not finish, or that lost its end.
    pub(crate) fn unfinished(&self) -> Option<usize> {
        self.is_unfinished.then_some(self.offset)
    }

    /// The next entry's bytes. `None` at the end: zeros that were allocated ahead, or an entry that its
    /// server did not finish.
    fn next_entry(&mut self) -> Option<Result<&'a [u8], String>> {
        let at = self.offset;
        let mut decoder = Decoder::new(self.bytes.get(at..)?);
        let (checksum, length): (i64, i32) = decoder.read().ok()?;
        if (checksum, length) == (0, 0) {
            return None;
        }
        let damage = |what: &str| Some(Err(format!("the entry at byte {at} is damaged: {what}")));
        let Ok(length) = usize::try_from(length) else { return damage("its length is negative") };
        self.is_unfinished = true;
        let (entry, rest) = decoder.remaining().split_at_checked(length)?;
        if rest.first() != Some(&END_OF_ENTRY) {
            return None;
        }
        self.is_unfinished = false;
        if i64::from(adler2::adler32_slice(entry)) != checksum {
            return damage("its checksum is wrong");
        }
        self.offset = at + 12 + length + 1;
        Some(Ok(entry))
    }
}

impl Iterator for Entries<'_> {
    type Item = Transaction;

    fn next(&mut self) -> Option<Transaction> {
        if self.damage.is_some() {
            return None;
        }
        let at = self.offset;
        let decoded = self.next_entry()?.and_then(|entry| {
            let decoded = Transaction::decode_entry(NOBODY, entry);
            decoded.map_err(|error| format!("the entry at byte {at} is no transaction: {error}"))
        });
        decoded.map_err(|damage| self.damage = Some(damage)).ok()
    }
}
