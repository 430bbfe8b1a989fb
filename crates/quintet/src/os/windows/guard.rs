//! One at a time who makes, opens or looks at the objects of a name.
//!
//! To make an object of several parts takes several calls, and a section is made before it is written. And whoever looks at
//! a kernel object keeps it alive while he looks, so that somebody who wants to make it would find it there. A named mutex
//! keeps them apart. Its owner may die anywhere: what he made is gone then with his handles.

use super::call;
use super::object::{self, MUTEX_RIGHTS};
use super::security::Descriptor;
use super::sync::wait::{self, Woken};
use super::{error, wide};
use crate::os::types::Access;
use crate::{Deadline, Error, ErrorKind, Result};
use std::marker::PhantomData;
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::time::Duration;
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_INVALID_HANDLE};
use windows_sys::Win32::System::Threading::{CreateMutexExW, ReleaseMutex};

/// How long to wait for another, who needs microseconds unless he is stopped.
const PATIENCE: Duration = Duration::from_secs(2);

/// This thread's turn. (It may take it again while it has it.)
#[derive(Debug)]
pub(super) struct Guard {
    mutex: OwnedHandle,
    /// Mutexes belong to threads.
    _here: PhantomData<*const ()>,
}

impl Guard {
    /// For who makes or opens.
    pub(super) fn lock(beside: &str, access: Access) -> Result<Self> {
        Guard::for_access(beside, access)
    }

    /// For who looks: it is not for him to say who may use the object, nor to mind whose it is.
    pub(super) fn to_look(beside: &str) -> Result<Self> {
        Guard::for_access(beside, Access::Everyone)
    }

    fn for_access(beside: &str, access: Access) -> Result<Self> {
        let object = format!("{beside}.init");
        let name = wide(&object);
        let descriptor = Descriptor::of_object(access)?;
        let attributes = descriptor.attributes();
        // SAFETY: the name ends with NUL, and the attributes point into `descriptor`, which lives across the call; the
        // handle is a new one.
        let mutex = unsafe { call::handle(|| CreateMutexExW(&attributes, name.as_ptr(), 0, MUTEX_RIGHTS)) };
        let mutex = mutex.map_err(|code| match code {
            ERROR_ACCESS_DENIED | ERROR_INVALID_HANDLE => object::in_the_way(&object),
            code => error::of(format!("cannot create the mutex {object}"), code),
        })?;
        object::check_owner(mutex.as_handle(), access).map_err(|_| object::in_the_way(&object))?;
        match wait::until(&[mutex.as_raw_handle()], false, Deadline::after(PATIENCE), &[])? {
            Some(Woken::By(_) | Woken::ByAbandoned(_)) => Ok(Guard {
                mutex,
                _here: PhantomData,
            }),
            None => Err(Error::new(
                ErrorKind::Busy,
                "another process is opening it or looking at it and does not come to an end",
            )
            .hint("is that process stopped?")),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: the mutex is open, and this thread has it: a guard stays with its thread.
        unsafe { ReleaseMutex(self.mutex.as_raw_handle()) };
    }
}
