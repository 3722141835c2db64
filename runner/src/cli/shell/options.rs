//! Options of a command, as zkCli reads them: anywhere between the words, several letters behind one
//! hyphen, a value behind its letter or in the next word, `--` before what only looks like an option.

use std::collections::BTreeMap;

/// An option that a command knows.
#[derive(Debug)]
pub(super) struct Opt {
    /// Without the hyphen; mostly one letter.
    pub(super) name: &'static str,
    /// Whether a value follows.
    pub(super) has_value: bool,
    /// What it does; not all commands tell.
    pub(super) about: &'static str,
}

/// What somebody has typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    /// The command, and what is no option.
    pub(super) words: Vec<String>,
    options: BTreeMap<&'static str, String>,
}

impl Parsed {
    /// Whether the option is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.options.contains_key(name)
    }

    /// Its value.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// The word at `index` behind the command.
    pub(super) fn word(&self, index: usize) -> Option<&str> {
        self.words.get(index).map(String::as_str)
    }
}

/// Takes `words` apart. With `exclusive` at most one of the options may be there.
///
/// # Errors
/// What is wrong, in zkCli's words.
pub(super) fn parse(options: &'static [Opt], exclusive: bool, words: &[String]) -> Result<Parsed, String> {
    let mut parsed = Parsed::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            parsed.words.push(word.clone());
            continue;
        };
        if letters == "-" {
            parsed.words.extend(words.cloned());
            break;
        }
        for (option, value) in found(options, letters).ok_or(format!("Unrecognized option: {word}"))? {
            if exclusive && let Some(other) = parsed.options.keys().find(|name| **name != option.name) {
                return Err(format!(
                    "The option '{}' was specified but an option from this group has already been selected: '{other}'",
                    option.name
                ));
            }
            let value = match value {
                Some(value) => value.to_owned(),
                None if option.has_value => words
                    .next()
                    .filter(|word| !is_option(options, word))
                    .ok_or(format!("Missing argument for option: {}", option.name))?
                    .clone(),
                None => String::new(),
            };
            parsed.options.entry(option.name).or_insert(value);
        }
    }
    Ok(parsed)
}

/// The options that stand behind a hyphen, with the values that stand there too.
fn found<'a>(options: &'static [Opt], letters: &'a str) -> Option<Vec<(&'static Opt, Option<&'a str>)>> {
    let named = |name: &str| options.iter().find(|option| option.name == name);
    if let Some(option) = named(letters) {
        return Some(vec![(option, None)]);
    }
    if let Some((name, value)) = letters.split_once('=') {
        return named(name)
            .filter(|option| option.has_value && name.len() == 1)
            .map(|option| vec![(option, Some(value))]);
    }
    let mut all = Vec::new();
    for (at, letter) in letters.char_indices() {
        let option = named(&letters[at..at + letter.len_utf8()])?;
        let rest = &letters[at + letter.len_utf8()..];
        if option.has_value && !rest.is_empty() {
            all.push((option, Some(rest)));
            break;
        }
        all.push((option, None));
    }
    Some(all)
}

/// Whether a word is an option and so no value of one. A number is none.
fn is_option(options: &[Opt], word: &str) -> bool {
    let Some(letters) = word.strip_prefix('-') else { return false };
    let name = letters.split('=').next().unwrap_or(letters);
    options
        .iter()
        .any(|option| option.name == name || letters.starts_with(option.name) && option.name.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    static OPTIONS: [Opt; 3] = [
        Opt { name: "s", has_value: false, about: "" },
        Opt { name: "v", has_value: true, about: "" },
        Opt { name: "file", has_value: true, about: "" },
    ];

    fn parsed(line: &str) -> Result<Parsed, String> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        parse(&OPTIONS, false, &words)
    }

    #[test]
    fn options_stand_anywhere_and_their_values_behind_them() {
        for line in ["c -s /a -v 3", "c /a -v3 -s", "c -sv 3 /a", "c -sv3 /a", "c /a -s -v=3"] {
            let parsed = parsed(line).expect(line);
            assert_eq!(
                (parsed.word(1), parsed.has("s"), parsed.value("v")),
                (Some("/a"), true, Some("3")),
                "{line}"
            );
        }
        assert_eq!(parsed("c -v -1").expect("a number").value("v"), Some("-1"));
        assert_eq!(parsed("c -file x").expect("a long name").value("file"), Some("x"));
        let after = parsed("c - -- -s").expect("words");
        assert_eq!(
            (after.words.as_slice(), after.has("s")),
            (&["c".into(), "-".into(), "-s".into()][..], false)
        );
    }

    #[test]
    fn what_is_wrong_is_said_as_zkcli_does() {
        for (line, why) in [
            ("c -z", "Unrecognized option: -z"),
            ("c -sz", "Unrecognized option: -sz"),
            ("c -1", "Unrecognized option: -1"),
            ("c --s", "Unrecognized option: --s"),
            ("c -v", "Missing argument for option: v"),
            ("c -v -s", "Missing argument for option: v"),
        ] {
            assert_eq!(parsed(line), Err(why.into()), "{line}");
        }
        let words = ["c", "-s", "-v", "1"].map(str::to_owned);
        let why = "The option 'v' was specified but an option from this group has already been selected: 's'";
        assert_eq!(parse(&OPTIONS, true, &words), Err(why.into()));
    }
}
