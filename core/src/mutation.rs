//! Deliberate bugs: each is one branch in the core, taken only in builds with the feature
//! `mutants`, to measure what the simulator sees. The catalogue is the project's list of real
//! bugs of other servers.
//!
//! In a normal build [`mutated`] is a constant `false` and nothing of this is left.

/// Whether `mutation` is planted, and so whether its branch is taken. Each branch that asks is
/// counted as reached when the answer is yes.
#[cfg(not(feature = "mutants"))]
#[macro_export]
macro_rules! mutated {
    ($mutation:ident) => {
        false
    };
}
/// Whether `mutation` is planted, and so whether its branch is taken. Each branch that asks is
/// counted as reached when the answer is yes.
#[cfg(feature = "mutants")]
#[macro_export]
macro_rules! mutated {
    ($mutation:ident) => {
        $crate::mutation::reached($crate::mutation::Mutation::$mutation)
    };
}

#[cfg(feature = "mutants")]
mod planted {
    use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    /// A deliberate bug; the names are the catalogue's.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[allow(missing_docs, reason = "the catalogue describes each")]
    #[repr(usize)]
    pub enum Mutation {
        M01 = 1,
        M03,
        M08,
        M12,
        M15,
        M22,
        M23,
        M24,
        M26,
        M32,
        M33,
        M34,
        M45,
        M46,
    }

    static PLANTED: AtomicUsize = AtomicUsize::new(0);
    static REACHED: AtomicU64 = AtomicU64::new(0);

    /// Plants one bug in every replica of this process, or none, and forgets the count.
    pub fn plant(mutation: Option<Mutation>) {
        PLANTED.store(mutation.map_or(0, |m| m as usize), Ordering::SeqCst);
        REACHED.store(0, Ordering::SeqCst);
    }

    /// How often the planted bug's branch was taken.
    #[must_use]
    pub fn times_reached() -> u64 {
        REACHED.load(Ordering::SeqCst)
    }

    #[doc(hidden)]
    #[must_use]
    pub fn reached(mutation: Mutation) -> bool {
        let planted = PLANTED.load(Ordering::Relaxed) == mutation as usize;
        if planted {
            REACHED.fetch_add(1, Ordering::Relaxed);
        }
        planted
    }
}

#[cfg(feature = "mutants")]
pub use planted::*;
