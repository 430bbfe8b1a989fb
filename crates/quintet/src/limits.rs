//! Limits of the system, to be seen before a program meets them.
//!
//! What the library does when it meets one is said by each error; this is for who sets up a machine, and for `quintet doctor`.
//! (No mechanism locks memory, so the limit of locked memory is none of them.)

use crate::os;

/// One limit, as it is for this process now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// What is limited: `open files`, `shared memory`.
    pub name: &'static str,
    /// How much of it there may be; `None` without a limit.
    pub value: Option<u64>,
    /// How much of that is left, where others use it too and the system tells.
    pub free: Option<u64>,
    /// What is counted: `bytes`, `files`, `clients`.
    pub unit: &'static str,
    /// What does not work beyond it.
    pub bites: &'static str,
    /// With less than this of it, or less left, programs are likely to meet it.
    pub enough: u64,
    /// How to raise it.
    pub remedy: String,
}

impl Limit {
    /// Whether programs are likely to meet it.
    ///
    /// ```
    /// for limit in quintet::limits::all() {
    ///     if limit.is_low() {
    ///         eprintln!("{}: {}; {}", limit.name, limit.bites, limit.remedy);
    ///     }
    /// }
    /// ```
    pub fn is_low(&self) -> bool {
        [self.value, self.free]
            .into_iter()
            .flatten()
            .any(|left| left < self.enough)
    }
}

/// All limits that the mechanisms meet on this system. One that the system does not tell is left out.
///
/// ```
/// let limits = quintet::limits::all();
/// assert!(limits.iter().all(|limit| !limit.remedy.is_empty()));
/// ```
pub fn all() -> Vec<Limit> {
    os::limits::all()
}
