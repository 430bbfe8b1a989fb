//! The kernel objects of this session, by name.

use crate::os::windows::wide;
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

/// The names in the folder that `Local\` stands for; none where it cannot be read.
///
/// Win32 has no function for it, so these are system calls. They are asked only where pipes cannot be listed (on Wine).
pub(super) fn names() -> Vec<String> {
    let mut session = 0;
    // SAFETY: the number is put where we say.
    unsafe { ProcessIdToSessionId(std::process::id(), &mut session) };
    let Some(folder) = open(&format!(r"\Sessions\{session}\BaseNamedObjects")) else {
        return Vec::new();
    };
    let mut buffer = vec![0u64; ENTRY.div_ceil(size_of::<u64>())];
    let mut context = 0;
    let mut names = Vec::new();
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
            return names;
        }
        // SAFETY: the call wrote an entry to the beginning of the buffer, which is large and aligned enough: the name,
        // then the type.
        let name = unsafe { buffer.as_ptr().cast::<UNICODE_STRING>().read() };
        if name.Buffer.is_null() {
            continue;
        }
        // SAFETY: the text that it points to is in the buffer too, which is not touched until after this.
        let units = unsafe { std::slice::from_raw_parts(name.Buffer, usize::from(name.Length) / 2) };
        names.extend(String::from_utf16(units));
    }
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
