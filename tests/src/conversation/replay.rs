//! Has a conversation with another server.

use std::collections::{BTreeMap, VecDeque};

use super::{Bindings, Conversation, Event};

/// What is done to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A client connects from 127.0.0.1.
    Opens(String),
    /// A client sends the content of a frame; its length goes before it on a wire.
    Frame(String, Vec<u8>),
    /// A client sends bytes as they are.
    Bytes(String, Vec<u8>),
    /// A client drops its connection.
    Closes(String),
    /// This many milliseconds pass.
    Waits(u64),
}

/// What a server does to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It sends the content of a frame.
    Frame(String, Vec<u8>),
    /// It closes the connection.
    Closed(String),
}

/// Has the conversation with `server`, which answers with all that it does because of what is said.
/// `base` is its last zxid before. The order of what different clients hear is free.
///
/// # Errors
/// If a client hears something else than the conversation says: at which line of the file, and what. The
/// line behind the last is the end.
pub fn replay(
    conversation: &Conversation,
    base: i64,
    mut server: impl FnMut(Said) -> Vec<Heard>,
) -> Result<(), (usize, String)> {
    let mut bindings = Bindings::new(base);
    let mut unread: BTreeMap<&str, VecDeque<Heard>> = BTreeMap::new();
    for step in &conversation.steps {
        let at = |error: String| (step.line, error);
        let said = match &step.event {
            Event::Gets(client, frame) => match heard_by(&mut unread, client) {
                Some(Heard::Frame(_, bytes)) => {
                    bindings.matches(frame, &bytes).map_err(at)?;
                    continue;
                }
                other => return Err(at(format!("{client} hears {other:?} instead of a frame"))),
            },
            Event::IsClosed(client) => match heard_by(&mut unread, client) {
                Some(Heard::Closed(_)) => continue,
                other => return Err(at(format!("{client} hears {other:?} instead of a close"))),
            },
            Event::Opens(client) => {
                unread.insert(client, VecDeque::new());
                Said::Opens(client.clone())
            }
            Event::Sends(client, frame) => Said::Frame(client.clone(), bindings.encode(frame).map_err(at)?),
            Event::SendsBytes(client, bytes) => Said::Bytes(client.clone(), bytes.clone()),
            Event::Closes(client) => {
                if let Some(left) = heard_by(&mut unread, client) {
                    return Err(at(format!("{left:?} is too much")));
                }
                unread.remove(client.as_str());
                Said::Closes(client.clone())
            }
            Event::Waits(milliseconds) => Said::Waits(*milliseconds),
        };
        for heard in server(said) {
            let (Heard::Frame(client, _) | Heard::Closed(client)) = &heard;
            // Nobody hears what is said to a client that is gone.
            if let Some(queue) = unread.get_mut(client.as_str()) {
                queue.push_back(heard);
            }
        }
    }
    match unread.into_values().flatten().next() {
        Some(left) => {
            let end = conversation.steps.last().map_or(0, |step| step.line) + 1;
            Err((end, format!("{left:?} is too much")))
        }
        None => Ok(()),
    }
}

fn heard_by(unread: &mut BTreeMap<&str, VecDeque<Heard>>, client: &str) -> Option<Heard> {
    unread.get_mut(client)?.pop_front()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::parse;

    const TEXT: &str = "a opens\nb opens\na -> 01\nb <- {session:b}\na <- 02\nb -> {session:b}\nwait 5 ms\na closes\n\
                        b is closed\n";

    /// A server that says the given things in its order, each after something is said.
    fn answers(script: &[(usize, Heard)]) -> Result<(), (usize, String)> {
        let mut count = 0;
        replay(&parse(TEXT).expect("the text is right"), 0, |_| {
            count += 1;
            script.iter().filter(|(when, _)| *when == count).map(|(_, heard)| heard.clone()).collect()
        })
    }

    fn good() -> Vec<(usize, Heard)> {
        let (a, b) = ("a".to_owned(), "b".to_owned());
        vec![(3, Heard::Frame(a, vec![2])), (3, Heard::Frame(b.clone(), vec![9; 8])), (6, Heard::Closed(b))]
    }

    #[test]
    fn a_server_that_says_the_same_passes_in_any_order_of_clients() {
        assert_eq!(answers(&good()), Ok(()));
    }

    #[test]
    fn what_is_said_reaches_the_server_with_its_values() {
        let mut said = Vec::new();
        let mut script = good();
        let conversation = parse(TEXT).expect("the text is right");
        let done = replay(&conversation, 0, |what| {
            said.push(what);
            let now = said.len();
            script.extract_if(.., |(when, _)| *when == now).map(|(_, heard)| heard).collect()
        });
        assert_eq!(done, Ok(()));
        assert_eq!(said[2], Said::Frame("a".to_owned(), vec![1]));
        assert_eq!(said[3..5], [Said::Frame("b".to_owned(), vec![9; 8]), Said::Waits(5)]);
    }

    #[test]
    fn another_frame_silence_and_too_much_are_seen() {
        let a = |bytes: Vec<u8>| Heard::Frame("a".to_owned(), bytes);
        let mut other = good();
        other[0].1 = a(vec![3]);
        let mut silent = good();
        silent.remove(0);
        let mut unclosed = good();
        unclosed.pop();
        let mut more = good();
        more.push((4, a(vec![4])));
        let mut late = good();
        late.push((6, Heard::Frame("b".to_owned(), vec![4])));
        for (script, line) in [(other, 5), (silent, 5), (unclosed, 9), (more, 8), (late, 10)] {
            assert_eq!(answers(&script).map_err(|(line, _)| line), Err(line));
        }
    }
}
