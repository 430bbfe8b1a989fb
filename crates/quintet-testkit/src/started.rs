use crate::os;

/// What `start` makes of a program: for what starts one by other means than [`Test`](crate::Test). Wine fails to do so now and then
/// for no reason, as `code`, the system's number of the error, tells; then it is tried again.
///
/// # Errors
/// That of `start`.
pub fn started<T, E>(start: impl FnMut() -> Result<T, E>, code: impl Fn(&E) -> Option<i32>) -> Result<T, E> {
    os::started(start, code)
}
