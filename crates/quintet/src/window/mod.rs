//! Window messages: one program finds another's window, and sends it a message.
//!
//! A [`Window`] has a class, a title, a [handle](WindowHandle) and a procedure, which the thread that made the window
//! runs for each message. Others [find](WindowHandle::find) it and
//!
//! - **send**: wait until the procedure has run, and get its result ([`send`](WindowHandle::send),
//!   [`send_timeout`](WindowHandle::send_timeout), [`copy_data`](WindowHandle::copy_data) with bytes;
//!   [`send_notify`](WindowHandle::send_notify) does not wait);
//! - **post**: put it in the queue of the window's thread and go on ([`post`](WindowHandle::post)).
//!
//! On Windows these are user32's own windows and calls, so C#, C++ and Quintet programs find each other and exchange
//! messages. On Linux they mean the same among Quintet's programs, and need no display server.
//!
//! ```
//! use quintet::window::{self, Window, WindowHandle, WM_APP};
//!
//! # let title = format!("window-doc-{}", std::process::id());
//! let window = Window::create(&title, |message| match message.number() {
//!     WM_APP => message.wparam() as isize + 1,
//!     _ => 0,
//! })?;
//! # let title = title.clone();
//! let worker = std::thread::spawn(move || {
//!     let main = WindowHandle::find(None, Some(&title))?;
//!     let answer = main.send(WM_APP, 41, 0)?;
//!     main.post(window::WM_CLOSE, 0, 0)?;
//!     Ok::<isize, quintet::Error>(answer)
//! });
//! while !worker.is_finished() {
//!     window::pump(std::time::Duration::from_millis(10))?;
//! }
//! assert_eq!(worker.join().unwrap()?, 42);
//! # drop(window);
//! # Ok::<(), quintet::Error>(())
//! ```
//!
//! # When messages are served
//! A window's messages are served by its thread, when it [runs](run) or [pumps](pump) its loop, which serves all windows of
//! the thread: what was sent first, then what was posted, in the order in which it was posted. A thread that waits for the
//! result of a `send` serves what is *sent* to its windows meanwhile, and so windows may send to each other in any circle.
//! So a procedure is run again while it is running; that is why it is a [`Fn`] and not a [`FnMut`], with its state in a
//! [`Cell`](std::cell::Cell) or a [`RefCell`](std::cell::RefCell), not borrowed while it sends. [`exclusive`] makes one of a
//! `FnMut` that does not mind.
//!
//! # Which numbers
//! Messages below [`WM_USER`] are the system's. Of these a procedure gets [`WM_CLOSE`], [`WM_COMMAND`] and [`WM_COPYDATA`];
//! the system answers the others itself (on Linux with 0). Above are the program's: [`WM_USER`] to 0x7FFF for what the
//! window's class means by it, [`WM_APP`] to 0xBFFF for the program's own, and 0xC000 to 0xFFFF for those that all
//! programs know by a name: [`register_message`].
//!
//! # What a message carries
//! Two numbers, `wparam` and `lparam`, with all bits (on Windows, between programs of 64 and of 32 bits, the lower 32), and one comes back.
//! They are numbers and nothing else: a place in memory means nothing in another process. The system's messages in which they
//! are one are refused with `Unsupported`, however they are to go.
//!
//! Bytes go along with [`copy_data`](WindowHandle::copy_data) alone, up to 1 GiB, or text in an [`Encoding`] that both have
//! agreed on: the code page of the machine ("ANSI"), UTF-8, or UTF-16. The receiver has them in place while its procedure runs. That
//! message is sent and never posted, on Windows as here: nobody would know when they can go.
//!
//! # What happens when
//! | | who sends gets | who posts gets |
//! |---|---|---|
//! | there is no such window (any more) | `NotFound` | `NotFound` |
//! | its process ends | `PeerDied`, within 100 ms, also while it waits | `NotFound` or `PeerDied`; what is in the queue is gone |
//! | its thread serves nothing for 5 s: it is *hung* | nothing, or with [`SendMode::AbortIfHung`] `TimedOut` | no error |
//! | 10,000 posted messages wait in its thread's queue | no error | `Full` |
//! | the deadline passes | `TimedOut`; the message may be served later | |
//!
//! A message whose sender dies is served nevertheless.
//!
//! # Who may send
//! On Linux the processes of the same user, and nobody else sees the windows, unless one is [opened to
//! everyone](WindowBuilder::access). On Windows every program of the same desktop, whoever's it
//! is: there is no other kind of window. So a procedure believes no more of what comes than of any input.
//!
//! Only programs of lower integrity (not run as administrator, where the window's is) are kept out there, by [User Interface Privilege
//! Isolation](https://learn.microsoft.com/windows/win32/api/winuser/nf-winuser-sendmessage): the sender's call fails with error 5,
//! access denied, which is [`PermissionDenied`](crate::ErrorKind::PermissionDenied) here. Three things help: to run both programs as
//! administrator, or neither; or that the window lets them in, by
//! [`admit_lower_integrity`](WindowBuilder::admit_lower_integrity). What is *sent* back, from the higher one to the lower, always gets
//! through, as does a procedure's result. `post` and the broadcasts say the same; a window that a broadcast may not reach has that
//! error in its [`Answer`].

mod broadcast;
mod exclusive;
mod handle;
mod kind;
mod loops;
mod message;
mod numbers;
mod search;
mod text;
#[expect(clippy::module_inception, reason = "a file has the name of its type")]
mod window;

pub use crate::os::types::Access;
pub use crate::os::window_types::{InSend, Pumped, SendMode};
pub use broadcast::{Answer, broadcast_post, broadcast_send};
pub use exclusive::exclusive;
pub use handle::{WindowHandle, WindowInfo};
pub use kind::Windows;
pub use loops::{in_send, post_quit, pump, reply, run};
pub use message::{CopyData, Message};
pub use numbers::{
    REGISTERED, WM_APP, WM_CLOSE, WM_COMMAND, WM_COPYDATA, WM_NULL, WM_QUIT, WM_USER, register_message,
};
pub use search::WindowSearch;
pub use text::Encoding;
pub use window::{Window, WindowBuilder};
