//! The kernel objects that have names: a list of them.

use super::wide;
use crate::Scope;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem::{NtOpenDirectoryObject, NtQueryDirectoryObject};
use windows_sys::Win32::Foundation::{OBJ_CASE_INSENSITIVE, UNICODE_STRING};
use windows_sys::Win32::System::RemoteDesktop::ProcessIdToSessionId;

/// The right to list a folder of objects (`DIRECTORY_QUERY`).
const QUERY: u32 = 1;

/// Most bytes that one entry takes: two texts of at most 64 KiB each.
const ENTRY: usize = 2 * 65_536 + 64;

/// A kernel object that has a name.
#[derive(Debug)]
pub(super) struct Listed {
    /// Without its folder.
    pub(super) name: String,
    /// `Semaphore`, `Mutant`, `Event`, `Section` …
    pub(super) kind: String,
}

/// What is in the folder that `Local\` or `Global\` stands for; nothing where it cannot be read.
///
/// Win32 has no function for it, so these are system calls.
pub(super) fn list(scope: Scope) -> Vec<Listed> {
    let shared = || open(r"\BaseNamedObjects");
    let session = session();
    let own = open(&format!(r"\Sessions\{session}\BaseNamedObjects"));
    // The session of the services has no folder of its own: there both mean the one for all, and are listed once.
    let is_one = session == 0 && own.is_none();
    let folder = match scope {
        Scope::Local if is_one => shared(),
        Scope::Local => own,
        Scope::Global if is_one => None,
        Scope::Global => shared(),
    };
    let Some(folder) = folder else {
        return Vec::new();
    };
    let mut buffer = vec![0u64; ENTRY.div_ceil(size_of::<u64>())];
    let mut context = 0;
    let mut listed = Vec::new();
    loop {
        // SAFETY: the folder is open; one entry, of at most the size that is told, is written to the buffer.
        let status = unsafe {
            NtQueryDirectoryObject(
                folder.as_raw_handle(),
                buffer.as_mut_ptr().cast(),
                ENTRY as u32,
                true,
                false,
                &mut context,
                ptr::null_mut(),
            )
        };
        // At the end it is a warning, STATUS_NO_MORE_ENTRIES.
        if status != 0 {
            return listed;
        }
        // SAFETY: the call wrote an entry to the beginning of the buffer, which is large and aligned enough: the name,
        // then the type.
        let [name, kind] = unsafe { buffer.as_ptr().cast::<[UNICODE_STRING; 2]>().read() };
        // SAFETY: both texts are in the buffer too, which is not touched until after this.
        if let (Some(name), Some(kind)) = unsafe { (text(&name), text(&kind)) } {
            listed.push(Listed { name, kind });
        }
    }
}

/// The session of this process.
fn session() -> u32 {
    let mut session = 0;
    // SAFETY: the number is put where we say. If the system does not tell, it stays that of the services.
    unsafe { ProcessIdToSessionId(std::process::id(), &mut session) };
    session
}

/// `None` for what is not Unicode.
///
/// # Safety
/// The text that it points to is there, or it points nowhere.
unsafe fn text(text: &UNICODE_STRING) -> Option<String> {
    if text.Buffer.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    let units = unsafe { std::slice::from_raw_parts(text.Buffer, usize::from(text.Length) / 2) };
    String::from_utf16(units).ok()
}

fn open(path: &str) -> Option<OwnedHandle> {
    let mut path = wide(path);
    let bytes = (path.len() - 1) * 2;
    let name = UNICODE_STRING {
        Length: u16::try_from(bytes).ok()?,
        MaximumLength: u16::try_from(bytes + 2).ok()?,
        Buffer: path.as_mut_ptr(),
    };
    let attributes = OBJECT_ATTRIBUTES {
        Length: size_of::<OBJECT_ATTRIBUTES>() as u32,
        ObjectName: &name,
        Attributes: OBJ_CASE_INSENSITIVE,
        ..OBJECT_ATTRIBUTES::default()
    };
    let mut folder = ptr::null_mut();
    // SAFETY: the attributes and what they point to live across the call; the handle is put where we say.
    let status = unsafe { NtOpenDirectoryObject(&mut folder, QUERY, &attributes) };
    // SAFETY: on success the system has just made the handle for us, so nothing else owns it.
    (status == 0).then(|| unsafe { OwnedHandle::from_raw_handle(folder) })
}
