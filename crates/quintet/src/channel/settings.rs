use crate::os::types::{Access, words};
use crate::{Address, Error, ErrorKind, Result, Scheme};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Which end an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It makes the object.
    Listen,
    /// It looks for the object.
    Connect,
}

words!(Role, "role", Listen = "listen", Connect = "connect");

/// Who gets a socket's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pattern {
    /// One of those who are there, by turns.
    #[default]
    Push,
    /// The one who is there.
    Pair,
}

words!(Pattern, "pattern", Push = "push", Pair = "pair");

/// What the program wants to be at the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Send,
    Receive,
    Both,
}

/// What an address and its options say, read once for all mechanisms.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// With all its options but the role, which the other end has not: what it can be opened with, and what errors name.
    pub(super) address: Address,
    /// With those of the mechanism itself.
    pub(super) plain: Address,
    pub(super) purpose: Purpose,
    role: Option<Role>,
    pub(super) max_message: Option<u64>,
    pub(super) access: Access,
    #[cfg_attr(not(feature = "socket"), expect(dead_code, reason = "sockets alone have it"))]
    pub(super) pattern: Pattern,
    #[cfg_attr(not(feature = "socket"), expect(dead_code, reason = "sockets alone have it"))]
    pub(super) linger: Option<Duration>,
    pub(super) depth: u64,
}

/// The options that the channel reads itself, whatever the mechanism.
const COMMON: [&str; 3] = ["role", "max_message", "access"];

impl Settings {
    pub(super) fn new(address: Address, purpose: Purpose) -> Result<Self> {
        let scheme = address.scheme();
        let own = own_options(scheme)
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, no_messages(scheme)).about(&address))?;
        let known: Vec<&str> = COMMON.iter().chain(own).copied().collect();
        address.expect_options(&known)?;
        if address.option("mode").is_some_and(|mode| mode != "message") {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a channel carries whole messages, and a pipe of bytes has none",
            )
            .about(&address)
            .hint("leave mode out, or say mode=message"));
        }
        let max_message: Option<u64> = address.parse_option("max_message")?;
        if max_message == Some(0) {
            return Err(Error::new(
                ErrorKind::InvalidAddress,
                "max_message is 0, which no message fits",
            )
            .about(&address));
        }
        let linger = match address.parse_option::<f64>("linger")? {
            None => None,
            Some(seconds) => Some(Duration::try_from_secs_f64(seconds).map_err(|why| {
                Error::new(
                    ErrorKind::InvalidAddress,
                    format!("the option linger={seconds} is not a time in seconds: {why}"),
                )
                .about(&address)
            })?),
        };
        let is_ours = |key: &str| {
            matches!(
                key,
                "role" | "max_message" | "pattern" | "linger" | "depth" | "mode"
            ) || key == "access" && !has_access(scheme)
        };
        Ok(Settings {
            plain: address.clone().without(is_ours),
            purpose,
            role: address.parse_option("role")?,
            max_message,
            access: address.parse_option("access")?.unwrap_or_default(),
            pattern: match purpose {
                Purpose::Both => Pattern::Pair,
                _ => address.parse_option("pattern")?.unwrap_or_default(),
            },
            linger,
            depth: address.parse_option("depth")?.unwrap_or(u64::MAX),
            address: address.without(|key| key == "role"),
        })
    }

    /// Whether this end makes the object of a mechanism that has two kinds of ends: who receives does, unless told.
    pub(super) fn listens(&self) -> bool {
        match self.role {
            Some(role) => role == Role::Listen,
            None => self.purpose == Purpose::Receive,
        }
    }

    /// Whether it may make the object where either end can: unless it is told to look for one.
    pub(super) fn creates(&self) -> bool {
        self.role != Some(Role::Connect)
    }

    /// How many bytes a ring needs so that the longest message fits, if that was said and the ring's size was not.
    pub(super) fn ring_for_longest(&self) -> Option<u64> {
        let longest = self.max_message?;
        if self.address.option("capacity").is_some() {
            return None;
        }
        // The longest is a little less than half of the ring.
        Some(longest.saturating_add(16).saturating_mul(2))
    }

    /// Opens an object, or makes it if this end may; `longest` is what it then takes.
    pub(super) fn finder<B: Clone + Send + 'static, O: 'static>(
        &self,
        builder: B,
        make: fn(B) -> Result<O>,
        open: fn(B) -> Result<O>,
        longest: fn(&O) -> usize,
    ) -> impl FnMut() -> Result<O> + Send + 'static {
        let settings = self.clone();
        move || {
            let find = if settings.creates() { make } else { open };
            let object = find(builder.clone())?;
            settings.check_longest(longest(&object))?;
            Ok(object)
        }
    }

    /// Makes sure that what is there takes messages that are as long as was said.
    pub(super) fn check_longest(&self, has: usize) -> Result<()> {
        match self.max_message {
            Some(asked) if asked > has as u64 => Err(Error::new(
                ErrorKind::TooLarge,
                format!("what is there takes messages of at most {has} bytes, not of {asked}"),
            )
            .about(&self.address)
            .hint("who makes it decides: say max_message at all ends")),
            _ => Ok(()),
        }
    }

    /// Refuses a message that is longer than was said to be the longest, the same for all mechanisms.
    #[inline]
    pub(super) fn check(&self, message: &[u8]) -> Result<()> {
        match self.max_message {
            Some(longest) if message.len() as u64 > longest => Err(Error::new(
                ErrorKind::TooLarge,
                format!("a message of {} bytes: max_message is {longest}", message.len()),
            )
            .about(&self.address)
            .hint("raise it at all ends if that is meant")),
            _ => Ok(()),
        }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn path(&self) -> Result<std::path::PathBuf> {
        match self.address.target() {
            crate::Target::Path(path) => Ok(path.into()),
            _ => Err(Error::new(ErrorKind::InvalidAddress, "it has no path").about(&self.address)),
        }
    }
}

/// Whether the mechanism reads `access` itself.
fn has_access(scheme: Scheme) -> bool {
    matches!(
        scheme,
        Scheme::Pipe | Scheme::Queue | Scheme::Topic | Scheme::Mailbox
    )
}

/// The options of one mechanism; `None` if it carries no messages.
fn own_options(scheme: Scheme) -> Option<&'static [&'static str]> {
    Some(match scheme {
        Scheme::Pipe => &["mode", "in_buffer", "out_buffer"],
        Scheme::Queue => &["capacity", "producers", "persistent"],
        Scheme::Topic => &["capacity", "publishers", "subscribe", "persistent", "depth"],
        Scheme::Mailbox => &["size", "in_place", "persistent"],
        Scheme::Window => &["class", "process", "pid", "hwnd", "id"],
        Scheme::Tcp | Scheme::Unix | Scheme::Ipc => &["pattern", "linger"],
        Scheme::Fifo => &[],
        _ => return None,
    })
}

fn no_messages(scheme: Scheme) -> String {
    match scheme {
        Scheme::Shm => {
            "raw shared memory has bytes and no messages; take mailbox://, queue:// or topic://".into()
        }
        Scheme::TlsTcp => "TLS is not there yet".into(),
        _ => format!("a {scheme} carries no messages"),
    }
}
