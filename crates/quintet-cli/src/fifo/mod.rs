//! The ends of FIFO files.

mod made;
mod os;

use crate::args::EndpointArgs;
use crate::endpoint;
use crate::failure::Failure;
use crate::note;
use made::Made;
use quintet::pipe::{Access, PipeReader, PipeWriter};
use quintet::{Address, Deadline, ErrorKind, Target};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use made::release;

/// The options that an address of a FIFO may have.
const OPTIONS: [&str; 2] = ["access", "max_message"];

/// A FIFO about to be opened.
#[derive(Clone, Debug)]
pub(crate) struct Fifo {
    path: PathBuf,
    access: Access,
    deadline: Deadline,
}

impl Fifo {
    /// The FIFO of an address; `None` if it is an address of something else.
    pub(crate) fn at(address: &Address, args: &EndpointArgs) -> Result<Option<Self>, Failure> {
        let Target::Path(path) = address.target() else {
            return Ok(None);
        };
        if address.scheme() != quintet::Scheme::Fifo {
            return Ok(None);
        }
        os::check().map_err(|error| Failure::about(address, error))?;
        check_options(address)?;
        check_flags(args)?;
        Ok(Some(Fifo {
            path: path.into(),
            access: args
                .access
                .or_else(|| endpoint::option(address, "access"))
                .unwrap_or_default(),
            deadline: args.timeout.into(),
        }))
    }

    /// Finds the FIFO, or makes it.
    pub(crate) fn serve(&self) -> Result<Readers, Failure> {
        let made = if os::exists(&self.path)? {
            None
        } else {
            match Made::create(&self.path, self.access) {
                Ok(made) => Some(made),
                // Somebody was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists && os::exists(&self.path)? => None,
                Err(error) => return Err(error.into()),
            }
        };
        note::say(|| format!("listening at {} (Ctrl-C to stop)", self.path.display()));
        Ok(Readers {
            made,
            last: None,
            fifo: self.clone(),
        })
    }

    /// Waits for the FIFO and a reader.
    pub(crate) fn connect(&self) -> Result<Writer, Failure> {
        let time = self.deadline.remaining();
        let writer = endpoint::wait_for(self.path.display(), time, |time| {
            os::open_writer(&self.path, self.access, time)
        })?;
        Ok(Writer {
            writer: Box::new(writer),
            path: self.path.clone(),
        })
    }
}

/// A FIFO to be read, by one generation of writers after the other.
#[derive(Debug)]
pub(crate) struct Readers {
    /// The first to be dropped: while the name is there, so is a reader, and nobody waits for one in vain.
    #[expect(dead_code, reason = "held for its destructor")]
    made: Option<Made>,
    /// Of the writers before.
    last: Option<Arc<PipeReader>>,
    fifo: Fifo,
}

impl Readers {
    /// Waits until somebody writes; what is read then ends when all writers have closed.
    ///
    /// For those who write after that the FIFO is opened anew: what is open already says "end" until the next writer comes,
    /// and cannot be waited with. It stays open until then, as a FIFO keeps its bytes for as long as anybody has it open,
    /// so nothing is lost between the writers. (To hold a writing end as well would keep the bytes too, but there would be
    /// no end any more, and the last line of one writer would go on with the first of the next.)
    pub(crate) fn accept(&mut self) -> Result<Reader, Failure> {
        let Fifo {
            path,
            access,
            deadline,
        } = &self.fifo;
        let time = deadline.remaining().map(|time| time.max(endpoint::INSTANT));
        let reader = Arc::new(os::open_reader(path, *access, time)?);
        self.last = Some(reader.clone());
        Ok(Reader {
            reader,
            path: path.clone(),
        })
    }
}

/// The reading end.
#[derive(Debug)]
pub(crate) struct Reader {
    reader: Arc<PipeReader>,
    path: PathBuf,
}

impl Reader {
    /// Reads some bytes: how many; 0 when all writers have closed.
    pub(crate) fn read(&self, buf: &mut [u8], deadline: Deadline) -> Result<usize, Failure> {
        self.reader.set_read_timeout(deadline.remaining());
        self.reader.read(buf).map_err(|error| Failure::about(self, error))
    }
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// The writing end.
#[derive(Debug)]
pub(crate) struct Writer {
    writer: Box<PipeWriter>,
    path: PathBuf,
}

impl Writer {
    pub(crate) fn write_all(&self, bytes: &[u8], deadline: Deadline) -> Result<(), Failure> {
        self.writer.set_write_timeout(deadline.remaining());
        self.writer
            .write_all(bytes)
            .map_err(|error| Failure::about(self.path.display(), error))
    }
}

/// Refuses options that a FIFO does not have, and values that they cannot have.
fn check_options(address: &Address) -> Result<(), Failure> {
    for (key, value) in address.options() {
        let wrong = match key {
            "access" => value.parse::<Access>().err().map(|error| error.to_string()),
            "max_message" => match value.parse::<u64>() {
                Ok(0) => Some("max_message is 0, which no line fits".into()),
                Ok(_) => None,
                Err(error) => Some(format!(
                    "the option max_message={value:?} is not understood: {error}"
                )),
            },
            _ => Some(format!(
                "fifo:// has no option {key:?}; it has {}",
                OPTIONS.join(", ")
            )),
        };
        if let Some(wrong) = wrong {
            return Err(Failure::Usage(format!("{address}: {wrong}")));
        }
    }
    Ok(())
}

/// Refuses flags that mean nothing for a FIFO.
fn check_flags(args: &EndpointArgs) -> Result<(), Failure> {
    if let Some(flag) = args.for_pipes() {
        return Err(Failure::Usage(format!(
            "{flag} is for pipe://: through a FIFO file go bytes in one direction, and nobody is its server"
        )));
    }
    endpoint::not_for_queues(args)
}
