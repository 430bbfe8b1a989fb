//! Over a named pipe in message mode.

use super::settings::{Purpose, Settings};
use super::waiting::{Finding, gone};
use crate::pipe::{Direction, PipeClient, PipeMode, PipeServer, PipeStream};
use crate::{Deadline, Error, ErrorKind, Result};
use std::sync::Arc;

/// One end of a pipe: the connection, or how to get the next.
#[derive(Debug)]
pub(super) struct Pipe(Finding<Arc<PipeStream>>);

impl Pipe {
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let direction = match settings.purpose {
            Purpose::Send => Direction::Out,
            Purpose::Receive => Direction::In,
            Purpose::Both => Direction::InOut,
        };
        if settings.listens() {
            // One client at a time, so that none writes into a pipe that nobody reads.
            let mut builder = PipeServer::at(&settings.plain)?
                .mode(PipeMode::Message)
                .direction(direction)
                .max_instances(1);
            if let Some(longest) = settings.max_message {
                builder = builder.max_message(longest);
            }
            let server = builder.create()?;
            Finding::new(move |deadline| server.accept_timeout(deadline).map(Arc::new)).map(Pipe)
        } else {
            let mut builder = PipeClient::at(&settings.plain)?
                .mode(PipeMode::Message)
                .direction(direction);
            if let Some(longest) = settings.max_message {
                builder = builder.max_message(longest);
            }
            Finding::new(move |deadline| builder.clone().connect_deadline(deadline).connect().map(Arc::new))
                .map(Pipe)
        }
    }

    /// What is given up after an error that leaves nothing to go on with.
    fn judge<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && matches!(
                error.kind(),
                ErrorKind::Disconnected | ErrorKind::PeerDied | ErrorKind::Corrupt
            )
        {
            self.0.lose();
        }
        result
    }

    pub(super) fn send(&mut self, message: &[u8], deadline: Deadline) -> Result<()> {
        let stream = self.0.get(deadline)?;
        stream.set_write_timeout(deadline.remaining());
        let sent = stream.write_message(message);
        self.judge(sent)
    }

    pub(super) fn recv(&mut self, message: &mut Vec<u8>, deadline: Deadline) -> Result<()> {
        let stream = self.0.get(deadline)?;
        stream.set_read_timeout(deadline.remaining());
        let received = match stream.read_message_into(message) {
            Ok(true) => Ok(()),
            Ok(false) => Err(gone()),
            // Nothing can be read any more after that.
            Err(error) if error.kind() == ErrorKind::TooLarge => {
                self.0.lose();
                Err(error)
            }
            Err(error) => Err(error),
        };
        self.judge(received)
    }

    pub(super) fn wait_for_peer(&mut self, deadline: Deadline) -> Result<()> {
        self.0.get(deadline).map(drop)
    }

    /// Two ends of the connection that there is.
    pub(super) fn split(self) -> Result<(Self, Self)> {
        let stream = self.0.into_found().ok_or_else(nobody)?;
        Ok((Pipe(Finding::found(stream.clone())), Pipe(Finding::found(stream))))
    }
}

fn nobody() -> Error {
    Error::new(ErrorKind::Disconnected, "nobody is at the other end")
}
