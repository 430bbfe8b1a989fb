//! Events: the kernel's.

use super::look;
use super::wait;
use crate::os::types::{Found, ObjectOptions, Opening};
use crate::os::windows::guard::Guard;
use crate::os::windows::object::{self, RIGHTS};
use crate::os::windows::{call, error, nt, wide};
use crate::{Deadline, Error, ErrorKind, Name, Result, Scheme};
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::sync::Arc;
use windows_sys::Win32::System::Threading::{
    CREATE_EVENT_INITIAL_SET, CREATE_EVENT_MANUAL_RESET, CreateEventExW, OpenEventW, ResetEvent, SetEvent,
};

/// An event, open in this process.
#[derive(Debug)]
pub(crate) struct Event {
    kernel: OwnedHandle,
    #[expect(dead_code, reason = "held, not used")]
    mark: OwnedHandle,
    manual: bool,
}

impl Event {
    /// Makes or opens it; which kind it is and whether it is set is for making it.
    pub(crate) fn open(
        name: &Name,
        opening: Opening,
        manual: bool,
        set: bool,
        options: &ObjectOptions,
    ) -> Result<(Arc<Self>, bool)> {
        if options.persistent {
            return Err(object::not_persistent());
        }
        let beside = object::beside(Scheme::Event, name);
        let _guard = Guard::lock(&beside, options.access)?;
        let text = wide(&object::itself(name));
        let flag = |flag, given| if given { flag } else { 0 };
        let flags = flag(CREATE_EVENT_MANUAL_RESET, manual) | flag(CREATE_EVENT_INITIAL_SET, set);
        // SAFETY: the name ends with NUL, and the attributes are valid where they are given; the handles are new ones.
        let (kernel, made) = unsafe {
            object::open(
                opening,
                options.access,
                |attributes| CreateEventExW(attributes, text.as_ptr(), flags, RIGHTS),
                || OpenEventW(RIGHTS, 0, text.as_ptr()),
            )
        }?;
        let (mark, _) = object::hold(&object::mark(&beside), options.access)?;
        let manual = nt::event(kernel.as_handle())
            .map_err(look::no_answer)?
            .is_manual();
        let event = Event { kernel, mark, manual };
        Ok((Arc::new(event), made))
    }

    /// The name goes by itself when the process ends.
    pub(crate) fn release_name(&self) {}

    pub(crate) fn is_manual(&self) -> bool {
        self.manual
    }

    pub(crate) fn is_set(&self) -> Result<bool> {
        let state = nt::event(self.kernel.as_handle()).map_err(look::no_answer)?;
        Ok(state.is_set())
    }

    pub(crate) fn set(&self) -> Result<()> {
        // SAFETY: the handle is open as long as `self` lives.
        call::done(|| unsafe { SetEvent(self.kernel.as_raw_handle()) })
            .map_err(|code| error::of("cannot set it", code))
    }

    pub(crate) fn reset(&self) -> Result<()> {
        // SAFETY: as above.
        call::done(|| unsafe { ResetEvent(self.kernel.as_raw_handle()) })
            .map_err(|code| error::of("cannot reset it", code))
    }

    pub(crate) fn wait(&self, deadline: Deadline) -> Result<()> {
        match wait::until(&[self.kernel.as_raw_handle()], false, deadline, &[])? {
            Some(_) => Ok(()),
            None => Err(Error::new(ErrorKind::TimedOut, "it was not set in time")),
        }
    }
}

impl AsHandle for Event {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.kernel.as_handle()
    }
}

pub(crate) fn list() -> Result<Vec<Found>> {
    Ok(look::list("Event", Scheme::Event, stat))
}

pub(crate) fn stat(name: &Name) -> Result<Found> {
    let text = wide(&object::itself(name));
    // SAFETY: the name ends with NUL; the handle is a new one.
    let open = || unsafe { OpenEventW(RIGHTS, 0, text.as_ptr()) };
    // SAFETY: as above.
    let state = unsafe {
        look::at(Scheme::Event, name, open, |kernel| {
            nt::event(kernel.as_handle()).map_err(look::no_answer)
        })
    }?;
    let mut found = look::found(name);
    found.details = vec![
        ("set", if state.is_set() { "yes" } else { "no" }.into()),
        ("reset", if state.is_manual() { "manual" } else { "auto" }.into()),
    ];
    look::see_mark(&mut found, Scheme::Event, name)?;
    Ok(found)
}

pub(crate) fn remove(name: &Name) -> Result<()> {
    stat(name)?;
    Err(object::not_removable())
}
