//! Paths are checked before they are sent, with ZooKeeper's words (client.md section 13).

use super::error::Error;

/// Whether `path` may name a node.
///
/// # Errors
/// Why not, with the position in UTF-16 code units, as Java counts.
pub(crate) fn validate(path: &str) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::Invalid(why.to_owned()));
    if path.is_empty() {
        return refuse("Path length must be > 0");
    }
    if !path.starts_with('/') {
        return refuse("Path must start with / character");
    }
    if path.len() == 1 {
        return Ok(());
    }
    if path.ends_with('/') {
        return refuse("Path must not end with / character");
    }
    let mut at = 0;
    for name in path[1..].split('/') {
        let begin = at + 1;
        let problem = match name {
            "" => Some(("empty node name specified", begin)),
            "." => Some(("relative paths not allowed", begin)),
            ".." => Some(("relative paths not allowed", begin + 1)),
            _ => invalid_character(name).map(|(why, offset)| (why, begin + offset)),
        };
        if let Some((why, at)) = problem {
            return refuse(&format!("Invalid path string \"{path}\" caused by {why} @{at}"));
        }
        at = begin + name.encode_utf16().count();
    }
    Ok(())
}

fn invalid_character(name: &str) -> Option<(&'static str, usize)> {
    name.encode_utf16().enumerate().find_map(|(at, unit)| match unit {
        0 => Some(("null character not allowed", at)),
        0x01..=0x1f | 0x7f..=0x9f | 0xd800..=0xf8ff | 0xfff0.. => Some(("invalid character", at)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_path_is_refused_in_the_words_of_zookeeper() {
        for (path, why) in [
            ("", "Path length must be > 0"),
            ("a", "Path must start with / character"),
            ("/a/", "Path must not end with / character"),
            ("/a//b", "Invalid path string \"/a//b\" caused by empty node name specified @3"),
            ("/./x", "Invalid path string \"/./x\" caused by relative paths not allowed @1"),
            ("/a/../b", "Invalid path string \"/a/../b\" caused by relative paths not allowed @4"),
            ("/a/\u{1}", "Invalid path string \"/a/\u{1}\" caused by invalid character @3"),
            ("/é/\0", "Invalid path string \"/é/\0\" caused by null character not allowed @3"),
        ] {
            assert_eq!(validate(path), Err(Error::Invalid(why.into())), "{path:?}");
        }
        for path in ["/", "/a", "/a/b", "/a b", "/...", "/.a"] {
            assert_eq!(validate(path), Ok(()), "{path}");
        }
    }
}
