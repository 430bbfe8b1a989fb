//! Copying to and from memory that other processes may change at the same moment.
//!
//! Rust has no such copy yet: an ordinary one is undefined behaviour when somebody writes meanwhile. So the accesses are
//! made where the compiler cannot see them, in assembly, or one relaxed atomic at a time where there is none. What comes
//! out may be half old and half new; whoever minds has to find out by other means.

#[cfg(target_arch = "x86_64")]
use super::processor;
use std::ptr::NonNull;
#[cfg(not(loom))]
use std::sync::atomic::AtomicU64;
#[cfg(not(target_arch = "x86_64"))]
use std::sync::atomic::{AtomicU8, Ordering};

/// From the beginning to the end: what is read. The line that a message begins in is there when it has been seen, and those
/// behind it are fetched ahead by processors that see them read one after the other. (The other way round, a message of two
/// lines took a third longer.)
const UP: bool = false;

/// From the end to the beginning: what is written, if it is short. What stands before the beginning is what others look at, and they may take
/// the line that it is in away from us in the middle.
const DOWN: bool = true;

/// Copies out of shared memory.
///
/// # Safety
/// `from` points to at least as many mapped bytes as `to` has.
#[inline]
pub(crate) unsafe fn out(from: NonNull<u8>, to: &mut [u8]) {
    // SAFETY: the caller says so of `from`; `to` is ours alone.
    unsafe { copy::<UP>(from.as_ptr(), to.as_mut_ptr(), to.len()) };
}

/// Copies into shared memory.
///
/// # Safety
/// `to` points to at least as many mapped, writable bytes as `from` has.
#[inline]
pub(crate) unsafe fn into(from: &[u8], to: NonNull<u8>) {
    // SAFETY: the caller says so of `to`; `from` does not change, as it is borrowed.
    unsafe { copy::<DOWN>(from.as_ptr(), to.as_ptr(), from.len()) };
}

/// Copies a run of words of shared memory to the end of `to`: the first `len` bytes of them.
#[cfg(not(loom))]
#[inline]
pub(crate) fn append(from: &[AtomicU64], len: usize, to: &mut Vec<u8>) {
    assert!(len <= size_of_val(from));
    to.reserve(len);
    let spare = to.spare_capacity_mut().as_mut_ptr().cast::<u8>();
    // SAFETY: there are as many bytes in `from`, as has just been checked, and in `to`, where they have been reserved and are
    // ours alone; once they are written they are initialized.
    unsafe {
        copy::<UP>(from.as_ptr().cast(), spare, len);
        to.set_len(to.len() + len);
    }
}

/// Copies bytes to the beginning of a run of words of shared memory, which is mapped for writing.
#[cfg(not(loom))]
#[inline]
pub(crate) fn into_words(from: &[u8], to: &[AtomicU64]) {
    assert!(from.len() <= size_of_val(to));
    // SAFETY: there are as many bytes, as has just been checked, and atomics may be written through a shared reference.
    unsafe { copy::<DOWN>(from.as_ptr(), to.as_ptr().cast::<u8>().cast_mut(), from.len()) };
}

/// As [`into_words`], where nobody looks meanwhile: in the fewest steps, in any order.
#[cfg(all(target_arch = "x86_64", not(loom)))]
#[inline(always)]
pub(crate) fn into_unseen_words(from: &[u8], to: &[AtomicU64]) {
    assert!(from.len() <= size_of_val(to));
    let (len, source, target) = (from.len(), from.as_ptr(), to.as_ptr().cast::<u8>().cast_mut());
    if !(64..LONG).contains(&len) {
        return into_words(from, to);
    }
    // SAFETY: as in `into_words`; and each of the moves is within `len` bytes, which are at least 64.
    unsafe {
        let mut at = 0;
        while len - at >= 64 {
            move_64::<UP>(source.add(at), target.add(at));
            at += 64;
        }
        if at < len {
            move_64::<UP>(source.add(len - 64), target.add(len - 64));
        }
    }
}

/// As [`into_words`], where nobody looks meanwhile.
#[cfg(any(loom, not(target_arch = "x86_64")))]
pub(crate) fn into_unseen_words(from: &[u8], to: &[crate::os::atomic::AtomicU64]) {
    into_words(from, to);
}

/// Copies 64 bytes, all loads first.
///
/// # Safety
/// Both are mapped for as many, `to` for writing.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn move_64<const DOWN: bool>(from: *const u8, to: *mut u8) {
    macro_rules! moves {
        ($a:literal, $b:literal, $c:literal, $d:literal) => {
            std::arch::asm!(
                concat!("movdqu {a}, [{from} + ", $a, "]"),
                concat!("movdqu {b}, [{from} + ", $b, "]"),
                concat!("movdqu {c}, [{from} + ", $c, "]"),
                concat!("movdqu {d}, [{from} + ", $d, "]"),
                concat!("movdqu [{to} + ", $a, "], {a}"),
                concat!("movdqu [{to} + ", $b, "], {b}"),
                concat!("movdqu [{to} + ", $c, "], {c}"),
                concat!("movdqu [{to} + ", $d, "], {d}"),
                from = in(reg) from,
                to = in(reg) to,
                a = out(xmm_reg) _,
                b = out(xmm_reg) _,
                c = out(xmm_reg) _,
                d = out(xmm_reg) _,
                options(nostack, preserves_flags)
            )
        };
    }
    // SAFETY: all of it is within the 64 bytes that the caller says are there; only registers that are named here change.
    unsafe {
        if DOWN {
            moves!("48", "32", "16", "0");
        } else {
            moves!("0", "16", "32", "48");
        }
    }
}

/// Asks for the cache line of a word that will be written.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) fn will_write(word: &AtomicU64) {
    // SAFETY: a hint: it changes nothing but what is in the cache, and faults nowhere. (Processors that do not know it take
    // it for an instruction that does nothing.)
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) word.as_ptr(), options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = word;
}

/// Asks for the cache line of a word that will be read.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) fn will_read(word: &AtomicU64) {
    // SAFETY: a hint: it changes nothing but what is in the cache, and faults nowhere.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!("prefetcht0 [{}]", in(reg) word.as_ptr(), options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = word;
}

/// From here on one instruction that copies any number of bytes is as fast as many that copy a few, or faster, on most processors.
#[cfg(target_arch = "x86_64")]
pub(crate) const LONG: usize = 1024;

/// Except where it writes a little further in a page than it reads: then the processor takes each load for one of what was
/// just stored, and that instruction becomes ten times slower (measured: 3.5 GB/s instead of 50), the others do not.
#[cfg(target_arch = "x86_64")]
fn is_close_behind(from: *const u8, to: *mut u8) -> bool {
    const PAGE: usize = 4096;
    (1..64).contains(&((to.addr().wrapping_sub(from.addr())) % PAGE))
}

/// # Safety
/// Both are mapped for so many bytes, `to` for writing.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn copy<const DOWN: bool>(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: as the caller says.
    unsafe {
        if len < LONG {
            copy_by_moves::<DOWN>(from, to, len);
        } else {
            copy_long(from, to, len);
        }
    }
}

/// # Safety
/// As [`copy`].
#[cfg(target_arch = "x86_64")]
unsafe fn copy_long(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: as the caller says.
    unsafe {
        if processor::copies_faster_by_moves() || is_close_behind(from, to) {
            copy_by_moves::<UP>(from, to, len);
        } else {
            copy_by_one(from, to, len);
        }
    }
}

/// # Safety
/// As [`copy`].
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn copy_by_one(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: it reads and writes what the caller says is there, and nothing else; the direction flag is clear, as the
    // calling convention has it, and stays so.
    unsafe {
        std::arch::asm!(
            "rep movsb",
            inout("rcx") len => _,
            inout("rsi") from => _,
            inout("rdi") to => _,
            options(nostack, preserves_flags)
        );
    }
}

/// Moves of a fixed size, of which two overlap where the length is no multiple of it. What is a run of words in shared memory
/// is moved so that no move lies in two cache lines.
///
/// # Safety
/// As [`copy`].
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn copy_by_moves<const DOWN: bool>(from: *const u8, to: *mut u8, len: usize) {
    /// One move of some width through a register.
    macro_rules! moved {
        ($class:ident, $load:literal, $store:literal, $from:expr, $to:expr) => {
            std::arch::asm!(
                $load,
                $store,
                from = in(reg) $from,
                to = in(reg) $to,
                through = out($class) _,
                options(nostack, preserves_flags)
            )
        };
    }
    macro_rules! move_16 {
        ($at:expr) => {
            moved!(
                xmm_reg,
                "movdqu {through}, [{from}]",
                "movdqu [{to}], {through}",
                from.add($at),
                to.add($at)
            )
        };
    }
    macro_rules! move_8 {
        ($at:expr) => {
            moved!(
                reg,
                "mov {through}, [{from}]",
                "mov [{to}], {through}",
                from.add($at),
                to.add($at)
            )
        };
    }
    macro_rules! move_4 {
        ($at:expr) => {
            moved!(
                reg,
                "mov {through:e}, [{from}]",
                "mov [{to}], {through:e}",
                from.add($at),
                to.add($at)
            )
        };
    }
    // SAFETY: every move is within the first `len` bytes of both, which the caller says are there: a move of n bytes is made at
    // `at` only where at + n <= len (downwards `at` begins at most at len and goes down by n before each; upwards n are left,
    // which is asked before each), at len - n only where len >= n, and the 8 at 0 of an odd word where len >= 16.
    unsafe {
        if len >= 16 && DOWN {
            let first = to.addr() & 8;
            let mut at = first + ((len - first) & !15);
            if at < len {
                move_16!(len - 16);
            }
            while at >= 64 {
                at -= 64;
                move_64::<DOWN>(from.add(at), to.add(at));
            }
            while at >= 16 {
                at -= 16;
                move_16!(at);
            }
            if at > 0 {
                move_8!(0);
            }
        } else if len >= 16 {
            let mut at = from.addr() & 8;
            if at > 0 {
                move_8!(0);
            }
            while len - at >= 64 {
                move_64::<DOWN>(from.add(at), to.add(at));
                at += 64;
            }
            while len - at >= 16 {
                move_16!(at);
                at += 16;
            }
            if at < len {
                move_16!(len - 16);
            }
        } else if len >= 8 {
            move_8!(len - 8);
            if len > 8 {
                move_8!(0);
            }
        } else if len >= 4 {
            move_4!(len - 4);
            if len > 4 {
                move_4!(0);
            }
        } else {
            for at in (0..len).rev() {
                moved!(
                    reg_byte,
                    "mov {through}, [{from}]",
                    "mov [{to}], {through}",
                    from.add(at),
                    to.add(at)
                );
            }
        }
    }
}

/// # Safety
/// Both are mapped for so many bytes, `to` for writing.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn copy<const DOWN: bool>(from: *const u8, to: *mut u8, len: usize) {
    for at in 0..len {
        // SAFETY: within what the caller says is there; bytes need no alignment. What is ours alone may be touched as
        // atomics as well.
        unsafe {
            let byte = AtomicU8::from_ptr(from.add(at).cast_mut()).load(Ordering::Relaxed);
            AtomicU8::from_ptr(to.add(at)).store(byte, Ordering::Relaxed);
        }
    }
}

#[cfg(loom)]
pub(crate) fn will_write(_word: &crate::os::atomic::AtomicU64) {}

#[cfg(loom)]
pub(crate) fn will_read(_word: &crate::os::atomic::AtomicU64) {}

/// In a model, words that everybody sees are copied one by one.
#[cfg(loom)]
pub(crate) fn append(from: &[crate::os::atomic::AtomicU64], len: usize, to: &mut Vec<u8>) {
    let bytes = from
        .iter()
        .flat_map(|word| word.load(crate::os::atomic::Ordering::Relaxed).to_le_bytes());
    to.extend(bytes.take(len));
}

#[cfg(loom)]
pub(crate) fn into_words(from: &[u8], to: &[crate::os::atomic::AtomicU64]) {
    for (bytes, word) in from.chunks(8).zip(to) {
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        word.store(u64::from_le_bytes(whole), crate::os::atomic::Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_copies(bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            proptest::collection::vec(any::<u8>(), 0..3000),
        ], at in 1..17_usize) {
            let end = at + bytes.len();
            let mut shared = vec![0xaa; end + 1];
            let inner = NonNull::from(&mut shared[at..]).cast::<u8>();
            // SAFETY: there are as many bytes and one more.
            unsafe { into(&bytes, inner) };
            prop_assert_eq!(&shared[at..end], &bytes[..]);
            prop_assert_eq!((shared[at - 1], shared[end]), (0xaa, 0xaa));
            let mut back = vec![0; bytes.len()];
            // SAFETY: as above.
            unsafe { out(NonNull::from(&mut shared[at..]).cast(), &mut back) };
            prop_assert_eq!(&back, &bytes);
            // What this processor would do, and what another one would.
            #[cfg(target_arch = "x86_64")]
            for by in [copy_by_one, copy_by_moves::<UP>, copy_by_moves::<DOWN>] {
                back.fill(0xbb);
                // SAFETY: as above.
                unsafe { by(shared[at..].as_ptr(), back.as_mut_ptr(), bytes.len()) };
                prop_assert_eq!(&back, &bytes);
            }

            let words: Vec<AtomicU64> = (0..bytes.len().div_ceil(8) + 1).map(|_| AtomicU64::new(u64::MAX)).collect();
            // One of the two begins in the middle of 16 bytes.
            for words in [&words[..], &words[1..]] {
                into_words(&bytes, words);
                let mut back = vec![7];
                append(words, bytes.len(), &mut back);
                prop_assert_eq!(&back[1..], &bytes[..]);
            }
        }
    }
}
