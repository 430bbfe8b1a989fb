//! Where `send` takes its data from.

use crate::failure::Failure;
use crate::note;
use quintet::Deadline;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Bytes to take at a time.
pub(crate) const PIECE: usize = 256 * 1024;

/// A file, or standard input.
pub(crate) struct Input {
    from: Box<dyn Read>,
    name: String,
    /// How much it is, where that is known.
    pub(crate) len: Option<u64>,
}

impl Input {
    /// Opens a file; none, or `-`, is standard input.
    pub(crate) fn open(path: Option<&Path>, deadline: Deadline) -> Result<Self, Failure> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            let stdin = io::stdin();
            if stdin.is_terminal() {
                let end = if cfg!(windows) {
                    "Ctrl-Z and Enter"
                } else {
                    "Ctrl-D"
                };
                note::say(|| format!("sending what is typed here ({end} to end)"));
            }
            return Ok(Input {
                from: limited(stdin, deadline),
                name: "standard input".into(),
                len: None,
            });
        };
        let open = || {
            let file = File::open(path)?;
            let meta = file.metadata()?;
            if meta.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok((file, meta))
        };
        let (file, meta) = open().map_err(|error| Failure::file(path, error))?;
        let len = meta.is_file().then_some(meta.len());
        Ok(Input {
            from: match len {
                Some(_) => Box::new(file),
                None => limited(file, deadline),
            },
            name: path.display().to_string(),
            len,
        })
    }

    /// Why it cannot be read.
    pub(crate) fn failed(&self, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::TimedOut => {
                Failure::Deadline(format!("{}: not all of it came before the deadline", self.name))
            }
            _ => Failure::Failed(format!("cannot read {}: {error}", self.name)),
        }
    }
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.from.read(buf)
    }
}

/// The same source, with reads that end at the deadline.
fn limited(from: impl Read + Send + 'static, deadline: Deadline) -> Box<dyn Read> {
    if deadline.is_never() {
        Box::new(from)
    } else {
        Box::new(Limited::start(from, deadline))
    }
}

/// Reads on a thread of its own: a wait for that thread can end, a read cannot be ended.
struct Limited {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    taken: usize,
    deadline: Deadline,
}

impl Limited {
    fn start(mut from: impl Read + Send + 'static, deadline: Deadline) -> Self {
        let (sender, pieces) = mpsc::sync_channel(1);
        thread::spawn(move || {
            loop {
                let mut piece = vec![0; PIECE];
                let read = from.read(&mut piece);
                let ended = matches!(read, Ok(0) | Err(_));
                let read = read.map(|len| {
                    piece.truncate(len);
                    piece
                });
                // Sending fails when nobody wants any more.
                if sender.send(read).is_err() || ended {
                    return;
                }
            }
        });
        Limited {
            pieces,
            piece: Vec::new(),
            taken: 0,
            deadline,
        }
    }
}

impl Read for Limited {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() {
            let left = self.deadline.remaining().unwrap_or(Duration::MAX);
            self.piece = match self.pieces.recv_timeout(left) {
                Ok(piece) => piece?,
                Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::TimedOut.into()),
                // The thread has ended, as it does after the last piece.
                Err(RecvTimeoutError::Disconnected) => Vec::new(),
            };
            self.taken = 0;
        }
        let len = (&self.piece[self.taken..]).read(buf)?;
        self.taken += len;
        Ok(len)
    }
}
