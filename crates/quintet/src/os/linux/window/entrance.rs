//! A socket at which senders connect, and those who have and said nothing yet.

use super::socket::{self, Hello};
use crate::os::linux::fork::PrivateFd;
use crate::os::linux::process::Identity;
use crate::os::types::Access;
use rustix::fd::OwnedFd;

#[derive(Debug)]
pub(super) struct Entrance {
    listener: PrivateFd,
    /// Who may come in here.
    access: Access,
    fresh: Vec<(PrivateFd, Identity)>,
}

/// One who has said hello.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) socket: PrivateFd,
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

    /// Those who have said hello since, of those who have connected. There is room for so many of these; more are turned away.
    pub(super) fn guests(&mut self, room: usize) -> Vec<Guest> {
        // What fails, with the table of descriptors full, is tried again when the next one knocks, and now and then.
        while let Ok(Some(one)) = socket::accept(&self.listener, self.access) {
            if self.fresh.len() < room {
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
