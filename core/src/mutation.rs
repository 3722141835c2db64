//! Deliberate bugs: each is one branch in the core, taken only in builds with the feature
//! `mutants`, to measure what the simulator sees. The catalogue is the project's list of real
//! bugs of other servers. From Z01 on they are mistakes of our own that the simulator once found; the
//! scenario that kills one tells its story.
//!
//! In a normal build [`mutated!`](crate::mutated) is a constant `false` and nothing of this is left.

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
        ($($name:ident)*) => {
            /// A deliberate bug; the names are the catalogue's.
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[allow(missing_docs, reason = "the catalogue describes each")]
            pub enum Mutation {
                $($name),*
            }

            impl Mutation {
                /// All of them, in the catalogue's order.
                pub const ALL: &[Self] = &[$(Self::$name),*];
            }
        };
    }

    mutations! {
        M01 M02 M03 M04 M05 M06 M07 M08 M09 M11 M12 M13 M14 M15 M16 M17 M18 M19 M20 M21 M22 M23 M24
        M26 M28 M29 M30 M32 M33 M34 M35 M36 M37 M38 M40 M41 M42 M43 M44 M45 M46 M47 M49 M51 M52 M52b
        M53 M54 M56 M59 M60 M61 M62 M63 M64 M65 M66 M67 M68 M71 M72 M73 M75 M76 M77 M82 M83 M86 M87 M91
        M93 M94 M95 M96 M97 M98 M99 M100 M101 M102 M104 M105 M106 M107 M108 M109 M110 M111 M112 M113
        M114 M115 M116 M117 M118 M119 M120 M121 M123 M124 M125 M126 M127 M128 Z01 Z02 Z03 Z04 Z05
    }

    static PLANTED: AtomicUsize = AtomicUsize::new(0);
    static REACHED: AtomicU64 = AtomicU64::new(0);

    /// Plants one bug in every replica of this process, or none, and forgets the count.
    pub fn plant(mutation: Option<Mutation>) {
        PLANTED.store(mutation.map_or(0, |m| m as usize + 1), Ordering::SeqCst);
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
        let planted = PLANTED.load(Ordering::Relaxed) == mutation as usize + 1;
        if planted {
            REACHED.fetch_add(1, Ordering::Relaxed);
        }
        planted
    }
}

#[cfg(feature = "mutants")]
pub use planted::*;
