//! What an address means to a socket.

use super::framing::Framing;
use crate::os::socket::Place;
use crate::{Address, Error, ErrorKind, Result, Scheme, Target};

/// Where that is. `listens`: as one's own place, where a host may be `*`.
pub(super) fn of(address: &Address, listens: bool) -> Result<Place> {
    let place = match (address.scheme(), address.target()) {
        (Scheme::Tcp, Target::Host { host, .. }) if host == "*" && !listens => Err(Error::new(
            ErrorKind::InvalidAddress,
            "* is for who listens: every interface of the machine",
        )),
        (Scheme::Tcp, Target::Host { host, port }) => Place::tcp(host, *port),
        (Scheme::Unix, Target::Path(path)) => Place::local(path),
        (Scheme::Ipc, Target::Path(path)) => Place::ipc(path),
        _ => Err(
            Error::new(ErrorKind::InvalidAddress, "this is not the address of a socket")
                .hint("sockets have tcp://HOST:PORT, unix:///PATH, ipc://PATH"),
        ),
    };
    let place = place.map_err(|error| error.about(address))?;
    address.expect_options(&[])?;
    Ok(place)
}

/// Local sockets have nng's mapping for IPC, whichever way their address is written.
pub(super) fn framing(is_local: bool) -> Framing {
    if is_local { Framing::Ipc } else { Framing::Tcp }
}

/// The address with the port that the system chose.
pub(super) fn with_port(address: &Address, port: Option<u16>) -> Result<Address> {
    match (address.target(), port) {
        (Target::Host { host, port: 0 }, Some(port)) if host.contains(':') => {
            format!("{}://[{host}]:{port}", address.scheme()).parse()
        }
        (Target::Host { host, port: 0 }, Some(port)) => {
            format!("{}://{host}:{port}", address.scheme()).parse()
        }
        _ => Ok(address.clone()),
    }
}
