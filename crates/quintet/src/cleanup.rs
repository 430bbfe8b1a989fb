//! Names to take back when the process ends by another way than dropping what it holds.
//!
//! An object that is dropped removes its name. A process that is killed leaves it, and the next open reclaims it. In
//! between are [`std::process::exit`] and a signal that the program handles: [`release_names`] is for these.

use crate::Result;
use crate::os::per_process::PerProcess;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Release = Box<dyn Fn() + Send>;

static HELD: PerProcess<Mutex<Vec<(u64, Release)>>> = PerProcess::new();

fn held() -> MutexGuard<'static, Vec<(u64, Release)>> {
    // A forked child holds nothing of its parent's.
    // The list is whole after every step, so a panic elsewhere while it was locked does not matter.
    HELD.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the names of all objects that this process holds, as dropping them would.
///
/// Call it before [`std::process::exit`] or from the thread that handles a termination signal (not inside a signal
/// handler: it takes a lock). Connections stay usable; only nobody can find the objects any more. On Windows it does
/// nothing, as the kernel does it.
///
/// The name of [shared memory](crate::shm) stays on Linux while this process has it mapped, since then nobody can tell
/// whether another program has it too: drop it, or leave it to the next open, which makes it anew.
///
/// ```
/// let server = quintet::pipe::PipeServer::create(&format!("cleanup-doc-{}", std::process::id()))?;
/// quintet::cleanup::release_names();
/// // std::process::exit(130) would leave nothing behind now.
/// # drop(server);
/// # Ok::<(), quintet::Error>(())
/// ```
pub fn release_names() {
    for (_, release) in held().drain(..) {
        release();
    }
}

/// Keeps `release` for [`release_names`] until this is dropped.
#[derive(Debug)]
pub(crate) struct Registration(u64);

impl Registration {
    /// Makes an object whose name `release` takes back. Both happen before [`release_names`] or after it, never half, so
    /// that a signal in the middle leaves nothing either.
    pub(crate) fn of<T: Send + Sync + 'static>(
        make: impl FnOnce() -> Result<Arc<T>>,
        release: impl Fn(&T) + Send + 'static,
    ) -> Result<(Arc<T>, Self)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut held = held();
        let object = make()?;
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let weak = Arc::downgrade(&object);
        held.push((
            id,
            Box::new(move || {
                if let Some(object) = weak.upgrade() {
                    release(&object);
                }
            }),
        ));
        Ok((object, Registration(id)))
    }
}

impl Registration {
    /// As [`of`](Self::of), of an object that is opened, or made if it is not there. Also says whether it was made.
    pub(crate) fn of_opened<T: Send + Sync + 'static>(
        open: impl FnOnce() -> Result<(Arc<T>, bool)>,
        release: impl Fn(&T) + Send + 'static,
    ) -> Result<(Arc<T>, bool, Self)> {
        let mut made = false;
        let open = || {
            let (object, was_made) = open()?;
            made = was_made;
            Ok(object)
        };
        let (object, registration) = Registration::of(open, release)?;
        Ok((object, made, registration))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        held().retain(|(id, _)| *id != self.0);
    }
}
