//! What an object looks like to somebody who does not hold it.

use crate::named::Liveness;
use crate::os::types::Found;
use crate::os::windows::guard::Guard;
use crate::os::windows::object::{self, OWN};
use crate::os::windows::objects;
use crate::os::windows::{call, error};
use crate::{Error, ErrorKind, Name, Result, Scheme, Scope};
use std::os::windows::io::OwnedHandle;
use windows_sys::Win32::Foundation::{ERROR_INVALID_HANDLE, HANDLE};

/// All objects of a kind in this session, and those for all sessions, by name. The ones that Quintet does not hold are not
/// touched: a program that looks whether it is the first of its kind by making an object must not find our handle.
pub(in crate::os::windows) fn list(
    kind: &str,
    scheme: Scheme,
    stat: impl Fn(&Name) -> Result<Found>,
) -> Vec<Found> {
    let mut names: Vec<Name> = [Scope::Local, Scope::Global]
        .into_iter()
        .flat_map(|scope| {
            let prefix = match scope {
                Scope::Local => "",
                Scope::Global => scope.prefix(),
            };
            objects::list(scope)
                .into_iter()
                .filter(|object| object.kind == kind && !object.name.starts_with(OWN))
                .filter_map(move |object| Name::new(format!("{prefix}{}", object.name)).ok())
        })
        .collect();
    names.sort();
    let look = |name: &Name| {
        let mark = object::mark(&object::beside(scheme, name));
        match object::is_event_there(&mark) {
            // What has gone meanwhile, or cannot be looked at, is left out.
            Ok(true) => stat(name).ok(),
            _ => Some(found(name)),
        }
    };
    names.iter().filter_map(look).collect()
}

/// Opens an object, asks it something and closes it, while nobody else opens it who uses Quintet.
///
/// # Safety
/// The handle that `open` returns is new and nobody else's.
pub(in crate::os::windows) unsafe fn at<T>(
    scheme: Scheme,
    name: &Name,
    open: impl FnMut() -> HANDLE,
    ask: impl FnOnce(&OwnedHandle) -> Result<T>,
) -> Result<T> {
    // Without it the look may be noticed, and that is all.
    let _guard = Guard::to_look(&object::beside(scheme, name));
    // SAFETY: as the caller promises.
    let object = unsafe { call::handle(open) }.map_err(|code| match code {
        ERROR_INVALID_HANDLE => {
            Error::new(ErrorKind::Corrupt, "what has this name is another kind of object")
        }
        code => object::cannot_open(code),
    })?;
    ask(&object)
}

/// What is known of an object that is there.
pub(in crate::os::windows) fn found(name: &Name) -> Found {
    Found {
        name: name.to_string(),
        liveness: Liveness::Foreign,
        evidence: "it is there, so a program has it open; none that is Quintet".into(),
        holders: Vec::new(),
        owners: Vec::new(),
        size: None,
        created: None,
        details: Vec::new(),
    }
}

/// Quintet holds it.
pub(in crate::os::windows) fn mark_live(found: &mut Found) {
    found.liveness = Liveness::Live;
    found.evidence =
        "a process has it open, by an event beside it that the kernel removes with the process".into();
}

/// As `mark_live`, if that is so.
pub(in crate::os::windows) fn see_mark(found: &mut Found, scheme: Scheme, name: &Name) -> Result<()> {
    if object::is_event_there(&object::mark(&object::beside(scheme, name)))? {
        mark_live(found);
    }
    Ok(())
}

/// The error of a question that the system did not answer.
pub(in crate::os::windows) fn no_answer(code: u32) -> Error {
    error::of("cannot ask for its state", code)
}
