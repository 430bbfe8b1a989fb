//! Who may do what with an object, and whose it is.

use super::call::{self, Code};
use super::process::{UserId, sid_text};
use super::{error, wide};
use crate::Result;
use crate::os::types::Access;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::ptr;
use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1, SE_KERNEL_OBJECT,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetSecurityDescriptorLength, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR,
    PSID, SECURITY_ATTRIBUTES, SetKernelObjectSecurity,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_CREATE_PIPE_INSTANCE, FILE_GENERIC_READ, FILE_GENERIC_WRITE, READ_CONTROL, SYNCHRONIZE,
};
use windows_sys::Win32::System::Memory::{SECTION_MAP_READ, SECTION_MAP_WRITE, SECTION_QUERY};

/// What everybody may do with a pipe that is open to everyone: read, write, set how to read; not serve it.
const READ_AND_WRITE: u32 = (FILE_GENERIC_READ | FILE_GENERIC_WRITE) & !FILE_CREATE_PIPE_INSTANCE;

/// What everybody may do with a semaphore, a mutex or an event that is open to everyone: wait, and what they are for; not
/// delete it nor say who else may. `*_QUERY_STATE` is 1 for all three, `SEMAPHORE_MODIFY_STATE` and `EVENT_MODIFY_STATE`
/// are 2; to release a mutex, owning it is enough.
pub(super) const WAIT_AND_SIGNAL: u32 = SYNCHRONIZE | READ_CONTROL | 2 | 1;

/// As above, of a section: map it, for writing too.
const MAP_TO_WRITE: u32 = READ_CONTROL | SECTION_QUERY | SECTION_MAP_READ | SECTION_MAP_WRITE;

/// And not for writing.
const MAP_TO_READ: u32 = READ_CONTROL | SECTION_QUERY | SECTION_MAP_READ;

/// A security descriptor: what an object is created with.
#[derive(Debug)]
pub(super) struct Descriptor(Box<[u64]>);

impl Descriptor {
    /// For our own user only, and the system itself, which could not be kept out.
    pub(super) fn private() -> Result<Self> {
        Descriptor::parse(&sddl(&UserId::try_current()?, Access::CurrentUser, 0))
    }

    /// For a pipe that lets in whom `access` says.
    pub(super) fn of_pipe(access: Access) -> Result<Self> {
        Descriptor::parse(&sddl(&UserId::try_current()?, access, READ_AND_WRITE))
    }

    /// For a semaphore, mutex or event that lets in whom `access` says.
    pub(super) fn of_object(access: Access) -> Result<Self> {
        Descriptor::parse(&sddl(&UserId::try_current()?, access, WAIT_AND_SIGNAL))
    }

    /// For a section that lets in whom `access` says.
    pub(super) fn of_section(access: Access) -> Result<Self> {
        Descriptor::parse(&sddl(&UserId::try_current()?, access, MAP_TO_WRITE))
    }

    /// For a section that whom `readers` says may map, and whom `writers` says for writing too.
    pub(super) fn of_data(readers: Access, writers: Access) -> Result<Self> {
        let rights = match writers {
            Access::CurrentUser => MAP_TO_READ,
            Access::Everyone => MAP_TO_WRITE,
        };
        Descriptor::parse(&sddl(&UserId::try_current()?, readers, rights))
    }

    fn parse(sddl: &str) -> Result<Self> {
        let text = wide(sddl);
        let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
        // SAFETY: the text ends with NUL; the function puts a descriptor that it allocates where we say.
        call::done(|| unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &mut descriptor,
                ptr::null_mut(),
            )
        })
        .map_err(|code| error::of(format!("cannot make the security descriptor {sddl}"), code))?;
        // SAFETY: it is the descriptor that was just made.
        let len = unsafe { GetSecurityDescriptorLength(descriptor) } as usize;
        let mut copy = vec![0u64; len.div_ceil(size_of::<u64>())];
        // SAFETY: the descriptor is self-relative, as this function makes them, so its `len` bytes are all of it, and
        // it may be moved; `copy` has room for them and is aligned more strictly than anything in it. It is freed once,
        // by the function that the documentation names, and not used afterwards.
        unsafe {
            ptr::copy_nonoverlapping(descriptor.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), len);
            LocalFree(descriptor);
        }
        Ok(Descriptor(copy.into_boxed_slice()))
    }

    /// To create an object with, whose handle no child process inherits. Points into `self`.
    pub(super) fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: self.0.as_ptr().cast_mut().cast(),
            bInheritHandle: 0,
        }
    }

    /// Makes the rights on an object that exists those of this descriptor.
    pub(super) fn apply(&self, object: BorrowedHandle<'_>) -> Result<()> {
        // SAFETY: the handle is open because it is borrowed; the descriptor is whole and only read.
        call::done(|| unsafe {
            SetKernelObjectSecurity(
                object.as_raw_handle(),
                DACL_SECURITY_INFORMATION,
                self.0.as_ptr().cast_mut().cast(),
            )
        })
        .map_err(|code| error::of("cannot set who may use it", code))
    }
}

/// The descriptor in the system's own notation: the owner (O:), then a list (D:) that inherits nothing (P) of who is
/// allowed (A) what: everything (GA) to the user and to the system (SY), and the rest of the world (WD), at most, these
/// rights.
fn sddl(user: &UserId, access: Access, rights: u32) -> String {
    let world = match access {
        Access::CurrentUser => String::new(),
        Access::Everyone => format!("(A;;{rights:#x};;;WD)"),
    };
    format!("O:{user}D:P(A;;GA;;;{user})(A;;GA;;;SY){world}")
}

/// Whose an object is; `None` where the system does not tell. Nobody can make an object that is another user's.
pub(super) fn owner(object: BorrowedHandle<'_>) -> Option<UserId> {
    try_owner(object).ok().flatten()
}

/// As `owner`, where it matters whether the question failed. Windows gives every object an owner; Wine leaves one that was
/// made without a descriptor without, and then it is `None`.
pub(super) fn try_owner(object: BorrowedHandle<'_>) -> std::result::Result<Option<UserId>, Code> {
    let mut sid: PSID = ptr::null_mut();
    let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
    // SAFETY: the handle is open because it is borrowed; the function puts a descriptor that it allocates, and a
    // pointer into it, where we say, and nothing where we say null.
    call::code(|| unsafe {
        GetSecurityInfo(
            object.as_raw_handle(),
            SE_KERNEL_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &mut sid,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &mut descriptor,
        )
    })?;
    // SAFETY: null, or a SID in the descriptor, which is there until it is freed below.
    let owner = (!sid.is_null()).then(|| unsafe { sid_text(sid) });
    // SAFETY: the function allocated it for us to free by this; nothing points into it any more. Null is allowed.
    unsafe { LocalFree(descriptor) };
    Ok(owner.flatten().map(UserId::from_sid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_object_is_for_its_user_and_the_system() {
        let user = UserId::from_sid("S-1-5-21-1-2-3-1001".into());
        assert_eq!(
            sddl(&user, Access::CurrentUser, READ_AND_WRITE),
            "O:S-1-5-21-1-2-3-1001D:P(A;;GA;;;S-1-5-21-1-2-3-1001)(A;;GA;;;SY)"
        );
    }

    #[test]
    fn everyone_may_talk_but_not_serve() {
        let user = UserId::from_sid("S-1-5-18".into());
        assert!(sddl(&user, Access::Everyone, READ_AND_WRITE).ends_with("(A;;0x12019b;;;WD)"));
        assert_eq!(READ_AND_WRITE & FILE_CREATE_PIPE_INSTANCE, 0);
    }

    #[test]
    fn the_system_understands_both() {
        for access in [Access::CurrentUser, Access::Everyone] {
            for make in [Descriptor::of_pipe, Descriptor::of_object, Descriptor::of_section] {
                // Revision 1, in the first byte.
                assert_eq!(make(access).unwrap().0[0] as u8, 1);
            }
            for writers in [Access::CurrentUser, Access::Everyone] {
                assert_eq!(Descriptor::of_data(access, writers).unwrap().0[0] as u8, 1);
            }
        }
        assert!(Descriptor::parse("nonsense").is_err());
    }
}
