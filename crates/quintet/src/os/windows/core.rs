//! On which core a thread runs.

use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentProcessorNumber, GetCurrentThread, GetProcessAffinityMask,
    SetThreadAffinityMask,
};

/// The core that this thread is running on; it may be on another one the next moment.
pub(crate) fn here() -> usize {
    // SAFETY: it takes nothing, and never fails.
    unsafe { GetCurrentProcessorNumber() as usize }
}

/// Binds this thread to the cores that its process may run on, but for that one: whether there is another one, and the system lets
/// it. (Of a machine with more than 64, these are those of one group.)
pub(crate) fn keep_off(core: usize) -> bool {
    let (mut ours, mut all) = (0, 0);
    // SAFETY: the handle stands for this process and is always valid; the pointers are to numbers of ours.
    let known = unsafe { GetProcessAffinityMask(GetCurrentProcess(), &mut ours, &mut all) };
    let bit = u32::try_from(core).ok().and_then(|core| 1usize.checked_shl(core));
    let others = ours & !bit.unwrap_or(0);
    // SAFETY: the handle stands for this thread and is always valid; the rest is a plain number.
    known != 0 && others != 0 && unsafe { SetThreadAffinityMask(GetCurrentThread(), others) } != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_off_a_core() {
        let core = here();
        let thread = std::thread::spawn(move || (keep_off(core), here()));
        let (kept, other) = thread.join().unwrap();
        // With one core there is nowhere else to go.
        assert!(!kept || other != core);
    }
}
