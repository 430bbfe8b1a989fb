//! A clock that nobody sets, the same for all processes of this machine.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since some moment.
#[inline]
pub(crate) fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    (now.tv_sec.unsigned_abs())
        .wrapping_mul(1_000_000_000)
        .wrapping_add(now.tv_nsec.unsigned_abs())
}
