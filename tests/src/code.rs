//! Rust source reduced to what a rule should judge: without comments, literals and test code.

use std::collections::BTreeSet;

use crate::project::File;

/// `text` with the insides of comments, strings and characters replaced by spaces. Lines stay
/// where they are.
#[must_use]
pub fn without_comments_and_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = skipped_length(rest, out.chars().next_back()).unwrap_or(0);
        if length == 0 {
            out.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    out
}

/// The length in bytes of the comment or literal with which `rest` begins, if it begins with one.
fn skipped_length(rest: &str, before: Option<char>) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment_length(rest));
    }
    if rest.starts_with('"') {
        return Some(quoted_length(rest, '"'));
    }
    if rest.starts_with(['b', 'r']) && !before.is_some_and(is_word) {
        return raw_string_length(rest);
    }
    if let Some(inside) = rest.strip_prefix('\'') {
        let mut inside = inside.chars();
        let first = inside.next()?;
        let is_character = first == '\\' || inside.next() == Some('\'');
        return is_character.then(|| quoted_length(rest, '\''));
    }
    None
}

fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    rest.len()
}

fn raw_string_length(rest: &str) -> Option<usize> {
    let hashes_and_more = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r')?;
    let hashes = hashes_and_more.len() - hashes_and_more.trim_start_matches('#').len();
    let body = hashes_and_more[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let after = body.find(&end).map_or("", |at| &body[at + end.len()..]);
    Some(rest.len() - after.len())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The words of `text`, each with the number of its line.
pub fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().flat_map(|(number, line)| {
        line.split(|c| !is_word(c)).filter(|word| !word.is_empty()).map(move |word| (number + 1, word))
    })
}

/// `code` (see [`without_comments_and_literals`]) with every item under `#[cfg(test)]` replaced by
/// spaces, and the names of the modules among them that are files of their own.
#[must_use]
pub fn without_tests(code: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut modules = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find(MARK) {
        out.push_str(&rest[..start]);
        let item = &rest[start..];
        let length = item_length(item);
        if item[..length].ends_with(';')
            && let Some((_, name)) = item[..length - 1].split_once("mod ")
        {
            modules.push(name.trim().to_owned());
        }
        out.extend(item[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &item[length..];
    }
    out.push_str(rest);
    (out, modules)
}

/// Up to the end of the first block in braces, or to the first `;` outside of all brackets.
fn item_length(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in item.char_indices() {
        match c {
            '{' | '[' | '(' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' | ']' | ')' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

/// The Rust files among `files` below one of the `folders`, reduced to the code that ships: without
/// comments, literals, tests, and files that only tests include.
#[must_use]
pub fn shipped(files: &[File], folders: &[&str]) -> Vec<File> {
    let mut test_modules = BTreeSet::new();
    let mut shipped = Vec::new();
    for file in
        files.iter().filter(|f| f.is_rust() && folders.iter().any(|folder| f.path.starts_with(folder)))
    {
        let (text, modules) = without_tests(&without_comments_and_literals(&file.text));
        let folder = module_folder(&file.path);
        test_modules.extend(modules.into_iter().map(|name| format!("{folder}{name}")));
        shipped.push(File { path: file.path.clone(), text });
    }
    shipped.retain(|file| {
        let is_test = |module: &String| {
            file.path.strip_prefix(module.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        !test_modules.iter().any(is_test)
    });
    shipped
}

/// Where the modules live that the file at `path` declares.
fn module_folder(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name.trim_end_matches(".rs") {
        "mod" | "lib" | "main" => format!("{folder}/"),
        module => format!("{folder}/{module}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_characters_are_blanked_and_code_is_not() {
        let text =
            "let a = \"x // y\"; // z\nlet b = '\"'; /* c /* d */ e */ let f: &'static str = r#\"g\"h\"#;";
        let code = without_comments_and_literals(text);
        assert_eq!(code.lines().count(), 2);
        let seen: Vec<_> = words(&code).map(|(_, word)| word).collect();
        assert_eq!(seen, ["let", "a", "let", "b", "let", "f", "static", "str"]);
    }

    #[test]
    fn a_lifetime_does_not_open_a_literal() {
        let code = without_comments_and_literals("fn f<'a>(x: &'a str) -> char { '\\'' } fn g() {}");
        assert!(code.contains("fn g()"));
        assert!(!code.contains('\\'));
    }

    #[test]
    fn an_item_for_tests_is_cut_and_the_code_after_it_stays() {
        let code = "fn a() {}\n#[cfg(test)]\nmod inner {\n fn b() { {} }\n}\nfn c() {}\n#[cfg(test)]\nmod outer;\n#[cfg(test)]\nfn e() -> [u8; 2] { x }\nfn d() {}";
        let (rest, modules) = without_tests(code);
        let names: Vec<_> = words(&rest).map(|(_, word)| word).filter(|word| *word != "fn").collect();
        assert_eq!(names, ["a", "c", "d"]);
        assert_eq!(modules, ["outer"]);
    }

    #[test]
    fn files_that_only_tests_include_do_not_ship() {
        let files = [
            File::new("core/src/storage/mod.rs", "#[cfg(test)]\nmod testing;\nmod log;"),
            File::new("core/src/storage/testing.rs", ""),
            File::new("core/src/storage/testing/disk.rs", ""),
            File::new("core/src/storage/log.rs", "#[cfg(test)]\nmod proofs;"),
            File::new("core/src/storage/log/proofs.rs", ""),
            File::new("sim/src/lib.rs", ""),
        ];
        let paths: Vec<_> = shipped(&files, &["core/src/"]).into_iter().map(|file| file.path).collect();
        assert_eq!(paths, ["core/src/storage/mod.rs", "core/src/storage/log.rs"]);
    }
}
