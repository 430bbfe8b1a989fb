//! What only the native interface tells of kernel objects: their state, without waiting for them.
//!
//! `NtQuerySemaphore`, `NtQueryMutant`, `NtQueryEvent`, `NtQuerySection` and `NtResumeProcess` are exported by every `ntdll.dll` there has
//! been since Windows NT 4 (the last since XP), though the documentation of Win32 does not have them. What they take and
//! return is as System Informer's headers (phnt, `ntexapi.h` and `ntpsapi.h`) have it.

use super::call::{self, Code};
use std::ffi::c_void;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::ptr;
use windows_sys::Win32::Foundation::{HANDLE, NTSTATUS, RtlNtStatusToDosError};
use windows_sys::Win32::System::Memory::{SEC_FILE, SEC_IMAGE};

#[cfg_attr(
    target_arch = "x86",
    link(name = "ntdll", kind = "raw-dylib", import_name_type = "undecorated")
)]
#[cfg_attr(not(target_arch = "x86"), link(name = "ntdll", kind = "raw-dylib"))]
unsafe extern "system" {
    fn NtQuerySemaphore(handle: HANDLE, class: i32, to: *mut c_void, size: u32, len: *mut u32) -> NTSTATUS;
    fn NtQueryMutant(handle: HANDLE, class: i32, to: *mut c_void, size: u32, len: *mut u32) -> NTSTATUS;
    fn NtQueryEvent(handle: HANDLE, class: i32, to: *mut c_void, size: u32, len: *mut u32) -> NTSTATUS;
    fn NtQuerySection(handle: HANDLE, class: i32, to: *mut c_void, size: usize, len: *mut usize) -> NTSTATUS;
    fn NtResumeProcess(process: HANDLE) -> NTSTATUS;
}

/// A function of those above.
type Query = unsafe extern "system" fn(HANDLE, i32, *mut c_void, u32, *mut u32) -> NTSTATUS;

/// The basic information that every kind has.
const BASIC: i32 = 0;
/// Of a mutex: the thread that owns it.
const OWNER: i32 = 1;

/// What is written where the caller says; any bytes will do for it.
///
/// # Safety
/// It is made of integers only.
unsafe trait Information: Default {}

/// `SEMAPHORE_BASIC_INFORMATION`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SemaphoreState {
    pub(super) count: i32,
    pub(super) maximum: i32,
}

/// `MUTANT_BASIC_INFORMATION`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MutexState {
    /// 1: nobody has it; 0 and less: how often its owner has locked it beyond once, negated.
    pub(super) count: i32,
    owned_by_caller: u8,
    abandoned: u8,
}

impl MutexState {
    pub(super) fn is_locked(self) -> bool {
        self.count <= 0
    }

    /// Whether the next release by this thread frees it.
    pub(super) fn is_locked_once_by_us(self) -> bool {
        self.owned_by_caller != 0 && self.count == 0
    }
}

/// `EVENT_BASIC_INFORMATION`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EventState {
    kind: i32,
    state: i32,
}

impl EventState {
    /// A `NotificationEvent`; the other one is a `SynchronizationEvent`.
    pub(super) fn is_manual(self) -> bool {
        self.kind == 0
    }

    pub(super) fn is_set(self) -> bool {
        self.state != 0
    }
}

/// `SECTION_BASIC_INFORMATION`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SectionState {
    base: usize,
    attributes: u32,
    size: i64,
}

impl SectionState {
    /// How many bytes there are to map: of a file as many as it has, else whole pages.
    pub(super) fn size(self) -> u64 {
        // On all processors that Windows runs on.
        const PAGE: u64 = 4096;
        let size = self.size.unsigned_abs();
        if self.is_of_file() {
            size
        } else {
            size.next_multiple_of(PAGE)
        }
    }

    /// Whether its bytes are those of a file.
    pub(super) fn is_of_file(self) -> bool {
        self.attributes & (SEC_FILE | SEC_IMAGE) != 0
    }
}

/// `MUTANT_OWNER_INFORMATION`: a `CLIENT_ID`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct MutexOwner {
    process: usize,
    thread: usize,
}

// SAFETY: two integers.
unsafe impl Information for SemaphoreState {}
// SAFETY: three integers.
unsafe impl Information for MutexState {}
// SAFETY: two integers.
unsafe impl Information for EventState {}
// SAFETY: two integers.
unsafe impl Information for MutexOwner {}

pub(super) fn semaphore(semaphore: BorrowedHandle<'_>) -> Result<SemaphoreState, Code> {
    // SAFETY: this is what the function returns for that class.
    unsafe { query(NtQuerySemaphore, semaphore, BASIC) }
}

pub(super) fn mutex(mutex: BorrowedHandle<'_>) -> Result<MutexState, Code> {
    // SAFETY: this is what the function returns for that class.
    unsafe { query(NtQueryMutant, mutex, BASIC) }
}

pub(super) fn event(event: BorrowedHandle<'_>) -> Result<EventState, Code> {
    // SAFETY: this is what the function returns for that class.
    unsafe { query(NtQueryEvent, event, BASIC) }
}

/// Fails for what is no section, and for a number that is no handle at all.
pub(super) fn section(section: HANDLE) -> Result<SectionState, Code> {
    let mut answer = SectionState::default();
    call::code(|| {
        // SAFETY: whatever the number is of, the function only asks for it and, if it is a section, writes at most the size
        // that it is told, to `answer`, which has that size and takes any bytes. It says how much where we say null.
        code_of(unsafe {
            NtQuerySection(
                section,
                BASIC,
                ptr::from_mut(&mut answer).cast(),
                size_of::<SectionState>(),
                ptr::null_mut(),
            )
        })
    })?;
    Ok(answer)
}

/// The process that owns a mutex; `None` where the system does not tell (Wine 8), or there is none.
pub(super) fn owner(mutex: BorrowedHandle<'_>) -> Option<u32> {
    // SAFETY: this is what the function returns for that class.
    let owner: MutexOwner = unsafe { query(NtQueryMutant, mutex, OWNER) }.ok()?;
    u32::try_from(owner.process).ok().filter(|pid| *pid != 0)
}

/// Lets a process that was started suspended run.
pub(super) fn resume(process: BorrowedHandle<'_>) -> Result<(), Code> {
    // SAFETY: the process is open because it is borrowed.
    call::code(|| code_of(unsafe { NtResumeProcess(process.as_raw_handle()) }))
}

/// # Safety
/// For this class the function writes a `T`.
unsafe fn query<T: Information>(query: Query, object: BorrowedHandle<'_>, class: i32) -> Result<T, Code> {
    let mut answer = T::default();
    call::code(|| {
        // SAFETY: the object is open because it is borrowed; the function writes at most the size that it is told, to
        // `answer`, which has that size and takes any bytes. It says how much where we say null.
        code_of(unsafe {
            query(
                object.as_raw_handle(),
                class,
                ptr::from_mut(&mut answer).cast(),
                size_of::<T>() as u32,
                ptr::null_mut(),
            )
        })
    })?;
    Ok(answer)
}

/// 0 for success.
fn code_of(status: NTSTATUS) -> Code {
    if status >= 0 {
        return 0;
    }
    // SAFETY: takes a plain value.
    unsafe { RtlNtStatusToDosError(status) }
}
