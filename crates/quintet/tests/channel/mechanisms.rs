use quintet::Address;
use quintet_testkit::{Test, loopback};

/// One mechanism, and what the documentation says that is particular to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mechanism {
    /// Before the name, path or title.
    scheme: &'static str,
    kind: Kind,
    /// What stands behind it.
    query: &'static str,
    /// So that 50 MB fit, and not much more memory is taken.
    pub(crate) for_long: &'static str,
    /// The longest message if it is bounded whatever is asked for.
    pub(crate) bound: Option<usize>,
    /// Whether all that is sent is received, also by who is slow.
    pub(crate) keeps_all: bool,
    /// Whether one end makes the object and the other looks for it.
    pub(crate) has_roles: bool,
    /// Whether a receiver learns that all who sent have gone.
    pub(crate) receiving_ends: bool,
    pub(crate) sending: Sending,
    /// Whether another user could connect at all.
    #[cfg_attr(windows, expect(dead_code, reason = "there is no other user in the tests"))]
    pub(crate) forbids: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Named,
    #[cfg(target_os = "linux")]
    Path,
    Host,
}

/// What a sender learns when who receives has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// `Disconnected`, with this message or a later one.
    Ends,
    /// `Disconnected` when there is no room any more.
    EndsWhenFull,
    /// Nothing: nobody needs to be there.
    GoesOn,
}

const NAMED: Mechanism = Mechanism {
    scheme: "",
    kind: Kind::Named,
    query: "",
    for_long: "",
    bound: None,
    keeps_all: true,
    has_roles: true,
    receiving_ends: true,
    sending: Sending::Ends,
    forbids: true,
};

pub(crate) const fn pipe() -> Mechanism {
    Mechanism {
        scheme: "pipe://",
        ..NAMED
    }
}

pub(crate) const fn queue() -> Mechanism {
    Mechanism {
        scheme: "queue://",
        for_long: "producers=1",
        has_roles: false,
        sending: Sending::EndsWhenFull,
        ..NAMED
    }
}

pub(crate) const fn topic() -> Mechanism {
    Mechanism {
        scheme: "topic://",
        for_long: "publishers=1",
        has_roles: false,
        sending: Sending::GoesOn,
        ..NAMED
    }
}

pub(crate) const fn mailbox() -> Mechanism {
    Mechanism {
        scheme: "mailbox://",
        for_long: "in_place=0",
        has_roles: false,
        keeps_all: false,
        sending: Sending::GoesOn,
        ..NAMED
    }
}

pub(crate) const fn tcp() -> Mechanism {
    Mechanism {
        scheme: "tcp://",
        kind: Kind::Host,
        forbids: false,
        ..NAMED
    }
}

pub(crate) const fn tcp_pair() -> Mechanism {
    Mechanism {
        query: "pattern=pair",
        ..tcp()
    }
}

#[cfg(target_os = "linux")]
pub(crate) const fn unix() -> Mechanism {
    Mechanism {
        scheme: "unix://",
        kind: Kind::Path,
        ..NAMED
    }
}

pub(crate) const fn ipc_pair() -> Mechanism {
    Mechanism {
        scheme: "ipc://",
        #[cfg(target_os = "linux")]
        kind: Kind::Path,
        // That of a pipe.
        #[cfg(windows)]
        kind: Kind::Named,
        query: "pattern=pair",
        ..NAMED
    }
}

pub(crate) const fn window() -> Mechanism {
    Mechanism {
        scheme: "window://",
        has_roles: false,
        receiving_ends: false,
        // They are not seen at all.
        forbids: false,
        ..NAMED
    }
}

#[cfg(target_os = "linux")]
pub(crate) const fn fifo() -> Mechanism {
    Mechanism {
        scheme: "fifo://",
        kind: Kind::Path,
        bound: Some(4092),
        ..NAMED
    }
}

impl Mechanism {
    /// An address that nobody has.
    pub(crate) fn address(&self, t: &Test) -> String {
        let place = match self.kind {
            Kind::Named => t.name("channel"),
            #[cfg(target_os = "linux")]
            Kind::Path => t.temp_dir().join("c").display().to_string(),
            Kind::Host => format!("{}:0", loopback()),
        };
        with(&format!("{}{place}", self.scheme), &[self.query])
    }

    /// The address for the other end, where this end has its own: with the port, and other options.
    pub(crate) fn theirs(&self, address: &Address, query: &str) -> String {
        with(
            &address.clone().without_options().to_string(),
            &[self.query, query],
        )
    }

    /// A port is known only when somebody listens there.
    pub(crate) fn is_host(&self) -> bool {
        self.kind == Kind::Host
    }

    pub(crate) fn is(&self, scheme: &str) -> bool {
        self.scheme.strip_suffix("://") == Some(scheme)
    }
}

/// An address with more options.
pub(crate) fn with(address: &str, queries: &[&str]) -> String {
    let mut text = address.to_owned();
    for query in queries.iter().filter(|query| !query.is_empty()) {
        text.push(if text.contains('?') { '&' } else { '?' });
        text += query;
    }
    text
}
