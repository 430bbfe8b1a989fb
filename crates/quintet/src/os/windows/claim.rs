//! What tells processes of a user who holds a name: named sections and events of the session.
//!
//! The kernel's pipes do not say who serves them, nor whether that is Quintet, unless one connects. So a server holds a
//! *claim* beside its pipe: a small named section with a text, that goes with its holder, however that one ends. The
//! text is for people and for `ls`; the claim's being there is the proof of life.
//!
//! # Protocol of a claim
//! Take: create the section. If it was there, let go of it at once. Its holder may be somebody who only *looks* at it,
//! for an instant: so if what it stands for is not to be seen, try again for a while. Otherwise, or if it stays:
//! *busy*. Then write the text. Give back: close it.
//!
//! Claims are of a session (`Local\`), because only services may make objects for all sessions: a server in another
//! session looks like a program that takes no claim. What another user put in a claim's place is not believed.

use super::call::{self, Code};
use super::process::UserId;
use super::security::{self, Descriptor};
use super::{error, wide};
use crate::{Deadline, Error, ErrorKind, Result};
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_ALREADY_EXISTS, ERROR_INVALID_HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{READ_CONTROL, SYNCHRONIZE};
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile,
    OpenFileMappingW, PAGE_READWRITE, UnmapViewOfFile,
};
use windows_sys::Win32::System::Threading::{CreateEventW, OpenEventW};

/// Bytes of a claim's section.
const SIZE: usize = 4096;

/// How long somebody may have a claim of something that is not to be seen, before that counts as holding it.
const PATIENCE: Duration = Duration::from_millis(500);

/// A name held by this process.
#[derive(Debug)]
pub(super) struct Claim(#[expect(dead_code, reason = "held, not used")] OwnedHandle);

impl Claim {
    /// Takes the claim of that object name; `None` if a living process has it. `is_there` looks for what it stands for.
    pub(super) fn take(
        object: &str,
        text: &str,
        is_there: impl Fn() -> Result<bool>,
    ) -> Result<Option<Claim>> {
        let name = wide(object);
        let descriptor = Descriptor::private()?;
        let patience = Deadline::after(PATIENCE);
        loop {
            // SAFETY: a section without a file is asked for by that handle; the name ends with NUL, and the attributes
            // point into `descriptor`, which lives across the call. The handle is a new one.
            let section = unsafe {
                call::handle(|| {
                    CreateFileMappingW(
                        INVALID_HANDLE_VALUE,
                        &descriptor.attributes(),
                        PAGE_READWRITE,
                        0,
                        SIZE as u32,
                        name.as_ptr(),
                    )
                })
            };
            let was_there = error::last_code() == ERROR_ALREADY_EXISTS;
            let section = section.map_err(|code| match code {
                ERROR_ACCESS_DENIED | ERROR_INVALID_HANDLE => foreign(object),
                _ => error::of(format!("cannot create the claim {object}"), code),
            })?;
            if !was_there {
                View::of(&section, FILE_MAP_WRITE)
                    .map_err(|code| error::of(format!("cannot write the claim {object}"), code))?
                    .write(text);
                return Ok(Some(Claim(section)));
            }
            if !is_ours(&section) {
                return Err(foreign(object));
            }
            drop(section);
            if patience.has_passed() || is_there()? {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn foreign(object: &str) -> Error {
    Error::new(
        ErrorKind::PermissionDenied,
        format!("something that is not Quintet's, or not this user's, has the object name {object}"),
    )
    .hint("choose another name")
}

fn is_ours(object: &OwnedHandle) -> bool {
    security::owner(object.as_handle()).is_some_and(|owner| owner.is_trusted())
}

/// What a claim looks like from outside.
#[derive(Debug)]
pub(super) struct ClaimView {
    pub(super) text: String,
    pub(super) owner: Option<UserId>,
}

impl ClaimView {
    /// A line `key=value` of its text.
    pub(super) fn field(&self, key: &str) -> Option<&str> {
        self.text
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value)
    }

    /// As `field`, of another type; `None` also for what is none.
    pub(super) fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.field(key)?.parse().ok()
    }
}

/// Looks at a claim; `None` if nobody of this session holds it, or not one whom we believe.
pub(super) fn look(object: &str) -> Option<ClaimView> {
    let name = wide(object);
    // SAFETY: the name ends with NUL; the handle is a new one.
    let section =
        unsafe { call::handle(|| OpenFileMappingW(FILE_MAP_READ | READ_CONTROL, 0, name.as_ptr())) }.ok()?;
    if !is_ours(&section) {
        return None;
    }
    Some(ClaimView {
        text: View::of(&section, FILE_MAP_READ).map_or_else(|_| String::new(), |view| view.read()),
        owner: security::owner(section.as_handle()),
    })
}

/// A claim's memory, mapped.
struct View(MEMORY_MAPPED_VIEW_ADDRESS);

impl View {
    /// Fails also for a section that is smaller than a claim's.
    fn of(section: &OwnedHandle, access: u32) -> std::result::Result<View, Code> {
        let mut view = MEMORY_MAPPED_VIEW_ADDRESS::default();
        call::done(|| {
            // SAFETY: the section is open; the system chooses the place.
            view = unsafe { MapViewOfFile(section.as_raw_handle(), access, 0, 0, SIZE) };
            (!view.Value.is_null()).into()
        })?;
        Ok(View(view))
    }

    /// Other processes see these bytes while they change, so they are only ever touched as atomics.
    fn byte(&self, at: usize) -> &AtomicU8 {
        assert!(at < SIZE);
        // SAFETY: the view is SIZE bytes long and mapped as long as `self` lives; atomics of one byte may be anywhere
        // and have any value. Reading is all that is done with a view mapped for reading.
        unsafe { AtomicU8::from_ptr(self.0.Value.cast::<u8>().add(at)) }
    }

    /// The last byte stays NUL.
    fn write(&self, text: &str) {
        for (at, byte) in text.bytes().take(SIZE - 1).enumerate() {
            self.byte(at).store(byte, Ordering::Relaxed);
        }
    }

    fn read(&self) -> String {
        let bytes: Vec<u8> = (0..SIZE)
            .map(|at| self.byte(at).load(Ordering::Relaxed))
            .take_while(|byte| *byte != 0)
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `of`, is unmapped only here, and nothing borrows from it any more.
        unsafe { UnmapViewOfFile(self.0) };
    }
}

/// A mark that is there as long as anybody holds it. Several processes may.
#[derive(Debug)]
pub(super) struct Mark(#[expect(dead_code, reason = "held, not used")] OwnedHandle);

impl Mark {
    /// Makes or joins the mark; `None` where somebody else has its name, so that there is none.
    pub(super) fn hold(object: &str) -> Option<Mark> {
        let name = wide(object);
        let descriptor = Descriptor::private().ok()?;
        // SAFETY: the name ends with NUL, and the attributes point into `descriptor`, which lives across the call; the
        // handle is a new one.
        let event = unsafe { call::handle(|| CreateEventW(&descriptor.attributes(), 1, 0, name.as_ptr())) };
        event.ok().map(Mark)
    }

    /// Whether anybody of this session, whom we believe, holds it.
    pub(super) fn is_held(object: &str) -> bool {
        let name = wide(object);
        // SAFETY: the name ends with NUL; the handle is a new one.
        let event = unsafe { call::handle(|| OpenEventW(SYNCHRONIZE | READ_CONTROL, 0, name.as_ptr())) };
        event.is_ok_and(|event| is_ours(&event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unique(what: &str) -> String {
        format!(r"Local\quintet.test.{what}.{}", std::process::id())
    }

    #[test]
    fn a_claim_is_taken_once_seen_and_given_back() {
        let object = unique("claim");
        assert!(look(&object).is_none());
        let take = |text| Claim::take(&object, text, || Ok(true)).unwrap();
        let claim = take("pid=7\nmode=byte\n").unwrap();
        assert!(take("").is_none());
        let view = look(&object).unwrap();
        assert_eq!(
            (view.number("pid"), view.field("mode"), view.field("none")),
            (Some(7), Some("byte"), None)
        );
        assert_eq!(view.owner, Some(UserId::current()));
        drop(claim);
        assert!(look(&object).is_none());
        assert!(take("").is_some());
    }

    #[test]
    fn a_claim_that_is_only_looked_at_does_not_count_as_held() {
        let object = unique("looked");
        let name = wide(&object);
        let take = || Claim::take(&object, "", || Ok(false)).unwrap();
        let claim = take().unwrap();
        // SAFETY: the name ends with NUL; the handle is a new one.
        let looking = unsafe { call::handle(|| OpenFileMappingW(FILE_MAP_READ, 0, name.as_ptr())) };
        drop(claim);
        let letting_go = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(3));
            drop(looking);
        });
        assert!(take().is_some());
        letting_go.join().unwrap();
    }

    #[test]
    fn a_text_that_is_too_long_is_cut() {
        let object = unique("long");
        let _claim = Claim::take(&object, &"x".repeat(2 * SIZE), || Ok(true)).unwrap();
        assert_eq!(look(&object).unwrap().text.len(), SIZE - 1);
    }

    #[test]
    fn another_kind_of_object_in_its_place_is_left_alone() {
        let object = unique("event");
        let mark = Mark::hold(&object).unwrap();
        assert_eq!(
            Claim::take(&object, "", || Ok(false)).unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );
        assert!(look(&object).is_none());
        assert!(Mark::is_held(&object));
        drop(mark);
        assert!(!Mark::is_held(&object));
    }
}
