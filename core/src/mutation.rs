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

    macro_rules! mutations {
        ($($name:ident = $number:literal,)+) => {
            /// A deliberate bug; the names are the catalogue's.
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[allow(missing_docs, reason = "the catalogue describes each")]
            #[repr(usize)]
            pub enum Mutation {
                $($name = $number,)+
            }

            impl Mutation {
                /// All of them.
                pub const ALL: &[Self] = &[$(Self::$name),+];
            }
        };
    }

    mutations! {
        M01 = 1,
        M02 = 2,
        M03 = 3,
        M04 = 4,
        M05 = 5,
        M06 = 6,
        M08 = 8,
        M09 = 9,
        M11 = 11,
        M12 = 12,
        M13 = 13,
        M14 = 14,
        M15 = 15,
        M16 = 16,
        M17 = 17,
        M18 = 18,
        M21 = 21,
        M22 = 22,
        M23 = 23,
        M24 = 24,
        M26 = 26,
        M28 = 28,
        M29 = 29,
        M32 = 32,
        M33 = 33,
        M34 = 34,
        M36 = 36,
        M37 = 37,
        M40 = 40,
        M42 = 42,
        M45 = 45,
        M46 = 46,
        M47 = 47,
        M49 = 49,
        M51 = 51,
        M52 = 52,
        M52b = 152,
        M53 = 53,
        M54 = 54,
        M56 = 56,
        M59 = 59,
        M60 = 60,
        M61 = 61,
        M62 = 62,
        M63 = 63,
        M64 = 64,
        M65 = 65,
        M66 = 66,
        M67 = 67,
        M76 = 76,
        M77 = 77,
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
