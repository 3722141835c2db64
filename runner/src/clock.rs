//! The only place that reads a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zabrus_core::{Instant, Now};

/// The two clocks of the core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: std::time::Instant,
}

impl Clock {
    /// A clock whose monotonic time begins now.
    pub(crate) fn start() -> Self {
        Self { start: monotonic() }
    }

    pub(crate) fn now(self) -> Now {
        #[allow(clippy::disallowed_methods, reason = "a driver hands the time to the core")]
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { monotonic: self.monotonic(), wall_millis: wall.as_millis() as u64 }
    }

    pub(crate) fn monotonic(self) -> Instant {
        Instant(self.start.elapsed().as_micros() as u64)
    }
}

/// For spans that the core does not see.
pub(crate) fn monotonic() -> std::time::Instant {
    #[allow(
        clippy::disallowed_methods,
        reason = "a driver measures its own disk and waits for its own children"
    )]
    std::time::Instant::now()
}

/// Waits for something that cannot be asked to call back.
pub(crate) fn wait(span: Duration) {
    #[allow(clippy::disallowed_methods, reason = "a driver waits for other processes, and asks again")]
    std::thread::sleep(span);
}
