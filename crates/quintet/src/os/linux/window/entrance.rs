//! A socket at which senders connect, and those who have and said nothing yet.

use super::closing::{self, Connection};
use super::socket::{self, Hello};
use crate::os::linux::fork::PrivateFd;
use crate::os::linux::process::Identity;
use crate::os::step::call;
use crate::os::types::Access;
use rustix::fd::OwnedFd;

/// So many of other users are let in before something else is done: they may come as fast as that.
const MOST_AT_ONCE: usize = 64;

#[derive(Debug)]
pub(super) struct Entrance {
    listener: Connection,
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
        // Who has connected and was not let in may have sent anything.
        let stranger = (access == Access::Everyone).then_some(closing::SOMEBODY);
        Entrance {
            listener: Connection::new(listener, stranger),
            access,
            fresh: Vec::new(),
        }
    }

    /// Those who have said hello since, of those who have connected. `has_room` says whether one may stay, beside so many of the same user
    /// and so many in all who have said nothing yet; others are turned away.
    pub(super) fn guests(&mut self, mut has_room: impl FnMut(&Identity, usize, usize) -> bool) -> Vec<Guest> {
        let most = match self.access {
            // All who have knocked: the last of them knocks no more.
            Access::CurrentUser => usize::MAX,
            Access::Everyone => MOST_AT_ONCE,
        };
        // What fails, with the table of descriptors full, is tried again when the next one knocks, and now and then.
        for _ in 0..most {
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
            // Asked first: who says hello and goes has said hello.
            let has_gone = socket::is_hung_up(&socket);
            match socket::hear_hello(&socket) {
                Hello::NotYet if !has_gone => self.fresh.push((socket, identity)),
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

impl Drop for Entrance {
    fn drop(&mut self) {
        if self.access == Access::Everyone {
            // Those who wait there hear of it now, and not only when the socket is closed.
            let _ = call(|| rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Both));
            for _ in 0..socket::BACKLOG {
                let Ok(Some(_)) = socket::accept(&self.listener, self.access) else {
                    break;
                };
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::Deadline;
    use crate::os::linux::window::lane;
    use std::time::Duration;

    #[test]
    fn all_of_this_user_come_in_at_once_and_others_by_and_by() {
        let deadline = Deadline::after(Duration::from_secs(60));
        let say_hello = |socket: &PrivateFd, desk| {
            let (.., lane) = lane::make().unwrap();
            socket::say_hello(socket, desk, &lane).unwrap();
        };
        let key = format!("window-entrance-{}", std::process::id());
        let mut ours = Entrance::new(socket::listen(&key).unwrap(), Access::CurrentUser);
        let (listener, number) = socket::listen_openly().unwrap();
        let mut open = Entrance::new(listener, Access::Everyone);
        let user = rustix::process::geteuid().as_raw();
        let mut senders = Vec::new();
        for _ in 0..100 {
            let inside = socket::connect(&key, deadline).unwrap().unwrap();
            say_hello(&inside, Some(7));
            let outside = socket::connect_openly(number, user, deadline).unwrap().unwrap();
            say_hello(&outside, None);
            senders.extend([inside, outside]);
        }
        let guests = ours.guests(|_, _, _| true);
        assert_eq!(guests.len(), 100);
        assert!(guests.iter().all(|guest| guest.desk == Some(7)));
        assert_eq!(open.guests(|_, _, _| true).len(), MOST_AT_ONCE);
        let rest = open.guests(|_, same, all| same < 30 && all < 30);
        assert_eq!(rest.len(), 30);
        assert!(open.guests(|_, _, _| true).is_empty());
        crate::os::linux::runtime::remove(&key);
    }
}
