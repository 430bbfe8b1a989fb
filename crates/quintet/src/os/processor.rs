//! What is better one way on some processors, and another way on others.

use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

/// Whether many instructions that copy a few bytes each are faster than one (`rep movsb`) that copies all, where it is more than a few
/// hundred.
///
/// They are on processors that do not say that they have a fast one (ERMS), and on AMD's that do. Of a first EPYC, which does not, 1 MiB
/// went from core to core in 50 µs by moves, piece by piece, and in 120 µs by that instruction; of later ones see glibc's bug 30994. On others
/// it is the other way round where memory is large, as that instruction does not ask for lines that it writes whole.
#[inline]
pub(super) fn copies_faster_by_moves() -> bool {
    const UNKNOWN: u8 = 2;
    static ARE_FASTER: AtomicU8 = AtomicU8::new(UNKNOWN);
    /// Asked once: it takes a virtual machine tens of microseconds.
    #[cold]
    fn ask() -> bool {
        let are_faster = is_amd() || !has_fast_rep_movsb();
        ARE_FASTER.store(are_faster.into(), Relaxed);
        are_faster
    }
    match ARE_FASTER.load(Relaxed) {
        UNKNOWN => ask(),
        known => known != 0,
    }
}

fn is_amd() -> bool {
    #[allow(unused_unsafe, reason = "it is safe in some versions of the standard library")]
    // SAFETY: all processors of this architecture have the instruction, and this leaf.
    let leaf = unsafe { __cpuid(0) };
    let vendor = [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes);
    let vendor = vendor.as_flattened();
    vendor == b"AuthenticAMD" || vendor == b"HygonGenuine"
}

fn has_fast_rep_movsb() -> bool {
    const ERMS: u32 = 1 << 9;
    #[allow(unused_unsafe, reason = "it is safe in some versions of the standard library")]
    // SAFETY: all processors of this architecture have the instruction; which leaves it has, leaf 0 says.
    unsafe {
        __cpuid(0).eax >= 7 && __cpuid_count(7, 0).ebx & ERMS != 0
    }
}
