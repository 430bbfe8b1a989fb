//! One-way pipes without a name, between a parent and a child.
//!
//! The system's own anonymous pipes know no time limits. So ours are named pipes after all, of a name that nobody guesses
//! and with one instance: our end is one for overlapped I/O, and the child's is a plain one, as programs expect their
//! standard input and output to be.

use super::connection::{Connection, Terms};
use super::instances::PipeEnd;
use super::plan::BUFFER;
use super::{kernel, path};
use crate::os::pipe_types::{Chunk, Direction, PipeMode};
use crate::os::windows::call::{self, Code};
use crate::os::windows::peer::Peer;
use crate::os::windows::security::Descriptor;
use crate::os::windows::{blocking, error, inherit, wide};
use crate::{Deadline, Error, ErrorKind, Result};
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::process::{Child, Command, Stdio};
use std::ptr;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_BAD_PIPE, ERROR_BROKEN_PIPE, ERROR_PIPE_NOT_CONNECTED,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_GENERIC_READ, FILE_GENERIC_WRITE,
    FILE_READ_ATTRIBUTES, FILE_TYPE_PIPE, FILE_WRITE_ATTRIBUTES, GetFileType, OPEN_EXISTING,
    PIPE_ACCESS_INBOUND, PIPE_ACCESS_OUTBOUND,
};
use windows_sys::Win32::System::Pipes::{CreateNamedPipeW, PIPE_REJECT_REMOTE_CLIENTS, PeekNamedPipe};

/// Who has the other end: whoever it was passed to.
const SOMEBODY: Peer = Peer {
    pid: 0,
    process: None,
};

/// The end of a pipe that this process uses.
#[derive(Debug)]
pub(crate) struct End {
    connection: Connection,
    /// The handle was made elsewhere, and may not be for overlapped I/O: then a call of the system takes as long as it
    /// takes.
    blocks: bool,
}

/// The end of a pipe that is for a child.
#[derive(Debug)]
pub(crate) struct ChildEnd(OwnedHandle);

/// A new pipe, of which this process reads (`In`) or writes (`Out`).
pub(crate) fn create(ours: Direction) -> Result<(End, ChildEnd)> {
    let failed = |code| error::of("cannot make a pipe", code);
    // A backslash keeps it from being taken for a pipe with a name, here and in other programs.
    let random = RandomState::new().hash_one(());
    let path = wide(&format!(
        r"{}quintet\anonymous.{}.{random:016x}",
        path::FOLDER,
        std::process::id()
    ));
    let (access, their_access) = if ours.reads() {
        (PIPE_ACCESS_INBOUND, FILE_GENERIC_WRITE | FILE_READ_ATTRIBUTES)
    } else {
        (PIPE_ACCESS_OUTBOUND, FILE_GENERIC_READ | FILE_WRITE_ATTRIBUTES)
    };
    let descriptor = Descriptor::private()?;
    // SAFETY: the path ends with NUL, and the attributes point into `descriptor`, which lives across the call; the handle
    // is a new one.
    let pipe = unsafe {
        call::handle(|| {
            CreateNamedPipeW(
                path.as_ptr(),
                access | FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED,
                PIPE_REJECT_REMOTE_CLIENTS,
                1,
                BUFFER,
                BUFFER,
                0,
                &descriptor.attributes(),
            )
        })
    }
    .map_err(failed)?;
    // It is the only instance, and connecting takes it: what is opened here is the other end of it.
    // SAFETY: the path ends with NUL; no security attributes and no template are allowed; the handle is a new one.
    let theirs = unsafe {
        call::handle(|| {
            CreateFileW(
                path.as_ptr(),
                their_access,
                0,
                ptr::null(),
                OPEN_EXISTING,
                0,
                ptr::null_mut(),
            )
        })
    }
    .map_err(failed)?;
    Ok((End::new(pipe, ours, false)?, ChildEnd(theirs)))
}

impl End {
    fn new(pipe: OwnedHandle, direction: Direction, blocks: bool) -> Result<Self> {
        let terms = Terms {
            mode: PipeMode::Byte,
            bounded: false,
            direction,
            max_message: u64::MAX,
            quota: kernel::info(pipe.as_handle()).map_or(BUFFER, |info| info.quota),
        };
        Ok(End {
            connection: Connection::new(PipeEnd::client(pipe), SOMEBODY, &terms)?,
            blocks,
        })
    }

    /// Takes the end that this process inherited under a number.
    ///
    /// # Safety
    /// Nothing else in this process owns that handle.
    pub(crate) unsafe fn inherited(text: &str, direction: Direction) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(ErrorKind::NotFound, format!("the handle {text:?} {why}"))
                .hint("it has to be passed by pipe::spawn to this very process")
        };
        let number: usize = text.parse().map_err(|_| wrong("is not the number of a handle"))?;
        let handle: RawHandle = ptr::with_exposed_provenance_mut(number);
        let standard = [
            io::stdin().as_raw_handle(),
            io::stdout().as_raw_handle(),
            io::stderr().as_raw_handle(),
        ];
        if standard.contains(&handle) {
            return Err(wrong("is a standard stream"));
        }
        // SAFETY: a number that is no handle of this process only makes the call fail.
        if unsafe { GetFileType(handle) } != FILE_TYPE_PIPE {
            return Err(wrong("was not inherited, or is not a pipe"));
        }
        // SAFETY: it is open, as the call above has shown, and the borrow ends with this function, in which nothing closes
        // it.
        let pipe = unsafe { BorrowedHandle::borrow_raw(handle) };
        let reads = match look(pipe) {
            Ok(()) | Err(ERROR_BROKEN_PIPE | ERROR_PIPE_NOT_CONNECTED | ERROR_BAD_PIPE) => true,
            Err(ERROR_ACCESS_DENIED) => false,
            Err(code) => return Err(wrong(&format!("cannot be used: {}", error::of("", code)))),
        };
        if reads != direction.reads() {
            return Err(wrong(&format!(
                "is the other end of a pipe than the {direction} end"
            )));
        }
        // Not for this process's own children.
        inherit::set_inheritable(pipe, false)
            .map_err(|code| error::of("cannot keep the handle from children", code))?;
        // SAFETY: it is open and, by this function's contract, nobody else's.
        End::new(unsafe { OwnedHandle::from_raw_handle(handle) }, direction, true)
    }

    /// Reads what is there, waiting for something; 0 at the end.
    pub(crate) fn read(&self, buf: &mut [u8], deadline: Deadline) -> Result<usize> {
        let read = || self.connection.read(buf, deadline);
        Ok(match self.with_deadline(deadline, read)? {
            Chunk::Data { len, .. } => len,
            Chunk::End => 0,
        })
    }

    /// Writes what fits, waiting for room for something.
    pub(crate) fn write(&self, data: &[u8], deadline: Deadline) -> Result<usize> {
        self.with_deadline(deadline, || self.connection.write(data, deadline))
    }

    fn with_deadline<T: Send>(
        &self,
        deadline: Deadline,
        transfer: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        if self.blocks && !deadline.is_never() {
            blocking::with_deadline(deadline, || false, transfer)?
        } else {
            transfer()
        }
    }
}

impl AsHandle for End {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.connection.as_handle()
    }
}

impl fmt::Display for ChildEnd {
    /// The number under which a child inherits it, as .NET's `GetClientHandleAsString` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_raw_handle().addr().fmt(f)
    }
}

impl From<ChildEnd> for Stdio {
    fn from(end: ChildEnd) -> Self {
        end.0.into()
    }
}

/// Starts a child that inherits these ends under their numbers, and closes them here.
pub(crate) fn spawn(command: &mut Command, ends: Vec<ChildEnd>) -> io::Result<Child> {
    let handles: Vec<_> = ends.iter().map(|end| end.0.as_handle()).collect();
    inherit::spawn(command, &handles)
}

/// Looks for something to read, which only a reading end allows.
fn look(pipe: BorrowedHandle<'_>) -> std::result::Result<(), Code> {
    let null = ptr::null_mut();
    // SAFETY: the pipe is open because it is borrowed; nothing is put where we say null.
    call::done(|| unsafe { PeekNamedPipe(pipe.as_raw_handle(), ptr::null_mut(), 0, null, null, null) })
}

impl AsHandle for crate::pipe::PipeReader {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.end().as_handle()
    }
}

impl AsHandle for crate::pipe::PipeWriter {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.end().as_handle()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::windows::io::IntoRawHandle;
    use std::time::Duration;

    const SHORT: Duration = Duration::from_millis(30);

    /// Our end, and the other one as the child has it.
    fn pair(ours: Direction) -> (End, End) {
        let theirs = if ours.reads() {
            Direction::Out
        } else {
            Direction::In
        };
        let (end, child_end) = create(ours).unwrap();
        let number = child_end.0.into_raw_handle().addr().to_string();
        // SAFETY: the handle was given up just now, and is taken once.
        (end, unsafe { End::inherited(&number, theirs) }.unwrap())
    }

    fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
        result.err().map(|error| error.kind())
    }

    #[test]
    fn an_inherited_end_keeps_deadlines_though_its_handle_knows_none() {
        let (ours, theirs) = pair(Direction::Out);
        let mut buf = [0; 10];
        for time in [Duration::ZERO, SHORT] {
            assert_eq!(
                kind(theirs.read(&mut buf, time.into())),
                Some(ErrorKind::TimedOut)
            );
            ours.write(b"late", Deadline::NEVER).unwrap();
            assert_eq!(theirs.read(&mut buf, SHORT.into()).unwrap(), 4);
        }
        drop(ours);
        assert_eq!(theirs.read(&mut buf, SHORT.into()).unwrap(), 0);

        let (ours, theirs) = pair(Direction::In);
        let data: Vec<u8> = (0..BUFFER as usize + 1000).map(|at| (at / 3) as u8).collect();
        let mut written = 0;
        let error = loop {
            match theirs.write(&data[written..], SHORT.into()) {
                Ok(len) => written += len,
                Err(error) => break error,
            }
        };
        assert_eq!((error.kind(), written), (ErrorKind::TimedOut, BUFFER as usize));
        drop(theirs);
        let mut arrived = Vec::new();
        let mut buf = vec![0; data.len()];
        loop {
            match ours.read(&mut buf, Deadline::NEVER).unwrap() {
                0 => break,
                len => arrived.extend_from_slice(&buf[..len]),
            }
        }
        assert!(arrived == data[..written]);
    }

    #[test]
    fn a_handle_that_is_no_such_end_is_refused() {
        let (_ours, theirs) = create(Direction::Out).unwrap();
        let (socket, file) = (
            std::net::UdpSocket::bind("127.0.0.1:0").unwrap(),
            std::fs::File::open(std::env::current_exe().unwrap()).unwrap(),
        );
        use std::os::windows::io::AsRawSocket;
        for (number, direction) in [
            (theirs.to_string(), Direction::Out),
            (file.as_raw_handle().addr().to_string(), Direction::In),
            (socket.as_raw_socket().to_string(), Direction::In),
            (io::stdin().as_raw_handle().addr().to_string(), Direction::In),
            // What stands for this process.
            (usize::MAX.to_string(), Direction::In),
        ] {
            // SAFETY: it is refused, so nothing is taken from whoever owns it.
            let refused = unsafe { End::inherited(&number, direction) };
            assert_eq!(kind(refused), Some(ErrorKind::NotFound), "{number}");
        }
    }

    #[test]
    fn it_is_no_pipe_with_a_name() {
        let _pipe = create(Direction::In).unwrap();
        let listed = crate::os::pipe::list().unwrap();
        assert!(
            listed
                .iter()
                .all(|found| !found.name.to_lowercase().contains("anonymous."))
        );
    }
}
