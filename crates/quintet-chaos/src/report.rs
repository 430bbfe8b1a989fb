//! What a worker tells the driver: a line on standard output whenever it has got something done.

use std::io::Write;

/// Says that one more of `what` is done. A driver that is gone is the end of the work.
pub(crate) fn done(what: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{what}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}
