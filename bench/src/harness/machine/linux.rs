use super::Description;
use crate::harness::wire::Switches;
use crate::row::Result;
use rustix::thread::CpuSet;
use std::fs::read_to_string;

/// The cores that this process may use.
pub(super) fn cores() -> Result<Vec<usize>> {
    let set = rustix::thread::sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
}

/// What tells apart cores that share nothing but caches.
pub(super) fn physical_core(core: usize) -> Option<(String, String)> {
    let topology = |what: &str| {
        read_to_string(format!("/sys/devices/system/cpu/cpu{core}/topology/{what}"))
            .ok()
            .map(|text| text.trim().to_owned())
    };
    // Unknown is a core of its own.
    Some((
        topology("physical_package_id").unwrap_or_default(),
        topology("core_id").unwrap_or_else(|| core.to_string()),
    ))
}

/// Keeps the calling thread, and those that it starts from now on, on one core.
pub(crate) fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set)
        .map_err(|error| format!("cannot run on core {core} only: {error}").into())
}

/// How often the calling thread has given up its core so far.
pub(crate) fn switches() -> Option<Switches> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the call writes a whole `rusage` where we point it to, or fails.
    let done = unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
    if done != 0 {
        return None;
    }
    // SAFETY: the call said that it has written it.
    let usage = unsafe { usage.assume_init() };
    Some(Switches {
        voluntary: u64::try_from(usage.ru_nvcsw).ok()?,
        involuntary: u64::try_from(usage.ru_nivcsw).ok()?,
    })
}

pub(crate) fn describe() -> Description {
    let uname = rustix::system::uname();
    let processor = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == "model name")
        .map_or("unknown", |(_, value)| value.trim());
    Description {
        system: format!("Linux {}", uname.release().to_string_lossy()),
        processor: processor.to_owned(),
    }
}
