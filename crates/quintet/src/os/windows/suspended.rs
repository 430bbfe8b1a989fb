//! Children that have something before they run.
//!
//! A handle that a child inherits is inherited by whatever other child another thread starts at that moment, and would be
//! held there for as long as that one lives. So the child is started suspended, is given copies of the handles, which no
//! other child gets and its own children do not inherit, and is then let run. Until then it is in a job that ends it should
//! this process die meanwhile.
//!
//! Between the system's call that starts the child and the one that puts it into the job the death of this process leaves a
//! child that never runs and holds nothing of ours.

use super::call::{self, Code};
use super::{error, nt};
use crate::os::step;
use crate::{Error, Result};
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::{Child, Command};
use std::ptr;
use windows_sys::Win32::Foundation::{DUPLICATE_SAME_ACCESS, DuplicateHandle};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT, JOB_OBJECT_LIMIT_BREAKAWAY_OK,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject,
};
use windows_sys::Win32::System::Threading::{CREATE_SUSPENDED, GetCurrentProcess};

/// Starts a child that has what `give` gives to it before it runs. The command's own creation flags, if it had some, are
/// lost.
pub(super) fn spawn(
    command: &mut Command,
    give: impl FnOnce(BorrowedHandle<'_>) -> Result<()>,
) -> Result<Child> {
    let (child, job) = spawn_in_job(command, give)?;
    match job.let_go() {
        Ok(()) => Ok(child),
        Err(code) => {
            // Closing the job ends it.
            drop(job);
            end(child);
            Err(error::of("cannot let the child outlive this process", code))
        }
    }
}

/// As `spawn`; the child, and its children, end when the job is dropped.
pub(super) fn spawn_in_job(
    command: &mut Command,
    give: impl FnOnce(BorrowedHandle<'_>) -> Result<()>,
) -> Result<(Child, Job)> {
    let job = Job::new()?;
    // The death of this process in between would leave a suspended child, so for the tests these are one call.
    command.creation_flags(CREATE_SUSPENDED);
    let started = step::call(|| {
        let child = command.spawn()?;
        match job.add(child.as_handle()) {
            Ok(()) => Ok(child),
            Err(error) => {
                end(child);
                Err(error)
            }
        }
    });
    command.creation_flags(0);
    let child = started.map_err(|error| {
        Error::os("cannot start it", error).about(command.get_program().to_string_lossy())
    })?;
    let ready = give(child.as_handle()).and_then(|()| {
        nt::resume(child.as_handle()).map_err(|code| error::of("cannot let the child run", code))
    });
    match ready {
        Ok(()) => Ok((child, job)),
        Err(error) => {
            end(child);
            Err(error)
        }
    }
}

/// Ends a child that was not to be.
fn end(mut child: Child) {
    // If it has ended by itself, that is as good.
    let _ = child.kill();
    let _ = child.wait();
}

/// Gives a copy of a handle to another process, which has it until it ends. Its children do not inherit it.
pub(super) fn give(handle: BorrowedHandle<'_>, process: BorrowedHandle<'_>) -> Result<()> {
    let mut copy = ptr::null_mut();
    // SAFETY: both handles are open because they are borrowed; the number that the copy has in the other process is put
    // where we say, and means nothing here.
    call::done(|| unsafe {
        DuplicateHandle(
            GetCurrentProcess(),
            handle.as_raw_handle(),
            process.as_raw_handle(),
            &mut copy,
            0,
            0,
            DUPLICATE_SAME_ACCESS,
        )
    })
    .map_err(|code| error::of("cannot give the child what it is to hold", code))
}

/// Processes that end when this is dropped, also by the death of this process.
#[derive(Debug)]
pub(super) struct Job(OwnedHandle);

impl Job {
    fn new() -> Result<Self> {
        let failed = |code| error::of("cannot make a job for the child", code);
        // SAFETY: no security attributes and no name are allowed; the handle is a new one.
        let job = unsafe { call::handle(|| CreateJobObjectW(ptr::null(), ptr::null())) }.map_err(failed)?;
        let job = Job(job);
        // Whoever asks for it may still start processes that are on their own.
        job.limit(JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_BREAKAWAY_OK)
            .map_err(failed)?;
        Ok(job)
    }

    fn limit(&self, flags: JOB_OBJECT_LIMIT) -> std::result::Result<(), Code> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = flags;
        // SAFETY: the job is open; what is read has the type that this class has, and the size that is told.
        call::done(|| unsafe {
            SetInformationJobObject(
                self.0.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                ptr::from_ref(&limits).cast(),
                size_of_val(&limits) as u32,
            )
        })
    }

    fn add(&self, process: BorrowedHandle<'_>) -> io::Result<()> {
        // SAFETY: both handles are open because they are borrowed.
        match unsafe { AssignProcessToJobObject(self.0.as_raw_handle(), process.as_raw_handle()) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// From now on its processes go on when it is dropped.
    fn let_go(&self) -> std::result::Result<(), Code> {
        self.limit(JOB_OBJECT_LIMIT_BREAKAWAY_OK)
    }
}
