//! Addresses: one grammar for all mechanisms, in the library and on the command line.
//!
//! | address | object |
//! |---|---|
//! | `pipe://NAME` | named pipe |
//! | `shm://NAME` | named shared memory |
//! | `mailbox://NAME`, `queue://NAME`, `topic://NAME` | structured shared memory |
//! | `window://TITLE`, `window://?class=C&process=P&pid=N&hwnd=H` | message window |
//! | `sem://NAME`, `mutex://NAME`, `event://NAME` | semaphore, mutex, event |
//! | `tcp://HOST:PORT`, `tls+tcp://HOST:PORT`, `unix:///PATH`, `unix://@NAME`, `ipc://PATH` | socket |
//! | `fifo:///PATH` | FIFO file |
//!
//! After a `?` come options, `key=value` joined by `&`. What a URL cannot carry is percent-encoded.

mod percent;
mod scheme;

pub use scheme::Scheme;

use crate::suggest::nearest;
use crate::{Error, ErrorKind, Name, Result};
use std::fmt;
use std::str::FromStr;

/// Where an object is, and with which options: `pipe://TestPipe?mode=message`.
///
/// [`FromStr`] parses it, [`Display`](fmt::Display) writes it so that it parses to the same again.
///
/// ```
/// use quintet::{Address, Scheme};
///
/// let address: Address = "pipe://TestPipe?mode=message".parse()?;
/// assert_eq!(address.scheme(), Scheme::Pipe);
/// assert_eq!(address.name()?.as_str(), "TestPipe");
/// assert_eq!(address.option("mode"), Some("message"));
/// assert_eq!(address.to_string(), "pipe://TestPipe?mode=message");
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    scheme: Scheme,
    target: Target,
    options: Vec<(String, String)>,
}

/// The part of an address between the scheme and the options.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// A named object.
    Name(Name),
    /// A window by its title; `None` when options alone choose it, in the address or added to it.
    Window(Option<String>),
    /// A host (name, address, or `*` for all interfaces; IPv6 without its brackets) and a port.
    Host {
        /// The host.
        host: String,
        /// The port; 0 lets the system choose when listening.
        port: u16,
    },
    /// A path in the file system; for `unix://` also `@` and the abstract name of a socket.
    Path(String),
}

impl Address {
    /// The address of a named object.
    ///
    /// # Errors
    /// Those of [`Name::new`]; [`ErrorKind::InvalidAddress`] for a scheme whose objects have no names.
    ///
    /// ```
    /// use quintet::{Address, Scheme};
    /// assert_eq!(Address::named(Scheme::Pipe, "TestPipe")?.to_string(), "pipe://TestPipe");
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn named<N>(scheme: Scheme, name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        if !scheme.has_name() {
            return Err(Error::new(
                ErrorKind::InvalidAddress,
                format!("{scheme}:// has no named objects"),
            ));
        }
        Ok(Address {
            scheme,
            target: Target::Name(name.try_into()?),
            options: Vec::new(),
        })
    }

    /// The address of a window, by its title, or by options that are to be added.
    ///
    /// ```
    /// use quintet::Address;
    /// assert_eq!(Address::window(Some("Main window")).to_string(), "window://Main%20window");
    /// ```
    pub fn window(title: Option<&str>) -> Self {
        Address {
            scheme: Scheme::Window,
            target: Target::Window(title.map(String::from)),
            options: Vec::new(),
        }
    }

    /// The address of a Unix socket.
    #[cfg(feature = "socket")]
    pub(crate) fn unix(path: impl Into<String>) -> Self {
        Address {
            scheme: Scheme::Unix,
            target: Target::Path(path.into()),
            options: Vec::new(),
        }
    }

    /// The scheme: which mechanism.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// What the scheme's object is called.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The name, for schemes that have one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidAddress`] for the others.
    pub fn name(&self) -> Result<&Name> {
        match &self.target {
            Target::Name(name) => Ok(name),
            _ => Err(Error::new(
                ErrorKind::InvalidAddress,
                format!("{}:// has no named objects", self.scheme),
            )
            .about(self)),
        }
    }

    /// The value of an option, if it was given.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.options()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value)
    }

    /// All options in the order given.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The same address with an option set, in place of one of that key.
    #[must_use]
    pub fn with_option(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let (key, value) = (key.into(), value.into());
        match self.options.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.options.push((key, value)),
        }
        self
    }

    /// The same address without its options: what names the object and nothing else.
    #[must_use]
    pub fn without_options(mut self) -> Self {
        self.options.clear();
        self
    }

    /// The same address without the options that `is_left_out` says.
    pub(crate) fn without(mut self, is_left_out: impl Fn(&str) -> bool) -> Self {
        self.options.retain(|(key, _)| !is_left_out(key));
        self
    }

    /// Refuses options that are not in `known`, so that a misspelt one is not silently ignored.
    pub(crate) fn expect_options(&self, known: &[&str]) -> Result<()> {
        for (key, _) in self.options() {
            if !known.contains(&key) {
                let hint = match nearest(key, known.iter().copied()) {
                    Some(meant) => format!("did you mean {meant:?}?"),
                    None if known.is_empty() => "it has none here".to_owned(),
                    None => format!("it has {}", known.join(", ")),
                };
                return Err(Error::new(
                    ErrorKind::InvalidAddress,
                    format!("{}:// has no option {key:?}", self.scheme),
                )
                .about(self)
                .hint(hint));
            }
        }
        Ok(())
    }

    /// Reads an option by its type's own grammar.
    pub(crate) fn parse_option<T>(&self, key: &str) -> Result<Option<T>>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.option(key)
            .map(|value| {
                value.parse().map_err(|why: T::Err| {
                    Error::new(
                        ErrorKind::InvalidAddress,
                        format!("the option {key}={value:?} is not understood: {why}"),
                    )
                    .about(self)
                })
            })
            .transpose()
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: String| Error::new(ErrorKind::InvalidAddress, format!("the address {text:?} {why}"));
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(
                bad("has no scheme".into()).hint("write it as SCHEME://NAME, such as pipe://TestPipe")
            );
        };
        let scheme: Scheme = scheme.parse()?;
        let (target, query) = match rest.split_once('?') {
            Some((target, query)) => (target, Some(query)),
            None => (rest, None),
        };
        let decode = |part: &str| percent::decode(part).map_err(|why| bad(why.into()));
        let target = decode(target)?;
        let target = if scheme.has_name() {
            Target::Name(Name::new(target)?)
        } else if scheme == Scheme::Window {
            Target::Window(Some(target).filter(|title| !title.is_empty()))
        } else if scheme.has_host() {
            let (host, port) = split_host(&target).map_err(bad)?;
            Target::Host { host, port }
        } else {
            // On Linux a Unix socket has a path, or an abstract name, which is written with an @.
            let named = scheme == Scheme::Unix && target.len() > 1 && target.starts_with('@');
            let absolute = target.starts_with('/') || named;
            if target.is_empty() || target.contains('\0') || !(absolute || scheme == Scheme::Ipc) {
                return Err(bad("has no absolute path".into()).hint(format!("write it as {scheme}:///PATH")));
            }
            Target::Path(target)
        };
        let mut options: Vec<(String, String)> = Vec::new();
        for option in query.unwrap_or("").split('&').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            let (key, value) = (decode(key)?, decode(value)?);
            if key.is_empty() {
                return Err(bad("has an option without a key".into()));
            }
            if options.iter().any(|(known, _)| *known == key) {
                return Err(bad(format!("has the option {key:?} twice")));
            }
            options.push((key, value));
        }
        Ok(Address {
            scheme,
            target,
            options,
        })
    }
}

impl TryFrom<&str> for Address {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<&String> for Address {
    type Error = Error;

    fn try_from(text: &String) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<String> for Address {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<&Address> for Address {
    fn from(address: &Address) -> Self {
        address.clone()
    }
}

/// Splits `HOST:PORT`, `[IPV6]:PORT`.
fn split_host(text: &str) -> std::result::Result<(String, u16), String> {
    let (host, port) = text
        .rsplit_once(':')
        .ok_or_else(|| "has no port: write HOST:PORT".to_string())?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner
            .strip_suffix(']')
            .filter(|inner| inner.contains(':'))
            .ok_or_else(|| "has a bracket that is not around an IPv6 address".to_string())?,
        None if host.contains(':') => {
            return Err("has an IPv6 address without brackets: write [HOST]:PORT".into());
        }
        None => host,
    };
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '\\' | '[' | ']' | '@');
    if host.is_empty() || host.contains(odd) {
        return Err("has no valid host: write HOST:PORT, or *:PORT for all interfaces".into());
    }
    if port.is_empty() || !port.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(format!("has a port {port:?} that is not a number"));
    }
    let port = port
        .parse()
        .map_err(|_| format!("has a port {port:?} beyond 65535"))?;
    Ok((host.to_string(), port))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        match &self.target {
            Target::Name(name) => percent::encode(f, name.as_str(), "")?,
            Target::Window(title) => percent::encode(f, title.as_deref().unwrap_or(""), "")?,
            Target::Host { host, port } if host.contains(':') => write!(f, "[{host}]:{port}")?,
            Target::Host { host, port } => {
                percent::encode(f, host, "")?;
                write!(f, ":{port}")?;
            }
            Target::Path(path) => percent::encode(f, path, "")?,
        }
        let mut separator = '?';
        for (key, value) in &self.options {
            write!(f, "{separator}")?;
            percent::encode(f, key, "&=")?;
            write!(f, "=")?;
            percent::encode(f, value, "&")?;
            separator = '&';
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
