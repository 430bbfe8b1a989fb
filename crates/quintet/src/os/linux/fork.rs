//! What a forked child must not keep: descriptors whose locks prove that their process lives.
//!
//! A lock on an open file lives as long as any descriptor of that open does, and fork(2) copies descriptors. Without
//! help a child would keep its dead parent alive in the eyes of all others. So these descriptors are on a list, and the
//! child closes them before `fork` returns there (`pthread_atfork`). `exec` closes them anyway, and the ways to start a
//! program that do not run the handlers (`posix_spawn`, `vfork`) lead straight to one.
//!
//! A raw `clone` system call runs no handlers. A child made that way, which goes on in the same program, keeps its
//! parent's locks for as long as it lives.

use crate::os::step::call;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::cell::{Cell, UnsafeCell};
use std::mem::ManuallyDrop;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many forks lie between this process and the one that was started as a program.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// The number of this process among the forks that lead to it. What was made in another generation belongs to an
/// ancestor.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// A lock that a fork waits for, and that is free in the child. std's cannot do that.
struct ForkLock {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    private: UnsafeCell<Vec<RawFd>>,
}

// SAFETY: the mutex is made to be used by several threads at once; the list is touched only by who holds it, which
// `held` and the handlers below see to.
unsafe impl Sync for ForkLock {}

static LOCK: ForkLock = ForkLock {
    mutex: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
    private: UnsafeCell::new(Vec::new()),
};

thread_local! {
    /// The descriptor that the children of this thread may have, just now.
    static LENT: Cell<RawFd> = const { Cell::new(-1) };
}

unsafe extern "C" fn lock() {
    // SAFETY: it is initialised and never destroyed or moved. The calls below never fork while they hold it, so this
    // thread does not hold it already.
    unsafe { libc::pthread_mutex_lock(LOCK.mutex.get()) };
}

unsafe extern "C" fn unlock() {
    // SAFETY: this thread has locked it.
    unsafe { libc::pthread_mutex_unlock(LOCK.mutex.get()) };
}

unsafe extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    // SAFETY: `lock` ran before the fork, in the thread that is the only one of this process, so nobody changes the list,
    // and it is whole. Closing is all that is done here: no memory is taken or given back. The thread-local has no
    // destructor, so reading it is no more than that.
    unsafe {
        for fd in &*LOCK.private.get() {
            if *fd != LENT.get() {
                libc::close(*fd);
            }
        }
        (*LOCK.private.get()).clear();
        unlock();
    }
}

/// Runs `act` while no fork can happen, nor `act` of another thread.
fn held<T>(act: impl FnOnce(&mut Vec<RawFd>) -> T) -> T {
    static HANDLERS: Once = Once::new();
    HANDLERS.call_once(|| {
        // SAFETY: the handlers are functions, there for ever. Out of memory it fails, and a forked child keeps locks.
        unsafe { libc::pthread_atfork(Some(lock), Some(unlock), Some(in_child)) };
    });
    struct Unlock;
    impl Drop for Unlock {
        fn drop(&mut self) {
            // SAFETY: locked below, by this thread.
            unsafe { unlock() };
        }
    }
    // SAFETY: `act` is a closure of this file, and neither forks nor calls `held`.
    unsafe { lock() };
    let _unlock = Unlock;
    // SAFETY: only who holds the lock gets here, so the reference is the only one.
    act(unsafe { &mut *LOCK.private.get() })
}

/// A descriptor of this process alone: a forked child does not have it.
#[derive(Debug)]
pub(super) struct PrivateFd {
    fd: RawFd,
    generation: u32,
}

impl PrivateFd {
    /// Opens a descriptor by `open`, which must not fork.
    pub(super) fn open(open: impl FnOnce() -> rustix::io::Result<OwnedFd>) -> rustix::io::Result<Self> {
        held(|private| {
            // Room first: once it is open, nothing may fail.
            private.reserve(1);
            let fd = open()?.into_raw_fd();
            private.push(fd);
            Ok(PrivateFd {
                fd,
                generation: generation(),
            })
        })
    }

    /// Whether it is open: not in a child of the process that opened it.
    #[inline]
    pub(super) fn is_ours(&self) -> bool {
        self.generation == generation()
    }

    /// A copy for a program that is being started: the same open file. No forked child has it but the one that `lend`
    /// makes.
    pub(super) fn for_child(&self) -> rustix::io::Result<PrivateFd> {
        // Not 0, 1 or 2, which the child's own standard streams would replace.
        PrivateFd::open(|| call(|| rustix::io::fcntl_dupfd_cloexec(self, 3)))
    }

    /// It as a descriptor like any other, which a forked child keeps; `None` in a child of the process that opened it.
    pub(super) fn into_public(self) -> Option<OwnedFd> {
        let this = ManuallyDrop::new(self);
        this.is_ours().then(|| {
            held(|private| private.retain(|fd| *fd != this.fd));
            // SAFETY: `open` made it, and nobody else closes it: it is not on the list any more, and is not dropped here.
            unsafe { OwnedFd::from_raw_fd(this.fd) }
        })
    }

    /// Lets the children that `start` forks, in this thread, have it.
    pub(super) fn lend<T>(&self, start: impl FnOnce() -> T) -> T {
        let before = LENT.replace(self.fd);
        let done = start();
        LENT.set(before);
        done
    }
}

impl AsFd for PrivateFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // In a forked child the number may be another file's: a lock asked of that harms nobody, but the answer would be
        // wrong.
        debug_assert!(self.is_ours());
        // SAFETY: in the process that opened it, it is open until `drop`.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

impl AsRawFd for PrivateFd {
    fn as_raw_fd(&self) -> RawFd {
        self.fd
    }
}

impl Drop for PrivateFd {
    fn drop(&mut self) {
        if self.is_ours() {
            held(|private| {
                private.retain(|fd| *fd != self.fd);
                // SAFETY: `open` made it, nobody else closes it, and nothing borrows it any more.
                drop(unsafe { OwnedFd::from_raw_fd(self.fd) });
            });
        }
    }
}
