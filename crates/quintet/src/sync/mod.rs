//! Semaphores, mutexes, events: named objects that say who may, and when; with the meaning they have on Windows and in
//! .NET, and one thing more: what a dead process held comes back by itself.
//!
//! | type | what it is |
//! |---|---|
//! | [`Semaphore`] | a count of permits with a maximum. [`wait`](Semaphore::wait) and [`release`](Semaphore::release) as on Windows; [`acquire`](Semaphore::acquire) gives a [`Permit`] that comes back when its holder drops it *or dies* |
//! | [`Mutex`] | one owner at a time, a thread; [`MutexGuard::was_abandoned`] tells the next owner that the last one died |
//! | [`Event`] | set or not; with manual or automatic reset |
//! | [`Process`] | another process, to wait for its end |
//!
//! [`wait_any`] and [`wait_all`] wait for several of these at once, and for anything with a descriptor or a handle.
//!
//! On Windows they are the kernel's objects `Local\NAME`: a C# `Semaphore`, `Mutex` or `EventWaitHandle` of that name is the
//! same object. (All kinds share one namespace there: a mutex and a semaphore cannot have the same name.) On Linux they are words in POSIX shared memory, `/dev/shm/quintet.sem.NAME` and so on, with futexes to
//! sleep on: without a contender no system call is made. (.NET has no named semaphores and events on Linux; its named
//! `Mutex` there is another object.)
//!
//! # Lifetime
//! An object lives while some process has it open; when the last one is gone, also by `kill -9`, the next open makes a new
//! one. On Linux `persistent(true)` makes one that stays until it is removed.
//!
//! # What happens when a process dies
//! - **holding permits**: they come back, each exactly once. Waiters see them within 100 ms; who has waited for longer than
//!   50 ms, or is on Windows and waits for a mutex, at once. (On Windows: as long as all who
//!   have the semaphore open are Quintet's; a death in one of a few particular instants loses a permit there, and never
//!   gives one too many. What the *last* of Quintet's processes held when it died is lost if another program keeps the
//!   semaphore open.)
//! - **having waited** ([`Semaphore::wait`]): nothing. That may have been a signal that it consumed.
//! - **having locked a mutex**: the next owner gets it, and is told. The same if only the thread ended.
//! - **waiting, or in the middle of any call**: the others go on. A wake-up that was lost with it is made up within 100 ms.
//! - **being stopped** (SIGSTOP, a debugger): it is not dead, and holds what it holds.
//!
//! A forked child (Linux) holds nothing of what its parent holds: what the parent opened fails there with
//! [`Unsupported`](crate::ErrorKind::Unsupported), and has to be opened again.

mod event;
mod guard;
mod kinds;
mod many;
mod mutex;
mod permit;
mod process;
mod semaphore;

pub use crate::os::types::Access;
pub use event::{Event, EventBuilder, Reset};
pub use guard::MutexGuard;
pub use kinds::{Events, Mutexes, Semaphores};
pub use many::{Ready, Taken, Waitable, wait_all, wait_any};
pub use mutex::{Mutex, MutexBuilder};
pub use permit::Permit;
pub use process::Process;
pub use semaphore::{Semaphore, SemaphoreBuilder};
