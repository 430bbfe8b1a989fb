//! Window messages, without a display server.
//!
//! # Who has what
//! - The **roll** (`roll.rs`) is shared memory that all of a user's processes with windows hold: who takes part, which windows
//!   there are. A thread that makes a window, or sends to one, takes a *desk* there, which the kernel frees with the process.
//! - A desk has a *bell* (`doorbell.rs`): one word to sleep on, for whatever its thread waits for. It has a *socket* in the
//!   runtime folder, from its first window on.
//! - A thread that sends to another connects to its socket once, hands over a **lane** (`lane.rs`) of memory of its own, and
//!   *knocks*: counts up a number at the other's desk, and rings. That works also while the other is busy. By the socket the
//!   kernel tells each who the other is, and when it has died.
//! - **Other users** have no part in the roll. A window that is opened to them has a *plate* (`plate.rs`), a file that they can read;
//!   its thread has a *door* (`door.rs`), a second socket. Who comes in there hands over a lane as well, and that is all that he can
//!   write to: each side sleeps at a bell in it, besides its own, and numbers for what he posts are taken by the receiver as it
//!   finds it. So other senders are not disturbed by him, and the receiver looks for nothing else of his.
//! - The windows themselves, the queue of posted messages and all connections are the thread's own (`desk.rs`), and in no
//!   shared memory.
//!
//! # The protocol
//! - **Send**: choose a place for the answer; write the record, publish it by one store, say that it is urgent, ring. Then wait at our
//!   own bell, for the answer and, so that circles do not lock up, for what is sent to us, which is served meanwhile. Between two
//!   threads that are awake two cache lines change hands: the record's, and the answer's.
//! - **Serve**: look at all lanes; copy the record, say how far we are, run the procedure; write the answer, publish it by one
//!   store, ring the sender's bell.
//! - **Post**: take a *ticket*, the next number at the other's desk, unless 10,000 of them have not been served; then as `send`, without
//!   an answer. The receiver serves what is posted in the order of the tickets (`queue.rs`), and before each only asks whether
//!   something is urgent. So while it works off what has come, it touches no line that is just written to: who posts and who serves
//!   meet in a ticket that is missing, at the end, and every 64 messages, when the receiver says how many do not wait any more. (Only
//!   where fewer wait does it say so of each. So with the queue full, while it is being served, up to 63 places are free that
//!   nobody has heard of.)
//! - **Bytes**: up to 16 KiB in the lane, from which the receiver copies them; up to 4 MiB through memory that is lent to
//!   it, into which they are copied after the record has been published, while it copies them out (`shuttle.rs`); more in a file that is
//!   sealed against all changes, handed over through the socket, and mapped (`data.rs`).
//! - **Hung** is whose thread has not looked for messages for 5 s: it says at each look when that was.
//!
//! # Deaths
//! | of | when | what happens |
//! |---|---|---|
//! | sender | before it publishes the record | there is no message. A ticket that it took is given up at the receiver's next look |
//! | sender | after that, and before it says that it is urgent | it is served, perhaps after what had been posted before |
//! | sender | while it copies bytes into what is lent | there is no message, and nobody waits for the rest; the lane goes when it hangs up |
//! | sender | after that, or while it waits | it is served, the answer goes nowhere; the lane goes when it is empty |
//! | receiver | before it serves, while, or after it has answered | the kernel closes the connection; who waits looks at it after each slice (50 ms), after a last look for the answer |
//! | receiver | at any time | its desk is free, its windows are not seen; who takes the desk next clears them away |
//! | window, of a thread that lives | before the message is taken | who takes it finds no window, and answers so; who waits looks for himself, after each slice, whether it is there and whether his message was taken |
//! | thread that ends | | it answers all who wait that the window is gone, then closes its connections |
//! | another user's sender | before it knocks at the plate, or while the receiver is just about to sleep | the receiver looks at its door within a slice |
//! | any | before it rings | who sleeps looks by itself within a slice |
//! | any | while it enters a window, or changes a title | the entry is a dead one's, as above |
//! | any | while it has plates | nobody takes them for windows; its user's next door removes them |
//!
//! # What is not believed
//! Words in lanes and in the roll are read once, checked, and used: indexes masked, lengths bounded, loops counted. A sender whose
//! lane makes no sense is disconnected; nobody else notices. Who writes nonsense to the roll can make windows unseen, change the
//! order of posted messages, or have somebody wake up too late (by a slice) or for nothing; messages go where the
//! socket goes, and each names its window, which the receiver looks up among its own.

mod by_number;
mod closing;
mod data;
mod desk;
mod door;
mod entrance;
#[cfg(all(test, not(loom)))]
mod hostile;
mod incoming;
mod lane;
mod lead;
mod messages;
#[cfg(all(test, loom))]
mod models;
mod names;
mod outgoing;
mod own;
mod plate;
mod queue;
mod roll;
mod shuttle;
mod socket;
mod texts;
mod words;

pub(crate) use messages::Messages;
#[cfg(feature = "socket")]
pub(super) use roll::sweep;

use crate::os::types::Access;
use crate::os::window_types::{
    Handle, InSend, Letter, Making, Procedure, Pumped, Query, SendMode, Sight, executable_name,
};
use crate::{Deadline, Result};
use desk::{Desk, Owner};
use plate::Seen;
use roll::{Roll, no_window};
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// A window of this thread; dropping it destroys it.
#[derive(Debug)]
pub(crate) struct Window {
    handle: u32,
    /// The thread's, which ends with it.
    desk: Weak<Desk>,
    messages: Rc<Messages>,
}

impl Window {
    pub(crate) fn create(making: &Making<'_>, procedure: Procedure) -> Result<Self> {
        let desk = Desk::here()?;
        Ok(Window {
            handle: desk.open(making, procedure)?,
            messages: desk.messages.clone(),
            desk: Rc::downgrade(&desk),
        })
    }

    pub(crate) fn handle(&self) -> u32 {
        self.handle
    }

    pub(crate) fn set_title(&self, title: &str) -> Result<()> {
        let desk = self.desk.upgrade().ok_or_else(no_window)?;
        desk.check_ours()?;
        desk.retitle(self.handle, title)
    }

    /// What `wait_any` waits for: that its thread has messages.
    pub(crate) fn messages(&self) -> &Messages {
        &self.messages
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if let Some(desk) = self.desk.upgrade() {
            desk.close(self.handle);
        }
    }
}

pub(crate) fn pump(deadline: Deadline) -> Result<Pumped> {
    Desk::here()?.pump(deadline)
}

pub(crate) fn post_quit(code: i32) {
    // Without a desk there is no loop to end.
    if let Some(desk) = Desk::existing() {
        desk.post_quit(code);
    }
}

pub(crate) fn in_send() -> Option<InSend> {
    Desk::existing()?.in_send()
}

pub(crate) fn reply(result: isize) -> bool {
    Desk::existing().is_some_and(|desk| desk.reply(result))
}

/// The roll, without taking part.
fn seen_roll() -> Result<Option<Arc<Roll>>> {
    match Desk::existing() {
        Some(desk) => Ok(Some(desk.roll.clone())),
        None => Roll::existing(),
    }
}

/// This thread's desk, and whose the window is.
#[inline(always)]
fn to_send(window: Handle) -> Result<(Rc<Desk>, Owner)> {
    if let Some(user) = window.user {
        return Ok((Desk::here()?, Owner::User(user)));
    }
    if let Some(desk) = Desk::existing() {
        let owner = desk.roll.owner(window.number).ok_or_else(no_window)?;
        return Ok((desk, Owner::Desk(owner)));
    }
    let roll = seen_roll()?.ok_or_else(no_window)?;
    let owner = roll.owner(window.number).ok_or_else(no_window)?;
    Ok((Desk::here()?, Owner::Desk(owner)))
}

pub(crate) fn send(window: Handle, letter: &Letter<'_>, mode: SendMode, deadline: Deadline) -> Result<isize> {
    let (desk, owner) = to_send(window)?;
    desk.send(window.number, owner, letter, mode, deadline)
}

pub(crate) fn send_notify(window: Handle, letter: &Letter<'_>) -> Result<()> {
    let (desk, owner) = to_send(window)?;
    desk.send_notify(window.number, owner, letter)
}

pub(crate) fn post(window: Handle, letter: &Letter<'_>) -> Result<()> {
    let (desk, owner) = to_send(window)?;
    desk.post(window.number, owner, letter)
}

/// Calls `found` with those meant, until it says no: this user's first.
pub(crate) fn find(query: &Query, found: &mut dyn FnMut(Handle) -> bool) -> Result<()> {
    let mut goes_on = true;
    if let Some(roll) = seen_roll()? {
        let is_meant = |window: &roll::Found| {
            !(query.top_level_only && window.message_only)
                && query.is_title(&window.title)
                && query.is_class(&window.class)
                && query.pid.is_none_or(|pid| pid == roll.pid(window.desk))
                && query.is_executable(|| executable_name(&roll.process(window.desk)))
        };
        roll.each(is_meant, &mut |number| {
            goes_on = found(Handle::ours(number));
            goes_on
        })?;
    }
    if query.access == Access::Everyone && goes_on {
        find_outside(query, usize::MAX, found)?;
    }
    Ok(())
}

/// Whether another user has opened one of those that are meant, among the first few: anybody can put many there.
pub(crate) fn others_have_one(query: &Query) -> bool {
    const FEW: usize = 64;
    let mut found = false;
    let looked = find_outside(query, FEW, &mut |_| {
        found = true;
        false
    });
    looked.is_ok() && found
}

/// As [`find`], of those that other users have opened, among the first so many.
fn find_outside(query: &Query, most: usize, found: &mut dyn FnMut(Handle) -> bool) -> Result<()> {
    for number in plate::handles()?.into_iter().take(most) {
        // What cannot be looked at is nobody's window.
        let Ok(Some(plate)) = seen_outside(number) else {
            continue;
        };
        let Ok(Some(says)) = plate.read() else { continue };
        let process = || plate.process(&says);
        let is_meant = !(query.top_level_only && says.message_only)
            && query.is_title(&says.title)
            && query.is_class(&says.class)
            && query.pid.is_none_or(|pid| pid == process().pid)
            && query.is_executable(|| executable_name(&process()));
        let handle = Handle {
            number,
            user: Some(plate.user),
        };
        if is_meant && !found(handle) {
            break;
        }
    }
    Ok(())
}

/// The plate of a window that another user has opened.
fn seen_outside(number: u32) -> Result<Option<Seen>> {
    let this_user = rustix::process::geteuid().as_raw();
    Ok(Seen::open(number)?.filter(|plate| plate.user != this_user))
}

/// The window of that number, of another user if it has to be and that is asked for.
pub(crate) fn resolve(number: u32, access: Access) -> Handle {
    if access == Access::Everyone
        && plate::is_open(number)
        && let Ok(Some(plate)) = seen_outside(number)
    {
        return Handle {
            number,
            user: Some(plate.user),
        };
    }
    Handle::ours(number)
}

/// The plate of another user's window, if it is still there.
fn plate_of(window: Handle, user: u32) -> Result<Seen> {
    Seen::of_user(window.number, user).ok_or_else(no_window)
}

pub(crate) fn sight(window: Handle) -> Result<Sight> {
    if let Some(user) = window.user {
        let plate = plate_of(window, user)?;
        let says = plate.read()?.ok_or_else(no_window)?;
        return Ok(Sight {
            owner: plate.process(&says),
            class: says.class,
            title: says.title,
            message_only: says.message_only,
            hung: says.is_hung,
            queued: None,
            access: Some(Access::Everyone),
        });
    }
    let roll = seen_roll()?.ok_or_else(no_window)?;
    let found = roll.look(window.number)?;
    Ok(Sight {
        class: found.class,
        title: found.title,
        owner: roll.process(found.desk),
        message_only: found.message_only,
        hung: roll.is_hung(found.desk),
        queued: Some(u32::try_from(roll.queued(found.desk)).unwrap_or(u32::MAX)),
        access: Some(match plate::is_open(window.number) {
            true => Access::Everyone,
            false => Access::CurrentUser,
        }),
    })
}

pub(crate) fn is_alive(window: Handle) -> bool {
    if let Some(user) = window.user {
        return plate_of(window, user).is_ok();
    }
    let is_alive = || seen_roll()?.ok_or_else(no_window)?.look(window.number);
    is_alive().is_ok()
}

pub(crate) fn is_hung(window: Handle) -> Result<bool> {
    if let Some(user) = window.user {
        return Ok(plate_of(window, user)?.is_hung());
    }
    let roll = seen_roll()?.ok_or_else(no_window)?;
    let found = roll.look(window.number)?;
    Ok(roll.is_hung(found.desk))
}

pub(crate) fn register_message(name: &str) -> Result<u32> {
    names::register(name)
}

/// Text as this machine's programs write it: there is no code page here.
pub(crate) fn to_ansi(text: &str) -> Result<Vec<u8>> {
    Ok(text.as_bytes().to_vec())
}

pub(crate) fn from_ansi(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
