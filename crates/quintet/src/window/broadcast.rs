use super::{REGISTERED, SendMode, WindowHandle, WindowSearch};
use crate::{Deadline, Error, ErrorKind, Result};

/// What became of a broadcast at one window: [`broadcast_send`], [`broadcast_post`].
#[derive(Debug)]
pub struct Answer {
    /// Which window.
    pub window: WindowHandle,
    /// Its procedure's result, or that it has been posted to (then 0), or why not.
    pub result: Result<isize>,
}

/// Posts a [registered](super::register_message) message to all top-level windows of this user (on Windows: of this
/// desktop), as `PostMessage(HWND_BROADCAST, …)` does. Message-only windows do not get it. Does not wait.
///
/// # Errors
/// [`Unsupported`](ErrorKind::Unsupported) for a number that is not that of a registered message: windows of other
/// programs would take it for something else. What happened at each window is in the answers.
///
/// ```
/// use quintet::window::{broadcast_post, register_message};
///
/// let number = register_message("Quintet.Documentation")?;
/// for answer in broadcast_post(number, 0, 0)? {
///     println!("{}: {:?}", answer.window, answer.result);
/// }
/// # Ok::<(), quintet::Error>(())
/// ```
pub fn broadcast_post(number: u32, wparam: usize, lparam: isize) -> Result<Vec<Answer>> {
    to_all(number, |window| window.post(number, wparam, lparam).map(|()| 0))
}

/// Sends a [registered](super::register_message) message to all top-level windows of this user (on Windows: of this
/// desktop), one after the other, and gathers the results. Windows that are hung are passed over, at once. The deadline is for
/// all of them together: those that are left over when it passes get [`TimedOut`](ErrorKind::TimedOut), and no message.
///
/// # Errors
/// As [`broadcast_post`].
pub fn broadcast_send(
    number: u32,
    wparam: usize,
    lparam: isize,
    deadline: impl Into<Deadline>,
) -> Result<Vec<Answer>> {
    let deadline = deadline.into();
    to_all(number, |window| {
        if deadline.has_passed() {
            return Err(
                Error::new(ErrorKind::TimedOut, "the deadline passed before it was its turn").about(window),
            );
        }
        window.send_timeout(number, wparam, lparam, SendMode::AbortIfHung, deadline)
    })
}

fn to_all(number: u32, act: impl Fn(WindowHandle) -> Result<isize>) -> Result<Vec<Answer>> {
    if !REGISTERED.contains(&number) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("{number:#06x} is not the number of a registered message"),
        )
        .hint("only these are broadcast: see register_message"));
    }
    let windows = WindowSearch::new().top_level_only().find_all()?;
    Ok(windows
        .into_iter()
        .map(|window| Answer {
            window,
            result: act(window),
        })
        .collect())
}
