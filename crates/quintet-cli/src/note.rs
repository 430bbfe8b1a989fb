//! What people are told besides the data, on standard error. Programs are told only what went wrong.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt;
use std::io::{IsTerminal, Write};

/// Below this a transfer is over before a bar could be read.
const WORTH_A_BAR: u64 = 8 << 20;

/// Says what went wrong. (`eprintln!` would panic where nobody listens.)
pub(crate) fn complain(text: impl fmt::Display) {
    let _ = writeln!(std::io::stderr(), "quintet: {text}");
}

/// Says something to a person at a terminal.
pub(crate) fn say(text: impl FnOnce() -> String) {
    if std::io::stderr().is_terminal() {
        complain(text());
    }
}

/// How far a transfer is, shown where a person watches and it takes long enough.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    shown: bool,
    watched: bool,
}

impl Progress {
    /// Of a transfer of `total` bytes, or of any number. `wanted`: not every transfer is worth watching.
    pub(crate) fn new(total: Option<u64>, wanted: bool) -> Self {
        let template = match total {
            Some(_) => "{bar:30} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left",
            None => "{bytes}  {bytes_per_sec}",
        };
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let worth_it = total.is_none_or(|total| total >= WORTH_A_BAR);
        Progress {
            bar: match ProgressStyle::with_template(template) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            },
            shown: false,
            watched: wanted && worth_it && std::io::stderr().is_terminal(),
        }
    }

    /// So many bytes more are done.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.bar.inc(bytes as u64);
        let due = self.bar.length().is_some() || self.bar.position() >= WORTH_A_BAR;
        if self.watched && due && !self.shown {
            self.shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
