//! Named kernel objects: what they are called, and how they are made and opened.

use super::call::{self, Code};
use super::security::{self, Descriptor, WAIT_AND_SIGNAL};
use super::{error, wide};
use crate::os::types::{Access, Opening};
use crate::{Error, ErrorKind, Name, Result, Scheme, Scope};
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_ALREADY_EXISTS, ERROR_FILE_NOT_FOUND, ERROR_INVALID_HANDLE,
    ERROR_PATH_NOT_FOUND, HANDLE,
};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::Storage::FileSystem::{READ_CONTROL, SYNCHRONIZE};
use windows_sys::Win32::System::Threading::{CREATE_EVENT_MANUAL_RESET, CreateEventExW, OpenSemaphoreW};

/// What we ask of a semaphore or event: all that whom it is open to may do.
pub(super) const RIGHTS: u32 = WAIT_AND_SIGNAL;
/// As above, of a mutex, which has no right of the number 2: nobody could be granted it.
pub(super) const MUTEX_RIGHTS: u32 = WAIT_AND_SIGNAL & !2;

/// What a name of Quintet's own objects begins with, after `Local\` or `Global\`.
pub(super) const OWN: &str = "quintet.";

/// The folder of a name's objects: `Local\` or `Global\`.
fn folder(name: &Name) -> &'static str {
    name.scope().unwrap_or(Scope::Local).prefix()
}

/// The object that a name means to every program: a semaphore, mutex or event.
pub(super) fn itself(name: &Name) -> String {
    format!("{}{}", folder(name), name.base())
}

/// What the names of Quintet's own objects begin with that go with an object. A name has at most 200 bytes, so they stay
/// below the 260 units that the system takes.
pub(super) fn beside(scheme: Scheme, name: &Name) -> String {
    format!("{}{OWN}{scheme}.{}", folder(name), name.base())
}

/// The second section of an object that has two. No scheme has that name, so no object's first one has it.
pub(super) fn data(scheme: Scheme, name: &Name) -> String {
    format!("{}{OWN}{scheme}data.{}", folder(name), name.base())
}

/// The mark that everybody holds who holds an object, and nobody else.
pub(super) fn mark(beside: &str) -> String {
    format!("{beside}.held")
}

/// Makes or opens an object, by two functions of the system. Also says whether it was made.
///
/// # Safety
/// The handles that they return are new and nobody else's.
pub(super) unsafe fn open(
    opening: Opening,
    access: Access,
    mut create: impl FnMut(*const SECURITY_ATTRIBUTES) -> HANDLE,
    open: impl FnMut() -> HANDLE,
) -> Result<(OwnedHandle, bool)> {
    if opening == Opening::OpenExisting {
        // SAFETY: as the caller promises.
        let object = unsafe { call::handle(open) }.map_err(cannot_open)?;
        check_owner(object.as_handle(), access)?;
        return Ok((object, false));
    }
    let descriptor = Descriptor::of_object(access)?;
    let attributes = descriptor.attributes();
    // SAFETY: as the caller promises.
    let object = unsafe { call::handle(|| create(&attributes)) };
    let was_there = error::last_code() == ERROR_ALREADY_EXISTS;
    let object = object.map_err(cannot_open)?;
    if !was_there {
        return Ok((object, true));
    }
    if opening == Opening::CreateNew {
        return Err(exists_already());
    }
    check_owner(object.as_handle(), access)?;
    Ok((object, false))
}

pub(super) fn exists_already() -> Error {
    Error::new(ErrorKind::AlreadyExists, "it exists already")
}

pub(super) fn not_there() -> Error {
    Error::new(ErrorKind::NotFound, "there is none")
}

pub(super) fn busy_with_a_look() -> Error {
    Error::new(
        ErrorKind::Busy,
        "one of another size was there, and a process is just looking at what is left of it",
    )
    .hint("try again")
}

/// The error of a call that makes or opens an object.
pub(super) fn cannot_open(code: Code) -> Error {
    match code {
        ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND => not_there(),
        ERROR_INVALID_HANDLE => {
            Error::new(ErrorKind::AlreadyExists, "another kind of object has this name").hint(
                "on Windows semaphores, mutexes, events and shared memory have their names in common; choose another one",
            )
        }
        ERROR_ACCESS_DENIED => Error::new(
            ErrorKind::PermissionDenied,
            "it belongs to another user, who has not opened it to others",
        )
        .hint("choose another name, or have its owner create it with access everyone"),
        code => error::of("cannot open it", code),
    }
}

/// Checks whose an object is that was there.
pub(super) fn check_owner(object: BorrowedHandle<'_>, access: Access) -> Result<()> {
    if access == Access::Everyone {
        return Ok(());
    }
    let owner = security::try_owner(object).map_err(|code| error::of("cannot ask whose it is", code))?;
    // On Wine an object of a program that says nothing of its rights is nobody's; it has one user.
    let Some(owner) = owner.filter(|owner| !owner.is_trusted_owner()) else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::PermissionDenied,
        format!("it belongs to another user ({owner})"),
    )
    .hint("choose another name, or open it with access everyone"))
}

/// What Windows has not.
pub(super) fn not_persistent() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "objects live on Windows as long as somebody holds them; none is persistent",
    )
    .hint("keep it alive: quintet hold")
}

/// The error of who may not make what every session sees.
pub(super) fn not_for_all_sessions() -> Error {
    Error::new(
        ErrorKind::PermissionDenied,
        r"only services and administrators may make shared memory for all sessions (Global\)",
    )
    .hint(r"use a name without Global\, or let a service create it")
}

/// What `remove` says of an object that is there.
pub(super) fn not_removable() -> Error {
    Error::new(ErrorKind::Unsupported, "it goes by itself with its last holder")
        .hint("end the programs that hold it")
}

/// Makes an event that is only there to be there, or opens the one that is. Also says whether it was made.
pub(super) fn hold(name: &str, access: Access) -> Result<(OwnedHandle, bool)> {
    let text = wide(name);
    let descriptor = Descriptor::of_object(access)?;
    let attributes = descriptor.attributes();
    // SAFETY: the name ends with NUL, and the attributes point into `descriptor`, which lives across the call; the handle
    // is a new one.
    let event = unsafe {
        call::handle(|| {
            CreateEventExW(
                &attributes,
                text.as_ptr(),
                CREATE_EVENT_MANUAL_RESET,
                SYNCHRONIZE | READ_CONTROL,
            )
        })
    };
    let was_there = error::last_code() == ERROR_ALREADY_EXISTS;
    match event {
        Ok(event) => Ok((event, !was_there)),
        Err(ERROR_ACCESS_DENIED | ERROR_INVALID_HANDLE) => Err(in_the_way(name)),
        Err(code) => Err(error::of(format!("cannot create the event {name}"), code)),
    }
}

/// The error where somebody else has the name of an object of ours.
pub(super) fn in_the_way(name: &str) -> Error {
    Error::new(
        ErrorKind::PermissionDenied,
        format!("something that is not Quintet's, or not this user's, has the object name {name}"),
    )
    .hint("choose another name")
}

/// Whether there is an event of that name.
///
/// Whoever opened it to see would keep it alive for that moment, and others would see it who must not. So this asks for a
/// *semaphore* of that name: the system says that there is something of another kind, or that there is nothing.
pub(super) fn is_event_there(name: &str) -> Result<bool> {
    let text = wide(name);
    // SAFETY: the name ends with NUL; the handle is a new one.
    match unsafe { call::handle(|| OpenSemaphoreW(SYNCHRONIZE, 0, text.as_ptr())) } {
        // Somebody plays tricks with semaphores: then there is no event.
        Ok(_) => Ok(false),
        Err(ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND) => Ok(false),
        Err(ERROR_INVALID_HANDLE) => Ok(true),
        // To think so loses a permit at worst; to think not could give one too many.
        Err(ERROR_ACCESS_DENIED) => Ok(true),
        Err(code) => Err(error::of(format!("cannot ask for the event {name}"), code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unique(what: &str) -> String {
        format!(r"Local\quintet.test.object.{what}.{}", std::process::id())
    }

    #[test]
    fn a_name_means_what_it_means_to_other_programs() {
        // Two versions of Quintet must agree on them, so they are written out.
        for (name, expected, expected_beside) in [
            ("jobs", r"Local\jobs", r"Local\quintet.sem.jobs"),
            (r"Local\jobs", r"Local\jobs", r"Local\quintet.sem.jobs"),
            (r"Global\jobs", r"Global\jobs", r"Global\quintet.sem.jobs"),
        ] {
            let name = Name::new(name).unwrap();
            assert_eq!(itself(&name), expected);
            assert_eq!(beside(Scheme::Sem, &name), expected_beside);
        }
    }

    #[test]
    fn an_event_is_there_as_long_as_it_is_held_and_asking_does_not_hold_it() {
        let name = unique("there");
        assert!(!is_event_there(&name).unwrap());
        let (event, made) = hold(&name, Access::CurrentUser).unwrap();
        assert!(made);
        let (again, made) = hold(&name, Access::CurrentUser).unwrap();
        assert!(!made);
        drop(event);
        assert!(is_event_there(&name).unwrap());
        drop(again);
        assert!(!is_event_there(&name).unwrap());
    }
}
