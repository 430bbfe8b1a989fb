//! Pages that are there before they are needed.

use crate::os::atomic::{AtomicU64, Ordering};
use std::hint;

/// The smallest that pages are; where they are larger, some are touched twice.
pub(super) const PAGE: usize = 4096;

/// Touches every page of some words of an object's memory, so that no later access has to wait for the system to find one. To
/// read is enough, also where it is written later: the memory is shared, so there is nothing to be copied at the first write.
pub(super) fn touch(words: &[AtomicU64]) {
    for word in words.iter().step_by(PAGE / size_of::<AtomicU64>()) {
        hint::black_box(word.load(Ordering::Relaxed));
    }
}
