//! A pipe's server.

use super::connection::{Connection, Terms};
use super::instances::{Instances, Taken};
use super::path::{self, SocketName, There};
use crate::os::linux::no_descriptor;
use crate::os::linux::peer;
use crate::os::linux::runtime::Claim;
use crate::os::pipe_types::{PipeMode, ServerOptions};
use crate::os::step::call;
use crate::os::types::Access;
use crate::wait::{self, Spin};
use crate::{Deadline, Error, ErrorKind, Name, Result};
use rustix::fd::AsFd;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a waiting server looks whether its name still leads to it.
const NAME_CHECK: Duration = wait::SLICE.saturating_mul(10);

/// How often a socket is removed that nobody serves before the name is given up as contested.
const TRIES: u32 = 8;

/// A bound and listening pipe.
///
/// # Protocol
/// 1. Take the *claim* of the socket path in the runtime folder: of all Quintet processes only its holder touches the
///    path. Held by another: busy.
/// 2. Look at the path without connecting (`path::probe`). A live socket belongs to a program that takes no claims
///    (.NET): busy. A stale one was left by a process that died: remove it. Anything that is not a socket: leave it.
/// 3. Bind, with a mode that lets in nobody else from the first moment; set access; listen.
/// 4. Given back: the path, if it still leads to our socket, then the claim.
///
/// A death after 1 leaves a claim that nobody holds; after 3 a stale socket too, which clients take for "no server".
/// The next server replaces both. .NET unlinks whatever is at the path when it binds: `accept` notices, within half a
/// second, that its name leads elsewhere. Between our look (2) and our removing a stale socket .NET may bind there; it
/// then loses its name to us, as it does among its own kind.
#[derive(Debug)]
pub(crate) struct Listener {
    instances: Arc<Instances>,
    claim: Claim,
    released: AtomicBool,
    options: ServerOptions,
    spin: Spin,
}

impl Listener {
    pub(crate) fn create(name: &Name, options: &ServerOptions) -> Result<Self> {
        let path = path::of(name)?;
        path::check_folder()?;
        let text = format!(
            "path={}\npid={}\nmode={}\nmax_instances={}\n",
            path.display(),
            std::process::id(),
            options.mode,
            options
                .max_instances
                .map_or("unlimited".into(), |max| max.to_string()),
        );
        let claim = Claim::take(&path::claim_key(&path), &text)?
            .ok_or_else(|| busy("another server has this name"))?;
        let kind = match options.mode {
            PipeMode::Byte => SocketType::STREAM,
            PipeMode::Message => SocketType::SEQPACKET,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = call(|| rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None))
            .map_err(|error| no_descriptor("cannot make a socket", error))?;
        // The file that bind makes has the mode of the open socket.
        call(|| rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR))
            .map_err(|error| Error::os("cannot set the socket's mode", error))?;
        bind(&socket, &path)?;
        let remove_again = |error| {
            let _ = call(|| std::fs::remove_file(&path));
            error
        };
        let name = SocketName::of(path.clone())
            .map_err(|error| remove_again(Error::os("cannot look at the new socket", error)))?;
        let instances = open_to(&path, options.access)
            .and_then(|()| Instances::listen(socket, name, kind, options.max_instances))
            .map_err(remove_again)?;
        Ok(Listener {
            instances,
            claim,
            released: AtomicBool::new(false),
            options: options.clone(),
            spin: Spin::default(),
        })
    }

    /// The next client, once there is one and an instance for it.
    pub(crate) fn accept(&self, deadline: Deadline) -> Result<Connection> {
        let accepted = wait::wait(
            &self.spin,
            deadline,
            NAME_CHECK,
            || self.take(),
            |slice| {
                self.instances.park(slice)?;
                self.check_name()
            },
        )?;
        accepted.ok_or_else(|| Error::new(ErrorKind::TimedOut, "no client connected before the deadline"))
    }

    fn take(&self) -> Result<Option<Connection>> {
        let Taken::Client(socket, instance) = self.instances.take()? else {
            return Ok(None);
        };
        let options = &self.options;
        let client =
            peer::credentials(&socket).map_err(|error| Error::os("cannot ask who the client is", error))?;
        if options.access == Access::CurrentUser && !peer::user(&client).is_trusted() {
            // The socket's mode kept it out, unless somebody changed that: closed without a word.
            return Ok(None);
        }
        let terms = Terms {
            mode: options.mode,
            bounded: options.mode == PipeMode::Message,
            direction: options.direction,
            max_message: options.max_message,
            out_buffer: options.out_buffer,
        };
        Connection::new(socket, &terms, Some(instance)).map(Some)
    }

    fn check_name(&self) -> Result<()> {
        if self.released.load(Ordering::Relaxed) {
            return Ok(());
        }
        let name = self.instances.name();
        match name.leads_to_us() {
            Ok(true) => Ok(()),
            Ok(false) => Err(busy("another server has taken the name from this one")
                .hint("a .NET server unlinks a name that is in use; give each server a name of its own")),
            Err(error) => Err(Error::os(
                format!(
                    "its socket {} is gone, so no client can find it",
                    name.path.display()
                ),
                error,
            )),
        }
    }

    /// Removes the name, if it is still ours; clients that are connected stay so.
    pub(crate) fn release_name(&self) {
        if !self.released.swap(true, Ordering::Relaxed) {
            let name = self.instances.name();
            if name.leads_to_us().unwrap_or(false) {
                let _ = call(|| std::fs::remove_file(&name.path));
            }
            self.claim.release_name();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.release_name();
    }
}

fn busy(why: &'static str) -> Error {
    Error::new(ErrorKind::Busy, why)
}

/// Binds to a path, replacing what a dead server left there and nothing else.
pub(in crate::os::linux) fn bind(socket: impl AsFd, path: &std::path::Path) -> Result<()> {
    let address = path::address(path)?;
    for _ in 0..TRIES {
        match call(|| rustix::net::bind(&socket, &address)) {
            Ok(()) => return Ok(()),
            Err(Errno::ADDRINUSE) => {}
            Err(error) => return Err(Error::os(format!("cannot bind to {}", path.display()), error)),
        }
        match path::probe(path)? {
            There::Nothing => {}
            There::Live => {
                return Err(busy("a program that is not Quintet serves this name"));
            }
            There::Stale => match call(|| std::fs::remove_file(path)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(
                        Error::os(format!("cannot replace the stale {}", path.display()), error)
                            .hint("another user's server left it; only that user can remove it"),
                    );
                }
                _ => {}
            },
            There::Forbidden => {
                return Err(Error::new(
                    ErrorKind::PermissionDenied,
                    format!("{} is a socket of another user", path.display()),
                )
                .hint("choose another name"));
            }
            There::NotASocket => {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    format!("{} is not a socket; it is left alone", path.display()),
                )
                .hint("remove it or choose another name"));
            }
        }
    }
    Err(busy("another program takes this name again and again"))
}

/// Lets others than our user in, where that is asked for. Nobody can connect yet, as nobody listens.
pub(in crate::os::linux) fn open_to(path: &std::path::Path, access: Access) -> Result<()> {
    match access {
        Access::CurrentUser => Ok(()),
        Access::Everyone => call(|| rustix::fs::chmod(path, Mode::from_raw_mode(0o666)))
            .map_err(|error| Error::os(format!("cannot open {} to everyone", path.display()), error)),
    }
}
