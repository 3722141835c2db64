//! Moments as Java writes them.

use jiff::Timestamp;

/// `Sat Nov 21 14:47:39 UTC 2026`, always in UTC.
pub(super) fn text(wall_millis: u64) -> String {
    let moment = i64::try_from(wall_millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    moment.unwrap_or(Timestamp::MAX).strftime("%a %b %d %H:%M:%S UTC %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_java_writes_it() {
        assert_eq!(text(0), "Thu Jan 01 00:00:00 UTC 1970");
        assert_eq!(text(1_795_272_459_999), "Sat Nov 21 14:47:39 UTC 2026");
        assert_eq!(text(u64::MAX), text(u64::MAX - 1), "there is no such year");
    }
}
