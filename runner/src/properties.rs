//! The syntax of Java's `Properties`, in which zoo.cfg is written (client.md section 21).

use std::fmt;

/// One `key = value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The line on which it begins, from 1.
    pub(crate) line: usize,
    pub(crate) key: String,
    /// Trimmed, as ZooKeeper does it.
    pub(crate) value: String,
}

/// Text that is no such file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) line: usize,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`\\u` must be followed by four hexadecimal digits; write a backslash as `\\\\`")
    }
}

/// All entries, in the order of the file. Of several with one key the last counts.
pub(crate) fn parse(text: &str) -> Result<Vec<Entry>, SyntaxError> {
    let mut entries = Vec::new();
    let mut lines = natural_lines(text).into_iter().zip(1..);
    while let Some((first, line)) = lines.next() {
        let mut logical = first.trim_start_matches(is_blank).to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while ends_in_continuation(&logical) {
            logical.pop();
            let Some((next, _)) = lines.next() else { break };
            logical.push_str(next.trim_start_matches(is_blank));
        }
        let (key, value) = split(&logical);
        let unescaped = |text| unescape(text).ok_or(SyntaxError { line });
        let (key, value) = (unescaped(key)?.trim().to_owned(), unescaped(value)?.trim().to_owned());
        entries.push(Entry { line, key, value });
    }
    Ok(entries)
}

/// Lines end in `\n`, `\r` or both.
fn natural_lines(text: &str) -> Vec<&str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r')).collect()
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn ends_in_continuation(line: &str) -> bool {
    line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

/// The key ends at the first `=`, `:` or blank that is not escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.char_indices().find(|(_, c)| {
        let ends = !escaped && (matches!(c, '=' | ':') || is_blank(*c));
        escaped = !escaped && *c == '\\';
        ends
    });
    let (key, rest) = line.split_at(end.map_or(line.len(), |(at, _)| at));
    let rest = rest.trim_start_matches(is_blank);
    (key, rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(is_blank))
}

/// `None` if `\u` is not followed by four hexadecimal digits.
fn unescape(text: &str) -> Option<String> {
    // Escapes are UTF-16, so that two of them may make one character.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(mut c) = rest.next() {
        if c == '\\' {
            c = match rest.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some('u') => {
                    let digits: Vec<_> =
                        rest.by_ref().take(4).map_while(|digit| digit.to_digit(16)).collect();
                    let [a, b, c, d] = digits[..] else { return None };
                    units.push((a << 12 | b << 8 | c << 4 | d) as u16);
                    continue;
                }
                Some(other) => other,
                None => break,
            };
        }
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What java.util.Properties makes of `text`, as `key=value` with the line.
    fn parsed(text: &str) -> Vec<(usize, String, String)> {
        let entries = parse(text).expect("valid properties");
        entries.into_iter().map(|entry| (entry.line, entry.key, entry.value)).collect()
    }

    fn one(text: &str) -> (String, String) {
        let mut entries = parsed(text);
        assert_eq!(entries.len(), 1, "{entries:?}");
        let (_, key, value) = entries.remove(0);
        (key, value)
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.into(), value.into())
    }

    #[test]
    fn a_key_ends_at_an_equals_sign_a_colon_or_a_blank() {
        for text in ["tickTime=2000", "tickTime: 2000", "tickTime 2000", "  tickTime \t = 2000  "] {
            assert_eq!(one(text), pair("tickTime", "2000"), "{text}");
        }
    }

    #[test]
    fn only_the_first_separator_counts() {
        assert_eq!(one("server.1=a:2888:3888;2181"), pair("server.1", "a:2888:3888;2181"));
        assert_eq!(one("a==b"), pair("a", "=b"));
        assert_eq!(one("a = : b"), pair("a", ": b"));
    }

    #[test]
    fn comments_and_empty_lines_are_nothing() {
        assert_eq!(parsed("# a=b\n   ! c=d\n\n \t\n"), []);
    }

    #[test]
    fn a_comment_is_not_continued() {
        assert_eq!(one("# a \\\nb=c"), pair("b", "c"));
    }

    #[test]
    fn a_backslash_at_the_end_continues_the_line_without_its_indentation() {
        let text = "a=1\n\n4lw.commands.whitelist = ruok, \\\r\n    stat\nb=2";
        let expected = [(1, "a", "1"), (3, "4lw.commands.whitelist", "ruok, stat"), (5, "b", "2")];
        let expected = expected.map(|(line, key, value)| (line, key.to_owned(), value.to_owned()));
        assert_eq!(parsed(text), expected);
    }

    #[test]
    fn two_backslashes_at_the_end_are_one_backslash() {
        assert_eq!(parsed("a=b\\\\\nc=d").len(), 2);
        assert_eq!(one("a=b\\\\"), pair("a", "b\\"));
    }

    #[test]
    fn escapes_mean_what_java_says() {
        assert_eq!(one("a\\ b\\=c=x\\ty\\qz"), pair("a b=c", "x\tyqz"));
        assert_eq!(one("a=\\u0041\\ud83d\\ude00"), pair("a", "A\u{1f600}"));
    }

    #[test]
    fn a_bad_escape_is_an_error_with_its_line() {
        assert_eq!(parse("a=b\nc=\\u12x4"), Err(SyntaxError { line: 2 }));
    }

    #[test]
    fn a_key_alone_has_an_empty_value() {
        assert_eq!(one("standalone"), pair("standalone", ""));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_entries_or_an_error(text in r"([a-z0-9=:#! \t\r\n\\\\u]|\PC)*") {
            if let Ok(entries) = parse(&text) {
                for entry in entries {
                    prop_assert!(entry.line >= 1 && entry.line <= text.len() + 1);
                }
            }
        }
    }
}
