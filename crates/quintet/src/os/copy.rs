//! Copying to and from memory that other processes may change at the same moment.
//!
//! Rust has no such copy yet: an ordinary one is undefined behaviour when somebody writes meanwhile. So the accesses are
//! made where the compiler cannot see them, in assembly, or one relaxed atomic at a time where there is none. What comes
//! out may be half old and half new; whoever minds has to find out by other means.

use std::ptr::NonNull;
#[cfg(not(target_arch = "x86_64"))]
use std::sync::atomic::{AtomicU8, Ordering};

/// Copies out of shared memory.
///
/// # Safety
/// `from` points to at least as many mapped bytes as `to` has.
#[inline]
pub(crate) unsafe fn out(from: NonNull<u8>, to: &mut [u8]) {
    // SAFETY: the caller says so of `from`; `to` is ours alone.
    unsafe { copy(from.as_ptr(), to.as_mut_ptr(), to.len()) };
}

/// Copies into shared memory.
///
/// # Safety
/// `to` points to at least as many mapped, writable bytes as `from` has.
#[inline]
pub(crate) unsafe fn into(from: &[u8], to: NonNull<u8>) {
    // SAFETY: the caller says so of `to`; `from` does not change, as it is borrowed.
    unsafe { copy(from.as_ptr(), to.as_ptr(), from.len()) };
}

/// # Safety
/// Both are mapped for so many bytes, `to` for writing.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
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

/// # Safety
/// Both are mapped for so many bytes, `to` for writing.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    for at in 0..len {
        // SAFETY: within what the caller says is there; bytes need no alignment. What is ours alone may be touched as
        // atomics as well.
        unsafe {
            let byte = AtomicU8::from_ptr(from.add(at).cast_mut()).load(Ordering::Relaxed);
            AtomicU8::from_ptr(to.add(at)).store(byte, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_copies(bytes: Vec<u8>) {
            let mut shared = vec![0xaa; bytes.len() + 2];
            let inner = NonNull::from(&mut shared[1..]).cast::<u8>();
            // SAFETY: there are as many bytes and one more.
            unsafe { into(&bytes, inner) };
            prop_assert_eq!(&shared[1..=bytes.len()], &bytes[..]);
            prop_assert_eq!((shared[0], shared[bytes.len() + 1]), (0xaa, 0xaa));
            let mut back = vec![0; bytes.len()];
            // SAFETY: as above.
            unsafe { out(NonNull::from(&mut shared[1..]).cast(), &mut back) };
            prop_assert_eq!(back, bytes);
        }
    }
}
