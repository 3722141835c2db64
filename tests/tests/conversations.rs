//! The recorded conversations: all of them can be read, each of their frames counts when they are
//! replayed, and together they reach every operation with its errors (client.md section 5).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use zabrus_tests::conversation::{Conversation, Event, Frame, Heard, Said, Token, parse, replay};

/// Every operation, and with which errors it must have been recorded; 0 is success.
const REACHED: [(i32, &[i32]); 37] = [
    (0, &[-6]),
    (1, &[0, -5, -6, -8, -101, -102, -108, -110, -114, -124, -125]),
    (2, &[0, -5, -8, -101, -102, -103, -111]),
    (3, &[0, -5, -8, -101, -102, -124]),
    (4, &[0, -5, -101, -102]),
    (5, &[0, -5, -8, -101, -102, -103, -125]),
    (6, &[0, -5, -101, -102]),
    (7, &[0, -5, -8, -101, -102, -103, -114]),
    (8, &[0, -5, -101, -102]),
    (9, &[0, -5]),
    (11, &[0, -124]),
    (12, &[0, -5, -101, -102]),
    (13, &[-6]),
    (14, &[0, -5]),
    (15, &[0, -5, -8, -101, -102, -108, -110, -114, -125]),
    (16, &[-5, -6, -123]),
    (17, &[0, -5, -121]),
    (18, &[0, -5, -121]),
    (19, &[0, -5, -8, -101, -102, -108, -110, -114, -125]),
    (20, &[0, -5, -101, -111]),
    (21, &[0, -5, -6, -8, -101, -102, -108, -110, -114, -125]),
    (22, &[0, -5]),
    (23, &[-6]),
    (99, &[-6]),
    (100, &[0, -115]),
    (101, &[0, -5]),
    (102, &[0]),
    (103, &[0, -5]),
    (104, &[0, -5, -101, -102]),
    (105, &[0, -5]),
    (106, &[0, -5]),
    (107, &[0]),
    (108, &[-6]),
    (-1, &[-6]),
    (-9, &[-6]),
    (-10, &[-5]),
    (-11, &[0, -124]),
];

/// The errors that operations within a multi or multiRead must have been recorded with.
const REACHED_WITHIN: [i32; 12] = [0, -2, -6, -8, -101, -102, -103, -108, -110, -111, -114, -125];

fn recorded() -> Vec<(String, Conversation)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conversations/recorded");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a file can be read");
        let conversation = parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        found.push((name, conversation));
    }
    assert!(found.len() >= 60, "only {} conversations", found.len());
    found
}

/// The bytes of a frame, with values of our own for the placeholders.
fn spell(frame: &Frame) -> Vec<u8> {
    let letter = |name: &str| name.bytes().fold(1_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    let spell = |token: &Token| match token {
        Token::Bytes(bytes) => bytes.clone(),
        Token::Zxid(number) => (BASE + number).to_be_bytes().to_vec(),
        Token::Time(number) => (1_000_000 + number).to_be_bytes().to_vec(),
        Token::Session(name) => vec![letter(name); 8],
        Token::Password(name) => vec![letter(name); 16],
        Token::AnyOrder(pieces) => pieces.iter().rev().flatten().copied().collect(),
    };
    frame.0.iter().flat_map(spell).collect()
}

const BASE: i64 = 5 << 32;

/// Replays a conversation against a server that says what stands in it, but for the answer number
/// `altered`, in which one bit differs.
fn with_a_server_of_its_own(conversation: &Conversation, altered: Option<usize>) -> Result<(), String> {
    let mut steps: VecDeque<_> = conversation.steps.iter().map(|step| &step.event).collect();
    let mut answers = 0;
    replay(conversation, BASE, |said| {
        let (step, said) = (steps.pop_front().expect("a step for what is said"), said);
        if let (Event::Sends(_, frame), Said::Frame(_, bytes)) = (step, &said) {
            assert_eq!(*bytes, spell(frame));
        }
        let mut heard = Vec::new();
        while let Some(Event::Gets(..) | Event::IsClosed(_)) = steps.front() {
            heard.push(match steps.pop_front() {
                Some(Event::Gets(client, frame)) => {
                    let mut bytes = spell(frame);
                    answers += 1;
                    if altered == Some(answers) {
                        bytes[3] ^= 1;
                    }
                    Heard::Frame(client.clone(), bytes)
                }
                Some(Event::IsClosed(client)) => Heard::Closed(client.clone()),
                other => panic!("{other:?} is no answer"),
            });
        }
        heard
    })
}

#[test]
fn every_conversation_is_replayed_by_a_server_that_says_the_same() {
    for (name, conversation) in recorded() {
        assert_eq!(with_a_server_of_its_own(&conversation, None), Ok(()), "{name}");
    }
}

#[test]
fn a_server_that_says_one_bit_differently_is_found_out() {
    for (name, conversation) in recorded() {
        let answers = conversation.steps.iter().filter(|step| matches!(step.event, Event::Gets(..))).count();
        for altered in 1..=answers {
            assert!(
                with_a_server_of_its_own(&conversation, Some(altered)).is_err(),
                "{name}, answer {altered}"
            );
        }
    }
}

/// The number in four bytes of a frame.
fn number(bytes: &[u8]) -> i32 {
    i32::from_be_bytes(*bytes.first_chunk().expect("a header is whole"))
}

/// The operations of a conversation with the errors of their replies, and the results within multis.
fn reached(conversation: &Conversation, found: &mut BTreeSet<(i32, i32)>, within: &mut BTreeSet<i32>) {
    const CONNECT: i32 = i32::MIN;
    let mut asked: BTreeMap<&str, VecDeque<i32>> = BTreeMap::new();
    for step in &conversation.steps {
        match &step.event {
            Event::Opens(client) => {
                asked.insert(client, VecDeque::new());
            }
            Event::Sends(client, frame) => {
                let queue = asked.get_mut(client.as_str()).expect("a client opens first");
                let bytes = spell(frame);
                let is_first =
                    !frame.0.is_empty() && queue.is_empty() && bytes.len() > 30 && bytes[..12] == [0; 12];
                let op = if is_first {
                    CONNECT
                } else {
                    bytes.get(4..).and_then(<[u8]>::first_chunk).map_or(CONNECT, |op| i32::from_be_bytes(*op))
                };
                queue.push_back(op);
            }
            Event::Gets(client, frame) => {
                let bytes = spell(frame);
                if number(&bytes) == -1 {
                    continue;
                }
                let queue = asked.get_mut(client.as_str()).expect("a client opens first");
                let op = queue.pop_front().expect("a reply answers a request");
                if op == CONNECT || bytes.len() > 30 && op == -10 {
                    continue;
                }
                let error = number(&bytes[12..]);
                found.insert((op, error));
                if matches!(op, 14 | 22) && error == 0 {
                    let header = [0xff, 0xff, 0xff, 0xff, 0];
                    let results = bytes[16..].windows(13).filter(|window| window[..5] == header);
                    within.extend(
                        results
                            .filter(|window| window[5..9] == window[9..])
                            .map(|window| number(&window[5..])),
                    );
                }
            }
            _ => {}
        }
    }
}

#[test]
fn every_operation_is_recorded_with_each_of_its_errors() {
    let (mut found, mut within) = (BTreeSet::new(), BTreeSet::new());
    for (_, conversation) in recorded() {
        reached(&conversation, &mut found, &mut within);
    }
    let wanted = REACHED.iter().flat_map(|(op, errors)| errors.iter().map(|error| (*op, *error)));
    let missing: Vec<_> = wanted.filter(|pair| !found.contains(pair)).collect();
    assert!(missing.is_empty(), "no conversation has these (operation, error): {missing:?}");
    let missing: Vec<_> = REACHED_WITHIN.iter().filter(|error| !within.contains(error)).collect();
    assert!(missing.is_empty(), "no multi has a result with these errors: {missing:?}");
}
