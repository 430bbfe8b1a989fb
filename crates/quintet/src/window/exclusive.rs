use super::Message;
use std::cell::RefCell;

/// Makes a procedure of a closure that cannot be run while it is running, as a window's procedure may be: see
/// [the module](super).
///
/// A message that comes while it runs gets the result `busy`, and the closure does not see it: one that is sent while the closure waits
/// for the result of a message that it sent itself, or one of this thread's own to the same window. Choose a `busy` that is no result
/// of the closure's, so that senders can tell, and try again; who does not wait for a result (`post`, `send_notify`) is not told, and
/// that message is lost. Posted messages come while it runs only if it runs a loop itself: with [`pump`](super::pump) or
/// [`run`](super::run), or, on Windows, by showing a message box, a menu and their like.
///
/// If the closure panics, it is free again, with whatever it has done so far. Nothing is reserved and nobody is waited for.
///
/// ```
/// use quintet::window::{Window, WM_USER, exclusive};
///
/// # let title = format!("exclusive-doc-{}", std::process::id());
/// let mut count = 0;
/// let window = Window::create(&title, exclusive(-1, move |_| {
///     count += 1;
///     count
/// }))?;
/// assert_eq!(window.handle().send(WM_USER, 0, 0)?, 1);
/// assert_eq!(window.handle().send(WM_USER, 0, 0)?, 2);
///
/// // One that sends to itself finds itself busy.
/// let sends_to_itself = exclusive(-1, |message| message.window().send(WM_USER, 0, 0).unwrap_or(-2));
/// let window = Window::create(&title, sends_to_itself)?;
/// assert_eq!(window.handle().send(WM_USER, 0, 0)?, -1);
/// # Ok::<(), quintet::Error>(())
/// ```
pub fn exclusive(
    busy: isize,
    procedure: impl FnMut(&Message<'_>) -> isize + 'static,
) -> impl Fn(&Message<'_>) -> isize + 'static {
    let procedure = RefCell::new(procedure);
    move |message| match procedure.try_borrow_mut() {
        Ok(mut procedure) => procedure(message),
        Err(_) => busy,
    }
}
