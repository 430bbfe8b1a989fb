//! Over window messages with data (`WM_COPYDATA`), as Windows programs send and take them.

use super::settings::Settings;
use super::waiting::{Finding, gone};
use crate::wait::SLICE;
use crate::window::{self, Message, Pumped, SendMode, Window, WindowHandle, WindowSearch};
use crate::{Address, Deadline, Error, ErrorKind, Result, Target};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

/// What a receiver's window answers: it has the message.
const TAKEN: isize = 1;
/// Others wait there already; try again. No program that is not a channel answers so.
const NO_ROOM: isize = -0x5175_0001;
/// It is longer than the receiver takes.
const TOO_LONG: isize = -0x5175_0002;

/// How many bytes may wait while a thread serves messages and does not receive: one message, whatever its length, or those
/// that are not more than this together.
const WAITING: usize = 1 << 20;

/// Sends to the window of the address.
#[derive(Debug)]
pub(super) struct WindowSender {
    target: Finding<WindowHandle>,
    id: usize,
}

impl WindowSender {
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let id = settings.plain.parse_option("id")?.unwrap_or(0);
        let search = WindowSearch::at(&settings.plain.clone().without(|key| key == "id"))?;
        Ok(WindowSender {
            target: Finding::when_there(move || search.find())?,
            id,
        })
    }

    pub(super) fn send(&mut self, message: &[u8], deadline: Deadline) -> Result<()> {
        loop {
            let target = *self.target.get(deadline)?;
            match target.copy_data_timeout(self.id, message, SendMode::Normal, deadline) {
                Ok(NO_ROOM) if deadline.has_passed() => {
                    return Err(Error::new(
                        ErrorKind::TimedOut,
                        "the window had no room for the message in time",
                    ));
                }
                Ok(NO_ROOM) => std::thread::sleep(deadline.slice(SLICE / 10)),
                Ok(TOO_LONG) => {
                    return Err(Error::new(
                        ErrorKind::TooLarge,
                        format!(
                            "a message of {} bytes is more than the receiver takes",
                            message.len()
                        ),
                    )
                    .hint("raise max_message at all ends if that is meant"));
                }
                // What other programs answer means what they like.
                Ok(_) => return Ok(()),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PeerDied) => {
                    self.target.lose();
                    return Err(gone());
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn wait_for_peer(&mut self, deadline: Deadline) -> Result<()> {
        self.target.get(deadline).map(drop)
    }
}

/// A window is its thread's, and a receiver may be moved to another one; so the thread keeps the windows, and the receiver
/// the number of its own.
#[derive(Debug)]
pub(super) struct WindowReceiver {
    number: u64,
    thread: ThreadId,
    inbox: Arc<Mutex<VecDeque<Vec<u8>>>>,
}

thread_local! {
    static WINDOWS: RefCell<HashMap<u64, Window>> = RefCell::default();
}

impl WindowReceiver {
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let address = &settings.plain;
        let title = own_title(address)?;
        let mut builder = Window::builder(title);
        if let Some(class) = address.option("class") {
            builder = builder.class(class);
        }
        let inbox: Arc<Mutex<VecDeque<Vec<u8>>>> = Arc::default();
        let longest = settings.max_message.unwrap_or(u64::MAX);
        let window = builder.create({
            let inbox = inbox.clone();
            move |message| take(&inbox, longest, message)
        })?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        WINDOWS.with_borrow_mut(|windows| windows.insert(number, window));
        Ok(WindowReceiver {
            number,
            thread: std::thread::current().id(),
            inbox,
        })
    }

    pub(super) fn recv(&mut self, message: &mut Vec<u8>, deadline: Deadline) -> Result<()> {
        if std::thread::current().id() != self.thread {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a window's messages come to the thread that made it, and this is another one",
            )
            .hint("open the receiver in the thread that receives"));
        }
        loop {
            if let Some(taken) = lock(&self.inbox).pop_front() {
                *message = taken;
                return Ok(());
            }
            let over = deadline.has_passed();
            match window::pump(deadline)? {
                // Other messages, of which there may be no end.
                Pumped::Served if over && lock(&self.inbox).is_empty() => {
                    return Err(Error::new(ErrorKind::TimedOut, "no message came in time"));
                }
                Pumped::Served => {}
                Pumped::Nothing => {
                    return Err(Error::new(ErrorKind::TimedOut, "no message came in time"));
                }
                Pumped::Quit(code) => {
                    // It is the loop's of this thread, not ours.
                    window::post_quit(code);
                    return Err(Error::new(
                        ErrorKind::Disconnected,
                        "the message loop of this thread was told to end",
                    ));
                }
            }
        }
    }
}

impl Drop for WindowReceiver {
    fn drop(&mut self) {
        // Of another thread it is left to that one: it goes at the latest with it.
        let window = WINDOWS.try_with(|windows| windows.borrow_mut().remove(&self.number));
        drop(window);
    }
}

fn own_title(address: &Address) -> Result<&str> {
    for key in ["process", "pid", "hwnd", "id"] {
        if address.option(key).is_some() {
            return Err(Error::new(
                ErrorKind::InvalidAddress,
                format!("{key} is for who looks for a window, and a receiver makes one"),
            ));
        }
    }
    match address.target() {
        Target::Window(Some(title)) => Ok(title),
        _ => Err(Error::new(
            ErrorKind::InvalidAddress,
            "a receiver makes a window, which needs a title",
        )
        .hint("write window://TITLE")),
    }
}

/// The procedure.
fn take(inbox: &Mutex<VecDeque<Vec<u8>>>, longest: u64, message: &Message<'_>) -> isize {
    let Some(data) = message.copy_data() else {
        return 0;
    };
    let bytes = data.bytes();
    if bytes.len() as u64 > longest {
        return TOO_LONG;
    }
    let mut inbox = lock(inbox);
    // Empty ones take room as well.
    let waiting: usize = inbox.iter().map(|waits| waits.len() + 64).sum();
    if !inbox.is_empty() && waiting + bytes.len() > WAITING {
        return NO_ROOM;
    }
    inbox.push_back(bytes.to_vec());
    TAKEN
}

fn lock(inbox: &Mutex<VecDeque<Vec<u8>>>) -> MutexGuard<'_, VecDeque<Vec<u8>>> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}
