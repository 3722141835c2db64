//! A frame as a file spells it, and the values that its placeholders stand for.

use std::collections::BTreeMap;
use std::str::FromStr;

/// The tokens of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(pub Vec<Token>);

/// A part of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// These bytes: hex, or quoted ASCII.
    Bytes(Vec<u8>),
    /// `{zxid+3}`: eight bytes, the zxid of the third transaction of the conversation.
    Zxid(i64),
    /// `{time+3}`: eight bytes, the wall time of the third transaction in milliseconds.
    Time(i64),
    /// `{session:a}`: eight bytes, the id of the session that client `a` created.
    Session(String),
    /// `{password:a}`: sixteen bytes, the password of that session.
    Password(String),
    /// `[ ... | ... ]`: these pieces in any order.
    AnyOrder(Vec<Vec<u8>>),
}

impl FromStr for Frame {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut words = words(text)?.into_iter();
        while let Some(word) = words.next() {
            tokens.push(if word == "[" { any_order(&mut words)? } else { token(word)? });
        }
        Ok(Self(tokens))
    }
}

/// Words apart by blanks; what is quoted may contain them.
fn words(mut text: &str) -> Result<Vec<&str>, String> {
    let mut words = Vec::new();
    loop {
        text = text.trim_start();
        let end = match text.strip_prefix('"') {
            Some(quoted) => quoted.find('"').ok_or("a quote does not end")? + 2,
            None => text.find(' ').unwrap_or(text.len()),
        };
        if end == 0 {
            return Ok(words);
        }
        words.push(&text[..end]);
        text = &text[end..];
    }
}

fn token(word: &str) -> Result<Token, String> {
    let Some(placeholder) = word.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return bytes(word).map(Token::Bytes);
    };
    let number = |text: &str| text.parse().map_err(|error| format!("`{word}`: {error}"));
    match placeholder.split_once(['+', ':']) {
        Some(("zxid", text)) => number(text).map(Token::Zxid),
        Some(("time", text)) => number(text).map(Token::Time),
        Some(("session", name)) => Ok(Token::Session(name.to_owned())),
        Some(("password", name)) => Ok(Token::Password(name.to_owned())),
        _ => Err(format!("`{word}` is no placeholder")),
    }
}

fn bytes(word: &str) -> Result<Vec<u8>, String> {
    match word.strip_prefix('"') {
        Some(quoted) => Ok(quoted.trim_end_matches('"').as_bytes().to_vec()),
        None => bytes_of_hex(word),
    }
}

/// The bytes that pairs of hex digits spell.
pub(super) fn bytes_of_hex(text: &str) -> Result<Vec<u8>, String> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(format!("`{text}` is not hex"));
    }
    let pair = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).map_err(|error| error.to_string());
    (0..text.len()).step_by(2).map(pair).collect()
}

fn any_order<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<Token, String> {
    let mut pieces = vec![Vec::new()];
    for word in words {
        match (word, pieces.last_mut()) {
            ("]", _) => return Ok(Token::AnyOrder(pieces)),
            (word, Some(piece)) if word != "|" => piece.extend(bytes(word)?),
            _ => pieces.push(Vec::new()),
        }
    }
    Err("`[` has no `]`".to_owned())
}

/// What the placeholders of one conversation stand for. A value is bound where it is first seen and
/// must be the same ever after.
#[derive(Clone, Debug)]
pub struct Bindings {
    base: i64,
    times: BTreeMap<i64, i64>,
    sessions: BTreeMap<String, [u8; 8]>,
    passwords: BTreeMap<String, [u8; 16]>,
}

impl Bindings {
    /// Nothing is bound; `base` is the server's last zxid before the conversation.
    #[must_use]
    pub fn new(base: i64) -> Self {
        Self { base, times: BTreeMap::new(), sessions: BTreeMap::new(), passwords: BTreeMap::new() }
    }

    /// The bytes of a frame that a client sends.
    ///
    /// # Errors
    /// If a placeholder is not bound yet, or has no place in a request.
    pub fn encode(&self, frame: &Frame) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        for token in &frame.0 {
            match token {
                Token::Bytes(these) => bytes.extend(these),
                Token::Zxid(number) => bytes.extend((self.base + number).to_be_bytes()),
                Token::Session(name) => bytes.extend(bound(&self.sessions, name)?),
                Token::Password(name) => bytes.extend(bound(&self.passwords, name)?),
                Token::Time(_) | Token::AnyOrder(_) => {
                    return Err(format!("{token:?} has no place in a request"));
                }
            }
        }
        Ok(bytes)
    }

    /// Whether a server's `bytes` are this frame; binds what is seen first.
    ///
    /// # Errors
    /// If they are not; the error says where and why.
    pub fn matches(&mut self, frame: &Frame, bytes: &[u8]) -> Result<(), String> {
        let mut rest = bytes;
        for (number, token) in frame.0.iter().enumerate() {
            self.take(token, &mut rest).map_err(|error| {
                let at = bytes.len() - rest.len();
                format!("token {} at byte {at} is {}, {error}", number + 1, hex(&rest[..rest.len().min(24)]))
            })?;
        }
        if rest.is_empty() { Ok(()) } else { Err(format!("{} follows the frame", hex(rest))) }
    }

    fn take(&mut self, token: &Token, rest: &mut &[u8]) -> Result<(), String> {
        match token {
            Token::Bytes(these) => take_these(these, rest),
            Token::Zxid(number) => take_these(&(self.base + number).to_be_bytes(), rest),
            Token::Time(number) => {
                let found = i64::from_be_bytes(*first_chunk(rest)?);
                self.bind_time(*number, found)?;
                *rest = &rest[8..];
                Ok(())
            }
            Token::Session(name) => bind(&mut self.sessions, name, rest),
            Token::Password(name) => bind(&mut self.passwords, name, rest),
            Token::AnyOrder(pieces) => {
                let mut pieces = pieces.clone();
                while !pieces.is_empty() {
                    let next = pieces.iter().position(|piece| rest.starts_with(piece));
                    let next = next.ok_or_else(|| format!("not one of {}", pieces.len()))?;
                    take_these(&pieces.swap_remove(next), rest)?;
                }
                Ok(())
            }
        }
    }

    /// A transaction has one time, and no later one than those after it.
    fn bind_time(&mut self, number: i64, found: i64) -> Result<(), String> {
        let before = self.times.range(..=number).next_back();
        let after = self.times.range(number..).next();
        let not_before = before.map_or(1, |(_, time)| *time);
        let not_after = after.map_or(i64::MAX, |(_, time)| *time);
        if !(not_before..=not_after).contains(&found) {
            return Err(format!("not a time from {not_before} to {not_after}"));
        }
        self.times.insert(number, found);
        Ok(())
    }
}

fn bound<const N: usize>(values: &BTreeMap<String, [u8; N]>, name: &str) -> Result<[u8; N], String> {
    values.get(name).copied().ok_or_else(|| format!("the session of {name} is not known yet"))
}

fn bind<const N: usize>(
    values: &mut BTreeMap<String, [u8; N]>,
    name: &str,
    rest: &mut &[u8],
) -> Result<(), String> {
    let found: &[u8; N] = first_chunk(rest)?;
    match values.get(name) {
        Some(expected) => return take_these(expected, rest),
        None if *found == [0; N] => return Err("not to be all zeros".to_owned()),
        None if values.values().any(|other| other == found) => return Err("already another's".to_owned()),
        None => values.insert(name.to_owned(), *found),
    };
    *rest = &rest[N..];
    Ok(())
}

fn first_chunk<'a, const N: usize>(rest: &&'a [u8]) -> Result<&'a [u8; N], String> {
    rest.first_chunk().ok_or_else(|| format!("not {N} bytes"))
}

fn take_these(these: &[u8], rest: &mut &[u8]) -> Result<(), String> {
    *rest = rest.strip_prefix(these).ok_or_else(|| format!("not {}", hex(these)))?;
    Ok(())
}

/// Bytes as hex digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn frame(text: &str) -> Frame {
        text.parse().expect("the frame is right")
    }

    #[test]
    fn tokens_are_hex_quotes_placeholders_and_pieces() {
        let parsed = frame("00ff \"a b\" {zxid+3} {time+4} {session:a} {password:b} [ 01 \"x\" | 02 ]");
        let expected = [
            Token::Bytes(vec![0, 255]),
            Token::Bytes(b"a b".to_vec()),
            Token::Zxid(3),
            Token::Time(4),
            Token::Session("a".to_owned()),
            Token::Password("b".to_owned()),
            Token::AnyOrder(vec![vec![1, b'x'], vec![2]]),
        ];
        assert_eq!(parsed.0, expected);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["0", "0g", "\"x", "{zxid+x}", "{other:1}", "{zxid}", "[ 00", "[ 00 | x ]"] {
            assert!(text.parse::<Frame>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_frame_matches_its_bytes_and_no_others() {
        let mut bindings = Bindings::new(0x100);
        let pattern = frame("01 {zxid+3} \"x\"");
        assert_eq!(bindings.matches(&pattern, &[1, 0, 0, 0, 0, 0, 0, 1, 3, b'x']), Ok(()));
        let wrong: [&[u8]; 4] = [
            &[2, 0, 0, 0, 0, 0, 0, 1, 3, b'x'],
            &[1, 0, 0, 0, 0, 0, 0, 1, 4, b'x'],
            &[1, 0, 0, 0, 0, 0, 0, 1, 3],
            &[1, 0, 0, 0, 0, 0, 0, 1, 3, b'x', 0],
        ];
        for bytes in wrong {
            assert!(bindings.matches(&pattern, bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn pieces_match_in_any_order_and_each_once() {
        let pattern = frame("[ 01 | 02 | 02 ] 03");
        for (bytes, good) in
            [([2, 1, 2, 3], true), ([1, 2, 2, 3], true), ([1, 1, 2, 3], false), ([1, 2, 3, 2], false)]
        {
            assert_eq!(Bindings::new(0).matches(&pattern, &bytes).is_ok(), good, "{bytes:?}");
        }
    }

    #[test]
    fn a_session_is_bound_once_and_is_nobody_elses() {
        let mut bindings = Bindings::new(0);
        assert!(bindings.encode(&frame("{session:a}")).is_err());
        assert!(bindings.matches(&frame("{session:a}"), &[0; 8]).is_err());
        assert_eq!(bindings.matches(&frame("{session:a}"), &[7; 8]), Ok(()));
        assert!(bindings.matches(&frame("{session:a}"), &[8; 8]).is_err());
        assert!(bindings.matches(&frame("{session:b}"), &[7; 8]).is_err());
        assert_eq!(bindings.encode(&frame("00 {session:a}")), Ok(vec![0, 7, 7, 7, 7, 7, 7, 7, 7]));
    }

    #[test]
    fn a_transaction_has_one_time_and_time_does_not_go_back() {
        let time = |number: i64| frame(&format!("{{time+{number}}}"));
        let mut bindings = Bindings::new(0);
        assert!(bindings.matches(&time(2), &0_i64.to_be_bytes()).is_err());
        assert_eq!(bindings.matches(&time(2), &20_i64.to_be_bytes()), Ok(()));
        assert_eq!(bindings.matches(&time(4), &40_i64.to_be_bytes()), Ok(()));
        for (number, found, good) in
            [(2, 21, false), (2, 20, true), (1, 21, false), (3, 41, false), (3, 40, true), (5, 39, false)]
        {
            assert_eq!(bindings.matches(&time(number), &i64::to_be_bytes(found)).is_ok(), good, "{number}");
        }
    }
}
