//! What goes from a thread to another one: the lane that it has handed over.

use super::closing::Connection;
use super::data;
use super::lane::{self, ANSWERS, Answers, Bells, Kind, LaneBell, MOST_INLINE, Mark, Place, Record, RingOut};
use super::plate::Seen;
use super::roll::{self, Roll};
use super::shuttle::{SHUTTLE, ShuttleOut};
use super::socket;
use crate::os::atomic::{Ordering, fence};
use crate::os::fence::Publisher;
use crate::os::window_types::Letter;
use crate::wait::Spin;
use crate::{Deadline, Error, ErrorKind, Result};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// The most posted messages that may wait for a thread, as on Windows.
pub(super) const MOST_POSTED: u64 = 10_000;

/// A thread that this one sends to.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) receiver: Receiver,
    socket: Connection,
    ring: RefCell<RingOut>,
    shuttle: RefCell<Option<ShuttleOut>>,
    pub(super) answers: Answers,
    places: RefCell<Places>,
    pub(super) spin: Spin,
    /// For who finds the other thread awake.
    pub(super) eager: Spin,
    /// When we last asked whether it lives.
    asked: Cell<u64>,
    publisher: Publisher,
}

/// Where a thread is that this one sends to.
#[derive(Debug)]
pub(super) enum Receiver {
    /// At a desk of this user's roll.
    Desk {
        roll: Arc<Roll>,
        /// Which, and which owner of that it is.
        desk: usize,
        epoch: u32,
        /// See [`Roll::number_post`].
        taken: Cell<u64>,
    },
    /// Of another user, behind the plate of its window. There is a lane and nothing else between it and us.
    Plate {
        plate: Seen,
        bells: Bells,
        /// How many windows it had closed when we last saw this one's plate.
        closed: Cell<u64>,
    },
}

impl Receiver {
    /// Whether it may still be the same thread.
    fn is_same(&self) -> bool {
        match self {
            Receiver::Desk {
                roll, desk, epoch, ..
            } => roll.epoch(*desk) == *epoch,
            // Whether it is there at all, the socket tells.
            Receiver::Plate { plate, bells, closed } => {
                let now = bells.closed();
                closed.replace(now) == now || !plate.has_left()
            }
        }
    }

    /// Whether that window is not its any more.
    fn has_closed(&self, window: u32) -> bool {
        match self {
            Receiver::Desk { roll, desk, .. } => roll.owner(window) != Some(*desk),
            Receiver::Plate { plate, .. } => plate.has_left(),
        }
    }

    fn has_left(&self) -> bool {
        match self {
            Receiver::Desk {
                roll, desk, epoch, ..
            } => roll.has_left(*desk, *epoch),
            Receiver::Plate { plate, .. } => plate.has_left(),
        }
    }

    pub(super) fn is_hung(&self) -> bool {
        match self {
            Receiver::Desk { roll, desk, .. } => roll.is_hung(*desk),
            Receiver::Plate { plate, .. } => plate.is_hung(),
        }
    }

    /// Whether it sleeps, so that it answers late.
    #[inline]
    pub(super) fn sleeps(&self) -> bool {
        match self {
            Receiver::Desk { roll, desk, .. } => roll.sleeps(*desk),
            Receiver::Plate { bells, .. } => bells.receiver.has_sleeper(),
        }
    }

    /// Wakes it, if it sleeps, after something has been published to it.
    #[inline(always)]
    fn ring(&self, publisher: Publisher) {
        match self {
            Receiver::Desk { roll, desk, .. } => roll.ring(*desk, publisher),
            Receiver::Plate { bells, .. } => bells.receiver.ring(),
        }
    }

    /// A number for a message to be posted, if there is room for it. Of another user's thread it is that one's to give, and
    /// as many as may wait for it wait in the lane at most.
    #[inline(always)]
    fn number_post(&self, ring: &mut RingOut) -> Result<u64> {
        match self {
            Receiver::Desk {
                roll, desk, taken, ..
            } => roll
                .number_post(*desk, MOST_POSTED, taken)
                .ok_or_else(queue_is_full),
            Receiver::Plate { .. } if ring.has_unread(MOST_POSTED)? => Err(ring_is_full()),
            Receiver::Plate { .. } => Ok(0),
        }
    }
}

/// Where answers may come.
#[derive(Debug)]
struct Places {
    free: Vec<u16>,
    /// Those whose answers nobody waits for any more, and that may still come.
    given_up: Vec<(u16, u64)>,
}

impl Outgoing {
    /// Connects this thread, of desk `own`, to another one; `None` if nobody is there.
    pub(super) fn connect(
        roll: &Arc<Roll>,
        desk: usize,
        own: usize,
        publisher: Publisher,
        deadline: Deadline,
    ) -> Result<Option<Self>> {
        let epoch = roll.epoch(desk);
        let Some(socket) = socket::connect(&roll.socket(desk), deadline)? else {
            return Ok(None);
        };
        let (ring, answers, _, file) = lane::make()?;
        socket::say_hello(&socket, Some(own), &file)?;
        roll.knock(desk, publisher);
        let receiver = Receiver::Desk {
            roll: roll.clone(),
            desk,
            epoch,
            taken: Cell::new(0),
        };
        Ok(Some(Outgoing::new(receiver, socket, ring, answers, publisher)))
    }

    /// Says that bytes come through the shuttle, of which none ever come.
    #[cfg(all(test, not(loom)))]
    pub(super) fn put_without_bytes(&self, window: u32) {
        let letter = Letter {
            number: crate::os::window_types::WM_COPYDATA,
            wparam: 0,
            lparam: 0,
            data: Some(&[1; 40_000]),
        };
        let gone = self.shuttle.borrow().as_ref().unwrap().gone();
        self.put_record(Kind::Send, window, &letter, 0, Place::Shuttle, gone)
            .unwrap();
    }

    /// As [`connect`](Self::connect), to the thread of another user's window.
    pub(super) fn connect_openly(
        plate: Seen,
        publisher: Publisher,
        deadline: Deadline,
    ) -> Result<Option<Self>> {
        let Some(socket) = socket::connect_openly(plate.socket()?, plate.user, deadline)? else {
            return Ok(None);
        };
        let (ring, answers, bells, file) = lane::make()?;
        socket::say_hello(&socket, None, &file)?;
        plate.knock();
        // From here on it says in the lane if it closes the window; before, on the plate.
        fence(Ordering::SeqCst);
        if plate.has_left() {
            return Ok(None);
        }
        let receiver = Receiver::Plate {
            plate,
            bells,
            closed: Cell::new(0),
        };
        Ok(Some(Outgoing::new(receiver, socket, ring, answers, publisher)))
    }

    fn new(
        receiver: Receiver,
        socket: Connection,
        ring: RingOut,
        answers: Answers,
        publisher: Publisher,
    ) -> Self {
        Outgoing {
            receiver,
            socket,
            ring: RefCell::new(ring),
            shuttle: RefCell::default(),
            answers,
            places: RefCell::new(Places {
                free: (0..ANSWERS as u16).rev().collect(),
                given_up: Vec::new(),
            }),
            spin: Spin::default(),
            eager: Spin::default(),
            asked: Cell::new(roll::now()),
            publisher,
        }
    }

    /// Where this thread sleeps for its answers, if not at its desk.
    pub(super) fn bell(&self) -> Option<&Arc<LaneBell>> {
        match &self.receiver {
            Receiver::Desk { .. } => None,
            Receiver::Plate { bells, .. } => Some(&bells.sender),
        }
    }

    /// Whether it is still the same thread, and lives, as far as has been asked in the last few milliseconds.
    pub(super) fn is_current(&self) -> bool {
        if !self.receiver.is_same() {
            return false;
        }
        let now = roll::now();
        self.asked.replace(now) == now || !self.is_hung_up()
    }

    pub(super) fn is_hung_up(&self) -> bool {
        socket::is_hung_up(&self.socket)
    }

    /// How far this thread is, after it has put something there.
    pub(super) fn mark(&self) -> Mark {
        self.ring.borrow().mark()
    }

    /// Whether the window was destroyed before what was put there at that time was taken: whoever takes it finds no window.
    /// (What was taken before is answered, also by a procedure that destroys its window.)
    pub(super) fn is_too_late(&self, window: u32, mark: Mark) -> bool {
        self.receiver.has_closed(window) && !self.ring.borrow().has_taken(mark)
    }

    /// Why it has hung up.
    pub(super) fn why_hung_up(&self) -> Error {
        if self.receiver.has_left() {
            roll::no_window()
        } else {
            Error::new(
                ErrorKind::PeerDied,
                "the process of the window has died, or closed the connection",
            )
        }
    }

    /// A place for the answer to a message that is about to be put there.
    pub(super) fn take_place(&self) -> Result<u16> {
        self.ring.borrow().will_put();
        let mut places = self.places.borrow_mut();
        if let Some(place) = places.free.pop() {
            return Ok(place);
        }
        let came = |(place, number): &(u16, u64)| self.answers.is_there(*place, *number);
        if let Some(at) = places.given_up.iter().position(came) {
            return Ok(places.given_up.swap_remove(at).0);
        }
        Err(Error::new(
            ErrorKind::Full,
            format!("{ANSWERS} messages of this thread wait for the window's thread already"),
        )
        .hint("do windows send to each other without end?"))
    }

    /// Gives a place back, to which the answer to that message has come or may still come.
    pub(super) fn leave_place(&self, place: u16, number: u64) {
        let mut places = self.places.borrow_mut();
        if self.answers.is_there(place, number) {
            places.free.push(place);
        } else {
            places.given_up.push((place, number));
        }
    }

    /// Gives a place back that was not used.
    pub(super) fn leave_unused(&self, place: u16) {
        self.places.borrow_mut().free.push(place);
    }

    /// Puts a message there and wakes the thread: its number. One that is posted is numbered among all that are posted to the
    /// thread.
    #[inline]
    pub(super) fn put(&self, kind: Kind, window: u32, letter: &Letter<'_>, answer: u16) -> Result<u64> {
        match letter.data {
            None => self.put_record(kind, window, letter, answer, Place::Nowhere, 0),
            Some(bytes) => self.put_bytes(kind, window, letter, answer, bytes),
        }
    }

    fn put_bytes(
        &self,
        kind: Kind,
        window: u32,
        letter: &Letter<'_>,
        answer: u16,
        bytes: &[u8],
    ) -> Result<u64> {
        if bytes.len() <= MOST_INLINE {
            return self.put_record(kind, window, letter, answer, Place::Inline, 0);
        }
        let mut shuttle = self.shuttle.borrow_mut();
        if let Some(shuttle) = self.free_shuttle(&mut shuttle, bytes.len())? {
            let gone = shuttle.gone();
            let number = self.put_record(kind, window, letter, answer, Place::Shuttle, gone)?;
            shuttle.until = self.ring.borrow().position();
            shuttle.fill(bytes, || self.receiver.ring(self.publisher));
            return Ok(number);
        }
        drop(shuttle);
        self.put_record(kind, window, letter, answer, Place::Attached, 0)
    }

    /// `gone`: see [`Record::ticket`].
    #[inline]
    fn put_record(
        &self,
        kind: Kind,
        window: u32,
        letter: &Letter<'_>,
        answer: u16,
        place: Place,
        gone: u64,
    ) -> Result<u64> {
        let bytes = letter.data.unwrap_or_default();
        let inline = if place == Place::Inline { bytes } else { &[] };
        let mut ring = self.ring.borrow_mut();
        if !ring.has_room(inline.len())? {
            self.move_on(&mut ring, inline.len())?;
        }
        if place == Place::Attached {
            socket::attach(&self.socket, ring.next(), &data::file_of(bytes)?)?;
        }
        let ticket = match kind {
            Kind::Post => self.receiver.number_post(&mut ring)?,
            _ => gone,
        };
        let record = Record {
            kind,
            place,
            answer,
            window,
            number: letter.number,
            wparam: letter.wparam as u64,
            lparam: letter.lparam as u64,
            ticket,
            len: bytes.len() as u64,
        };
        let number = ring.put(&record, inline);
        if kind == Kind::Post {
            ring.hurry();
        }
        drop(ring);
        self.receiver.ring(self.publisher);
        Ok(number)
    }

    /// Goes on in a larger ring, in which a record with so many bytes has room.
    #[cold]
    fn move_on(&self, ring: &mut RingOut, inline: usize) -> Result<()> {
        while !ring.has_room(inline)? {
            let Some((larger, file)) = ring.larger()? else {
                return Err(ring_is_full());
            };
            socket::attach(&self.socket, ring.next(), &file)?;
            let record = Record::with_file(Kind::Moved, larger.lines() as u64);
            ring.put(&record, &[]);
            *ring = larger;
            // Who takes anything there has taken all that was here.
            if let Ok(mut shuttle) = self.shuttle.try_borrow_mut()
                && let Some(shuttle) = &mut *shuttle
            {
                shuttle.until = shuttle.until.min(1);
            }
        }
        Ok(())
    }

    /// The shuttle, if it is free, with memory for so many bytes. It is lent when it is first needed.
    fn free_shuttle<'a>(
        &self,
        shuttle: &'a mut Option<ShuttleOut>,
        len: usize,
    ) -> Result<Option<&'a mut ShuttleOut>> {
        if len > SHUTTLE {
            return Ok(None);
        }
        if shuttle.is_none() {
            let mut ring = self.ring.borrow_mut();
            if !ring.has_room(0)? {
                self.move_on(&mut ring, 0)?;
            }
            let new = ShuttleOut::make()?;
            socket::attach(&self.socket, ring.next(), new.file())?;
            ring.put(&Record::with_file(Kind::Lend, SHUTTLE as u64), &[]);
            *shuttle = Some(new);
        }
        let ring = self.ring.borrow();
        let mut free = shuttle.as_mut().filter(|shuttle| ring.is_passed(shuttle.until));
        if let Some(shuttle) = &mut free {
            shuttle.reserve(len)?;
        }
        Ok(free)
    }

    /// Gives memory back that is not used.
    pub(super) fn tidy(&self) {
        if let Some(shuttle) = &mut *self.shuttle.borrow_mut()
            && self.ring.borrow().is_passed(shuttle.until)
        {
            shuttle.tidy();
        }
    }
}

#[cold]
fn ring_is_full() -> Error {
    Error::new(
        ErrorKind::Full,
        "too many messages of this thread wait for the window's thread",
    )
}

#[cold]
pub(super) fn queue_is_full() -> Error {
    Error::new(
        ErrorKind::Full,
        format!("{MOST_POSTED} posted messages wait for the window's thread already"),
    )
    .hint("send, which waits")
}
