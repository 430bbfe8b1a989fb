use super::Direction;
use super::timeout::Timeout;
use crate::os::anonymous as os;
use crate::{Error, Result};
use std::fmt;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A pipe that this process writes and a child reads: our end, and the one to give away.
///
/// ```
/// use quintet::pipe;
/// use std::io::Write;
/// use std::process::{Command, Stdio};
///
/// let (mut writer, theirs) = pipe::to_child()?;
/// # #[cfg(unix)] {
/// let sort = Command::new("sort").stdin(theirs).stdout(Stdio::piped()).spawn()?;
/// writer.write_all(b"two\none\n")?;
/// drop(writer); // the end of its input
/// assert_eq!(sort.wait_with_output()?.stdout, b"one\ntwo\n");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Full`](crate::ErrorKind::Full) without free descriptors.
pub fn to_child() -> Result<(PipeWriter, ChildEnd)> {
    let (end, theirs) = os::create(Direction::Out)?;
    Ok((PipeWriter::new(end), ChildEnd(theirs)))
}

/// A pipe that a child writes and this process reads: our end, and the one to give away.
///
/// ```
/// use quintet::pipe;
/// use std::io::Read;
/// use std::process::Command;
///
/// let (mut reader, theirs) = pipe::from_child()?;
/// # #[cfg(unix)] {
/// let mut echo = Command::new("echo").arg("hello").stdout(theirs).spawn()?;
/// let mut said = String::new();
/// reader.read_to_string(&mut said)?;
/// assert_eq!(said, "hello\n");
/// echo.wait()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Full`](crate::ErrorKind::Full) without free descriptors.
pub fn from_child() -> Result<(PipeReader, ChildEnd)> {
    let (end, theirs) = os::create(Direction::In)?;
    Ok((PipeReader::new(end), ChildEnd(theirs)))
}

/// Starts a child that inherits these ends besides its standard streams, and closes them in this process.
///
/// The child finds an end by its number, which [`ChildEnd`] displays as .NET's `GetClientHandleAsString` does: give it
/// as an argument, and take it there with [`PipeReader::inherited`] or [`PipeWriter::inherited`], or .NET's
/// `AnonymousPipeClientStream`.
///
/// On Linux no other child inherits them, whatever other threads start meanwhile. On Windows that holds for children
/// started through this function; a [`Command::spawn`] of another thread in the very moment may hand them on too, because
/// there a handle is inheritable or not for all children alike.
///
/// ```no_run
/// use quintet::pipe;
/// use std::process::Command;
///
/// let (writer, orders) = pipe::to_child()?;
/// let mut command = Command::new("worker");
/// command.arg("--orders").arg(orders.to_string());
/// let child = pipe::spawn(&mut command, [orders])?;
/// writer.write_all(b"begin\n")?;
/// # Ok::<(), quintet::Error>(())
/// ```
///
/// # Errors
/// Those of [`Command::spawn`].
pub fn spawn(command: &mut Command, ends: impl IntoIterator<Item = ChildEnd>) -> Result<Child> {
    os::spawn(command, ends.into_iter().map(|end| end.0).collect()).map_err(|error| {
        Error::os(
            format!("cannot start {}", command.get_program().to_string_lossy()),
            error,
        )
    })
}

/// The end of an anonymous pipe that is meant for a child: its standard input or output (it converts to [`Stdio`]), or
/// a handle of its own ([`spawn`]).
///
/// The pipe ends for us when all copies of the child's end are closed: the child's, and ours. [`spawn`] closes ours; a
/// [`Command`] keeps what was given to it until it is dropped.
#[derive(Debug)]
pub struct ChildEnd(os::ChildEnd);

impl fmt::Display for ChildEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<ChildEnd> for Stdio {
    fn from(end: ChildEnd) -> Self {
        end.0.into()
    }
}

macro_rules! end {
    ($type:ident, $direction:expr, $set:ident, $verb:literal) => {
        impl $type {
            pub(crate) fn new(end: os::End) -> Self {
                $type { end, timeout: Timeout::none() }
            }

            /// Takes the end that the parent passed to this process under a number.
            ///
            /// # Safety
            /// Nothing else in this process owns the handle of that number: it is what the parent passed for this
            /// purpose, and is taken once.
            ///
            /// # Errors
            /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if no such handle was inherited, or it is not this
            /// end of a pipe.
            pub unsafe fn inherited(handle: &str) -> Result<Self> {
                // SAFETY: the same contract.
                unsafe { os::End::inherited(handle, $direction) }.map($type::new)
            }

            #[doc = concat!("Limits how long one ", $verb, " may wait; `None`, the default, for no limit. Zero: not at all.")]
            pub fn $set(&self, timeout: Option<Duration>) {
                self.timeout.set(timeout);
            }

            pub(crate) fn end(&self) -> &os::End {
                &self.end
            }
        }
    };
}

/// The reading end of a one-way pipe: of an [anonymous](to_child) one, or of a FIFO file.
///
/// Reads say *end* (`Ok(0)`) when all writers have closed or died and everything has been read. They wait without a
/// limit unless [`set_read_timeout`](Self::set_read_timeout) sets one.
#[derive(Debug)]
pub struct PipeReader {
    end: os::End,
    timeout: Timeout,
}

end!(PipeReader, Direction::In, set_read_timeout, "read");

impl PipeReader {
    /// Reads some bytes: how many; 0 at the end.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut); nothing is lost by it.
    pub fn read(&self, buf: &mut [u8]) -> Result<usize> {
        self.end.read(buf, self.timeout.deadline())
    }
}

/// The writing end of a one-way pipe: of an [anonymous](to_child) one, or of a FIFO file.
///
/// Writes fail with [`Disconnected`](crate::ErrorKind::Disconnected) when the reader has closed or died. They wait without
/// a limit unless [`set_write_timeout`](Self::set_write_timeout) sets one.
///
/// On Linux the system also sends SIGPIPE to a process that writes to a pipe without a reader. Programs whose `main` is
/// Rust's ignore it; others should.
#[derive(Debug)]
pub struct PipeWriter {
    end: os::End,
    timeout: Timeout,
}

end!(PipeWriter, Direction::Out, set_write_timeout, "write");

impl PipeWriter {
    /// Writes some bytes: how many.
    ///
    /// # Errors
    /// [`ErrorKind::Disconnected`](crate::ErrorKind::Disconnected) without a reader;
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut), with nothing written.
    pub fn write(&self, data: impl AsRef<[u8]>) -> Result<usize> {
        self.end.write(data.as_ref(), self.timeout.deadline())
    }

    /// Writes all bytes. The timeout counts for all of it.
    ///
    /// # Errors
    /// Those of [`write`](Self::write); a part may have been written by then.
    pub fn write_all(&self, data: impl AsRef<[u8]>) -> Result<()> {
        let mut data = data.as_ref();
        let deadline = self.timeout.deadline();
        while !data.is_empty() {
            data = &data[self.end.write(data, deadline)?..];
        }
        Ok(())
    }
}

impl io::Read for PipeReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(PipeReader::read(self, buf)?)
    }
}

impl io::Read for &PipeReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(PipeReader::read(self, buf)?)
    }
}

impl io::Write for PipeWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(PipeWriter::write(self, data)?)
    }

    /// Nothing is buffered in this process.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Write for &PipeWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(PipeWriter::write(self, data)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
