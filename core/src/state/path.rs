//! The names of nodes (client.md section 13).

use crate::wire::ErrorCode;

/// Whether a write may name `path`.
///
/// # Errors
/// BadArguments if not.
pub fn validate(path: &str) -> Result<(), ErrorCode> {
    let names = path.strip_prefix('/').ok_or(ErrorCode::BadArguments)?;
    let is_forbidden =
        |c| matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..);
    let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(is_forbidden);
    if names.is_empty() || names.split('/').all(is_name) { Ok(()) } else { Err(ErrorCode::BadArguments) }
}

/// The node above, `/` for a node at the top. `None` for `/` and for what is no path.
#[must_use]
pub fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/')? {
        // The root, and what begins with two slashes.
        ("", "") | ("/", _) => None,
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}

/// What follows the last slash.
#[must_use]
pub fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The node and all above it but the root, the longest first.
pub(super) fn upwards(path: &str) -> impl Iterator<Item = &str> {
    core::iter::successors(Some(path), |path| parent(path)).filter(|path| path.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_valid_as_zookeeper_says() {
        for path in
            ["/", "/a", "/a/b", "/a b", "/...", "/.a", "/\u{a0}", "/\u{d7ff}", "/\u{f900}", "/\u{ffef}"]
        {
            assert_eq!(validate(path), Ok(()), "{path:?}");
        }
        let invalid = [
            "",
            "a",
            "a/b",
            "/a/",
            "//",
            "/a//b",
            "/.",
            "/..",
            "/a/./b",
            "/../a",
            "/\0",
            "/\u{1}",
            "/\u{1f}",
            "/\u{7f}",
            "/\u{9f}",
            "/\u{e000}",
            "/\u{f8ff}",
            "/\u{fff0}",
            "/\u{ffff}",
            "/\u{10000}",
        ];
        for path in invalid {
            assert_eq!(validate(path), Err(ErrorCode::BadArguments), "{path:?}");
        }
    }

    #[test]
    fn a_path_is_its_parent_and_its_name() {
        assert_eq!((parent("/a/b"), name("/a/b")), (Some("/a"), "b"));
        assert_eq!((parent("/a"), name("/a")), (Some("/"), "a"));
        assert_eq!((parent("/p/"), name("/p/")), (Some("/p"), ""));
        assert_eq!(parent("/"), None);
        assert_eq!(parent("//a"), None);
        assert_eq!(upwards("/a/b/c").collect::<alloc::vec::Vec<_>>(), ["/a/b/c", "/a/b", "/a"]);
        assert_eq!(upwards("/").count(), 0);
    }
}
