//! What people at a terminal are told besides the data, on standard error; programs are told nothing.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// Below this a transfer is over before a bar could be read.
const WORTH_A_BAR: u64 = 8 << 20;

/// Says something to a person.
pub(crate) fn say(text: impl FnOnce() -> String) {
    if std::io::stderr().is_terminal() {
        eprintln!("quintet: {}", text());
    }
}

/// A bar for a transfer of `total` bytes, where a person watches and it takes long enough.
pub(crate) fn bar(total: Option<u64>) -> ProgressBar {
    let watched = std::io::stderr().is_terminal();
    match total {
        Some(total) if watched && total >= WORTH_A_BAR => {
            let style = ProgressStyle::with_template(
                "{bar:30} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left",
            );
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            match style {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        }
        _ => ProgressBar::hidden(),
    }
}
