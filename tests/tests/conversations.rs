//! The recorded conversations: all of them can be read, each of their frames counts when they are
//! replayed, and together they reach every operation with its errors (client.md section 5).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use zabrus_tests::conversation::{Conversation, Event, Frame, Heard, Said, Token, parse, replay};

const MULTI: i32 = 14;
const MULTI_READ: i32 = 22;
const CREATE_SESSION: i32 = -10;

/// Every operation, and with which errors it must have been recorded; 0 is success.
const REACHED: [(i32, &[i32]); 37] = [
    (0, &[-6]),
    (1, &[0, -5, -6, -8, -101, -102, -108, -110, -114, -119, -120, -124, -125]),
    (2, &[0, -5, -8, -101, -102, -103, -111, -119]),
    (3, &[0, -5, -8, -101, -102, -124]),
    (4, &[0, -5, -101, -102]),
    (5, &[0, -5, -8, -101, -102, -103, -119, -125]),
    (6, &[0, -5, -101, -102]),
    (7, &[0, -5, -8, -101, -102, -103, -114, -119]),
    (8, &[0, -5, -101, -102]),
    (9, &[0, -5, -119]),
    (11, &[0, -124]),
    (12, &[0, -5, -101, -102]),
    (13, &[-6]),
    (14, &[0, -5, -119]),
    (15, &[0, -5, -8, -101, -102, -108, -110, -114, -119, -120, -125]),
    (16, &[-5, -6, -119, -123]),
    (17, &[0, -5, -121]),
    (18, &[0, -5, -121]),
    (19, &[0, -5, -8, -101, -102, -108, -110, -114, -119, -125]),
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
const REACHED_WITHIN: [i32; 13] = [0, -2, -6, -8, -101, -102, -103, -108, -110, -111, -114, -120, -125];

/// The last zxid of our server before a conversation.
const BASE: i64 = 5 << 32;

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

/// Replays a conversation against a server that says what stands in it, but for the answer number
/// `altered`, in which one bit differs.
fn with_a_server_of_its_own(
    conversation: &Conversation,
    altered: Option<usize>,
) -> Result<(), (usize, String)> {
    let mut steps: VecDeque<_> = conversation.steps.iter().map(|step| &step.event).collect();
    let mut answers = 0;
    replay(conversation, BASE, |said| {
        let step = steps.pop_front().expect("there is a step for what is said");
        if let (Event::Sends(_, frame), Said::Frame(_, bytes)) = (step, said) {
            assert_eq!(bytes, spell(frame));
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

/// The (operation, error) pairs of a conversation, and the errors of the results within its multis.
fn reached(conversation: &Conversation) -> (BTreeSet<(i32, i32)>, BTreeSet<i32>) {
    let (mut found, mut within) = (BTreeSet::new(), BTreeSet::new());
    // The operations that a client waits for; `None` is the handshake, its first frame each way.
    let mut asked: BTreeMap<&str, VecDeque<Option<i32>>> = BTreeMap::new();
    for step in &conversation.steps {
        match &step.event {
            Event::Sends(client, frame) => {
                let bytes = spell(frame);
                match asked.get_mut(client.as_str()) {
                    // A frame without a whole header is answered by a close.
                    Some(queue) if bytes.len() >= 8 => queue.push_back(Some(number(&bytes[4..]))),
                    Some(_) => {}
                    None => {
                        asked.insert(client, VecDeque::from([None]));
                    }
                }
            }
            Event::Gets(client, frame) => {
                let bytes = spell(frame);
                let is_event = number(&bytes) == -1;
                let queue = asked.get_mut(client.as_str()).filter(|_| !is_event);
                let Some(op) = queue.and_then(VecDeque::pop_front).flatten() else { continue };
                // createSession is answered without a header, unless it fails.
                if op == CREATE_SESSION && bytes.len() > 16 {
                    continue;
                }
                let error = number(&bytes[12..]);
                found.insert((op, error));
                if (op == MULTI || op == MULTI_READ) && error == 0 {
                    within.extend(bytes[16..].windows(13).filter_map(error_result));
                }
            }
            _ => {}
        }
    }
    (found, within)
}

/// The error of a result that is nothing else: the type -1, not done, the error, and the error again.
fn error_result(window: &[u8]) -> Option<i32> {
    let is_one = window[..5] == [0xff, 0xff, 0xff, 0xff, 0] && window[5..9] == window[9..];
    is_one.then(|| number(&window[5..]))
}

#[test]
fn every_operation_is_recorded_with_each_of_its_errors() {
    let (mut found, mut within) = (BTreeSet::new(), BTreeSet::new());
    for (_, conversation) in recorded() {
        let (more, more_within) = reached(&conversation);
        found.extend(more);
        within.extend(more_within);
    }
    let wanted = REACHED.iter().flat_map(|(op, errors)| errors.iter().map(|error| (*op, *error)));
    let missing: Vec<_> = wanted.filter(|pair| !found.contains(pair)).collect();
    assert!(missing.is_empty(), "no conversation has these (operation, error): {missing:?}");
    let missing: Vec<_> = REACHED_WITHIN.iter().filter(|error| !within.contains(error)).collect();
    assert!(missing.is_empty(), "no multi has a result with these errors: {missing:?}");
}
