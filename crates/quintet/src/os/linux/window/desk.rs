//! A thread's desk: its windows, what waits for them, and whom it sends to.

use super::by_number::ByNumber;
use super::data::Data;
use super::incoming::{From, Reply, Sent};
use super::lane::{Kind, LaneBell, Outcome};
use super::lead::Lead;
use super::messages::Messages;
use super::outgoing::{MOST_POSTED, Outgoing, queue_is_full};
use super::plate::Seen;
use super::queue::{Posted, Queue};
use super::roll::{self, Roll, no_window};
use crate::doorbell::Readiness;
use crate::os::fence::Publisher;
use crate::os::types::Access;
use crate::os::window_types::{
    Arrival, InSend, Letter, Making, Procedure, Pumped, SendMode, WM_COPYDATA, WM_QUIT, is_for_procedures,
};
use crate::participants::Seat;
use crate::wait::{self, SLICE, Spin};
use crate::{Deadline, Error, ErrorKind, Result};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// So many procedures may run inside one another; a stack of 2 MiB holds more.
const DEEPEST: usize = 200;

/// Where so many posted messages wait, it is not said of each that it does not any more; before each look for others it is.
const MANY: usize = 64;

/// So many milliseconds at least lie between two times of tidying.
const TIDY: u64 = 1000;

/// So many messages are served by one `pump`.
const MOST_SERVED: u32 = 10_000;

/// A thread's desk.
pub(super) struct Desk {
    pub(super) roll: Arc<Roll>,
    seat: Seat,
    pub(super) messages: Rc<Messages>,
    windows: RefCell<ByNumber<u32, Procedure>>,
    /// By the desks of those who have one, and by user and window of the others.
    outgoing: RefCell<ByNumber<usize, Rc<Outgoing>>>,
    outside: RefCell<ByNumber<u64, Rc<Outgoing>>>,
    queue: RefCell<Queue>,
    /// The procedures that are running, the innermost last.
    running: RefCell<Vec<Running>>,
    quits: Cell<Option<i32>>,
    looked: Cell<u64>,
    spin: Spin,
    /// For who has just served something.
    eager: Spin,
    /// Whether the last `pump` served something.
    served: Cell<bool>,
    /// How many posted messages were there when it last looked.
    found: Cell<usize>,
    lead: Lead,
    tidied: Cell<u64>,
    publisher: Publisher,
}

/// Whose a window is that is sent to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    /// That of the thread at a desk of this user's roll.
    Desk(usize),
    /// That of a thread of another user.
    User(u32),
}

/// A procedure that is running.
#[derive(Debug)]
struct Running {
    how: Option<InSend>,
    reply: Option<Reply>,
}

/// What is to be served next.
enum Next {
    Sent(Sent),
    Posted(Posted),
    Quit(i32),
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("number", &self.number()).finish()
    }
}

thread_local! {
    static DESK: RefCell<Option<Rc<Desk>>> = const { RefCell::new(None) };
}

impl Desk {
    /// This thread's, if it has one.
    pub(super) fn existing() -> Option<Rc<Desk>> {
        let desk = DESK.try_with(|desk| desk.borrow().clone()).ok()??;
        desk.seat.is_ours().then_some(desk)
    }

    /// This thread's; made if it has none.
    pub(super) fn here() -> Result<Rc<Desk>> {
        if let Some(desk) = Desk::existing() {
            return Ok(desk);
        }
        let roll = Roll::join()?;
        let seat = roll.take_desk()?;
        let number = seat.index();
        let now = roll::now();
        roll.say_looked(number, now);
        let queue = Queue::new(roll.posted(number));
        let new = Rc::new(Desk {
            messages: Rc::new(Messages::new(roll.clone(), number)),
            roll,
            seat,
            windows: RefCell::default(),
            outgoing: RefCell::default(),
            outside: RefCell::default(),
            queue: RefCell::new(queue),
            running: RefCell::default(),
            quits: Cell::new(None),
            looked: Cell::new(now),
            spin: Spin::default(),
            eager: Spin::default(),
            served: Cell::new(false),
            found: Cell::new(0),
            lead: Lead::default(),
            tidied: Cell::new(now),
            publisher: Publisher::new(),
        });
        DESK.try_with(|desk| desk.replace(Some(new.clone())))
            .map(|_parents| new)
            .map_err(|_| Error::new(ErrorKind::Unsupported, "this thread is just ending"))
    }

    fn number(&self) -> usize {
        self.seat.index()
    }

    pub(super) fn check_ours(&self) -> Result<()> {
        self.seat.check_ours()
    }

    /// Makes a window: its handle.
    pub(super) fn open(&self, making: &Making<'_>, procedure: Procedure) -> Result<u32> {
        self.messages.listen()?;
        let handle = self.enter(making)?;
        self.windows.borrow_mut().insert(handle, procedure);
        self.say_looked();
        self.roll.show(handle);
        Ok(handle)
    }

    /// Enters a window: its handle.
    fn enter(&self, making: &Making<'_>) -> Result<u32> {
        if making.access == Access::CurrentUser {
            return self.roll.enter(self.number(), making);
        }
        /// Only who takes one on purpose has a handle that is just to be ours.
        const TRIES: u32 = 100;
        for _ in 0..TRIES {
            let handle = self.roll.enter(self.number(), making)?;
            match self.messages.open(handle, making) {
                Ok(true) => return Ok(handle),
                // The next one that is entered there has another handle.
                Ok(false) => self.roll.strike(handle, self.number()),
                Err(error) => {
                    self.roll.strike(handle, self.number());
                    return Err(error);
                }
            }
        }
        Err(Error::new(
            ErrorKind::Full,
            "other users have windows of all handles that were tried",
        ))
    }

    pub(super) fn retitle(&self, handle: u32, title: &str) -> Result<()> {
        self.roll.retitle(handle, title)?;
        self.messages.retitle(handle, title);
        Ok(())
    }

    pub(super) fn close(&self, handle: u32) {
        if !self.seat.is_ours() {
            return;
        }
        self.roll.strike(handle, self.number());
        self.messages.shut(handle);
        // Dropped when nothing is borrowed: it may do anything.
        let procedure = self.windows.borrow_mut().remove(&handle);
        drop(procedure);
    }

    /// Says that this thread looks for messages.
    fn say_looked(&self) {
        let now = roll::now();
        if self.looked.replace(now) != now {
            self.messages.say_looked(now);
            // Also by one that is always busy, or only looks.
            self.messages.let_in();
            self.tidy();
        }
    }

    /// Says how many posted messages are in the queue, and how many do not wait any more. While many do, who posts does not learn of
    /// each: with the queue full he looks again and again, and each time takes the line away that is written to here.
    #[inline]
    fn say_queued(&self, queue: &Queue) {
        self.messages.waiting.store(queue.len(), Ordering::Relaxed);
        if queue.len() < MANY || queue.taken().is_multiple_of(MANY as u64) {
            self.roll.say_taken(self.number(), queue.taken());
        }
    }

    /// The next message that another thread sent; when there is none, what has been posted is in the queue.
    #[inline]
    fn next_sent(&self) -> Option<Sent> {
        let mut queue = self.queue.borrow_mut();
        let sent = self.messages.next_sent(&mut queue);
        self.messages.waiting.store(queue.len(), Ordering::Relaxed);
        sent
    }

    /// What is to be served next: what was sent, then what was posted, then the end.
    #[inline]
    fn next(&self) -> Option<Next> {
        if let Some(next) = self.next_posted() {
            return Some(Next::Posted(next));
        }
        self.lead.give(self.found.take());
        if let Some(sent) = self.next_sent() {
            return Some(Next::Sent(sent));
        }
        let mut queue = self.queue.borrow_mut();
        self.found.set(queue.len());
        if let Some(next) = queue.take_next() {
            self.say_queued(&queue);
            return Some(Next::Posted(next));
        }
        let is_empty = queue.is_empty();
        drop(queue);
        if is_empty {
            return self.quits.take().map(|code| {
                self.messages.quits.store(false, Ordering::Relaxed);
                Next::Quit(code)
            });
        }
        self.next_after_gap()
    }

    /// The next message of the queue, if nothing has been sent and none can have been posted before it.
    #[inline(always)]
    fn next_posted(&self) -> Option<Posted> {
        let mut queue = self.queue.borrow_mut();
        if !queue.has_next() || self.messages.are_urgent() {
            return None;
        }
        let next = queue.take_next();
        self.say_queued(&queue);
        next
    }

    /// As [`next`](Self::next), where the message whose ticket is next is missing: see `queue.rs`.
    fn next_after_gap(&self) -> Option<Next> {
        let given = self.roll.posted(self.number());
        if let Some(sent) = self.next_sent() {
            return Some(Next::Sent(sent));
        }
        let mut queue = self.queue.borrow_mut();
        let next = queue.take_after(given);
        self.say_queued(&queue);
        next.map(Next::Posted)
    }

    /// As [`next`](Self::next), for who will wait if there is nothing: what was posted and never showed is given up then.
    fn next_or_settle(&self) -> Option<Next> {
        if let Some(next) = self.next() {
            return Some(next);
        }
        self.messages.let_in();
        let given = self.roll.posted(self.number());
        if given == self.queue.borrow().taken() && !self.messages.glance() {
            return None;
        }
        let next = self.next();
        if next.is_none() {
            let mut queue = self.queue.borrow_mut();
            queue.give_up(given);
            self.say_queued(&queue);
        }
        next
    }

    /// Serves what there is, after waiting for the first of it.
    pub(super) fn pump(&self, deadline: Deadline) -> Result<Pumped> {
        if self.windows.borrow().is_empty() && self.quits.get().is_none() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this thread has no window, and will never have a message",
            ));
        }
        // Who has just been answered often sends again. Then we are awake, and so is he: see `send`.
        let mut is_eager = self.served.take();
        let mut next = loop {
            match self.wait_for_next(deadline, is_eager)? {
                None => return Ok(Pumped::Nothing),
                Some(Some(next)) => break next,
                // The rest of its bytes is about to come.
                Some(None) if deadline.has_passed() => return Ok(Pumped::Nothing),
                Some(None) => is_eager = true,
            }
        };
        self.served.set(true);
        // A procedure that takes long begins now, whenever we looked last.
        self.say_looked();
        let mut pumped = Pumped::Served;
        let mut served = 0;
        loop {
            match next {
                Next::Sent(sent) => {
                    self.serve(sent);
                    served += 1;
                    self.say_looked();
                }
                Next::Posted(posted) => {
                    if let Some(quit) = self.serve_queue(posted, &mut served) {
                        pumped = quit;
                        break;
                    }
                }
                Next::Quit(code) => {
                    pumped = Pumped::Quit(code);
                    break;
                }
            }
            match self.next_if(served < MOST_SERVED) {
                Some(one) => next = one,
                None => break,
            }
        }
        self.roll.say_taken(self.number(), self.queue.borrow().taken());
        Ok(pumped)
    }

    /// Waits for what is to be served next; `Some(None)`: a part of a message has come.
    fn wait_for_next(&self, deadline: Deadline, is_eager: bool) -> Result<Option<Option<Next>>> {
        let slept = Cell::new(false);
        let look = || {
            if slept.get() {
                self.messages.waiter().stand_in();
            }
            // If there is something, `pump` says that we looked.
            Ok(match self.next_or_settle() {
                Some(next) => Some(Some(next)),
                None => {
                    self.say_looked();
                    self.messages.have_grown().then_some(None)
                }
            })
        };
        let spin = if is_eager {
            self.eager.forget_misses();
            &self.eager
        } else {
            &self.spin
        };
        let is_waiting = !self.queue.borrow().is_empty() || self.quits.get().is_some();
        spin.sees(deadline, || is_waiting || self.messages.glance());
        wait::wait_by_glances(
            spin,
            deadline,
            SLICE,
            || self.messages.glance(),
            look,
            |slice| {
                slept.set(true);
                self.sleep(slice, None, || self.messages.is_ready())
            },
        )
    }

    fn next_if(&self, go_on: bool) -> Option<Next> {
        go_on.then(|| self.next()).flatten()
    }

    fn sleep(
        &self,
        slice: Duration,
        own: Option<&Arc<LaneBell>>,
        is_there: impl Fn() -> Result<bool>,
    ) -> Result<()> {
        self.tidy();
        self.messages.sleep(slice, own, is_there)
    }

    /// Gives back what nobody uses any more, now and then.
    fn tidy(&self) {
        let now = roll::now();
        if now.saturating_sub(self.tidied.get()) >= TIDY {
            self.tidied.set(now);
            self.messages.tidy();
            let tidy = |outgoing: &Rc<Outgoing>| outgoing.tidy();
            self.outgoing.borrow().values().for_each(tidy);
            let mut outside = self.outside.borrow_mut();
            outside.retain(|_, outgoing| outgoing.is_current());
            outside.values().for_each(tidy);
        }
    }

    fn serve(&self, sent: Sent) {
        let how = if sent.reply.is_some() {
            InSend::Waiting
        } else {
            InSend::Notified
        };
        let arrival = Arrival {
            window: sent.window,
            letter: Letter {
                number: sent.number,
                wparam: sent.wparam,
                lparam: sent.lparam,
                data: sent.data.as_ref().map(Data::bytes),
            },
            sender: Some(&sent.from.sender),
            posted: false,
        };
        self.run(&arrival, Some(how), sent.reply, Some(&sent.from));
        if let Some(Data::Copied(bytes)) = sent.data {
            self.messages.keep(bytes);
        }
    }

    /// Serves posted messages, from that one on, as long as the next one is there and nothing has been sent, with nothing in
    /// between. If one of them ends the loop, what is to be said of that.
    fn serve_queue(&self, first: Posted, served: &mut u32) -> Option<Pumped> {
        let mut next = first;
        loop {
            if next.number == WM_QUIT {
                return Some(Pumped::Quit(next.wparam as i32));
            }
            self.serve_posted(&next);
            *served += 1;
            self.say_looked();
            if *served >= MOST_SERVED {
                return None;
            }
            next = self.next_posted()?;
        }
    }

    #[inline(always)]
    fn serve_posted(&self, posted: &Posted) {
        let arrival = Arrival {
            window: posted.window,
            letter: Letter {
                number: posted.number,
                wparam: posted.wparam,
                lparam: posted.lparam,
                data: None,
            },
            sender: posted.from.as_ref().map(|from| &from.sender),
            posted: true,
        };
        self.run(&arrival, None, None, posted.from.as_deref());
    }

    /// Runs the procedure of a window, and answers.
    #[inline(always)]
    fn run(
        &self,
        arrival: &Arrival<'_>,
        how: Option<InSend>,
        reply: Option<Reply>,
        from: Option<&From>,
    ) -> Outcome {
        /// Whatever happens, a panic included, who waits gets an answer.
        struct Runs<'a>(&'a Desk, Outcome);
        impl Drop for Runs<'_> {
            fn drop(&mut self) {
                let ended = self.0.running.borrow_mut().pop();
                if let Some(reply) = ended.and_then(|running| running.reply) {
                    reply.give(self.1, self.0.publisher);
                }
            }
        }
        self.running.borrow_mut().push(Running { how, reply });
        let mut runs = Runs(self, Outcome::Panicked);
        let procedure = self.windows.borrow().get(&arrival.window).cloned();
        let depth = self.running.borrow().len();
        // Other users leave room for this one's own.
        let is_too_deep = || depth > DEEPEST || from.is_some_and(From::is_outside);
        let is_data = arrival.letter.data.is_some();
        runs.1 = match procedure {
            None => Outcome::Gone,
            Some(_) if depth > DEEPEST / 2 && is_too_deep() => Outcome::TooDeep,
            // Who wrote that did not use this library.
            Some(_) if is_data != (arrival.letter.number == WM_COPYDATA) => Outcome::Result(0),
            Some(_) if !is_for_procedures(arrival.letter.number) => Outcome::Result(0),
            Some(procedure) => Outcome::Result(procedure(arrival)),
        };
        runs.1
    }

    /// Whether the window is this thread's own.
    fn is_own(&self, owner: Owner) -> bool {
        matches!(owner, Owner::Desk(desk) if desk == self.number())
    }

    /// A message of this thread to its own window.
    fn run_own(&self, window: u32, letter: &Letter<'_>) -> Result<isize> {
        let arrival = Arrival {
            window,
            letter: *letter,
            sender: None,
            posted: false,
        };
        result_of(self.run(&arrival, None, None, None))
    }

    /// The connection to the thread of that window. `deadline`: asked for if it has to be made.
    #[inline(always)]
    fn outgoing(
        &self,
        window: u32,
        owner: Owner,
        deadline: impl FnOnce() -> Deadline,
    ) -> Result<Rc<Outgoing>> {
        match owner {
            Owner::Desk(desk) => current(&self.outgoing, desk, || {
                Outgoing::connect(&self.roll, desk, self.number(), self.publisher, deadline())
            }),
            Owner::User(user) => {
                let number = u64::from(user) << 32 | u64::from(window);
                current(&self.outside, number, || {
                    // Whoever opens and closes windows all the time leaves us with none of them.
                    self.outside.borrow_mut().retain(|_, other| other.is_current());
                    match Seen::of_user(window, user) {
                        Some(plate) => Outgoing::connect_openly(plate, self.publisher, deadline()),
                        None => Ok(None),
                    }
                })
            }
        }
    }

    fn forget(&self, outgoing: &Rc<Outgoing>) {
        let is_other = |other: &Rc<Outgoing>| !Rc::ptr_eq(other, outgoing);
        self.outgoing.borrow_mut().retain(|_, other| is_other(other));
        self.outside.borrow_mut().retain(|_, other| is_other(other));
    }

    /// Sends, and waits for the result.
    pub(super) fn send(
        &self,
        window: u32,
        owner: Owner,
        letter: &Letter<'_>,
        mode: SendMode,
        deadline: Deadline,
    ) -> Result<isize> {
        if self.is_own(owner) {
            return self.run_own(window, letter);
        }
        if mode == SendMode::AbortIfHung && matches!(owner, Owner::Desk(desk) if self.roll.is_hung(desk)) {
            return Err(hung());
        }
        let to = self.outgoing(window, owner, || deadline)?;
        if mode == SendMode::AbortIfHung && matches!(owner, Owner::User(_)) && to.receiver.is_hung() {
            return Err(hung());
        }
        let place = to.take_place()?;
        // One that is awake answers soon. Where the last answers were late that teaches nothing: with both sides asleep each
        // time, neither would ever find the other awake.
        let spin = if to.receiver.sleeps() {
            &to.spin
        } else {
            to.eager.forget_misses();
            &to.eager
        };
        let number = match to.put(Kind::Send, window, letter, place) {
            Ok(number) => number,
            Err(error) => {
                to.leave_unused(place);
                return Err(error);
            }
        };
        // Also when a procedure that runs meanwhile panics.
        let _place = Leaves(&to, place, number);
        let mark = to.mark();
        let is_too_late = || to.is_too_late(window, mark);
        let outcome = self.wait_for_answer(&to, (place, number), is_too_late, spin, mode, deadline);
        if matches!(&outcome, Err(error) if matches!(error.kind(), ErrorKind::PeerDied | ErrorKind::NotFound | ErrorKind::Corrupt))
        {
            self.forget(&to);
        }
        result_of(outcome?)
    }

    fn wait_for_answer(
        &self,
        to: &Outgoing,
        (place, number): (u16, u64),
        is_too_late: impl Fn() -> bool,
        spin: &Spin,
        mode: SendMode,
        deadline: Deadline,
    ) -> Result<Outcome> {
        let serves = mode != SendMode::Block;
        let slept = Cell::new(false);
        let look = || {
            if slept.get() {
                self.messages.waiter().stand_in();
            }
            if let Some(outcome) = to.answers.get(place, number)? {
                return Ok(Some(outcome));
            }
            if serves {
                // There may always be another one, and a deadline has an end.
                for _ in 0..MANY {
                    let Some(sent) = self.next_sent() else { break };
                    self.serve(sent);
                    self.say_looked();
                    if let Some(outcome) = to.answers.get(place, number)? {
                        return Ok(Some(outcome));
                    }
                }
                self.say_looked();
            }
            if slept.get() {
                if to.is_hung_up() {
                    // It may have answered and gone then.
                    return to
                        .answers
                        .get(place, number)?
                        .map_or_else(|| Err(to.why_hung_up()), |outcome| Ok(Some(outcome)));
                }
                if is_too_late() {
                    return Ok(Some(Outcome::Gone));
                }
                if mode == SendMode::AbortIfHung && to.receiver.is_hung() {
                    return Err(hung());
                }
            }
            Ok(None)
        };
        let is_there = || Ok(to.answers.is_there(place, number) || serves && self.messages.have_come());
        let is_answered = || to.answers.is_there(place, number);
        let glance = || is_answered() || serves && self.messages.glance();
        spin.sees(deadline, glance);
        wait::wait_by_glances(spin, deadline, SLICE, glance, look, |slice| {
            slept.set(true);
            self.sleep(slice, to.bell(), is_there)
        })?
        .ok_or_else(|| {
            Error::new(
                ErrorKind::TimedOut,
                "the window's thread did not answer before the deadline",
            )
        })
    }

    pub(super) fn send_notify(&self, window: u32, owner: Owner, letter: &Letter<'_>) -> Result<()> {
        if self.is_own(owner) {
            return self.run_own(window, letter).map(drop);
        }
        let to = self.outgoing(window, owner, Deadline::now)?;
        to.put(Kind::Notify, window, letter, 0).map(drop)
    }

    pub(super) fn post(&self, window: u32, owner: Owner, letter: &Letter<'_>) -> Result<()> {
        if self.is_own(owner) {
            let ticket = self
                .roll
                .number_post(self.number(), MOST_POSTED, &Cell::new(0))
                .ok_or_else(queue_is_full)?;
            let mut queue = self.queue.borrow_mut();
            queue.put(Posted {
                ticket,
                window,
                number: letter.number,
                wparam: letter.wparam,
                lparam: letter.lparam,
                from: None,
            });
            self.messages.waiting.store(queue.len(), Ordering::Relaxed);
            return Ok(());
        }
        let to = self.outgoing(window, owner, Deadline::now)?;
        to.put(Kind::Post, window, letter, 0).map(drop)
    }

    pub(super) fn post_quit(&self, code: i32) {
        self.quits.set(Some(code));
        self.messages.quits.store(true, Ordering::Relaxed);
    }

    pub(super) fn in_send(&self) -> Option<InSend> {
        self.running.borrow().last()?.how
    }

    pub(super) fn reply(&self, result: isize) -> bool {
        let reply = {
            let mut running = self.running.borrow_mut();
            let Some(last) = running.last_mut() else {
                return false;
            };
            let reply = last.reply.take();
            if reply.is_some() {
                last.how = Some(InSend::Replied);
            }
            reply
        };
        let waited = reply.is_some();
        if let Some(reply) = reply {
            reply.give(Outcome::Result(result), self.publisher);
        }
        waited
    }
}

/// The connection of that number, made if there is none, or if it leads to nobody any more.
#[inline(always)]
fn current<K: Copy + Eq + std::hash::Hash>(
    all: &RefCell<ByNumber<K, Rc<Outgoing>>>,
    number: K,
    connect: impl FnOnce() -> Result<Option<Outgoing>>,
) -> Result<Rc<Outgoing>> {
    let known = all.borrow().get(&number).cloned();
    if let Some(outgoing) = known {
        if outgoing.is_current() {
            return Ok(outgoing);
        }
        all.borrow_mut().remove(&number);
    }
    let outgoing = Rc::new(connect()?.ok_or_else(no_window)?);
    all.borrow_mut().insert(number, outgoing.clone());
    Ok(outgoing)
}

/// A place for an answer, given back when this is dropped.
struct Leaves<'a>(&'a Outgoing, u16, u64);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.leave_place(self.1, self.2);
    }
}

fn hung() -> Error {
    Error::new(
        ErrorKind::TimedOut,
        "the window's thread is hung: it has served nothing for 5 s",
    )
}

fn result_of(outcome: Outcome) -> Result<isize> {
    match outcome {
        Outcome::Result(result) => Ok(result),
        Outcome::Gone => Err(no_window()),
        Outcome::Panicked => Err(Error::new(
            ErrorKind::Disconnected,
            "the window's procedure panicked",
        )),
        Outcome::TooDeep => Err(Error::new(
            ErrorKind::Full,
            "too many procedures of the window's thread run inside one another already",
        )
        .hint("do windows send to each other without end?")),
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if !self.seat.is_ours() {
            return;
        }
        let windows = self.windows.take();
        for handle in windows.keys() {
            self.roll.strike(*handle, self.number());
        }
        self.roll.say_left(self.number());
        self.messages.shut_door();
        // Who has sent to them waits no longer than this. (Whoever sends more than that does not wait.)
        for _ in 0..MOST_SERVED {
            let Some(sent) = self.messages.next_sent(&mut Queue::new(0)) else {
                break;
            };
            if let Some(reply) = sent.reply {
                reply.give(Outcome::Gone, self.publisher);
            }
        }
        self.messages.close();
        self.roll.leave_desk(&self.seat);
    }
}
