//! The clock that all processes of a machine share and that nobody sets.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since the machine was started, or about; it goes on while the machine is suspended.
#[inline]
pub(crate) fn since_start() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// Milliseconds on the clock that stands still while the machine is suspended, as it was at the last tick of the kernel
/// (at most 10 ms ago): that costs next to nothing.
#[inline]
pub(crate) fn coarse_ms() -> u64 {
    let time = clock_gettime(ClockId::MonotonicCoarse);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1000)
        .saturating_add(nanoseconds / 1_000_000)
}
