//! Closing what strangers have handed over, where that harms nobody.
//!
//! Whoever lets others in gets descriptors of them, and has to close what is not what he takes. Closing can take as long as their
//! owner likes: a file of a file system that he serves himself (FUSE), or a connection that lingers, which may also wait
//! unread in a socket that is closed. So threads of their own do that, one for each user, which are there while there is
//! something to close.

use crate::os::linux::fork::PrivateFd;
use crate::os::per_process::PerProcess;
use crate::os::step::call;
use rustix::fd::OwnedFd;
use rustix::net::Shutdown;
use std::collections::{HashMap, VecDeque};
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// While more than so many of one user's wait to be closed, nobody is let in: who it is turns out when it is one more.
const MOST: usize = 64;

/// Of a user who is not known.
pub(super) const SOMEBODY: u32 = u32::MAX;

/// What is to be closed of a user's.
#[derive(Debug, Default)]
struct Waste {
    waiting: VecDeque<OwnedFd>,
    /// Whether there is a thread that closes it.
    is_closed: bool,
}

impl Waste {
    fn see_to_it(&mut self, user: u32) {
        if !self.is_closed && !self.waiting.is_empty() {
            let thread = thread::Builder::new().name("quintet-close".into());
            // Without a thread it waits until somebody asks again.
            self.is_closed = thread.spawn(move || close_all(user)).is_ok();
        }
    }
}

fn wastes() -> MutexGuard<'static, HashMap<u32, Waste>> {
    static WASTES: PerProcess<Mutex<HashMap<u32, Waste>>> = PerProcess::new();
    // They are whole after every step.
    WASTES.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether much waits to be closed.
pub(super) fn is_behind() -> bool {
    let mut is_behind = false;
    for (user, waste) in &mut *wastes() {
        waste.see_to_it(*user);
        is_behind |= waste.waiting.len() > MOST;
    }
    is_behind
}

/// Closes a file of a user's, which may be anything.
pub(super) fn close(user: u32, file: OwnedFd) {
    let mut wastes = wastes();
    let waste = wastes.entry(user).or_default();
    waste.waiting.push_back(file);
    waste.see_to_it(user);
}

fn close_all(user: u32) {
    loop {
        let next = {
            let mut wastes = wastes();
            let next = wastes.get_mut(&user).and_then(|waste| waste.waiting.pop_front());
            if next.is_none() {
                wastes.remove(&user);
            }
            next
        };
        match next {
            Some(file) => drop(file),
            None => return,
        }
    }
}

/// A socket that may lead to another user's process.
#[derive(Debug)]
pub(super) struct Connection {
    /// `None` when it is dropped.
    socket: Option<PrivateFd>,
    stranger: Option<u32>,
}

impl Connection {
    /// `stranger`: whose the other side is, or may be, if it may be another user's.
    pub(super) fn new(socket: PrivateFd, stranger: Option<u32>) -> Self {
        Connection {
            socket: Some(socket),
            stranger,
        }
    }

    pub(super) fn stranger(&self) -> Option<u32> {
        self.stranger
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
        let Some(socket) = self.socket.take() else { return };
        let Some(user) = self.stranger.filter(|_| socket.is_ours()) else {
            return;
        };
        // The other side hears of it at once, whenever it is closed. What fails was not connected.
        let _ = call(|| rustix::net::shutdown(&socket, Shutdown::Both));
        // Not as it is, for nobody could fork while it is being closed. A child that has it has nothing of it.
        if let Some(socket) = socket.into_public() {
            close(user, socket);
        }
    }
}
