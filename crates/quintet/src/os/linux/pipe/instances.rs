//! The instances of a pipe: how many clients a server has at once, and how a client learns that there is no room.
//!
//! On Windows a client connects to a free instance or is told that all are busy. On Linux any number of clients would
//! be queued by the kernel, connected as far as they can tell. So the queue is kept as long as there are free
//! instances, and the kernel itself makes further clients wait (or tells them EAGAIN): .NET's and everybody's, not only
//! ours, and for as long as it takes until one is free.
//!
//! The kernel's shortest queue has one place. When no instance is free, a *plug*, a socket of our own, sits in it. The
//! plug is known from its (autobound) address, since a real client may be a thread of this very process. A client that
//! connects in the instant between our accepting the last one and plugging stays in the queue and is served next, as
//! soon as an instance is free.

use super::path::{self, SocketName};
use crate::os::linux::anonymous::poll;
use crate::os::linux::no_descriptor;
use crate::os::step::call;
use crate::{Error, Result};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The queue of a server that takes any number of clients. The kernel cuts it to `net.core.somaxconn`.
const UNBOUNDED_QUEUE: i32 = 4096;

/// A listening socket and what is connected through it.
#[derive(Debug)]
pub(super) struct Instances {
    socket: OwnedFd,
    name: SocketName,
    kind: SocketType,
    max: Option<u32>,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    connected: u32,
    plug: Option<Plug>,
    /// Clients met in the queue while the plug was taken out of it: next in line.
    early: VecDeque<OwnedFd>,
}

/// What one look for a client found.
pub(super) enum Taken {
    Client(OwnedFd, Instance),
    NobodyThere,
}

impl Instances {
    /// Starts to listen on a bound, non-blocking socket.
    pub(super) fn listen(
        socket: OwnedFd,
        name: SocketName,
        kind: SocketType,
        max: Option<u32>,
    ) -> Result<Arc<Self>> {
        let instances = Instances {
            socket,
            name,
            kind,
            max,
            state: Mutex::default(),
            freed: Condvar::new(),
        };
        instances.set_queue(max.map_or(UNBOUNDED_QUEUE, |max| i32::try_from(max - 1).unwrap_or(i32::MAX)))?;
        Ok(Arc::new(instances))
    }

    /// The name that clients connect to.
    pub(super) fn name(&self) -> &SocketName {
        &self.name
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every step leaves the state consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_queue(&self, backlog: i32) -> Result<()> {
        call(|| rustix::net::listen(&self.socket, backlog)).map_err(|error| Error::os("cannot listen", error))
    }

    fn is_full(&self, state: &State) -> bool {
        self.max.is_some_and(|max| state.connected >= max)
    }

    /// Takes the next client out of the queue if there is one and an instance for it.
    pub(super) fn take(self: &Arc<Self>) -> Result<Taken> {
        let mut state = self.lock();
        if self.is_full(&state) {
            return Ok(Taken::NobodyThere);
        }
        // A release that had no descriptor to take the plug out has left that to us.
        if state.plug.is_some() {
            self.balance(&mut state)?;
        }
        let client = match state.early.pop_front() {
            Some(client) => Some(client),
            None => self.accept()?,
        };
        let Some(client) = client else {
            return Ok(Taken::NobodyThere);
        };
        state.connected += 1;
        if let Err(error) = self.balance(&mut state) {
            // No descriptor for a plug: the client stays next in line, since others could not be kept out.
            state.connected -= 1;
            state.early.push_front(client);
            return Err(error);
        }
        drop(state);
        Ok(Taken::Client(client, Instance(self.clone())))
    }

    fn accept(&self) -> Result<Option<OwnedFd>> {
        match rustix::io::retry_on_intr(|| {
            call(|| rustix::net::accept_with(&self.socket, SocketFlags::CLOEXEC))
        }) {
            Ok(client) => Ok(Some(client)),
            Err(Errno::AGAIN | Errno::CONNABORTED) => Ok(None),
            Err(error) => Err(cannot_accept(error)),
        }
    }

    /// Sleeps until a client may be there, for at most `slice`.
    pub(super) fn park(&self, slice: Duration) -> Result<()> {
        let state = self.lock();
        if self.is_full(&state) {
            drop(self.freed.wait_timeout(state, slice));
            return Ok(());
        }
        if !state.early.is_empty() {
            return Ok(());
        }
        drop(state);
        call(|| poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(slice)))
            .map_err(|error| Error::os("cannot wait for a client", error))?;
        Ok(())
    }

    fn release(&self) {
        let mut state = self.lock();
        state.connected -= 1;
        // Called as a connection is dropped, with nobody to tell. What fails here (no descriptor left for a plug's
        // place in the queue) is tried again at the next accept or release.
        let _ = self.balance(&mut state);
        drop(state);
        self.freed.notify_all();
    }

    /// Makes the kernel's queue as long as there are free instances.
    fn balance(&self, state: &mut State) -> Result<()> {
        let Some(max) = self.max else {
            return Ok(());
        };
        loop {
            let taken = state.connected as usize + state.early.len();
            let free = (max as usize).saturating_sub(taken);
            if free == 0 {
                if state.plug.is_none() {
                    self.set_queue(0)?;
                    state.plug = Some(Plug::insert(&self.name, self.kind)?);
                }
                return Ok(());
            }
            let Some(plug) = state.plug.take() else {
                return self.set_queue(i32::try_from(free - 1).unwrap_or(i32::MAX));
            };
            // Everybody in front of the plug is a client for a free instance; then count again.
            if !plug.queued {
                continue;
            }
            loop {
                match self.accept() {
                    Ok(Some(client)) if !plug.is(&client) => state.early.push_back(client),
                    Ok(_) => break,
                    Err(error) => {
                        state.plug = Some(plug);
                        return Err(error);
                    }
                }
            }
        }
    }
}

/// A client that finds no descriptor stays queued.
fn cannot_accept(error: Errno) -> Error {
    no_descriptor("cannot accept a client", error)
}

/// One connected client's place; free again when this drops.
#[derive(Debug)]
pub(super) struct Instance(Arc<Instances>);

impl Drop for Instance {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A socket of ours in the only place of the queue.
#[derive(Debug)]
struct Plug {
    /// Bound to an address that the kernel chose; connected, if `queued`.
    socket: OwnedFd,
    /// False when a client was there first, which does as well.
    queued: bool,
}

impl Plug {
    fn insert(name: &SocketName, kind: SocketType) -> Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = call(|| rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None))
            .map_err(cannot_accept)?;
        call(|| rustix::net::bind(&socket, &SocketAddrUnix::new_unnamed())).map_err(cannot_accept)?;
        let address = path::address(&name.path)?;
        // With the name, all clients are another's: there is nobody to keep out, and it must not be taken for a client.
        let is_ours = match name.leads_to_us() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            is_ours => is_ours.map_err(|error| Error::os("cannot look at the socket", error))?,
        };
        let queued = is_ours
            && match call(|| rustix::net::connect(&socket, &address)) {
                Ok(()) => true,
                // Full: a client was first. Not to be found: the name was lost just now.
                Err(Errno::AGAIN | Errno::NOENT | Errno::CONNREFUSED | Errno::PROTOTYPE) => false,
                Err(error) => return Err(cannot_accept(error)),
            };
        Ok(Plug { socket, queued })
    }

    /// Whether an accepted socket is this plug's other end.
    fn is(&self, accepted: &OwnedFd) -> bool {
        let (Ok(ours), Ok(theirs)) = (
            rustix::net::getsockname(&self.socket),
            rustix::net::getpeername(accepted),
        ) else {
            return false;
        };
        Some(ours) == theirs
    }
}
