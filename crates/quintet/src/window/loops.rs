use crate::os::window;
use crate::os::window_types::{InSend, Pumped};
use crate::{Deadline, Result};

/// Serves the messages of this thread's windows until the end of the loop: the code of
/// [`post_quit`], or the `wparam` of a posted [`WM_QUIT`](super::WM_QUIT).
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported) if this thread has no window; what the system says when it cannot wait.
///
/// ```
/// use quintet::window::{Window, WM_CLOSE, post_quit, run};
///
/// # let title = format!("run-doc-{}", std::process::id());
/// let window = Window::create(&title, |message| {
///     if message.number() == WM_CLOSE {
///         post_quit(3);
///     }
///     0
/// })?;
/// window.handle().post(WM_CLOSE, 0, 0)?;
/// assert_eq!(run()?, 3);
/// # Ok::<(), quintet::Error>(())
/// ```
pub fn run() -> Result<i32> {
    loop {
        if let Pumped::Quit(code) = window::pump(Deadline::NEVER)? {
            return Ok(code);
        }
    }
}

/// Waits for a message to one of this thread's windows, and serves it and all that are there then, but no more than about
/// 10,000: what was sent before what was posted.
///
/// If a procedure panics, that comes out here, or of the `send` that served it meanwhile.
///
/// The deadline is for the first message to come. A procedure takes the time that it takes, and so, on Windows, does the system when
/// it answers a message of a [visible](super::WindowBuilder::visible) window: while its user moves it, changes its size, or has a
/// menu of it open, this call does not return. What is sent and posted is served all the while, and a panic comes out afterwards. The
/// system does not say beforehand that it will do so, and to break off what a user does would be worse; windows that were not made
/// visible do not pass on what belongs to mouse and keyboard, so there nothing of that kind happens, whoever sends such messages.
///
/// For a program whose loop does other things as well. With a zero duration it serves what is there and does not wait. To wait
/// for messages and something else at once, a `&Window` can be given to [`wait_any`](crate::sync::wait_any).
///
/// # Errors
/// [`Unsupported`](crate::ErrorKind::Unsupported) if this thread has no window; what the system says when it cannot wait.
///
/// ```
/// use quintet::window::{Pumped, Window, WM_USER, pump};
/// use std::time::Duration;
///
/// # let title = format!("pump-doc-{}", std::process::id());
/// let window = Window::create(&title, |_| 0)?;
/// assert_eq!(pump(Duration::ZERO)?, Pumped::Nothing);
/// window.handle().post(WM_USER, 0, 0)?;
/// assert_eq!(pump(Duration::ZERO)?, Pumped::Served);
/// # Ok::<(), quintet::Error>(())
/// ```
pub fn pump(deadline: impl Into<Deadline>) -> Result<Pumped> {
    window::pump(deadline.into())
}

/// Ends the loop of this thread, once, after the messages that have been posted to its windows.
pub fn post_quit(code: i32) {
    window::post_quit(code);
}

/// How the message was sent that this thread's procedure is just working at; `None` for one that was posted, or that this
/// thread itself sent, and where no procedure is working. It is about the innermost, if procedures run inside one another.
///
/// On Windows other code may run a loop in a procedure that works at a message that was sent: a message box, a menu, a drag. What that
/// loop brings meanwhile may be sent or posted; the system does not tell these apart then, and this is `None` for both. (A loop of other
/// code's elsewhere, such as that of a program with other windows, changes nothing. But in the procedures of *its* windows, this
/// and [`reply`] know nothing of what those are working at.)
///
/// ```
/// use quintet::window::{InSend, Window, WM_USER, in_send, pump};
/// use std::time::Duration;
///
/// # let title = format!("in-send-doc-{}", std::process::id());
/// let window = Window::create(&title, |_| (in_send() == Some(InSend::Waiting)).into())?;
/// assert_eq!(window.handle().send(WM_USER, 0, 0)?, 0); // of this thread's own
/// let handle = window.handle();
/// let sender = std::thread::spawn(move || handle.send(WM_USER, 0, 0));
/// while !sender.is_finished() {
///     pump(Duration::from_millis(10))?;
/// }
/// assert_eq!(sender.join().unwrap()?, 1);
/// # Ok::<(), quintet::Error>(())
/// ```
pub fn in_send() -> Option<InSend> {
    window::in_send()
}

/// Gives the result of the message that is just worked at to who waits for it, before the procedure ends; its own result is
/// nobody's then. Whether somebody waited: it is no answer, and `false`, wherever [`in_send`] is not
/// [`Waiting`](InSend::Waiting). In particular it never answers a message that a procedure further out is working at.
///
/// The message's data stays until the procedure ends. (A C or C# program that is sent to must not read `lParam` after its own
/// `ReplyMessage`, as always: to who sent, that is as if the procedure had returned.)
///
/// ```
/// use quintet::window::{Window, WM_USER, WindowHandle, pump, reply};
/// use std::time::Duration;
///
/// # let title = format!("reply-doc-{}", std::process::id());
/// let window = Window::create(&title, |_| {
///     reply(7);
///     // What takes long is done while the sender goes on.
///     0
/// })?;
/// let handle = window.handle();
/// let sender = std::thread::spawn(move || handle.send(WM_USER, 0, 0));
/// while !sender.is_finished() {
///     pump(Duration::from_millis(10))?;
/// }
/// assert_eq!(sender.join().unwrap()?, 7);
/// # Ok::<(), quintet::Error>(())
/// ```
pub fn reply(result: isize) -> bool {
    window::reply(result)
}
