//! How much clients may ask for at once (client.md section 18): handshakes by a bucket of tokens, as
//! `connection_throttle_*` describe it, and requests. When a thousand clients come back at once it keeps the
//! server at work for those that are in already.

use zabrus_core::{Duration, Instant};

/// The settings `connection_throttle_tokens`, `_fill_time` and `_fill_count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThrottleSettings {
    /// What the bucket holds; each handshake takes one.
    pub(crate) tokens: u64,
    /// After each of these spans some come back.
    pub(crate) fill_time: Duration,
    pub(crate) fill_count: u64,
}

/// What bounds the requests of all clients together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestBounds {
    /// With so many under way no other is taken (`request_throttle_max_requests`).
    pub(crate) under_way: usize,
    /// A request of more bytes is a large one (`largeRequestThreshold`).
    pub(crate) large: usize,
    /// Large ones have no more bytes together; the one that would exceed it closes its connection
    /// (`largeRequestMaxBytes`).
    pub(crate) large_together: u64,
}

impl RequestBounds {
    /// Whether one of `bytes` may come when the large ones under way have `present` together.
    pub(super) fn admits(&self, bytes: usize, present: u64) -> bool {
        self.large_bytes(bytes) == 0 || present + bytes as u64 <= self.large_together
    }

    /// What one of `bytes` adds to the large ones.
    pub(super) fn large_bytes(&self, bytes: usize) -> u64 {
        if bytes > self.large { bytes as u64 } else { 0 }
    }
}

#[derive(Debug)]
pub(super) struct Throttle {
    settings: ThrottleSettings,
    tokens: u64,
    filled: Instant,
}

impl Throttle {
    pub(super) fn new(settings: ThrottleSettings) -> Self {
        Self { settings, tokens: settings.tokens, filled: Instant(0) }
    }

    /// Whether a client may come in now.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let ThrottleSettings { tokens, fill_time, fill_count } = self.settings;
        let spans = now.since(self.filled).0 / fill_time.0.max(1);
        self.tokens = tokens.min(self.tokens.saturating_add(spans.saturating_mul(fill_count)));
        self.filled = Instant(self.filled.0 + spans * fill_time.0.max(1));
        let admits = self.tokens > 0;
        self.tokens -= u64::from(admits);
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_with_time_and_never_exceed_the_bucket() {
        let fill_time = Duration::from_millis(10);
        let mut throttle = Throttle::new(ThrottleSettings { tokens: 3, fill_time, fill_count: 2 });
        let mut admitted = |millis: u64| {
            let now = Instant(millis * 1_000);
            (0..10).filter(|_| throttle.admits(now)).count()
        };
        assert_eq!(admitted(1), 3, "it is full at first");
        assert_eq!(admitted(9), 0);
        assert_eq!(admitted(11), 2);
        assert_eq!(admitted(19), 0, "the next ones come at 20 ms");
        assert_eq!(admitted(20), 2);
        assert_eq!(admitted(10_000), 3);
    }
}
