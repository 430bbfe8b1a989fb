//! Another process, to wait for its end.

use super::wait;
use crate::os::windows::{call, error};
use crate::{Deadline, Error, ErrorKind, Result};
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::process::Child;
use windows_sys::Win32::Foundation::ERROR_INVALID_PARAMETER;
use windows_sys::Win32::Storage::FileSystem::SYNCHRONIZE;
use windows_sys::Win32::System::Threading::{GetProcessId, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION};

/// A process. As long as this is there, no other one gets its number.
#[derive(Debug)]
pub(crate) struct Process {
    process: OwnedHandle,
    pid: u32,
}

impl Process {
    pub(crate) fn open(pid: u32) -> Result<Self> {
        let access = SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION;
        // SAFETY: takes plain values; the handle is a new one.
        let process = unsafe { call::handle(|| OpenProcess(access, 0, pid)) }.map_err(|code| match code {
            ERROR_INVALID_PARAMETER => not_there(pid),
            code => error::of(format!("cannot watch process {pid}"), code),
        })?;
        // The system takes numbers that are not multiples of four for the one below.
        // SAFETY: the process is open.
        if unsafe { GetProcessId(process.as_raw_handle()) } != pid {
            return Err(not_there(pid));
        }
        Ok(Process { process, pid })
    }

    pub(crate) fn of_child(child: &Child) -> Result<Self> {
        let process = child
            .as_handle()
            .try_clone_to_owned()
            .map_err(|error| Error::os("cannot watch the child", error))?;
        Ok(Process {
            process,
            pid: child.id(),
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid
    }

    pub(crate) fn has_ended(&self) -> Result<bool> {
        self.ends_before(Deadline::now())
    }

    pub(crate) fn wait(&self, deadline: Deadline) -> Result<()> {
        if self.ends_before(deadline)? {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::TimedOut,
            format!("process {} did not end before the deadline", self.pid),
        ))
    }

    fn ends_before(&self, deadline: Deadline) -> Result<bool> {
        Ok(wait::until(&[self.process.as_raw_handle()], false, deadline, &[])?.is_some())
    }
}

impl AsHandle for Process {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.process.as_handle()
    }
}

fn not_there(pid: u32) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no process {pid}"))
}
