//! Connecting to a pipe's server.

use super::connection::{Connection, Terms};
use super::path;
use crate::os::linux::no_descriptor;
use crate::os::linux::peer;
use crate::os::pipe_types::{ClientOptions, NotYet, PipeMode};
use crate::os::step::call;
use crate::os::types::Access;
use crate::{Deadline, Error, ErrorKind, Name, Result};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::Timeout;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::path::Path;
use std::time::Duration;

/// The longest single wait for room. The kernel wakes one client for each that the server takes, and that one may be
/// killed before it has got the place; and the name may lead to another server by now.
const SLICE: Duration = Duration::from_millis(500);

/// Connects to a server, waiting for one to appear or to have a free instance.
pub(crate) fn connect(name: &Name, options: &ClientOptions, deadline: Deadline) -> Result<Connection> {
    let path = path::of(name)?;
    path::check_folder()?;
    // While there is no server nothing can be slept on, so look again after a time that grows from 1 to 20 ms.
    let mut pause = Duration::from_millis(1);
    loop {
        let why = match attempt(&path, options, deadline)? {
            Ok(connection) => return Ok(connection),
            Err(why) => why,
        };
        if deadline.has_passed() {
            return Err(why.into_error(deadline.is_try()));
        }
        if matches!(why, NotYet::NoServer) {
            std::thread::sleep(deadline.slice(pause));
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

fn attempt(
    path: &Path,
    options: &ClientOptions,
    deadline: Deadline,
) -> Result<std::result::Result<Connection, NotYet>> {
    for kind in [SocketType::STREAM, SocketType::SEQPACKET] {
        if kind == SocketType::STREAM && options.mode == Some(PipeMode::Message) {
            continue;
        }
        let socket = match attempt_type(path, kind, deadline)? {
            Some(Ok(socket)) => socket,
            Some(Err(why)) => return Ok(Err(why)),
            None => continue,
        };
        check_server(&socket, options.access)?;
        let mode = if kind == SocketType::STREAM {
            PipeMode::Byte
        } else {
            PipeMode::Message
        };
        let terms = Terms {
            mode,
            bounded: mode == PipeMode::Message && options.mode != Some(PipeMode::Byte),
            direction: options.direction,
            max_message: options.max_message,
            out_buffer: None,
        };
        return Connection::new(socket, &terms, None).map(Ok);
    }
    Err(match options.mode {
        Some(PipeMode::Message) => Error::new(ErrorKind::Unsupported, "the server's pipe is in byte mode")
            .hint("connect without a mode to follow the server's"),
        _ => Error::new(
            ErrorKind::Corrupt,
            "what is at its path is neither a stream nor a message socket",
        ),
    })
}

/// One try with one type of socket; `None` when the server's is of another type.
fn attempt_type(
    path: &Path,
    kind: SocketType,
    deadline: Deadline,
) -> Result<Option<std::result::Result<OwnedFd, NotYet>>> {
    let os = |error: Errno| no_descriptor("cannot connect", error);
    let socket = call(|| rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None))
        .map_err(os)?;
    // The kernel itself waits for a free place in the server's queue, so the wake-up comes at once.
    let patience = deadline.remaining();
    let wait = patience.is_none_or(|left| !left.is_zero());
    if wait {
        // A timeout of 0 would mean none.
        let slice = patience.map_or(SLICE, |left| left.clamp(Duration::from_millis(1), SLICE));
        call(|| rustix::net::sockopt::set_socket_timeout(&socket, Timeout::Send, Some(slice))).map_err(os)?;
    } else {
        call(|| rustix::io::ioctl_fionbio(&socket, true)).map_err(os)?;
    }
    let address = path::address(path)?;
    // Interrupted is as good as busy: the caller looks at the clock before it tries again.
    let connect = || {
        rustix::net::connect(&socket, &address).map_err(|error| match error {
            Errno::INTR => Errno::AGAIN,
            error => error,
        })
    };
    match call(connect) {
        Ok(()) => {
            if wait {
                call(|| rustix::net::sockopt::set_socket_timeout(&socket, Timeout::Send, None))
                    .map_err(os)?;
            } else {
                call(|| rustix::io::ioctl_fionbio(&socket, false)).map_err(os)?;
            }
            Ok(Some(Ok(socket)))
        }
        Err(Errno::PROTOTYPE) => Ok(None),
        Err(Errno::AGAIN) => Ok(Some(Err(NotYet::Busy))),
        Err(Errno::NOENT) => Ok(Some(Err(NotYet::NoServer))),
        Err(Errno::CONNREFUSED) => {
            path::expect_socket(path)?;
            // Left by a server that died, or about to listen.
            Ok(Some(Err(NotYet::NoServer)))
        }
        Err(error @ (Errno::ACCESS | Errno::PERM)) => {
            Err(os(error)
                .hint("the server lets in only its own user; it can be created with access everyone"))
        }
        Err(error) => Err(os(error)),
    }
}

/// Refuses a server of somebody else: anybody can put a socket into /tmp under any name.
fn check_server(socket: &OwnedFd, access: Access) -> Result<()> {
    let server =
        peer::credentials(socket).map_err(|error| Error::os("cannot ask who the server is", error))?;
    if access == Access::Everyone || peer::user(&server).is_trusted() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::PermissionDenied,
        format!(
            "its server runs as another user (uid {}, pid {})",
            server.uid, server.pid
        ),
    )
    .hint("somebody else has taken the name; connect with access everyone if that is meant"))
}
