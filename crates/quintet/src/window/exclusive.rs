use super::Message;
use std::cell::RefCell;

/// Makes a procedure of a closure that cannot be run while it is running, as a window's procedure may be: see
/// [the module](super).
///
/// A message that is sent to it while it runs (so while it waits for the result of a message that it sent itself) gets the
/// result `busy`, and the closure does not see it. Posted messages never come then.
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
