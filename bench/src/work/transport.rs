use crate::harness::Place;
use crate::row::Result;
use std::net::{Ipv4Addr, TcpListener};

/// What the messages of sockets go over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    #[cfg(target_os = "linux")]
    Unix,
    Tcp,
}

impl Transport {
    pub(crate) const ALL: &[Transport] = &[
        #[cfg(target_os = "linux")]
        Transport::Unix,
        Transport::Tcp,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            #[cfg(target_os = "linux")]
            Transport::Unix => "unix",
            Transport::Tcp => "tcp",
        }
    }

    /// What the rows of the bare socket begin with.
    pub(crate) fn floor(self) -> &'static str {
        match self {
            #[cfg(target_os = "linux")]
            Transport::Unix => "unix stream",
            Transport::Tcp => "tcp",
        }
    }

    /// An address that nobody has, as nanomsg and its kin write them. (A port that was free a moment ago.)
    pub(crate) fn free_address(self, place: &Place, name: &str) -> Result<String> {
        match self {
            #[cfg(target_os = "linux")]
            Transport::Unix => Ok(format!("ipc://{}/{name}", place.folder().display())),
            Transport::Tcp => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                Ok(format!("tcp://{}", listener.local_addr()?))
            }
        }
    }
}
