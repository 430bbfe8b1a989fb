//! Pipes seen from outside: what is there, and whether anybody serves it.
//!
//! The kernel lists its pipes and counts their instances; who serves one it tells only those who connect, which would
//! take an instance from a client. So a pipe counts as Quintet's if there is a claim of its name.

use super::path::{self, CLAIM_FOLDER, CLAIM_PREFIX, There};
use crate::named::Liveness;
use crate::os::types::Found;
use crate::os::windows::claim::{self, ClaimView};
use crate::os::windows::process::Identity;
use crate::os::windows::{error, objects, wide};
use crate::{Error, ErrorKind, Name, Result, Scope};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use windows_sys::Win32::Foundation::{
    ERROR_BAD_DEV_TYPE, ERROR_CALL_NOT_IMPLEMENTED, ERROR_FILE_NOT_FOUND, ERROR_INVALID_FUNCTION,
    ERROR_INVALID_PARAMETER, ERROR_NO_MORE_FILES, ERROR_NOT_SUPPORTED, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{FindClose, FindFirstFileW, FindNextFileW, WIN32_FIND_DATAW};

/// All pipes of the machine whose names are names (many of the system's own contain backslashes), by name.
pub(crate) fn list() -> Result<Vec<Found>> {
    let pipes = match enumerate()? {
        Some(pipes) => pipes,
        // Wine cannot list pipes. Quintet's own are known by their claims.
        None => return Ok(claimed().iter().filter_map(|name| stat(name).ok()).collect()),
    };
    let look = |(name, instances)| {
        let claim = claim::look(&path::claim(&name));
        if claim.is_none() && path::is_left_over(&name) {
            return None;
        }
        Some(found(&name, claim, Some(instances)))
    };
    Ok(pipes.into_iter().filter_map(look).collect())
}

/// One pipe.
pub(crate) fn stat(name: &Name) -> Result<Found> {
    let claim = claim::look(&path::claim(name));
    match path::wait(&path::of(name), Duration::ZERO)? {
        There::Nothing => return Err(not_there()),
        There::Busy if claim.is_none() && path::is_left_over(name) => {
            return Err(not_there().hint("only streams that its server had accepted are left"));
        }
        There::Busy | There::Free => {}
    }
    let instances = enumerate()?.and_then(|pipes| {
        let is_it = |(found, _): &(Name, u32)| path::claim(found) == path::claim(name);
        pipes.into_iter().find(is_it).map(|(_, instances)| instances)
    });
    Ok(found(name, claim, instances))
}

/// Nothing here is ever left behind.
pub(crate) fn remove(name: &Name) -> Result<()> {
    stat(name)?;
    Err(Error::new(ErrorKind::Unsupported, "it goes by itself with its last holder").hint("end the server"))
}

fn not_there() -> Error {
    Error::new(ErrorKind::NotFound, "there is no pipe of this name")
}

fn found(name: &Name, claim: Option<ClaimView>, instances: Option<u32>) -> Found {
    let (liveness, evidence) = match claim {
        Some(_) => (
            Liveness::Live,
            "its server holds the claim of its name, which the kernel gives back with the process",
        ),
        None => (
            Liveness::Foreign,
            "the pipe is there, without a claim of its name in this session",
        ),
    };
    let claim = claim.as_ref();
    let field = |key| claim.and_then(|claim| claim.field(key)).map(str::to_string);
    let mut details = Vec::new();
    details.extend(field("mode").map(|mode| ("mode", mode)));
    details.extend(instances.map(|instances| ("instances", instances.to_string())));
    details.extend(field("max_instances").map(|max| ("max_instances", max)));
    let owner = claim.and_then(|claim| claim.owner.as_ref());
    details.extend(owner.map(|owner| ("owner", owner.to_string())));
    details.push(("path", path::shown(name)));
    let created = claim
        .and_then(|claim| claim.number("created"))
        .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    Found {
        name: name.to_string(),
        liveness,
        evidence: evidence.into(),
        holders: claim
            .and_then(|claim| claim.number("pid"))
            .map(Identity::of_pid)
            .into_iter()
            .collect(),
        created,
        owners: Vec::new(),
        size: None,
        details,
    }
}

/// The kernel's list of pipes with their numbers of instances, by name; `None` where it has none (Wine).
fn enumerate() -> Result<Option<Vec<(Name, u32)>>> {
    let pattern = wide(&format!("{}*", path::FOLDER));
    let mut data = WIN32_FIND_DATAW::default();
    // SAFETY: the pattern ends with NUL; one entry is written to `data`.
    let search = unsafe { FindFirstFileW(pattern.as_ptr(), &mut data) };
    if search == INVALID_HANDLE_VALUE {
        return match error::last_code() {
            ERROR_FILE_NOT_FOUND | ERROR_NO_MORE_FILES => Ok(Some(Vec::new())),
            ERROR_BAD_DEV_TYPE
            | ERROR_CALL_NOT_IMPLEMENTED
            | ERROR_INVALID_FUNCTION
            | ERROR_INVALID_PARAMETER
            | ERROR_NOT_SUPPORTED => Ok(None),
            code => Err(error::of("cannot list the pipes", code)),
        };
    }
    let mut pipes = BTreeMap::new();
    loop {
        let len = data.cFileName.iter().position(|unit| *unit == 0);
        let name = String::from_utf16(&data.cFileName[..len.unwrap_or(data.cFileName.len())]);
        if let Some(name) = name.ok().and_then(|name| Name::new(name).ok()) {
            // In this folder a file's size is the number of instances.
            pipes.insert(name, data.nFileSizeLow);
        }
        // SAFETY: the search is open; one entry is written to `data`.
        if unsafe { FindNextFileW(search, &mut data) } == 0 {
            break;
        }
    }
    // SAFETY: it is open, and not used after this.
    unsafe { FindClose(search) };
    Ok(Some(pipes.into_iter().collect()))
}

/// The names of pipes that there are claims of in this session.
fn claimed() -> Vec<Name> {
    let prefix = &CLAIM_PREFIX[CLAIM_FOLDER.len()..];
    let mut names: Vec<Name> = objects::list(Scope::Local)
        .into_iter()
        .map(|object| object.name)
        .filter(|object| object.starts_with(prefix))
        // The claim's text has the name as its server wrote it.
        .filter_map(|object| claim::look(&format!("{CLAIM_FOLDER}{object}")))
        .filter_map(|claim| Name::new(claim.field("path")?.strip_prefix(path::FOLDER)?).ok())
        .collect();
    names.sort();
    names
}
