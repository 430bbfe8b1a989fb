//! What comes to a thread from others: the senders that have connected, and their lanes.

use super::data::Data;
use super::lane::{self, Answers, Kind, Outcome, Place, Record, RingIn, nonsense};
use super::queue::{Posted, Queue};
use super::roll::Roll;
use super::shuttle::{SHUTTLE, ShuttleIn};
use super::socket::{self, Hello};
use crate::Result;
use crate::os::fence::Publisher;
use crate::os::linux::fork::PrivateFd;
use crate::os::linux::process::Identity;
use std::rc::Rc;
use std::sync::Arc;

/// Whom messages of a lane are from.
#[derive(Debug)]
pub(super) struct From {
    pub(super) sender: Identity,
    answers: Answers,
    roll: Arc<Roll>,
    desk: usize,
}

/// A message that another thread sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) window: u32,
    pub(super) number: u32,
    pub(super) wparam: usize,
    pub(super) lparam: isize,
    pub(super) data: Option<Data>,
    pub(super) from: Rc<From>,
    /// `None`: it does not wait.
    pub(super) reply: Option<Reply>,
}

/// An answer that is still to be given.
#[derive(Debug)]
pub(super) struct Reply {
    from: Rc<From>,
    place: u16,
    number: u64,
}

impl Reply {
    #[inline]
    pub(super) fn give(self, outcome: Outcome, publisher: Publisher) {
        self.from.answers.give(self.place, self.number, outcome);
        self.from.roll.ring(self.from.desk, publisher);
    }
}

/// A sender.
#[derive(Debug)]
struct Incoming {
    socket: PrivateFd,
    from: Rc<From>,
    ring: RingIn,
    shuttle: Option<ShuttleIn>,
    /// The message whose bytes are just coming.
    coming: Option<Coming>,
    /// It has posted more than may be, and is not heard until some of that has been served.
    stalled: bool,
}

/// A message of which not all bytes have come yet.
#[derive(Debug)]
struct Coming {
    number: u64,
    record: Record,
    /// Those that have.
    bytes: Vec<u8>,
}

impl Incoming {
    /// Whether it is worth to look at.
    #[inline(always)]
    fn has_news(&self) -> bool {
        match (&self.coming, &self.shuttle) {
            (Some(coming), Some(shuttle)) => shuttle.has_more(coming.record.ticket, coming.bytes.len()),
            _ => !self.stalled && !self.ring.is_empty(),
        }
    }

    /// Goes through its records up to one that was sent, which it takes; what is posted goes to the queue, as long as there is
    /// room. `spare`: memory for bytes.
    fn next(&mut self, queue: &mut Queue, spare: &mut Vec<u8>) -> Result<Option<Sent>> {
        if let Some(coming) = self.coming.take() {
            return self.fetch(coming);
        }
        self.stalled = false;
        while let Some((number, record)) = self.ring.peek()? {
            if record.kind == Kind::Post {
                if !queue.has_room() {
                    self.stalled = true;
                    return Ok(None);
                }
                if record.place != Place::Nowhere {
                    return Err(nonsense());
                }
                self.ring.hurry();
                self.ring.go_on(&record, &mut Vec::new());
                queue.put(Posted {
                    ticket: record.ticket,
                    window: record.window,
                    number: record.number,
                    wparam: record.wparam as usize,
                    lparam: record.lparam as isize,
                    from: Some(self.from.clone()),
                });
                continue;
            }
            let data = match (record.kind, record.place) {
                (Kind::Moved, Place::Attached) => {
                    let file = socket::take_attached(&self.socket, number).ok_or_else(nonsense)?;
                    self.ring = RingIn::take(&file, record.len, number)?;
                    continue;
                }
                (Kind::Lend, Place::Attached) => {
                    let file = socket::take_attached(&self.socket, number).ok_or_else(nonsense)?;
                    self.shuttle = Some(ShuttleIn::take(&file)?);
                    self.ring.go_on(&record, &mut Vec::new());
                    continue;
                }
                (Kind::Moved | Kind::Lend, _) => return Err(nonsense()),
                (_, Place::Shuttle) => {
                    let coming = Coming {
                        number,
                        record,
                        bytes: emptied(spare),
                    };
                    return self.fetch(coming);
                }
                (_, Place::Nowhere) => {
                    self.ring.go_on(&record, &mut Vec::new());
                    None
                }
                (_, Place::Inline) => {
                    let mut bytes = emptied(spare);
                    // From here on the sender may use the place of the bytes again.
                    self.ring.go_on(&record, &mut bytes);
                    Some(Data::Copied(bytes))
                }
                (_, Place::Attached) => {
                    let file = socket::take_attached(&self.socket, number).ok_or_else(nonsense)?;
                    let data = Data::of_file(&file, record.len)?;
                    self.ring.go_on(&record, &mut Vec::new());
                    Some(data)
                }
            };
            return Ok(Some(self.sent(number, &record, data)));
        }
        Ok(None)
    }

    /// Copies what has come of a message's bytes: the message, if that is all.
    fn fetch(&mut self, mut coming: Coming) -> Result<Option<Sent>> {
        let shuttle = self.shuttle.as_ref().ok_or_else(nonsense)?;
        let record = coming.record;
        if !shuttle.fetch(record.ticket, record.len, &mut coming.bytes)? {
            self.coming = Some(coming);
            return Ok(None);
        }
        // From here on the sender may use the shuttle again.
        self.ring.go_on(&record, &mut Vec::new());
        Ok(Some(self.sent(
            coming.number,
            &record,
            Some(Data::Copied(coming.bytes)),
        )))
    }

    fn sent(&self, number: u64, record: &Record, data: Option<Data>) -> Sent {
        Sent {
            window: record.window,
            number: record.number,
            wparam: record.wparam as usize,
            lparam: record.lparam as isize,
            data,
            from: self.from.clone(),
            reply: (record.kind == Kind::Send).then(|| Reply {
                from: self.from.clone(),
                place: record.answer,
                number,
            }),
        }
    }
}

/// The memory of bytes that are not needed any more.
fn emptied(spare: &mut Vec<u8>) -> Vec<u8> {
    let mut bytes = std::mem::take(spare);
    bytes.clear();
    bytes
}

/// All senders of a thread.
#[derive(Debug, Default)]
pub(super) struct Senders {
    listener: Option<PrivateFd>,
    /// How many knocks have been heard.
    heard: u32,
    /// Those that have connected and said nothing yet.
    fresh: Vec<(PrivateFd, Identity)>,
    lanes: Vec<Incoming>,
    /// Which lane is looked at first.
    first: usize,
    /// Memory for bytes, which the last message had.
    spare: Vec<u8>,
    /// Whether it was given back since that was last asked.
    spare_is_used: bool,
    grown: bool,
}

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
    pub(super) fn have_come(&mut self, roll: &Arc<Roll>, knocks: u32) -> bool {
        self.answer(roll, knocks);
        self.lanes.iter().any(Incoming::has_news)
    }

    /// As [`have_come`](Self::have_come), at a glance, which takes those for something who have knocked.
    #[inline(always)]
    pub(super) fn glance(&self, knocks: u32) -> bool {
        let mut news = self.heard != knocks;
        for lane in &self.lanes {
            news |= lane.has_news();
        }
        news
    }

    /// Whether something may have been sent, or somebody have knocked; what was only posted does not count.
    #[inline]
    pub(super) fn are_urgent(&self, knocks: u32) -> bool {
        let mut urgent = self.heard != knocks;
        for lane in &self.lanes {
            urgent |= lane.ring.is_urgent();
        }
        urgent
    }

    /// Whether more of a message's bytes has come since that was last asked.
    pub(super) fn have_grown(&mut self) -> bool {
        std::mem::take(&mut self.grown)
    }

    /// The next message that was sent. When there is none all lanes have been gone through, and what had been posted has
    /// been put in the queue.
    pub(super) fn next(&mut self, roll: &Arc<Roll>, knocks: u32, queue: &mut Queue) -> Option<Sent> {
        self.answer(roll, knocks);
        let mut index = 0;
        while index < self.lanes.len() {
            let mut at = self.first + index;
            if at >= self.lanes.len() {
                at %= self.lanes.len();
            }
            match self.lanes[at].next(queue, &mut self.spare) {
                Ok(Some(sent)) => {
                    self.first = at + 1;
                    return Some(sent);
                }
                Ok(None) => {
                    self.grown |= self.lanes[at].coming.is_some();
                    index += 1;
                }
                // It is heard no more, and notices by its socket.
                Err(_) => {
                    self.lanes.swap_remove(at);
                }
            }
        }
        None
    }

    /// Takes the memory of bytes back, for the next ones.
    pub(super) fn keep(&mut self, bytes: Vec<u8>) {
        if (self.spare.capacity()..=SHUTTLE).contains(&bytes.capacity()) {
            self.spare = bytes;
        }
        self.spare_is_used = true;
    }

    /// Hears those who have knocked since.
    #[inline]
    fn answer(&mut self, roll: &Arc<Roll>, knocks: u32) {
        if self.heard != knocks {
            self.heard = knocks;
            self.hear(roll);
        }
    }

    /// Lets in those who have connected.
    fn hear(&mut self, roll: &Arc<Roll>) {
        if let Some(listener) = &self.listener {
            // What fails, with the table of descriptors full, is tried again when the next one knocks, and now and then.
            while let Ok(Some((socket, identity))) = socket::accept(listener) {
                self.fresh.push((socket, identity));
            }
        }
        for (socket, sender) in std::mem::take(&mut self.fresh) {
            match socket::hear_hello(&socket) {
                Hello::NotYet if !socket::is_hung_up(&socket) => self.fresh.push((socket, sender)),
                Hello::From(desk, file) => {
                    if let Ok((ring, answers)) = lane::take(&file) {
                        let from = From {
                            sender,
                            answers,
                            roll: roll.clone(),
                            desk,
                        };
                        self.lanes.push(Incoming {
                            socket,
                            from: Rc::new(from),
                            ring,
                            shuttle: None,
                            coming: None,
                            stalled: false,
                        });
                    }
                }
                _ => {}
            }
        }
    }

    /// Forgets senders that have gone and left nothing whole, and memory that nobody uses.
    pub(super) fn tidy(&mut self, roll: &Arc<Roll>) {
        self.hear(roll);
        self.lanes
            .retain(|lane| lane.stalled || lane.has_news() || !socket::is_hung_up(&lane.socket));
        if !std::mem::take(&mut self.spare_is_used) {
            self.spare = Vec::new();
        }
    }
}
