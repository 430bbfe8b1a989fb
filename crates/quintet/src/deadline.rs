//! When to stop waiting.

use std::time::{Duration, Instant};

/// The moment at which a blocking call gives up, on the monotonic clock; or never.
///
/// Calls that wait take `impl Into<Deadline>`, so a [`Duration`] (from now), an [`Instant`] or an
/// `Option<Duration>` (`None`: wait as long as it takes) can be given as it is. A duration too long for the clock
/// means never. A zero duration makes the call a *try*: it does what it can without waiting.
///
/// ```
/// use quintet::Deadline;
/// use std::time::Duration;
///
/// let deadline = Deadline::from(Duration::from_millis(250));
/// assert!(!deadline.has_passed());
/// assert!(deadline.remaining().unwrap() <= Duration::from_millis(250));
/// assert_eq!(Deadline::NEVER.remaining(), None);
/// assert!(Deadline::now().has_passed());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// `None`: never.
    at: Option<Instant>,
    /// Whether it was to be no wait from the beginning. (A short one may be over before we come to ask.)
    is_try: bool,
}

impl Deadline {
    /// No deadline: wait as long as it takes.
    pub const NEVER: Deadline = Deadline {
        at: None,
        is_try: false,
    };

    /// A deadline that has passed already: do not wait.
    pub fn now() -> Self {
        Deadline::after(Duration::ZERO)
    }

    /// `duration` from now; [`NEVER`](Self::NEVER) when the clock cannot express it.
    pub fn after(duration: Duration) -> Self {
        Deadline {
            at: Instant::now().checked_add(duration),
            is_try: duration.is_zero(),
        }
    }

    /// The time left (zero once it has passed), or `None` if there is no deadline.
    pub fn remaining(self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Whether the moment has come.
    pub fn has_passed(self) -> bool {
        self.at.is_some_and(|at| at <= Instant::now())
    }

    /// Whether there is no deadline at all.
    pub fn is_never(self) -> bool {
        self.at.is_none()
    }

    /// Whether no wait was asked for: made of a zero duration.
    pub(crate) fn is_try(self) -> bool {
        self.is_try
    }

    /// The time to sleep at most when waking up every `slice` to look around.
    pub(crate) fn slice(self, slice: Duration) -> Duration {
        self.remaining().map_or(slice, |left| left.min(slice))
    }
}

impl From<Duration> for Deadline {
    fn from(duration: Duration) -> Self {
        Deadline::after(duration)
    }
}

impl From<Instant> for Deadline {
    fn from(at: Instant) -> Self {
        Deadline {
            at: Some(at),
            is_try: false,
        }
    }
}

impl From<Option<Duration>> for Deadline {
    fn from(duration: Option<Duration>) -> Self {
        duration.map_or(Deadline::NEVER, Deadline::after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_beyond_the_clock_is_never() {
        assert!(Deadline::from(Duration::MAX).is_never());
        assert!(!Deadline::from(Duration::MAX).has_passed());
    }

    #[test]
    fn a_try_is_one_from_the_beginning() {
        let short = Deadline::after(Duration::from_nanos(1));
        while !short.has_passed() {}
        assert!(!short.is_try());
        assert!(Deadline::now().is_try() && Deadline::from(Some(Duration::ZERO)).is_try());
        assert!(!Deadline::from(Instant::now()).is_try() && !Deadline::NEVER.is_try());
    }

    #[test]
    fn a_slice_is_cut_at_the_deadline() {
        let slice = Duration::from_millis(50);
        assert_eq!(Deadline::NEVER.slice(slice), slice);
        assert_eq!(Deadline::now().slice(slice), Duration::ZERO);
        assert_eq!(Deadline::after(Duration::from_secs(60)).slice(slice), slice);
    }
}
