//! What comes to a thread from others: the senders that have connected, and their lanes.

use super::data::{Data, SHUTTLE};
use super::lane::{self, Answers, Kind, Outcome, Place, Record, RingIn, nonsense};
use super::roll::Roll;
use super::socket::{self, Hello};
use crate::Result;
use crate::os::fence::Publisher;
use crate::os::linux::fork::PrivateFd;
use crate::os::linux::process::Identity;
use rustix::fd::OwnedFd;
use rustix::fs::SealFlags;
use std::sync::Arc;

/// A message that another thread sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) window: u32,
    pub(super) number: u32,
    pub(super) wparam: usize,
    pub(super) lparam: isize,
    pub(super) data: Option<Data>,
    pub(super) sender: Arc<Identity>,
    /// `None`: it does not wait.
    pub(super) reply: Option<Reply>,
}

/// A message for the queue.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) ticket: u64,
    pub(super) window: u32,
    pub(super) number: u32,
    pub(super) wparam: usize,
    pub(super) lparam: isize,
    /// `None`: this thread.
    pub(super) sender: Option<Arc<Identity>>,
}

/// An answer that is still to be given.
#[derive(Debug)]
pub(super) struct Reply {
    answers: Answers,
    place: u16,
    number: u64,
    roll: Arc<Roll>,
    desk: usize,
}

impl Reply {
    pub(super) fn give(self, outcome: Outcome, publisher: Publisher) {
        self.answers.give(self.place, self.number, outcome);
        self.roll.ring(self.desk, publisher);
    }
}

/// A sender.
#[derive(Debug)]
struct Incoming {
    socket: PrivateFd,
    sender: Arc<Identity>,
    desk: usize,
    ring: RingIn,
    answers: Answers,
    /// Where bytes of its messages may be.
    lent: Option<OwnedFd>,
    /// It has posted more than may be, and is not heard until some of that has been served.
    stalled: bool,
}

impl Incoming {
    /// Goes through its records up to one that was sent, which it takes; what is posted goes to `post`, which says whether
    /// there is room for it.
    fn next(&mut self, roll: &Arc<Roll>, post: &mut Post<'_>) -> Result<Option<Sent>> {
        self.stalled = false;
        while let Some((number, record)) = self.ring.peek()? {
            if record.kind == Kind::Post {
                if !post.has_room() {
                    self.stalled = true;
                    return Ok(None);
                }
                if record.place != Place::Nowhere {
                    return Err(nonsense());
                }
                self.ring.go_on(&record);
                post.put(Posted {
                    ticket: record.ticket,
                    window: record.window,
                    number: record.number,
                    wparam: record.wparam as usize,
                    lparam: record.lparam as isize,
                    sender: Some(self.sender.clone()),
                });
                continue;
            }
            let file = match record.place {
                Place::Attached => Some(socket::take_attached(&self.socket, number).ok_or_else(nonsense)?),
                _ => None,
            };
            if record.kind == Kind::Moved {
                let file = file.ok_or_else(nonsense)?;
                self.ring = RingIn::take(&file, record.len)?;
                continue;
            }
            if record.kind == Kind::Lend {
                let file = file.ok_or_else(nonsense)?;
                // Not one that reading could wait for.
                lane::check_sealed(&file, SealFlags::SHRINK, SHUTTLE)?;
                self.lent = Some(file);
                self.ring.go_on(&record);
                continue;
            }
            let data = match (file, record.place) {
                (Some(file), _) => Some(Data::of_file(&file, record.len)?),
                (None, Place::Lent) => {
                    let lent = self.lent.as_ref().ok_or_else(nonsense)?;
                    Some(Data::of_lent(lent, record.len)?)
                }
                _ => None,
            };
            // From here on the sender may use the place of the bytes again.
            let inline = self.ring.go_on(&record);
            return Ok(Some(self.sent(
                number,
                &record,
                data.or(inline.map(Data::Copied)),
                roll,
            )));
        }
        Ok(None)
    }

    fn sent(&self, number: u64, record: &Record, data: Option<Data>, roll: &Arc<Roll>) -> Sent {
        Sent {
            window: record.window,
            number: record.number,
            wparam: record.wparam as usize,
            lparam: record.lparam as isize,
            data,
            sender: self.sender.clone(),
            reply: (record.kind == Kind::Send).then(|| Reply {
                answers: self.answers.clone(),
                place: record.answer,
                number,
                roll: roll.clone(),
                desk: self.desk,
            }),
        }
    }
}

/// Where posted messages go.
pub(super) struct Post<'a> {
    pub(super) has_room: &'a mut dyn FnMut() -> bool,
    pub(super) put: &'a mut dyn FnMut(Posted),
}

impl Post<'_> {
    fn has_room(&mut self) -> bool {
        (self.has_room)()
    }

    fn put(&mut self, posted: Posted) {
        (self.put)(posted);
    }
}

/// All senders of a thread.
#[derive(Debug, Default)]
pub(super) struct Senders {
    listener: Option<PrivateFd>,
    /// How many knocks have been heard.
    heard: u32,
    /// Those that have connected and said nothing yet.
    fresh: Vec<(PrivateFd, Arc<Identity>)>,
    lanes: Vec<Incoming>,
    /// Which lane is looked at first.
    first: usize,
    tidied: u64,
}

/// So many milliseconds at least lie between two looks for senders that have gone.
const TIDY: u64 = 1000;

impl Senders {
    pub(super) fn is_listening(&self) -> bool {
        self.listener.is_some()
    }

    pub(super) fn listen(&mut self, key: &str) -> Result<()> {
        self.listener = Some(socket::listen(key)?);
        Ok(())
    }

    /// Whether there is something to look at.
    #[inline]
    pub(super) fn have_come(&mut self, knocks: u32) -> bool {
        self.answer(knocks);
        self.lanes
            .iter()
            .any(|lane| !lane.stalled && !lane.ring.is_empty())
    }

    /// The next message that was sent. When there is none all lanes have been gone through, and what had been posted has
    /// been put away.
    pub(super) fn next(&mut self, roll: &Arc<Roll>, knocks: u32, post: &mut Post<'_>) -> Option<Sent> {
        self.answer(knocks);
        let mut index = 0;
        while index < self.lanes.len() {
            let at = (self.first + index) % self.lanes.len();
            match self.lanes[at].next(roll, post) {
                Ok(Some(sent)) => {
                    self.first = at + 1;
                    return Some(sent);
                }
                Ok(None) => index += 1,
                // It is heard no more, and notices by its socket.
                Err(_) => {
                    self.lanes.swap_remove(at);
                }
            }
        }
        None
    }

    /// Hears those who have knocked since.
    #[inline]
    fn answer(&mut self, knocks: u32) {
        if self.heard != knocks {
            self.heard = knocks;
            self.hear();
        }
    }

    /// Lets in those who have connected.
    fn hear(&mut self) {
        if let Some(listener) = &self.listener {
            // What fails, with the table of descriptors full, is tried again when the next one knocks, and now and then.
            while let Ok(Some((socket, identity))) = socket::accept(listener) {
                self.fresh.push((socket, Arc::new(identity)));
            }
        }
        for (socket, sender) in std::mem::take(&mut self.fresh) {
            match socket::hear_hello(&socket) {
                Hello::NotYet if !socket::is_hung_up(&socket) => self.fresh.push((socket, sender)),
                Hello::From(desk, file) => {
                    if let Ok((ring, answers)) = lane::take(&file) {
                        self.lanes.push(Incoming {
                            socket,
                            sender,
                            desk,
                            ring,
                            answers,
                            lent: None,
                            stalled: false,
                        });
                    }
                }
                _ => {}
            }
        }
    }

    /// Forgets senders that have gone and left nothing, now and then.
    pub(super) fn tidy(&mut self, now: u64) {
        if now.saturating_sub(self.tidied) < TIDY {
            return;
        }
        self.tidied = now;
        self.hear();
        self.lanes
            .retain(|lane| !lane.ring.is_empty() || !socket::is_hung_up(&lane.socket));
    }
}
