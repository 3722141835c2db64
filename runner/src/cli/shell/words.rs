//! A line in words, as zkCli takes it apart.

/// The words of a line. A word that begins with a quote goes to the next such quote; a quote without a
/// partner is as if it were not there, and one within a word is a part of it.
pub(super) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, behind) = match first {
            '"' | '\'' => match rest[1..].split_once(first) {
                Some(both) => both,
                None => {
                    rest = rest[1..].trim_start();
                    continue;
                }
            },
            _ => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = behind.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_separated_by_blanks_and_kept_together_by_quotes() {
        let cases: [(&str, &[&str]); 8] = [
            ("", &[]),
            ("  ls   /  ", &["ls", "/"]),
            ("set /a \"two words\" 'and more'", &["set", "/a", "two words", "and more"]),
            ("set /a \"\"", &["set", "/a", ""]),
            ("set /a a\"b c\"", &["set", "/a", "a\"b", "c\""]),
            ("set /a \"it's\"", &["set", "/a", "it's"]),
            ("set /a \"unbalanced", &["set", "/a", "unbalanced"]),
            ("\"a\"b", &["a", "b"]),
        ];
        for (line, words) in cases {
            assert_eq!(split(line), words, "{line}");
        }
    }
}
