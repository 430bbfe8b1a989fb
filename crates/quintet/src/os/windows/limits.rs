//! Limits that the mechanisms meet.

use crate::limits::Limit;
use windows_sys::Win32::System::SystemInformation::{GlobalMemoryStatusEx, MEMORYSTATUSEX};

pub(crate) fn all() -> Vec<Limit> {
    memory().into_iter().collect()
}

fn memory() -> Option<Limit> {
    let mut status = MEMORYSTATUSEX {
        dwLength: size_of::<MEMORYSTATUSEX>() as u32,
        ..Default::default()
    };
    // SAFETY: the structure is ours, as long as it says.
    if unsafe { GlobalMemoryStatusEx(&mut status) } == 0 {
        return None;
    }
    Some(Limit {
        name: "memory that can be committed",
        value: Some(status.ullTotalPageFile),
        free: Some(status.ullAvailPageFile),
        unit: "bytes",
        bites: "all that is in shared memory is committed when it is made, a topic of the default size 8 MiB: making it fails with Full",
        enough: 64 << 20,
        remedy: "quintet ls shows what is there; make the page file larger in the system's settings".into(),
    })
}
