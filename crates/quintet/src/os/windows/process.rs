//! Who a process is: SID, pid, executable.

use super::{call, error};
use crate::Result;
use std::ffi::OsString;
use std::fmt;
use std::num::NonZero;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::path::PathBuf;
use std::ptr;
use std::sync::OnceLock;
use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::ConvertSidToStringSidW;
use windows_sys::Win32::Security::{
    GetTokenInformation, PSID, SECURITY_MAX_SID_SIZE, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentProcessorNumber, GetCurrentThread, GetProcessAffinityMask, OpenProcess,
    OpenProcessToken, PROCESS_NAME_WIN32, PROCESS_QUERY_LIMITED_INFORMATION, QueryFullProcessImageNameW,
    SetThreadAffinityMask,
};

/// A SID, in its usual notation (`S-1-5-21-…`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UserId(String);

impl UserId {
    /// The user of this process. Should the system not tell, nobody: a SID that no process has, so that nothing is
    /// trusted.
    pub(crate) fn current() -> Self {
        UserId::try_current().unwrap_or_else(|_| UserId("S-1-0-0".into()))
    }

    /// The user of this process.
    pub(super) fn try_current() -> Result<Self> {
        static CURRENT: OnceLock<UserId> = OnceLock::new();
        if let Some(user) = CURRENT.get() {
            return Ok(user.clone());
        }
        // SAFETY: it is the constant that stands for this process, and always valid.
        let process = unsafe { BorrowedHandle::borrow_raw(GetCurrentProcess()) };
        let user = user(process).ok_or_else(|| error::last("cannot ask who we are"))?;
        Ok(CURRENT.get_or_init(|| user).clone())
    }

    pub(super) fn from_sid(sid: String) -> Self {
        UserId(sid)
    }

    /// LocalSystem, whom nothing keeps out.
    pub(crate) fn is_almighty(&self) -> bool {
        self.0 == "S-1-5-18"
    }

    /// Whether this process may trust an object of that user without being told to.
    pub(super) fn is_trusted(&self) -> bool {
        self.is_almighty() || *self == UserId::current()
    }

    /// As `is_trusted`, of an object that says whose it is: what a service or an elevated administrator makes belongs
    /// to the group of administrators, unless they say otherwise.
    pub(super) fn is_trusted_owner(&self) -> bool {
        self.is_trusted() || self.0 == "S-1-5-32-544"
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A process, as far as it is known.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    pub(crate) user: Option<UserId>,
    pub(crate) executable: Option<PathBuf>,
}

impl Identity {
    /// A process known by its number, which the caller knows to be alive (and so not to be reused).
    pub(super) fn of_pid(pid: u32) -> Self {
        Identity::of(pid, open(pid).as_ref())
    }

    /// A process known by its number and, unless we may not open it, a handle.
    pub(super) fn of(pid: u32, process: Option<&OwnedHandle>) -> Self {
        Identity {
            pid,
            user: process.and_then(|process| user(process.as_handle())),
            executable: process.and_then(|process| executable(process.as_handle())),
        }
    }
}

/// Opens a process to ask who it is. As long as the handle is open, no other process gets its number.
pub(super) fn open(pid: u32) -> Option<OwnedHandle> {
    // SAFETY: takes plain values; the handle is a new one.
    unsafe { call::handle(|| OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid)) }.ok()
}

/// The user of a process; `None` when it is not ours to look at.
pub(super) fn user(process: BorrowedHandle<'_>) -> Option<UserId> {
    let mut token = ptr::null_mut();
    // SAFETY: the process is open because it is borrowed; the token's handle is put where we say.
    call::done(|| unsafe { OpenProcessToken(process.as_raw_handle(), TOKEN_QUERY, &mut token) }).ok()?;
    // SAFETY: the system has just made the handle for us, so nothing else owns it.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    const LEN: usize = size_of::<TOKEN_USER>() + SECURITY_MAX_SID_SIZE as usize;
    let mut buffer = [0u64; LEN.div_ceil(size_of::<u64>())];
    let mut len = 0;
    // SAFETY: the token is open; at most the size of the buffer, which is told, is written to it.
    call::done(|| unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            buffer.as_mut_ptr().cast(),
            size_of_val(&buffer) as u32,
            &mut len,
        )
    })
    .ok()?;
    // SAFETY: the call wrote a TOKEN_USER to the beginning of the buffer, which is large and aligned enough for one.
    let user = unsafe { buffer.as_ptr().cast::<TOKEN_USER>().read() };
    // SAFETY: its SID is in the buffer too, which is not touched until after this.
    unsafe { sid_text(user.User.Sid) }.map(UserId)
}

/// The notation of a SID.
///
/// # Safety
/// `sid` points to a valid SID.
pub(super) unsafe fn sid_text(sid: PSID) -> Option<String> {
    let mut text = ptr::null_mut();
    // SAFETY: the SID is valid, as the caller promises; the function puts a text that it allocates where we say.
    if unsafe { ConvertSidToStringSidW(sid, &mut text) } == 0 {
        return None;
    }
    // SAFETY: the text ends with NUL, so all units up to that one are there.
    let units = unsafe {
        let len = (0..).take_while(|at| *text.add(*at) != 0).count();
        std::slice::from_raw_parts(text, len)
    };
    let copy = String::from_utf16(units).ok();
    // SAFETY: the function allocated it for us to free by this, once; `units` is not used any more.
    unsafe { LocalFree(text.cast()) };
    copy
}

/// The file that a process runs; `None` when it has ended or is not ours to look at.
fn executable(process: BorrowedHandle<'_>) -> Option<PathBuf> {
    // The longest path that the system has.
    const MAX: usize = 32_768;
    let mut path = vec![0u16; 512];
    loop {
        let mut len = path.len() as u32;
        // SAFETY: the process is open because it is borrowed; at most `len` units, which is the length of `path`, are
        // written to it.
        let done = call::done(|| unsafe {
            QueryFullProcessImageNameW(
                process.as_raw_handle(),
                PROCESS_NAME_WIN32,
                path.as_mut_ptr(),
                &mut len,
            )
        });
        if done.is_ok() {
            let path = path.get(..len as usize).filter(|path| !path.is_empty())?;
            return Some(OsString::from_wide(path).into());
        }
        if path.len() >= MAX {
            return None;
        }
        path.resize(MAX, 0);
    }
}

/// The number of this process among the forks that lead to it: there are none here.
#[inline]
pub(crate) fn generation() -> u32 {
    0
}

/// How many cores the machine has for whoever may use them.
pub(crate) fn cores() -> usize {
    // On Windows this is the machine's number, not what this process is bound to.
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// The core that this thread is running on; it may be on another one the next moment. (On a machine with more than 64, its number
/// in a group of them.)
pub(crate) fn core() -> usize {
    // SAFETY: it takes nothing, and never fails.
    unsafe { GetCurrentProcessorNumber() as usize }
}

/// Keeps this thread off that core, if there are others that it may run on. (Of a machine with more than 64, these are those of one
/// group.)
pub(crate) fn keep_off(core: usize) {
    let (mut ours, mut all) = (0, 0);
    // SAFETY: the handle stands for this process and is always valid; the pointers are to numbers of ours.
    let known = unsafe { GetProcessAffinityMask(GetCurrentProcess(), &mut ours, &mut all) };
    let bit = u32::try_from(core).ok().and_then(|core| 1usize.checked_shl(core));
    let others = ours & !bit.unwrap_or(0);
    if known != 0 && others != 0 {
        // SAFETY: the handle stands for this thread and is always valid; the rest is a plain number.
        unsafe { SetThreadAffinityMask(GetCurrentThread(), others) };
    }
}

/// Which numbers of processes mean something here: on Windows there is one set of them.
pub(crate) fn pid_space() -> u64 {
    1
}

/// Ends this process at once, with no regard to what its threads are doing.
#[cfg(feature = "test-hooks")]
pub(crate) fn die() -> ! {
    // SAFETY: the handle stands for this process and is always valid.
    unsafe { windows_sys::Win32::System::Threading::TerminateProcess(GetCurrentProcess(), 137) };
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_somebody_and_run_something() {
        let us = Identity::of_pid(std::process::id());
        assert_eq!(us.user, Some(UserId::current()));
        assert!(UserId::current().to_string().starts_with("S-1-5-"));
        assert!(UserId::current().is_trusted());
        assert_eq!(
            us.executable.unwrap().file_name(),
            std::env::current_exe().unwrap().file_name()
        );
    }

    #[test]
    fn a_process_that_is_not_there_is_only_a_number() {
        // Numbers of processes are multiples of four.
        let nobody = Identity::of_pid(0xffff_fff1);
        assert_eq!((nobody.user, nobody.executable), (None, None));
    }

    #[test]
    fn only_local_system_is_almighty() {
        assert!(UserId::from_sid("S-1-5-18".into()).is_almighty());
        assert!(!UserId::from_sid("S-1-5-32-544".into()).is_almighty());
        assert!(!UserId::from_sid("S-1-0-0".into()).is_trusted());
    }
}
