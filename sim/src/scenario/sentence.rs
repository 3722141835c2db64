//! Sentences of a scenario as words with their places, so that every complaint can point at one.

use std::ops::Range;

use zabrus_core::{Duration, Epoch, ServerId, Zxid};

use super::Mistake;
use crate::units;

/// The words of one sentence, read from left to right.
pub(super) struct Sentence<'a> {
    words: Vec<(Range<usize>, &'a str)>,
    next: usize,
    end: usize,
}

impl<'a> Sentence<'a> {
    /// The words of `text`, which stands in the file from byte `offset` on. Commas separate words
    /// and mean nothing else.
    pub(super) fn new(text: &'a str, offset: usize) -> Self {
        let mut words = Vec::new();
        let mut rest = 0;
        for word in text.split([' ', ',', '\n', '\t']) {
            if !word.is_empty() {
                words.push((offset + rest..offset + rest + word.len(), word));
            }
            rest += word.len() + 1;
        }
        Self { words, next: 0, end: offset + text.len() }
    }

    pub(super) fn peek(&self) -> Option<&'a str> {
        self.words.get(self.next).map(|(_, word)| *word)
    }

    /// Takes the next words if they are exactly these.
    pub(super) fn take(&mut self, words: &str) -> bool {
        let wanted: Vec<_> = words.split(' ').collect();
        let found = self.words[self.next..].iter().map(|(_, word)| *word).take(wanted.len());
        let equal = found.eq(wanted.iter().copied());
        if equal {
            self.next += wanted.len();
        }
        equal
    }

    /// Takes any of these, and returns which.
    pub(super) fn take_any(&mut self, choices: &[&str]) -> Option<usize> {
        choices.iter().position(|words| self.take(words))
    }

    pub(super) fn word(&mut self, expected: &str) -> Result<&'a str, Mistake> {
        let word = self.peek().ok_or_else(|| self.expected(expected))?;
        self.next += 1;
        Ok(word)
    }

    pub(super) fn must(&mut self, words: &str) -> Result<(), Mistake> {
        if self.take(words) { Ok(()) } else { Err(self.expected(&format!("`{words}`"))) }
    }

    /// Nothing may follow.
    pub(super) fn finish(&self) -> Result<(), Mistake> {
        if self.next < self.words.len() { Err(self.expected("the end of the sentence")) } else { Ok(()) }
    }

    /// A complaint about the next word.
    pub(super) fn expected(&self, what: &str) -> Mistake {
        match self.words.get(self.next) {
            Some((span, word)) => Mistake {
                span: span.clone(),
                message: format!("`{word}` is not what can stand here; expected {what}"),
            },
            None => Mistake {
                span: self.end..self.end,
                message: format!("the sentence ends too early; expected {what}"),
            },
        }
    }

    /// Reads the next word with `read`, and complains about it if that fails.
    fn read<T>(&mut self, what: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, Mistake> {
        let value = self.peek().and_then(read).ok_or_else(|| self.expected(what))?;
        self.next += 1;
        Ok(value)
    }

    pub(super) fn number(&mut self) -> Result<u64, Mistake> {
        self.read("a number", |word| word.parse().ok())
    }

    pub(super) fn signed(&mut self, what: &str) -> Result<i64, Mistake> {
        self.read(what, |word| word.parse().ok())
    }

    pub(super) fn duration(&mut self) -> Result<Duration, Mistake> {
        self.read("a span of time such as 500ms", |word| units::parse_duration(word).ok())
    }

    pub(super) fn zxid(&mut self) -> Result<Zxid, Mistake> {
        self.read("a zxid such as 1.5, the fifth transaction of epoch 1", parse_zxid)
    }

    pub(super) fn server(&mut self) -> Result<ServerId, Mistake> {
        self.read("the number of a server", |word| word.parse().ok().map(ServerId))
    }

    /// `1`, `1 2 3` or `1, 2 and 3`.
    pub(super) fn servers(&mut self) -> Result<Vec<ServerId>, Mistake> {
        let mut servers = vec![self.server()?];
        loop {
            let and = self.take("and");
            if !and && self.peek().is_none_or(|word| word.parse::<u64>().is_err()) {
                return Ok(servers);
            }
            servers.push(self.server()?);
        }
    }
}

/// `epoch.counter`.
pub(super) fn parse_zxid(word: &str) -> Option<Zxid> {
    let (epoch, counter) = word.split_once('.')?;
    Some(Zxid::new(Epoch(epoch.parse().ok()?), counter.parse().ok()?))
}
