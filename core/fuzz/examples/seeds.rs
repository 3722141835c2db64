//! Writes what the fuzz targets begin with: `cargo run --example seeds FOLDER`.

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs, io};

use zabrus_core::io::ClientId;
use zabrus_core::message::{LinkIncarnation, Message};
use zabrus_core::quorum::Ensemble;
use zabrus_core::storage::Standing;
use zabrus_core::wire::SessionId;
use zabrus_core::{Epoch, Position, Zxid, codec};
use zabrus_fuzz::common::bench::{Bench, history, payload, zxid};
use zabrus_fuzz::common::client;
use zabrus_fuzz::piece;
use zabrus_tests::conversation::{Conversation, Event, Token, parse};

/// What the clients of a recorded conversation send. What only the server knows is zero.
fn conversation(conversation: &Conversation) -> Vec<u8> {
    let spell = |token: &Token| match token {
        Token::Bytes(bytes) => bytes.clone(),
        Token::Zxid(_) | Token::Time(_) | Token::Session(_) => vec![0; 8],
        Token::Password(_) => vec![0; 16],
        Token::AnyOrder(pieces) => pieces.concat(),
    };
    let mut numbers = BTreeMap::new();
    let mut number = |name: &String| {
        let next = u8::try_from(numbers.len()).expect("few clients");
        *numbers.entry(name.clone()).or_insert(next) % 2
    };
    let mut seed = vec![3 | 15 << 4];
    for step in &conversation.steps {
        match &step.event {
            Event::Sends(name, frame) => {
                let bytes: Vec<u8> = frame.0.iter().flat_map(spell).collect();
                let length = u32::try_from(bytes.len()).expect("a frame").to_be_bytes();
                for part in [&length[..], &bytes].concat().chunks(1 << 15) {
                    seed.extend(piece(number(name), part));
                }
            }
            Event::SendsBytes(name, bytes) => seed.extend(piece(number(name), bytes)),
            Event::Closes(name) => seed.extend(piece(4 + number(name), &[])),
            Event::Waits(millis) => {
                let millis = u16::try_from(*millis).unwrap_or(u16::MAX);
                seed.extend(piece(6, &millis.to_be_bytes()));
            }
            Event::Opens(_) | Event::Gets(..) | Event::IsClosed(_) => {}
        }
    }
    seed
}

/// One of each message, from all peers, in each role.
fn messages() -> Vec<Vec<u8>> {
    let (epoch, end) = (Epoch(1), Position::EMPTY);
    let last = history(&[(1, 1)])[1];
    let all = [
        Message::LearnerInfo { accepted_epoch: Epoch(0), config_version: 0 },
        Message::AckEpoch {
            epoch,
            current_epoch: Some(Epoch(0)),
            last,
            ends: vec![last, end],
            standing: Standing::Sound,
        },
        Message::SnapChunkStored { epoch, index: 0 },
        Message::AckNewLeader { epoch },
        Message::Ack { epoch, zxid: zxid(1, 1) },
        Message::Request { epoch, number: 1, payload: payload(zxid(1, 1)) },
        Message::LeaderInfo { epoch },
        Message::Diff { epoch, base: end, end: zxid(1, 1) },
        Message::Trunc { epoch, to: end },
        Message::Snap { epoch, label: last },
        Message::SnapChunk { epoch, label: last.zxid, index: 0, bytes: payload(zxid(1, 1)), last: true },
        Message::Proposal { epoch, previous: zxid(1, 1), zxid: zxid(1, 2), payload: payload(zxid(1, 2)) },
        Message::Inform { epoch, previous: Zxid::ZERO, zxid: zxid(1, 1), payload: payload(zxid(1, 1)) },
        Message::Commit { epoch, zxid: zxid(1, 1) },
        Message::NewLeader { epoch, end: last },
        Message::UpToDate { epoch, committed: zxid(1, 1) },
        Message::Ping { epoch, sequence: 1, committed: zxid(1, 1), touched: vec![SessionId(1)] },
        Message::Revalidate {
            epoch,
            client: ClientId(1),
            session: SessionId(1),
            timeout: 1,
            lives: Some(true),
        },
        Message::Sync { epoch, number: 1, committed: Zxid::ZERO },
    ];
    let frames = [
        zabrus_core::message::Frame::Open { link: LinkIncarnation { boot: 102, attempt: 1 } },
        zabrus_core::message::Frame::Reset { link: LinkIncarnation { boot: 102, attempt: 1 } },
    ];
    let says = |peer: u8| {
        let said = all
            .iter()
            .flat_map(move |message| [1, 5].map(|kind| piece(kind | peer << 4, &codec::encode(message))));
        let framed = frames.iter().map(move |frame| piece(peer << 4, &frame.encode()));
        said.chain(framed).chain((9..16).map(move |kind| piece(kind | peer << 4, &[3, 0])))
    };
    (0..6).flat_map(|stage| (0..3).flat_map(says).map(move |said| [&[stage], &said[..]].concat())).collect()
}

fn changes() -> Vec<Vec<u8>> {
    let transaction = payload(zxid(1, 20));
    let mut seeds = vec![vec![0], vec![1], [&[0], &piece(7, &transaction)[..]].concat()];
    for tag in 0..7 {
        for place in [0_u16, 20, 100, 4096, 4120] {
            let [high, low] = place.to_be_bytes();
            let changes: Vec<u8> = (0..8).flat_map(|file| piece(tag, &[file, high, low, 1, 2, 3])).collect();
            seeds.push([&[0], &changes[..]].concat());
        }
    }
    seeds
}

fn chunks() -> Vec<Vec<u8>> {
    let mut bench = Bench::new(1, Ensemble::plain(1, 0), |config| config.preallocate_bytes = 0);
    bench.elect(1);
    bench.join(1);
    for (number, path) in ["/a", "/a/b", "/a/c", "/d"].iter().enumerate() {
        let xid = i32::try_from(number).expect("few");
        bench.client(1, client::create(xid, path, b"data"));
    }
    let seed = |limit| {
        let mut snapshot = bench.replica.state().snapshot();
        let chunks = std::iter::from_fn(|| snapshot.next_chunk(limit));
        let chunks: Vec<u8> = chunks.flat_map(|(chunk, _)| piece(0, &chunk)).collect();
        [chunks, piece(1, &payload(zxid(1, 9)))].concat()
    };
    [1, 200, 1 << 15].map(seed).to_vec()
}

fn write(folder: &Path, target: &str, seeds: &[Vec<u8>]) -> io::Result<()> {
    let folder = folder.join(target);
    fs::create_dir_all(&folder)?;
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).expect("the folder for the seeds");
    let folder = Path::new(&folder);
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conversations/recorded");
    let mut clients = Vec::new();
    for entry in fs::read_dir(recorded)? {
        let parsed = parse(&fs::read_to_string(entry?.path())?);
        clients.push(conversation(&parsed.map_err(io::Error::other)?));
    }
    write(folder, "client", &clients)?;
    write(folder, "peer", &messages())?;
    write(folder, "recovery", &changes())?;
    write(folder, "snapshot", &chunks())
}
