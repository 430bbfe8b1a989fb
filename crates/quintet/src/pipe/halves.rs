use super::PipeStream;
use crate::Result;
use std::io;
use std::sync::Arc;

/// The reading half of a [`PipeStream`], from [`PipeStream::split`].
///
/// ```
/// use quintet::pipe::{PipeClient, PipeMode, PipeServer};
///
/// # let name = format!("halves-doc-{}", std::process::id());
/// let server = PipeServer::builder(&name)?.mode(PipeMode::Message).create()?;
/// let client = PipeClient::connect(&name)?;
/// let (reader, writer) = server.accept()?.split();
/// let echo = std::thread::spawn(move || {
///     while let Some(message) = reader.read_message()? {
///         writer.write_message(message)?;
///     }
///     quintet::Result::Ok(())
/// });
/// client.write_message("hello")?;
/// assert_eq!(client.read_message()?.unwrap(), b"hello");
/// drop(client);
/// echo.join().unwrap()?;
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct ReadHalf(Arc<PipeStream>);

/// The writing half of a [`PipeStream`], from [`PipeStream::split`].
///
/// Dropping it does not tell the peer that nothing more will come, since a Windows pipe cannot: the peer reads "end" when
/// both halves are gone, or after [`PipeStream::disconnect`].
#[derive(Debug)]
pub struct WriteHalf(Arc<PipeStream>);

impl ReadHalf {
    pub(super) fn new(stream: Arc<PipeStream>) -> Self {
        ReadHalf(stream)
    }

    /// As [`PipeStream::read`].
    ///
    /// # Errors
    /// The same.
    pub fn read(&self, buf: &mut [u8]) -> Result<usize> {
        self.0.read(buf)
    }

    /// As [`PipeStream::read_message`].
    ///
    /// # Errors
    /// The same.
    pub fn read_message(&self) -> Result<Option<Vec<u8>>> {
        self.0.read_message()
    }

    /// As [`PipeStream::read_message_into`].
    ///
    /// # Errors
    /// The same.
    pub fn read_message_into(&self, message: &mut Vec<u8>) -> Result<bool> {
        self.0.read_message_into(message)
    }

    /// As [`PipeStream::is_message_complete`].
    pub fn is_message_complete(&self) -> bool {
        self.0.is_message_complete()
    }

    /// The whole stream: its timeouts, its peer.
    pub fn stream(&self) -> &PipeStream {
        &self.0
    }
}

impl WriteHalf {
    pub(super) fn new(stream: Arc<PipeStream>) -> Self {
        WriteHalf(stream)
    }

    /// As [`PipeStream::write`].
    ///
    /// # Errors
    /// The same.
    pub fn write(&self, data: impl AsRef<[u8]>) -> Result<usize> {
        self.0.write(data)
    }

    /// As [`PipeStream::write_all`].
    ///
    /// # Errors
    /// The same.
    pub fn write_all(&self, data: impl AsRef<[u8]>) -> Result<()> {
        self.0.write_all(data)
    }

    /// As [`PipeStream::write_message`].
    ///
    /// # Errors
    /// The same.
    pub fn write_message(&self, message: impl AsRef<[u8]>) -> Result<()> {
        self.0.write_message(message)
    }

    /// The whole stream: its timeouts, its peer.
    pub fn stream(&self) -> &PipeStream {
        &self.0
    }
}

impl io::Read for ReadHalf {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.read(buf)?)
    }
}

impl io::Write for WriteHalf {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(self.0.write(data)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
