//! Over a FIFO file: messages that the system writes as one, each with its length before it.

use super::settings::Settings;
use super::waiting::{Finding, gone, late};
use crate::cleanup::Registration;
use crate::os::fifo as os;
use crate::pipe::{Direction, PipeReader, PipeWriter, fifo};
use crate::{Deadline, Error, ErrorKind, Result};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The length of a message, little-endian.
const HEADER: usize = 4;

/// What the system writes into a FIFO as one: PIPE_BUF. So messages of several writers do not mix, and none is ever half.
const AS_ONE: usize = 4096;

/// The longest message.
pub(super) const LONGEST: usize = AS_ONE - HEADER;

/// The FIFO file that this process made, there until this is dropped, or the process takes back its names.
#[derive(Debug)]
struct Made {
    file: Arc<File>,
    _registration: Registration,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// Device and inode, by which it is told from another in its place.
    identity: Option<(u64, u64)>,
}

impl Made {
    /// Finds the FIFO, which is nobody's here then, or makes it.
    fn find_or_make(settings: &Settings, path: &Path) -> Result<Option<Self>> {
        if fifo::exists(path)? {
            return Ok(None);
        }
        let made = Registration::of(
            || {
                fifo::create(path, settings.access)?;
                let path = path.to_owned();
                let identity = identity(&path);
                Ok(Arc::new(File { path, identity }))
            },
            File::remove,
        );
        match made {
            Ok((file, registration)) => Ok(Some(Made {
                file,
                _registration: registration,
            })),
            // Somebody was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && fifo::exists(path)? => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        self.file.remove();
    }
}

impl File {
    fn remove(&self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // Whoever is faster has removed it as well.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let meta = std::fs::symlink_metadata(path).ok()?;
    meta.file_type().is_fifo().then(|| (meta.dev(), meta.ino()))
}

/// The path; and the file, if this end makes it and it was not there.
fn place(settings: &Settings) -> Result<(PathBuf, Option<Made>)> {
    if settings
        .max_message
        .is_some_and(|longest| longest > LONGEST as u64)
    {
        return Err(too_large(settings.max_message.unwrap_or(u64::MAX)).about(&settings.address));
    }
    let path = settings.path()?;
    let made = match settings.listens() {
        true => Made::find_or_make(settings, &path)?,
        false => None,
    };
    Ok((path, made))
}

fn too_large(len: u64) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!(
            "a message of {len} bytes: through a FIFO go at most {LONGEST}, which the system writes as one"
        ),
    )
    .hint("take a pipe or a queue for longer ones")
}

#[derive(Debug)]
pub(super) struct FifoSender {
    writer: Finding<PipeWriter>,
    frame: Vec<u8>,
    _made: Option<Made>,
}

impl FifoSender {
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let (path, made) = place(settings)?;
        let access = settings.access;
        Ok(FifoSender {
            writer: Finding::new(move |deadline| fifo::open_writer(&path, access, deadline))?,
            frame: Vec::new(),
            _made: made,
        })
    }

    pub(super) fn send(&mut self, message: &[u8], deadline: Deadline) -> Result<()> {
        if message.len() > LONGEST {
            return Err(too_large(message.len() as u64));
        }
        let writer = self.writer.get(deadline)?;
        self.frame.clear();
        self.frame
            .extend_from_slice(&(message.len() as u32).to_le_bytes());
        self.frame.extend_from_slice(message);
        writer.set_write_timeout(deadline.remaining());
        let written = writer.write_all(&self.frame);
        if written
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::Disconnected)
        {
            self.writer.lose();
        }
        written
    }

    pub(super) fn wait_for_peer(&mut self, deadline: Deadline) -> Result<()> {
        self.writer.get(deadline).map(drop)
    }
}

/// The FIFO opened to be read: from then on writers find a reader.
#[derive(Debug)]
struct Reading {
    reader: PipeReader,
    /// Whether a writer has come.
    has_begun: bool,
}

#[derive(Debug)]
pub(super) struct FifoReceiver {
    end: Finding<Reading>,
    /// Kept until the next is open, as a FIFO keeps its bytes only while anybody has it open.
    last: Option<PipeReader>,
    /// What has come of a message.
    part: Vec<u8>,
    _made: Option<Made>,
}

impl FifoReceiver {
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let (path, made) = place(settings)?;
        let access = settings.access;
        let find = move |deadline| {
            let end = os::open_end(&path, Direction::In, access, deadline)
                .map_err(|error| error.about(path.display()))?;
            Ok(Reading {
                reader: PipeReader::new(end),
                has_begun: false,
            })
        };
        Ok(FifoReceiver {
            end: Finding::new(find)?,
            last: None,
            part: Vec::new(),
            _made: made,
        })
    }

    /// The reader, once a writer has written something or gone.
    fn reader(&mut self, deadline: Deadline) -> Result<&PipeReader> {
        let end = self.end.get(deadline)?;
        self.last = None;
        if !end.has_begun {
            os::await_writer(end.reader.end(), deadline).map_err(late)?;
            end.has_begun = true;
        }
        Ok(&end.reader)
    }

    /// Goes on with those who come next, with the FIFO opened anew: what is open already says "end" until one comes.
    fn begin_anew(&mut self) {
        self.part.clear();
        self.last = self.end.take().map(|end| end.reader);
        // So that there is a reader all the time. If it cannot be now, the next call says why.
        let _ = self.end.get(Deadline::now());
    }

    pub(super) fn recv(&mut self, message: &mut Vec<u8>, deadline: Deadline) -> Result<()> {
        loop {
            let want = match self.part.first_chunk::<HEADER>() {
                None => HEADER,
                Some(len) => match u32::from_le_bytes(*len) as usize {
                    len if len <= LONGEST => HEADER + len,
                    len => {
                        self.begin_anew();
                        return Err(Error::new(
                            ErrorKind::Corrupt,
                            format!("somebody wrote {len} where the length of a message belongs"),
                        ));
                    }
                },
            };
            if self.part.len() >= HEADER && self.part.len() == want {
                message.clear();
                message.extend_from_slice(&self.part[HEADER..]);
                self.part.clear();
                return Ok(());
            }
            let mut buffer = [0; AS_ONE];
            let missing = want - self.part.len();
            let reader = self.reader(deadline)?;
            reader.set_read_timeout(deadline.remaining());
            match reader.read(&mut buffer[..missing])? {
                0 => {
                    self.begin_anew();
                    return Err(gone());
                }
                got => self.part.extend_from_slice(&buffer[..got]),
            }
        }
    }

    pub(super) fn wait_for_peer(&mut self, deadline: Deadline) -> Result<()> {
        self.reader(deadline).map(drop)
    }
}
