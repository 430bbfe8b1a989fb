//! Connecting to a server.

use super::connection::{Connection, Terms};
use super::instances::PipeEnd;
use super::kernel;
use super::path::{self, There};
use crate::os::pipe_types::{ClientOptions, Direction, NotYet, PipeMode};
use crate::os::types::Access;
use crate::os::windows::call::{self, Code};
use crate::os::windows::claim;
use crate::os::windows::peer::{End, Peer};
use crate::os::windows::{error, security};
use crate::wait;
use crate::{Deadline, Error, ErrorKind, Name, Result};
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::ptr;
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND, ERROR_PIPE_BUSY,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_CREATE_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_GENERIC_READ, FILE_GENERIC_WRITE,
    FILE_READ_ATTRIBUTES, FILE_WRITE_ATTRIBUTES, OPEN_EXISTING, SECURITY_IDENTIFICATION,
    SECURITY_SQOS_PRESENT,
};
use windows_sys::Win32::System::Pipes::{
    PIPE_READMODE_MESSAGE, PIPE_TYPE_MESSAGE, PIPE_WAIT, SetNamedPipeHandleState,
};

/// Connects to a server, waiting for one to appear or to have a free instance.
pub(crate) fn connect(name: &Name, options: &ClientOptions, deadline: Deadline) -> Result<Connection> {
    let path = path::of(name);
    // While there is no server nothing can be slept on, so look again after a time that grows from 1 to 20 ms.
    let mut pause = Duration::from_millis(1);
    loop {
        let mut why = match attempt(&path, options)? {
            Ok(connection) => return Ok(connection),
            Err(why) => why,
        };
        if deadline.has_passed() {
            if matches!(why, NotYet::Busy)
                && path::is_left_over(name)
                && claim::look(&path::claim(name)).is_none()
            {
                why = NotYet::NoServer;
            }
            return Err(why.into_error(deadline.is_try()));
        }
        match why {
            NotYet::NoServer => {
                std::thread::sleep(deadline.slice(pause));
                pause = (pause * 2).min(Duration::from_millis(20));
            }
            // In slices: who waits for instances of a server is not told when the server ends and another one comes.
            // What goes wrong here is told by the next attempt.
            NotYet::Busy => match path::wait(&path, deadline.slice(wait::SLICE)) {
                Ok(There::Free | There::Busy) => {}
                Ok(There::Nothing) | Err(_) => std::thread::sleep(Duration::from_millis(1)),
            },
        }
    }
}

fn attempt(path: &[u16], options: &ClientOptions) -> Result<std::result::Result<Connection, NotYet>> {
    let pipe = match open_for(path, options.direction) {
        Ok(pipe) => pipe,
        Err(ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND) => return Ok(Err(NotYet::NoServer)),
        Err(ERROR_PIPE_BUSY) => return Ok(Err(NotYet::Busy)),
        Err(code) => {
            let error = error::of("cannot connect", code);
            return Err(if code == ERROR_ACCESS_DENIED {
                error.hint(
                    "the server lets in only its own user (it can be created with access everyone), or its direction \
                     does not fit: what is out there is in here",
                )
            } else {
                error
            });
        }
    };
    let peer = Peer::of(pipe.as_handle(), End::Client);
    check_server(pipe.as_handle(), &peer, options.access)?;
    let info = kernel::info(pipe.as_handle())
        .map_err(|code| error::of("cannot ask what kind of pipe it is", code))?;
    let mode = if info.kind == PIPE_TYPE_MESSAGE {
        PipeMode::Message
    } else {
        PipeMode::Byte
    };
    if mode == PipeMode::Byte && options.mode == Some(PipeMode::Message) {
        return Err(
            Error::new(ErrorKind::Unsupported, "the server's pipe is in byte mode")
                .hint("connect without a mode to follow the server's"),
        );
    }
    let bounded = mode == PipeMode::Message && options.mode != Some(PipeMode::Byte);
    if bounded && options.direction.reads() {
        read_messages(pipe.as_handle())?;
    }
    let terms = Terms {
        mode,
        bounded,
        direction: options.direction,
        max_message: options.max_message,
        quota: info.quota,
    };
    Connection::new(PipeEnd::client(pipe), peer, &terms).map(Ok)
}

/// Opens a client's end that reads and writes.
#[cfg(feature = "socket")]
pub(in crate::os::windows) fn open_both_ways(path: &[u16]) -> std::result::Result<OwnedHandle, Code> {
    open_for(path, Direction::InOut)
}

/// Opens the client's end, or says the number of the error.
fn open_for(path: &[u16], direction: Direction) -> std::result::Result<OwnedHandle, Code> {
    // The right to make instances is a server's, and not in what servers give to others; the others' rights are asked
    // for one by one since the general right to write contains it. Choosing how to read takes a right to write, even in
    // an end that only reads.
    const WRITE: u32 = FILE_GENERIC_WRITE & !FILE_CREATE_PIPE_INSTANCE;
    match direction {
        Direction::InOut => open(path, FILE_GENERIC_READ | WRITE),
        Direction::Out => open(path, WRITE | FILE_READ_ATTRIBUTES),
        Direction::In => match open(path, FILE_GENERIC_READ | FILE_WRITE_ATTRIBUTES) {
            // A server of another program may let others read and do nothing else.
            Err(ERROR_ACCESS_DENIED) => open(path, FILE_GENERIC_READ),
            opened => opened,
        },
    }
}

fn open(path: &[u16], access: u32) -> std::result::Result<OwnedHandle, Code> {
    // The server may learn who we are and not act as us.
    let flags = FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;
    // SAFETY: the path ends with NUL; no security attributes and no template are allowed; the handle is a new one.
    unsafe {
        call::handle(|| {
            CreateFileW(
                path.as_ptr(),
                access,
                0,
                ptr::null(),
                OPEN_EXISTING,
                flags,
                ptr::null_mut(),
            )
        })
    }
}

/// Whether a pipe that is there has no server any more.
pub(super) fn is_without_server(path: &[u16]) -> bool {
    matches!(open(path, FILE_READ_ATTRIBUTES), Err(ERROR_FILE_NOT_FOUND))
}

/// Has reads of a message-mode pipe stop at the end of a message.
fn read_messages(pipe: BorrowedHandle<'_>) -> Result<()> {
    let mode = PIPE_READMODE_MESSAGE | PIPE_WAIT;
    // SAFETY: the pipe is open because it is borrowed; the mode is only read, and null leaves the rest as it is.
    call::done(|| unsafe { SetNamedPipeHandleState(pipe.as_raw_handle(), &mode, ptr::null(), ptr::null()) })
        .map_err(|code| error::of("cannot choose to read messages", code).hint("connect with mode byte"))
}

/// Refuses a server of somebody else: anybody can make a pipe of any name.
///
/// Whose the pipe is, is the kernel's word. The server's process is asked too, but may be one that we cannot look at (a
/// service), or may be gone, its pipe handed on.
pub(in crate::os::windows) fn check_server(
    pipe: BorrowedHandle<'_>,
    peer: &Peer,
    access: Access,
) -> Result<()> {
    if access == Access::Everyone {
        return Ok(());
    }
    let (owner, user) = (security::owner(pipe), peer.user());
    let whose = match (&owner, &user) {
        (_, Some(user)) if !user.is_trusted() => user.to_string(),
        (Some(owner), _) if !owner.is_trusted_owner() => owner.to_string(),
        (None, None) => "the system does not tell who".into(),
        _ => return Ok(()),
    };
    Err(Error::new(
        ErrorKind::PermissionDenied,
        format!("its server runs as another user ({whose}, pid {})", peer.pid),
    )
    .hint("somebody else has taken the name; connect with access everyone if that is meant"))
}
