//! Assertions that fail within a run: told in its report, with their place, instead of on the
//! terminal.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static RUNNING: Cell<bool> = const { Cell::new(false) };
    static FAILED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs something, and catches an assertion that fails in it: where, and with which words.
///
/// # Errors
/// If an assertion failed.
pub fn catch<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |failure| {
            if !RUNNING.get() {
                return usual(failure);
            }
            let words = failure.payload_as_str().unwrap_or("no message");
            let place =
                failure.location().map_or(String::new(), |at| format!(" at {}:{}", at.file(), at.line()));
            FAILED.set(Some(format!("an assertion failed{place}: {words}")));
        }));
    });
    RUNNING.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(run));
    RUNNING.set(false);
    outcome.map_err(|_| FAILED.take().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_assertion_is_told_with_its_place() {
        assert_eq!(catch(|| 7), Ok(7));
        let told = catch(|| assert!(std::hint::black_box(false), "the watermarks crossed")).unwrap_err();
        assert!(told.contains("assertion.rs:") && told.ends_with("the watermarks crossed"), "{told}");
    }
}
