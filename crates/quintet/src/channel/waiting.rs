//! What the ends of all mechanisms have in common: to wait for what is not there yet, and to notice that nobody is there
//! any more.

use crate::wait::SLICE;
use crate::{Deadline, Error, ErrorKind, Result};
use std::fmt;
use std::time::Instant;

/// How long to sleep before looking again for what tells nobody that it has come.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// Whether it may be otherwise in a moment.
fn is_not_yet(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::Busy | ErrorKind::TimedOut
    )
}

/// What is not there yet is waited for, so at the deadline it is late, whatever the mechanism calls that.
pub(super) fn late(error: Error) -> Error {
    if is_not_yet(&error) {
        error.with_kind(ErrorKind::TimedOut)
    } else {
        error
    }
}

/// Tries until it works, or fails otherwise than by not being there yet.
fn until_there<T>(deadline: Deadline, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match attempt() {
            Err(error) if is_not_yet(&error) && !deadline.has_passed() => {
                std::thread::sleep(deadline.slice(PAUSE));
            }
            other => return other.map_err(late),
        }
    }
}

type Find<T> = Box<dyn FnMut(Deadline) -> Result<T> + Send>;

/// Something to be found, at the latest when it is needed, and found again after it was lost.
pub(super) struct Finding<T> {
    find: Find<T>,
    found: Option<T>,
}

impl<T> Finding<T> {
    /// Looks once. That it is not there yet is no error.
    pub(super) fn new(mut find: impl FnMut(Deadline) -> Result<T> + Send + 'static) -> Result<Self> {
        let found = match find(Deadline::now()) {
            Ok(found) => Some(found),
            Err(error) if is_not_yet(&error) => None,
            Err(error) => return Err(error),
        };
        Ok(Finding {
            find: Box::new(find),
            found,
        })
    }

    /// Of something that tells nobody when it has come.
    pub(super) fn when_there(mut find: impl FnMut() -> Result<T> + Send + 'static) -> Result<Self> {
        Finding::new(move |deadline| until_there(deadline, &mut find))
    }

    /// What was found and will not be looked for again.
    pub(super) fn found(found: T) -> Self {
        Finding {
            find: Box::new(|_| Err(gone())),
            found: Some(found),
        }
    }

    #[inline]
    pub(super) fn get(&mut self, deadline: Deadline) -> Result<&mut T> {
        if self.found.is_none() {
            self.found = Some((self.find)(deadline).map_err(late)?);
        }
        self.found.as_mut().ok_or_else(gone)
    }

    pub(super) fn lose(&mut self) {
        self.found = None;
    }

    #[cfg(target_os = "linux")]
    pub(super) fn take(&mut self) -> Option<T> {
        self.found.take()
    }

    pub(super) fn into_found(self) -> Option<T> {
        self.found
    }
}

impl<T: fmt::Debug> fmt::Debug for Finding<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Finding").field(&self.found).finish()
    }
}

pub(super) fn gone() -> Error {
    Error::new(ErrorKind::Disconnected, "the other side has gone")
        .hint("the next call waits for another one to come")
}

/// Who is at the other end of a mechanism that has no connections, as it was seen in a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    pub(super) is_there: bool,
    /// What grows whenever somebody does something there.
    pub(super) trace: u64,
}

/// Whether somebody was at the other end since it was last said that nobody is.
#[derive(Debug)]
pub(super) struct Presence {
    was_seen: bool,
    trace: u64,
    next: Option<Instant>,
}

impl Presence {
    pub(super) fn new(sight: Sight) -> Self {
        Presence {
            was_seen: sight.is_there,
            trace: sight.trace,
            next: None,
        }
    }

    #[inline]
    pub(super) fn saw(&mut self) {
        self.was_seen = true;
    }

    /// Whether all who were there have gone. To look costs system calls, so not more often than once in a slice.
    fn are_gone(&mut self, look: impl Fn() -> Sight) -> bool {
        let now = Instant::now();
        if self.next.is_some_and(|next| now < next) {
            return false;
        }
        self.next = Some(now + SLICE);
        let sight = look();
        self.was_seen |= sight.is_there || sight.trace != self.trace;
        self.trace = sight.trace;
        self.was_seen && !sight.is_there
    }

    /// Does what waits, in slices, until it is done, the deadline passes, or all have gone who could have helped it.
    pub(super) fn wait(
        &mut self,
        deadline: Deadline,
        mut act: impl FnMut(Deadline) -> Result<()>,
        look: impl Fn() -> Sight,
    ) -> Result<()> {
        loop {
            let slice = Deadline::after(deadline.slice(SLICE));
            match act(slice) {
                Ok(()) => {
                    self.saw();
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    if self.are_gone(&look) {
                        // What they left a moment before they went comes first.
                        return match act(Deadline::now()) {
                            Err(error) if error.kind() == ErrorKind::TimedOut => {
                                self.was_seen = false;
                                Err(gone())
                            }
                            other => other,
                        };
                    }
                    if deadline.has_passed() {
                        return Err(error);
                    }
                }
                other => return other,
            }
        }
    }
}

/// Waits until somebody is at the other end.
pub(super) fn until_somebody(deadline: Deadline, is_there: impl Fn() -> bool) -> Result<()> {
    until_there(deadline, || match is_there() {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::NotFound, "nobody is at the other end")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(is_there: bool, trace: u64) -> Sight {
        Sight { is_there, trace }
    }

    #[test]
    fn that_all_have_gone_is_said_once_and_only_of_those_who_were_there() {
        let late = |_| Err(Error::new(ErrorKind::TimedOut, "late"));
        let mut presence = Presence::new(sight(false, 7));
        let now = Deadline::now();
        let mut kinds = Vec::new();
        // Nobody yet; somebody; gone; still gone; one who came and went between two looks.
        for look in [
            sight(false, 7),
            sight(true, 7),
            sight(false, 7),
            sight(false, 7),
            sight(false, 8),
        ] {
            presence.next = None;
            kinds.push(presence.wait(now, late, || look).unwrap_err().kind());
        }
        use ErrorKind::{Disconnected, TimedOut};
        assert_eq!(kinds, [TimedOut, TimedOut, Disconnected, TimedOut, Disconnected]);
    }

    #[test]
    fn what_was_left_before_they_went_comes_first() {
        let mut presence = Presence::new(sight(true, 0));
        let mut left = 1;
        let mut tries = 0;
        let mut act = |_| {
            tries += 1;
            if tries == 2 && left > 0 {
                left -= 1;
                return Ok(());
            }
            Err(Error::new(ErrorKind::TimedOut, "late"))
        };
        presence
            .wait(Deadline::NEVER, &mut act, || sight(false, 1))
            .unwrap();
    }
}
