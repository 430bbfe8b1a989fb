//! Mutexes: the kernel's, which knows their owners, lets them lock again, and tells the next one when an owner ended without
//! unlocking.

use super::look;
use super::wait::{self, Woken};
use crate::os::types::{Found, ObjectOptions, Opening, Owner};
use crate::os::windows::guard::Guard;
use crate::os::windows::object::{self, MUTEX_RIGHTS};
use crate::os::windows::process::Identity;
use crate::os::windows::suspended::{self, Job};
use crate::os::windows::{call, error, nt, wide};
use crate::{Deadline, Error, ErrorKind, Name, Result, Scheme};
use std::cell::RefCell;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::process::{Child, Command};
use std::sync::Arc;
use windows_sys::Win32::Foundation::ERROR_NOT_OWNER;
use windows_sys::Win32::System::Threading::{CreateMutexExW, OpenMutexW, ReleaseMutex};

/// A mutex, open in this process. It belongs to the thread that locks it.
#[derive(Debug)]
pub(crate) struct Mutex {
    kernel: OwnedHandle,
    #[expect(dead_code, reason = "held, not used")]
    mark: OwnedHandle,
    object: String,
}

thread_local! {
    /// Children that may run only while this thread has a mutex, which is given by name. When the thread ends its mutexes
    /// are abandoned, and just before that this is dropped and ends the children.
    static CHILDREN: RefCell<Vec<Bound>> = RefCell::default();
}

/// A child bound to a mutex.
#[derive(Debug)]
struct Bound {
    mutex: String,
    /// Ends the child when it is closed: by us, or by the system when this process ends.
    job: Option<Job>,
    process: OwnedHandle,
}

impl Drop for Bound {
    fn drop(&mut self) {
        drop(self.job.take());
        // It is as good as ended; what of it still runs is over before the mutex is free. Should the system not tell, there
        // is nothing that could be done.
        let _ = wait::until(&[self.process.as_raw_handle()], false, Deadline::NEVER, &[]);
    }
}

impl Mutex {
    pub(crate) fn open(name: &Name, opening: Opening, options: &ObjectOptions) -> Result<(Arc<Self>, bool)> {
        if options.persistent {
            return Err(object::not_persistent());
        }
        let beside = object::beside(Scheme::Mutex, name);
        let _guard = Guard::lock(&beside, options.access)?;
        let object = object::itself(name);
        let text = wide(&object);
        // SAFETY: the name ends with NUL, and the attributes are valid where they are given; the handles are new ones.
        let (kernel, made) = unsafe {
            object::open(
                opening,
                options.access,
                |attributes| CreateMutexExW(attributes, text.as_ptr(), 0, MUTEX_RIGHTS),
                || OpenMutexW(MUTEX_RIGHTS, 0, text.as_ptr()),
            )
        }?;
        let (mark, _) = object::hold(&object::mark(&beside), options.access)?;
        let mutex = Mutex { kernel, mark, object };
        Ok((Arc::new(mutex), made))
    }

    /// The name goes by itself when the process ends.
    pub(crate) fn release_name(&self) {}

    /// Locks it, once more if this thread has it. Whether the last owner ended without unlocking.
    pub(crate) fn lock(&self, deadline: Deadline) -> Result<bool> {
        match wait::until(&[self.kernel.as_raw_handle()], false, deadline, &[])? {
            Some(woken) => Ok(matches!(woken, Woken::ByAbandoned(_))),
            None => Err(Error::new(ErrorKind::TimedOut, "it was not unlocked in time")),
        }
    }

    /// Takes back one lock of this thread. With the last one its children end that were started with it.
    pub(crate) fn unlock(&self) -> Result<()> {
        self.end_children()?;
        // SAFETY: the handle is open as long as `self` lives.
        call::done(|| unsafe { ReleaseMutex(self.kernel.as_raw_handle()) }).map_err(|code| match code {
            ERROR_NOT_OWNER => not_ours(),
            code => error::of("cannot unlock it", code),
        })
    }

    /// Before the last unlock of this thread.
    fn end_children(&self) -> Result<()> {
        let is_ours = |bound: &Bound| bound.mutex == self.object;
        // Mostly there are none, and the system need not be asked. (When the thread is ending, they have ended before.)
        let any = CHILDREN.try_with(|children| children.borrow().iter().any(is_ours));
        if any != Ok(true) || !self.state()?.is_locked_once_by_us() {
            return Ok(());
        }
        // Ended when they are dropped, which is after the list is free again.
        let _: Vec<Bound> =
            CHILDREN.with_borrow_mut(|children| children.extract_if(.., |bound| is_ours(bound)).collect());
        Ok(())
    }

    pub(crate) fn is_locked(&self) -> Result<bool> {
        Ok(self.state()?.is_locked())
    }

    fn state(&self) -> Result<nt::MutexState> {
        nt::mutex(self.kernel.as_handle()).map_err(look::no_answer)
    }

    /// Starts a child that ends when this thread unlocks the mutex for the last time, or ends itself, however it does. The
    /// thread must have it. (Another process cannot own a mutex in our place on Windows.)
    pub(crate) fn spawn(&self, command: &mut Command) -> Result<Child> {
        let mut process = None;
        let (child, job) = suspended::spawn_in_job(command, |child| {
            let own = child.try_clone_to_owned();
            process = Some(own.map_err(|error| Error::os("cannot keep an eye on the child", error))?);
            Ok(())
        })?;
        let bound = process.map(|process| Bound {
            mutex: self.object.clone(),
            job: Some(job),
            process,
        });
        // Without the list the child is not started: what is dropped ends it.
        CHILDREN
            .try_with(|children| {
                let mut children = children.borrow_mut();
                // Those that have ended by themselves need no watching any more.
                children.retain(|bound| !bound.has_ended());
                children.extend(bound);
            })
            .map_err(|_| Error::new(ErrorKind::Unsupported, "the thread is ending"))?;
        Ok(child)
    }
}

impl Bound {
    fn has_ended(&self) -> bool {
        let over = wait::until(&[self.process.as_raw_handle()], false, Deadline::now(), &[]);
        matches!(over, Ok(Some(_)))
    }
}

impl AsHandle for Mutex {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.kernel.as_handle()
    }
}

fn not_ours() -> Error {
    Error::new(
        ErrorKind::PermissionDenied,
        "another thread has locked it, or none",
    )
}

pub(crate) fn list() -> Result<Vec<Found>> {
    Ok(look::list("Mutant", Scheme::Mutex, stat))
}

pub(crate) fn stat(name: &Name) -> Result<Found> {
    let text = wide(&object::itself(name));
    // SAFETY: the name ends with NUL; the handle is a new one.
    let open = || unsafe { OpenMutexW(MUTEX_RIGHTS, 0, text.as_ptr()) };
    // SAFETY: as above.
    let (locked, owner) = unsafe {
        look::at(Scheme::Mutex, name, open, |kernel| {
            let state = nt::mutex(kernel.as_handle()).map_err(look::no_answer)?;
            Ok((state.is_locked(), nt::owner(kernel.as_handle())))
        })
    }?;
    let mut found = look::found(name);
    found.details = vec![("locked", if locked { "yes" } else { "no" }.into())];
    if let (true, Some(pid)) = (locked, owner) {
        let process = Identity::of_pid(pid);
        found.owners = vec![Owner {
            process,
            count: 1,
            since: None,
        }];
    }
    look::see_mark(&mut found, Scheme::Mutex, name)?;
    Ok(found)
}

pub(crate) fn remove(name: &Name) -> Result<()> {
    stat(name)?;
    Err(object::not_removable())
}
