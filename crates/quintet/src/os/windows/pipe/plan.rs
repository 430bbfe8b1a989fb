//! Making a pipe, and instances of it.

use super::{connect, kernel, path};
use crate::os::pipe_types::{Direction, PipeMode, ServerOptions};
#[cfg(feature = "socket")]
use crate::os::types::Access;
use crate::os::windows::call::{self, Code};
use crate::os::windows::error;
use crate::os::windows::security::{self, Descriptor};
use crate::{Error, Name, Result};
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::time::Duration;
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_PIPE_BUSY};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX, PIPE_ACCESS_INBOUND,
    PIPE_ACCESS_OUTBOUND, WRITE_DAC,
};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, PIPE_READMODE_BYTE, PIPE_READMODE_MESSAGE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE,
    PIPE_TYPE_MESSAGE, PIPE_UNLIMITED_INSTANCES, PIPE_WAIT,
};

/// What the kernel buffers in each direction unless told.
pub(super) const BUFFER: u32 = 64 * 1024;

/// How the instances of a pipe are made.
#[derive(Debug)]
pub(in crate::os::windows) struct Plan {
    path: Vec<u16>,
    access: u32,
    mode: u32,
    in_buffer: u32,
    pub(super) out_buffer: u32,
    security: Descriptor,
}

impl Plan {
    pub(super) fn new(name: &Name, options: &ServerOptions) -> Result<Self> {
        Ok(Plan {
            path: path::of(name),
            access: match options.direction {
                Direction::In => PIPE_ACCESS_INBOUND,
                Direction::Out => PIPE_ACCESS_OUTBOUND,
                Direction::InOut => PIPE_ACCESS_DUPLEX,
            },
            mode: match options.mode {
                PipeMode::Byte => PIPE_TYPE_BYTE | PIPE_READMODE_BYTE,
                PipeMode::Message => PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE,
            },
            in_buffer: options.in_buffer.unwrap_or(BUFFER),
            out_buffer: options.out_buffer.unwrap_or(BUFFER),
            security: Descriptor::of_pipe(options.access)?,
        })
    }

    /// A pipe at that path for the sockets of patterns, which frame their messages themselves.
    #[cfg(feature = "socket")]
    pub(in crate::os::windows) fn of_socket(path: Vec<u16>, access: Access) -> Result<Self> {
        Ok(Plan {
            path,
            access: PIPE_ACCESS_DUPLEX,
            mode: PIPE_TYPE_BYTE | PIPE_READMODE_BYTE,
            in_buffer: BUFFER,
            out_buffer: BUFFER,
            security: Descriptor::of_pipe(access)?,
        })
    }

    /// Makes another instance of the pipe that there is.
    pub(in crate::os::windows) fn make_another(&self) -> Result<OwnedHandle> {
        self.make(0)
            .map_err(|code| error::of("cannot create an instance of the pipe", code))
    }

    /// Makes the pipe again that has lost its last instance; it may be another's by now.
    pub(super) fn make_again(&self) -> Result<OwnedHandle> {
        self.make(FILE_FLAG_FIRST_PIPE_INSTANCE)
            .map_err(|code| match code {
                ERROR_ACCESS_DENIED | ERROR_PIPE_BUSY => taken(),
                code => error::of("cannot create the pipe", code),
            })
    }

    /// Makes one instance, or says the number of the error. `flags` go with the access.
    fn make(&self, flags: u32) -> std::result::Result<OwnedHandle, Code> {
        // SAFETY: the path ends with NUL, and the attributes point into `self.security`, which lives across the call;
        // the handle is a new one.
        unsafe {
            call::handle(|| {
                CreateNamedPipeW(
                    self.path.as_ptr(),
                    self.access | FILE_FLAG_OVERLAPPED | flags,
                    self.mode | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
                    PIPE_UNLIMITED_INSTANCES,
                    self.out_buffer,
                    self.in_buffer,
                    0,
                    &self.security.attributes(),
                )
            })
        }
    }

    /// Makes the first instance of a new pipe. We have the claim, so no server of Quintet's in this session lives.
    /// `is_left_over` says whether what is there is known to be what such a server left.
    pub(in crate::os::windows) fn make_first(&self, is_left_over: impl Fn() -> bool) -> Result<OwnedHandle> {
        let found = path::wait(&self.path, Duration::ZERO)?;
        match found {
            path::There::Free => return Err(taken()),
            path::There::Busy if !is_left_over() && !self.is_only_clients() => return Err(taken()),
            path::There::Busy => return self.join(),
            path::There::Nothing => {}
        }
        match self.make(FILE_FLAG_FIRST_PIPE_INSTANCE) {
            Ok(pipe) => Ok(pipe),
            Err(ERROR_ACCESS_DENIED | ERROR_PIPE_BUSY) if self.is_only_clients() => self.join(),
            Err(ERROR_ACCESS_DENIED | ERROR_PIPE_BUSY) => Err(taken()),
            Err(code) => Err(error::of("cannot create the pipe", code)),
        }
    }

    /// Whether a pipe that is there has no server any more, only clients that have not noticed yet. (If an instance
    /// should have become free since we looked, this connects to it for an instant.)
    fn is_only_clients(&self) -> bool {
        connect::is_without_server(&self.path)
    }

    /// Makes another instance of what is left of an ended server's pipe, and makes the pipe ours, as far as its first
    /// instance allows.
    fn join(&self) -> Result<OwnedHandle> {
        let fixed = |what| {
            path::busy(what).hint(
                "streams of its last server are still open: drop them, or create the server as that one was",
            )
        };
        let pipe = self.make(WRITE_DAC).map_err(|code| match code {
            ERROR_ACCESS_DENIED => fixed("what is left of another server has this name"),
            _ => error::of("cannot create the pipe", code),
        })?;
        if security::owner(pipe.as_handle()).is_some_and(|owner| !owner.is_trusted_owner()) {
            return Err(taken());
        }
        let info = kernel::info(pipe.as_handle());
        if info.is_ok_and(|info| info.kind != self.mode & PIPE_TYPE_MESSAGE) {
            return Err(fixed("what is left of a server with another mode has this name"));
        }
        self.security.apply(pipe.as_handle())?;
        Ok(pipe)
    }
}

fn taken() -> Error {
    path::busy("another server has this name")
}
