//! The clock that all processes of a machine share and that nobody sets.

use std::sync::OnceLock;
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};

/// Nanoseconds since the machine was started, or about.
#[inline]
pub(crate) fn since_start() -> u64 {
    let mut ticks = 0;
    // SAFETY: the pointer is to a number of ours. On the systems that Quintet runs on it never fails.
    unsafe { QueryPerformanceCounter(&mut ticks) };
    let nanoseconds = i128::from(ticks) * 1_000_000_000 / i128::from(ticks_a_second());
    u64::try_from(nanoseconds).unwrap_or(0)
}

fn ticks_a_second() -> i64 {
    static FREQUENCY: OnceLock<i64> = OnceLock::new();
    *FREQUENCY.get_or_init(|| {
        let mut frequency = 0;
        // SAFETY: as above.
        unsafe { QueryPerformanceFrequency(&mut frequency) };
        frequency.max(1)
    })
}
