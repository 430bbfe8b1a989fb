//! The one error type.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// What every fallible call of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, in the words of the five mechanisms; match on it with [`Error::kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No object of that name exists now.
    NotFound,
    /// The name is taken by something that is not ours to replace.
    AlreadyExists,
    /// The object exists but has no room for one more: all instances connected, the name served by another process.
    Busy,
    /// The deadline passed first; nothing was lost by it.
    TimedOut,
    /// The other side closed the connection, or went away in the middle of something.
    Disconnected,
    /// The peer that this call waited for has died.
    PeerDied,
    /// The operating system, or the other side's identity, forbids it.
    PermissionDenied,
    /// A name that the grammar of [`Name`](crate::Name) does not allow.
    InvalidName,
    /// An address that the grammar of [`Address`](crate::Address) does not allow, or an option it does not know.
    InvalidAddress,
    /// A size beyond a limit: of a message, a name, a path.
    TooLarge,
    /// No space left: in a queue, on a device, in a table of the system.
    Full,
    /// The previous holder died while it held this; the caller holds it now.
    Abandoned,
    /// What a peer wrote is not what the format allows.
    Corrupt,
    /// The object, or this system, does not do that.
    Unsupported,
    /// Any other error of the operating system; [`Error::raw_os_error`] has its number.
    Os,
}

impl ErrorKind {
    /// The nearest kind of `std::io`, for code that speaks `io::Error`.
    pub fn to_io(self) -> io::ErrorKind {
        match self {
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::AlreadyExists => io::ErrorKind::AlreadyExists,
            ErrorKind::Busy => io::ErrorKind::ResourceBusy,
            ErrorKind::TimedOut => io::ErrorKind::TimedOut,
            ErrorKind::Disconnected | ErrorKind::PeerDied => io::ErrorKind::BrokenPipe,
            ErrorKind::PermissionDenied => io::ErrorKind::PermissionDenied,
            ErrorKind::InvalidName | ErrorKind::InvalidAddress | ErrorKind::TooLarge => {
                io::ErrorKind::InvalidInput
            }
            ErrorKind::Full => io::ErrorKind::StorageFull,
            ErrorKind::Corrupt => io::ErrorKind::InvalidData,
            ErrorKind::Unsupported => io::ErrorKind::Unsupported,
            ErrorKind::Abandoned | ErrorKind::Os => io::ErrorKind::Other,
        }
    }

    fn from_io(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::AlreadyExists | io::ErrorKind::AddrInUse => ErrorKind::AlreadyExists,
            io::ErrorKind::ResourceBusy => ErrorKind::Busy,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => ErrorKind::TimedOut,
            io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof => ErrorKind::Disconnected,
            io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
            io::ErrorKind::InvalidData => ErrorKind::Corrupt,
            io::ErrorKind::Unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::Os,
        }
    }
}

/// An error that says which object, what was tried, why not, and what would help.
///
/// ```
/// use quintet::{ErrorKind, Name};
///
/// let error = Name::new("a/b").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidName);
/// assert_eq!(
///     error.to_string(),
///     "the name \"a/b\" contains '/'; a name is 1 to 200 bytes of UTF-8 without '/', '\\', NUL or a leading dot"
/// );
/// ```
///
/// It becomes an [`io::Error`] of the nearest kind with `?`, and comes back out of one with [`Error::from_io`].
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    object: Option<String>,
    reason: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    source: Option<io::Error>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, reason: impl Into<Cow<'static, str>>) -> Self {
        Error(Box::new(Inner {
            kind,
            object: None,
            reason: reason.into(),
            hint: None,
            source: None,
        }))
    }

    /// An operating system's error met while doing `what` ("cannot create the socket").
    pub(crate) fn os(what: impl Into<Cow<'static, str>>, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let mut error = Error::new(ErrorKind::from_io(source.kind()), what);
        error.0.source = Some(source);
        error
    }

    /// Says what would help.
    pub(crate) fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says which object it is about, unless that is known already.
    pub(crate) fn about(mut self, object: impl fmt::Display) -> Self {
        self.0.object.get_or_insert_with(|| object.to_string());
        self
    }

    /// The same, of another kind: what it means where it is passed on.
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The object it is about, as an address or a path, where one is involved.
    pub fn object(&self) -> Option<&str> {
        self.0.object.as_deref()
    }

    /// The operating system's error number, if it was one.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.0.source.as_ref()?.raw_os_error()
    }

    /// Takes the quintet error out of an [`io::Error`] that carries one, as `io::Read` and `io::Write` return them;
    /// any other `io::Error` is described by its own text.
    ///
    /// ```
    /// use quintet::{Error, ErrorKind, Name};
    ///
    /// let through_io = std::io::Error::from(Name::new("").unwrap_err());
    /// assert_eq!(Error::from_io(through_io).kind(), ErrorKind::InvalidName);
    /// ```
    pub fn from_io(error: io::Error) -> Self {
        match error.downcast::<Error>() {
            Ok(error) => error,
            Err(error) => {
                let mut wrapped = Error::new(ErrorKind::from_io(error.kind()), "");
                wrapped.0.source = Some(error);
                wrapped
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let mut separator = "";
        if let Some(object) = &inner.object {
            f.write_str(object)?;
            separator = ": ";
        }
        if !inner.reason.is_empty() {
            write!(f, "{separator}{}", inner.reason)?;
            separator = ": ";
        }
        if let Some(source) = &inner.source {
            write!(f, "{separator}{source}")?;
        }
        if let Some(hint) = &inner.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The text of the source is part of ours; repeating it as a cause would print it twice.
        None
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::new(error.kind().to_io(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_object_reason_source_and_hint_in_this_order() {
        let source = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = Error::os("cannot connect", source)
            .about("pipe://x")
            .hint("ask its owner")
            .about("pipe://other");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert_eq!(error.object(), Some("pipe://x"));
        assert_eq!(
            error.to_string(),
            "pipe://x: cannot connect: permission denied; ask its owner"
        );
    }

    #[test]
    fn a_foreign_io_error_keeps_its_text_and_number() {
        let error = Error::from_io(io::Error::from_raw_os_error(2));
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.raw_os_error(), Some(2));
        assert!(!error.to_string().is_empty());
    }
}
