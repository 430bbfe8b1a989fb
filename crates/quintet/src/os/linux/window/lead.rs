//! When to let those who post get ahead.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Whether a thread that has served what was posted looks away for a moment before it looks for more.
///
/// One that serves faster than another posts takes the very line that the next message is written to away from who writes it, at
/// every message: each waits for the other then, and both are slower than if the one took what the other had written a few lines
/// before. Who looks away for some hundred nanoseconds finds many, if they come as fast as that. If not, as where each is
/// answered, it has come too late for one, and does not do so again for a while.
#[derive(Debug)]
pub(super) struct Lead {
    /// Whether it has just looked away.
    has_looked_away: Cell<bool>,
    /// After how many times it is tried again.
    wait: Cell<u32>,
}

/// So long it looks away: as long as a few cache lines take to go from core to core.
const AWAY: Duration = Duration::from_nanos(500);

/// Of so many times one is tried.
const TRY: u32 = 64;

/// So many have to be there then.
const WORTH: usize = 4;

impl Default for Lead {
    fn default() -> Self {
        Lead {
            has_looked_away: Cell::new(false),
            wait: Cell::new(TRY),
        }
    }
}

impl Lead {
    /// Looks away, if that is worth it; so many were there the last time.
    #[inline]
    pub(super) fn give(&self, found: usize) {
        let was_worth_it = self.has_looked_away.take() && found >= WORTH;
        if !was_worth_it {
            if found == 0 {
                return;
            }
            self.wait.set(self.wait.get() - 1);
            if self.wait.get() > 0 {
                return;
            }
        }
        self.wait.set(TRY);
        self.has_looked_away.set(true);
        let start = Instant::now();
        while start.elapsed() < AWAY {
            std::hint::spin_loop();
        }
    }
}
