//! A clock that nobody sets, the same for all processes of this machine.

use std::sync::OnceLock;
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};

/// Nanoseconds since some moment.
#[inline]
pub(crate) fn monotonic() -> u64 {
    static FREQUENCY: OnceLock<u64> = OnceLock::new();
    let frequency = *FREQUENCY.get_or_init(|| {
        let mut frequency = 0;
        // SAFETY: the number is put where we say. It cannot fail on the systems that we run on.
        unsafe { QueryPerformanceFrequency(&mut frequency) };
        frequency.unsigned_abs().max(1)
    });
    let mut ticks = 0;
    // SAFETY: as above.
    unsafe { QueryPerformanceCounter(&mut ticks) };
    let nanoseconds = u128::from(ticks.unsigned_abs()) * 1_000_000_000 / u128::from(frequency);
    nanoseconds as u64
}
