//! How much clients may ask for at once (client.md section 18).

use zabrus_core::Duration;

use super::keys::{Keys, Severity};
use crate::clients::throttle::{RequestBounds, ThrottleSettings};

/// `connection_throttle_*`, without the keys that make refusals a matter of chance.
pub(super) fn throttle(keys: &mut Keys) -> Option<ThrottleSettings> {
    let tokens = keys.number("connection_throttle_tokens", 0, 0..=1 << 30, |n| match n {
        0 => "any number of clients may come at once".into(),
        n => format!("{n} clients may come at once; others are sent away and try again"),
    });
    let fill_time = keys.number("connection_throttle_fill_time", 1, 1..=86_400_000, |n| {
        format!("every {n} ms some more may come, if connection_throttle_tokens is above 0")
    });
    let fill_count = keys.number("connection_throttle_fill_count", 1, 1..=1 << 30, |n| {
        format!("so many clients more may come each time: {n}")
    });
    let fill_time = Duration::from_millis(fill_time);
    (tokens > 0).then_some(ThrottleSettings { tokens, fill_time, fill_count })
}

/// `request_throttle_*` and `largeRequest*`.
pub(super) fn bounds(keys: &mut Keys) -> RequestBounds {
    let under_way = keys.number("request_throttle_max_requests", 0, 0..=1 << 30, |n| match n {
        0 => "globalOutstandingLimit alone bounds the requests under way".into(),
        n => format!("with {n} requests under way no other is taken, whoever asks; those wait"),
    });
    if let Some(entry) = keys.take("request_throttle_drop_stale") {
        let (severity, text) = match entry.value.eq_ignore_ascii_case("false") {
            false => (Severity::Note, "requests that wait are dropped when their connection ends"),
            true => (
                Severity::Warning,
                "no effect: requests that wait are always dropped when their connection ends",
            ),
        };
        keys.remark(Some(entry.line), severity, text);
    }
    keys.take_unset("largeRequestThreshold");
    let large = keys.number("largeRequestThreshold", u64::MAX, 0..=1 << 30, |n| {
        format!("a request of more than {n} bytes is a large one, and largeRequestMaxBytes bounds those")
    });
    let large_together = keys.number("largeRequestMaxBytes", 100 << 20, 0..=1 << 40, |n| {
        format!("a large request closes its connection if all under way would have more than {n} bytes")
    });
    RequestBounds {
        under_way: if under_way == 0 { usize::MAX } else { under_way as usize },
        large: usize::try_from(large).unwrap_or(usize::MAX),
        large_together,
    }
}

#[cfg(test)]
mod tests {
    use super::super::for_test;

    #[test]
    fn requests_are_bounded_only_where_the_file_says_so() {
        let bounds = |text: &str| for_test(&format!("dataDir=/d\nclientPort=1\n{text}"), 1).client.requests;
        let none = bounds("");
        assert_eq!((none.under_way, none.large), (usize::MAX, usize::MAX));
        assert_eq!(bounds("request_throttle_max_requests=0\nlargeRequestThreshold=-1"), none);
        let some = bounds("request_throttle_max_requests=9\nlargeRequestThreshold=5\nlargeRequestMaxBytes=7");
        assert_eq!((some.under_way, some.large, some.large_together), (9, 5, 7));
    }
}
