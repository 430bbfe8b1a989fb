//! A socket at which senders connect, and those who have and said nothing yet.

use super::closing::Connection;
use super::socket::{self, Hello};
use crate::os::linux::fork::PrivateFd;
use crate::os::linux::process::Identity;
use crate::os::types::Access;
use rustix::fd::OwnedFd;

/// So many are let in before something else is done.
const MOST_AT_ONCE: u32 = 64;

#[derive(Debug)]
pub(super) struct Entrance {
    listener: PrivateFd,
    /// Who may come in here.
    access: Access,
    fresh: Vec<(Connection, Identity)>,
}

/// One who has said hello.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) socket: Connection,
    pub(super) identity: Identity,
    /// Its desk, if it has one.
    pub(super) desk: Option<usize>,
    /// The lane that it has handed over, perhaps.
    pub(super) lane: OwnedFd,
}

impl Entrance {
    pub(super) fn new(listener: PrivateFd, access: Access) -> Self {
        Entrance {
            listener,
            access,
            fresh: Vec::new(),
        }
    }

    /// Those who have said hello since, of those who have connected. `has_room` says whether one may stay, beside so many of the same user
    /// and so many in all who have said nothing yet; others are turned away.
    pub(super) fn guests(&mut self, mut has_room: impl FnMut(&Identity, usize, usize) -> bool) -> Vec<Guest> {
        // What fails, with the table of descriptors full, is tried again when the next one knocks, and now and then. Others may come
        // faster than they are let in.
        for _ in 0..MOST_AT_ONCE {
            let Ok(Some(one)) = socket::accept(&self.listener, self.access) else {
                break;
            };
            let same = self.fresh.iter().filter(|(_, other)| other.user == one.1.user);
            if has_room(&one.1, same.count(), self.fresh.len()) {
                self.fresh.push(one);
            }
        }
        let mut guests = Vec::new();
        for (socket, identity) in std::mem::take(&mut self.fresh) {
            match socket::hear_hello(&socket) {
                Hello::NotYet if !socket::is_hung_up(&socket) => self.fresh.push((socket, identity)),
                Hello::From(desk, lane) => guests.push(Guest {
                    socket,
                    identity,
                    desk,
                    lane,
                }),
                // What makes no sense is heard no more.
                _ => {}
            }
        }
        guests
    }
}
