use crate::suggest::nearest;
use crate::{Error, ErrorKind, Result};
use std::fmt;
use std::str::FromStr;

/// What stands before `://`: which mechanism an address means.
///
/// ```
/// use quintet::Scheme;
/// assert_eq!("tls+tcp".parse::<Scheme>()?, Scheme::TlsTcp);
/// assert!("pip".parse::<Scheme>().unwrap_err().to_string().contains("did you mean pipe://"));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// `pipe://NAME`: a named pipe.
    Pipe,
    /// `shm://NAME`: named shared memory.
    Shm,
    /// `mailbox://NAME`: the newest value in shared memory.
    Mailbox,
    /// `queue://NAME`: a bounded queue in shared memory.
    Queue,
    /// `topic://NAME`: publish and subscribe in shared memory.
    Topic,
    /// `window://TITLE`: a message window.
    Window,
    /// `sem://NAME`: a semaphore.
    Sem,
    /// `mutex://NAME`: a mutex.
    Mutex,
    /// `event://NAME`: an event.
    Event,
    /// `tcp://HOST:PORT`: a TCP socket.
    Tcp,
    /// `tls+tcp://HOST:PORT`: TLS over TCP.
    TlsTcp,
    /// `unix:///PATH`: a Unix socket.
    Unix,
    /// `ipc://PATH`: what nng calls IPC: a Unix socket, on Windows a named pipe.
    Ipc,
    /// `fifo:///PATH`: a FIFO file.
    Fifo,
}

impl Scheme {
    /// All schemes, in the order of the documentation.
    pub const ALL: [Scheme; 14] = [
        Scheme::Pipe,
        Scheme::Shm,
        Scheme::Mailbox,
        Scheme::Queue,
        Scheme::Topic,
        Scheme::Window,
        Scheme::Sem,
        Scheme::Mutex,
        Scheme::Event,
        Scheme::Tcp,
        Scheme::TlsTcp,
        Scheme::Unix,
        Scheme::Ipc,
        Scheme::Fifo,
    ];

    /// The scheme as it is written in an address.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Pipe => "pipe",
            Scheme::Shm => "shm",
            Scheme::Mailbox => "mailbox",
            Scheme::Queue => "queue",
            Scheme::Topic => "topic",
            Scheme::Window => "window",
            Scheme::Sem => "sem",
            Scheme::Mutex => "mutex",
            Scheme::Event => "event",
            Scheme::Tcp => "tcp",
            Scheme::TlsTcp => "tls+tcp",
            Scheme::Unix => "unix",
            Scheme::Ipc => "ipc",
            Scheme::Fifo => "fifo",
        }
    }

    pub(super) fn has_name(self) -> bool {
        !(self == Scheme::Window || self.has_host() || self.has_path())
    }

    pub(super) fn has_host(self) -> bool {
        matches!(self, Scheme::Tcp | Scheme::TlsTcp)
    }

    fn has_path(self) -> bool {
        matches!(self, Scheme::Unix | Scheme::Ipc | Scheme::Fifo)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scheme {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = || Scheme::ALL.into_iter().map(Scheme::as_str);
        Scheme::ALL
            .into_iter()
            .find(|scheme| scheme.as_str() == text)
            .ok_or_else(|| {
                let hint = match nearest(text, known()) {
                    Some(meant) => format!("did you mean {meant}://?"),
                    None => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
                };
                Error::new(ErrorKind::InvalidAddress, format!("there is no scheme {text:?}")).hint(hint)
            })
    }
}
