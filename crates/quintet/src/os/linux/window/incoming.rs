//! What comes to a thread from others: the senders that have connected, and their lanes.

use super::closing::{self, Connection};
use super::data::Data;
use super::door::Door;
use super::entrance::{Entrance, Guest};
use super::lane::{self, Answers, Bells, Kind, LaneBell, Outcome, Place, Record, RingIn, nonsense};
use super::outgoing::MOST_POSTED;
use super::plate;
use super::queue::{Posted, Queue};
use super::roll::Roll;
use super::shuttle::{SHUTTLE, ShuttleIn};
use super::socket;
use crate::Result;
use crate::os::fence::Publisher;
use crate::os::linux::process::Identity;
use crate::os::types::Access;
use crate::os::window_types::WM_QUIT;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// Whom messages of a lane are from.
#[derive(Debug)]
pub(super) struct From {
    pub(super) sender: Identity,
    answers: Answers,
    bell: SenderBell,
}

/// Where the sender sleeps.
#[derive(Debug)]
enum SenderBell {
    /// At its desk.
    Desk(Arc<Roll>, usize),
    /// It came in by the open socket, perhaps another user's: in its lane. And where this thread sleeps for it.
    Lane(Bells),
}

impl From {
    /// Whether it came in by the open socket.
    #[inline(always)]
    pub(super) fn is_outside(&self) -> bool {
        self.outside().is_some()
    }

    /// The bells of its lane, then.
    #[inline(always)]
    fn outside(&self) -> Option<&Bells> {
        match &self.bell {
            SenderBell::Desk(..) => None,
            SenderBell::Lane(bells) => Some(bells),
        }
    }
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
        match &self.from.bell {
            SenderBell::Desk(roll, desk) => roll.ring(*desk, publisher),
            SenderBell::Lane(bells) => bells.sender.ring(),
        }
    }
}

/// A sender.
#[derive(Debug)]
struct Incoming {
    socket: Connection,
    from: Rc<From>,
    ring: RingIn,
    shuttle: Option<ShuttleIn>,
    /// The message whose bytes are just coming.
    coming: Option<Coming>,
    /// It has posted more than may be, and is not heard until some of that has been served.
    stalled: bool,
    /// It came in by the open socket.
    is_outside: bool,
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
    fn new(guest: Guest, ring: RingIn, answers: Answers, bell: SenderBell) -> Self {
        Incoming {
            socket: guest.socket,
            is_outside: matches!(bell, SenderBell::Lane(_)),
            from: Rc::new(From {
                sender: guest.identity,
                answers,
                bell,
            }),
            ring,
            shuttle: None,
            coming: None,
            stalled: false,
        }
    }

    /// Whether it is worth to look at.
    #[inline(always)]
    fn has_news(&self) -> bool {
        match (&self.coming, &self.shuttle) {
            (Some(coming), Some(shuttle)) => shuttle.has_more(coming.record.ticket, coming.bytes.len()),
            _ => !self.stalled && !self.ring.is_empty(),
        }
    }

    /// Whether it has gone and left nothing whole.
    fn is_done(&self) -> bool {
        // In this order: what it has left was there before it went.
        !self.stalled && socket::is_hung_up(&self.socket) && !self.has_news()
    }

    /// How much has come of a message whose bytes are coming; `None`: there is none.
    fn has_come(&self) -> Option<usize> {
        self.coming.as_ref().map(|coming| coming.bytes.len())
    }

    /// Goes through its records up to one that was sent, which it takes; what is posted goes to the queue, as long as there is
    /// room. `spare`: memory for bytes.
    fn next(
        &mut self,
        queue: &mut Queue,
        spare: &mut Vec<u8>,
        tickets: &Tickets<'_>,
    ) -> Result<Option<Sent>> {
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
                let mut ticket = record.ticket;
                if self.is_outside {
                    match tickets.take() {
                        Some(taken) => ticket = taken,
                        None => {
                            self.stalled = true;
                            return Ok(None);
                        }
                    }
                }
                self.ring.hurry();
                self.ring.go_on(&record, &mut Vec::new());
                let (window, number) = self.meant(&record);
                queue.put(Posted {
                    ticket,
                    window,
                    number,
                    wparam: record.wparam as usize,
                    lparam: record.lparam as isize,
                    from: Some(self.from.clone()),
                });
                continue;
            }
            if record.kind == Kind::Send {
                self.from.answers.will_give(record.answer);
            }
            let data = match (record.kind, record.place) {
                (Kind::Moved, Place::Attached) => {
                    let file = socket::take_attached(&self.socket, number).ok_or_else(nonsense)?;
                    self.ring = self.ring.follow(&file, record.len, number)?;
                    continue;
                }
                (Kind::Lend, Place::Attached) => {
                    let file = socket::take_attached(&self.socket, number).ok_or_else(nonsense)?;
                    if self.shuttle.is_some() {
                        return Err(nonsense());
                    }
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

    /// To which window it is, and the message's number. Who came in by the open socket reaches the windows that are open, and others are
    /// none for him; nor does he end the thread's loop.
    #[inline(always)]
    fn meant(&self, record: &Record) -> (u32, u32) {
        if self.is_outside && (!plate::is_open(record.window) || record.number == WM_QUIT) {
            (NO_WINDOW, WM_NULL)
        } else {
            (record.window, record.number)
        }
    }

    fn sent(&self, number: u64, record: &Record, data: Option<Data>) -> Sent {
        let (window, number_of_message) = self.meant(record);
        Sent {
            window,
            number: number_of_message,
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

/// No window has that handle, and no procedure gets that message.
const NO_WINDOW: u32 = 0;
const WM_NULL: u32 = 0;

/// So many may have come in by the open socket, of all users and of one: their bells are about as many words as a thread can sleep on at
/// once.
const MOST_OUTSIDE: usize = 96;
const MOST_OF_ONE: usize = 32;

/// So many of the messages that may wait may be theirs, so that they leave room for others.
const MOST_POSTED_OUTSIDE: u64 = MOST_POSTED / 2;

/// Where a thread takes numbers for messages that were posted by others than those with a desk.
struct Tickets<'a> {
    roll: &'a Roll,
    desk: usize,
    /// See [`Roll::number_post`].
    taken: &'a Cell<u64>,
}

impl Tickets<'_> {
    fn take(&self) -> Option<u64> {
        self.roll.number_post(self.desk, MOST_POSTED_OUTSIDE, self.taken)
    }
}

/// All senders of a thread.
#[derive(Debug, Default)]
pub(super) struct Senders {
    entrance: Option<Entrance>,
    /// For other users.
    door: Option<Door>,
    /// Whether a window has been closed that was open to them.
    has_closed: bool,
    taken: Cell<u64>,
    /// How many knocks have been heard.
    heard: u32,
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
        self.entrance.is_some()
    }

    pub(super) fn listen(&mut self, key: &str) -> Result<()> {
        self.entrance = Some(Entrance::new(socket::listen(key)?, Access::CurrentUser));
        Ok(())
    }

    /// Where other users come in; there is one from the first window on that is open to them.
    pub(super) fn door(&mut self) -> Option<&mut Door> {
        self.door.as_mut()
    }

    /// The same, made if there is none.
    pub(super) fn open_door(&mut self) -> Result<&mut Door> {
        Ok(match &mut self.door {
            Some(door) => door,
            none => none.insert(Door::make()?),
        })
    }

    /// Lets nobody else in there.
    pub(super) fn shut_door(&mut self) {
        self.door = None;
    }

    /// The bells at which this thread sleeps for those who came in by the open socket.
    pub(super) fn outside(&self) -> impl Iterator<Item = &Arc<LaneBell>> {
        let bells = self.lanes.iter().filter_map(|lane| lane.from.outside());
        bells.map(|bells| &bells.receiver)
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
    pub(super) fn next(
        &mut self,
        (roll, desk): (&Arc<Roll>, usize),
        knocks: u32,
        queue: &mut Queue,
    ) -> Option<Sent> {
        self.answer(roll, knocks);
        let tickets = Tickets {
            roll,
            desk,
            taken: &self.taken,
        };
        let mut index = 0;
        while index < self.lanes.len() {
            let mut at = self.first + index;
            if at >= self.lanes.len() {
                at %= self.lanes.len();
            }
            let had_come = self.lanes[at].has_come();
            match self.lanes[at].next(queue, &mut self.spare, &tickets) {
                Ok(Some(sent)) => {
                    self.first = at + 1;
                    return Some(sent);
                }
                Ok(None) => {
                    self.grown |= self.lanes[at].has_come() > had_come;
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

    /// Lets in those of this user's who have connected.
    fn hear(&mut self, roll: &Arc<Roll>) {
        let Some(entrance) = &mut self.entrance else {
            return;
        };
        for guest in entrance.guests(|_, _, _| true) {
            if let (Some(desk), Ok((ring, answers, _))) = (guest.desk, lane::take(&guest.lane)) {
                let bell = SenderBell::Desk(roll.clone(), desk);
                self.lanes.push(Incoming::new(guest, ring, answers, bell));
            }
        }
    }

    /// Lets in those who have come to the door.
    pub(super) fn let_in(&mut self) {
        let Some(door) = &mut self.door else { return };
        if closing::is_behind() {
            return;
        }
        let lanes = &mut self.lanes;
        let mut is_pruned = false;
        let has_room = |guest: &Identity, same: usize, fresh: usize| {
            let has_room = |lanes: &[Incoming]| {
                let outside = || lanes.iter().filter(|lane| lane.is_outside);
                let of_his = outside().filter(|lane| lane.from.sender.user == guest.user);
                outside().count() + fresh < MOST_OUTSIDE && of_his.count() + same < MOST_OF_ONE
            };
            if !has_room(lanes) && !std::mem::replace(&mut is_pruned, true) {
                lanes.retain(|lane| !lane.is_outside || !lane.is_done());
            }
            has_room(lanes)
        };
        for guest in door.entrance.guests(has_room) {
            if let (None, Ok((ring, answers, bells))) = (guest.desk, lane::take(&guest.lane)) {
                if self.has_closed {
                    // Perhaps since he last saw its plate.
                    bells.say_closed();
                }
                let bell = SenderBell::Lane(bells);
                self.lanes.push(Incoming::new(guest, ring, answers, bell));
            }
        }
    }

    /// Says to those who came in by the open socket, and to those who will, that a window has been closed, as its plate says already.
    pub(super) fn say_closed(&mut self) {
        self.has_closed = true;
        for bells in self.lanes.iter().filter_map(|lane| lane.from.outside()) {
            bells.say_closed();
        }
    }

    /// Forgets senders that have gone and left nothing whole, and memory that nobody uses.
    pub(super) fn tidy(&mut self, roll: &Arc<Roll>) {
        self.hear(roll);
        self.let_in();
        self.lanes.retain(|lane| !lane.is_done());
        if !std::mem::take(&mut self.spare_is_used) {
            self.spare = Vec::new();
        }
    }
}
