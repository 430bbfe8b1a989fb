//! Closing what strangers have handed over, where that harms nobody.
//!
//! Whoever lets others in gets descriptors of them, and has to close what is not what he takes. Closing can take as long as their
//! owner likes: a file of a file system that he serves himself (FUSE), or a connection that lingers, which may also wait
//! unread in a socket that is closed. So a thread of its own does that, which is there while there is something to close.

use super::socket;
use crate::os::linux::fork::PrivateFd;
use crate::os::per_process::PerProcess;
use rustix::fd::OwnedFd;
use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// While more than so many wait to be closed, nobody is let in who could bring others.
const MOST: usize = 64;

/// What is to be closed.
#[derive(Debug)]
enum Waste {
    File(OwnedFd),
    Socket(PrivateFd),
}

#[derive(Debug, Default)]
struct Closer {
    waiting: VecDeque<Waste>,
    /// Whether there is a thread that closes them.
    is_at_it: bool,
}

fn closer() -> MutexGuard<'static, Closer> {
    static CLOSER: PerProcess<Mutex<Closer>> = PerProcess::new();
    // It is whole after every step.
    CLOSER.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether much waits to be closed.
pub(super) fn is_behind() -> bool {
    closer().waiting.len() > MOST
}

fn close(waste: Waste) {
    let mut closer = closer();
    closer.waiting.push_back(waste);
    if !closer.is_at_it {
        let thread = thread::Builder::new().name("quintet-close".into());
        // Without a thread it waits for the next one.
        closer.is_at_it = thread.spawn(close_all).is_ok();
    }
}

fn close_all() {
    loop {
        let next = {
            let mut closer = closer();
            let next = closer.waiting.pop_front();
            closer.is_at_it = next.is_some();
            next
        };
        match next {
            None => return,
            Some(Waste::File(file)) => drop(file),
            // What it has still to give is closed after it, as no process can fork while it is being closed.
            Some(Waste::Socket(socket)) => drop(socket::emptied(socket)),
        }
    }
}

/// Closes a file that may be anything.
pub(super) fn close_file(file: OwnedFd) {
    close(Waste::File(file));
}

/// The socket of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// `None` when it is dropped.
    socket: Option<PrivateFd>,
    /// Whether the other side may be another user's.
    is_strange: bool,
}

impl Connection {
    pub(super) fn new(socket: PrivateFd, is_strange: bool) -> Self {
        Connection {
            socket: Some(socket),
            is_strange,
        }
    }
}

impl Deref for Connection {
    type Target = PrivateFd;

    fn deref(&self) -> &PrivateFd {
        self.socket.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(socket) = self
            .socket
            .take()
            .filter(|socket| self.is_strange && socket.is_ours())
        {
            close(Waste::Socket(socket));
        }
    }
}
