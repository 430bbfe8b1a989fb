use super::Description;
use crate::harness::wire::Switches;
use crate::row::Result;
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentThread, GetProcessAffinityMask, SetThreadAffinityMask,
};

/// The cores that this process may use.
pub(super) fn cores() -> Result<Vec<usize>> {
    let (mut ours, mut all) = (0, 0);
    // SAFETY: the handle is the pseudo-handle of this process, and both results are variables of ours.
    if unsafe { GetProcessAffinityMask(GetCurrentProcess(), &mut ours, &mut all) } == 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok((0..usize::BITS as usize)
        .filter(|core| ours & (1 << core) != 0)
        .collect())
}

/// What tells apart cores that share nothing but caches: not asked here, so every core counts as one.
pub(super) fn physical_core(core: usize) -> Option<usize> {
    Some(core)
}

/// Keeps the calling thread on one core.
pub(crate) fn pin(core: usize) -> Result<()> {
    // SAFETY: the handle is the pseudo-handle of this thread.
    if unsafe { SetThreadAffinityMask(GetCurrentThread(), 1 << core) } == 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(())
}

/// Windows does not count them for a thread.
pub(crate) fn switches() -> Option<Switches> {
    None
}

pub(crate) fn describe() -> Description {
    Description {
        system: "Windows".into(),
        processor: std::env::var("PROCESSOR_IDENTIFIER").unwrap_or_else(|_| "unknown".into()),
    }
}
