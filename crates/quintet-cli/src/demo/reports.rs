//! How the line ends: each worker finds the main process's window and reports "success" to it, as text that a C# or Win32 program
//! would send, and ends well only if the window's procedure answers that this is what it expected.

use super::table::Row;
use super::worker::Worker;
use super::{LOOK, PATIENCE, WORKERS, say};
use crate::failure::Failure;
use quintet::Address;
use quintet::window::{Encoding, Window, WindowSearch, pump};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

const SUCCESS: &str = "success";
/// What a worker's data has as its number, plus which worker it is.
const REPORT: usize = 100;
/// What the procedure answers: `RIGHT`, and all else is no report. It answers each worker once.
const RIGHT: isize = 0;
const WRONG: isize = 1;

/// The main process's side.
pub(super) struct Reports {
    window: Window,
    /// Which workers have reported.
    have: Rc<Cell<[bool; WORKERS]>>,
}

impl Reports {
    pub(super) fn open(title: &str) -> Result<Self, Failure> {
        let have = Rc::new(Cell::new([false; WORKERS]));
        let heard = have.clone();
        let window = Window::create(title, move |message| {
            let index = message.copy_data().and_then(|data| data.id().checked_sub(REPORT));
            let mut workers = heard.get();
            let is_right = message.text(Encoding::Ansi).as_deref() == Some(SUCCESS);
            match index.and_then(|index| workers.get_mut(index)) {
                Some(has_reported) if is_right && !*has_reported => {
                    *has_reported = true;
                    heard.set(workers);
                    RIGHT
                }
                _ => WRONG,
            }
        })?;
        Ok(Reports { window, have })
    }

    /// Serves the window until all workers have reported.
    pub(super) fn take<'a>(self, workers: impl Iterator<Item = &'a mut Worker>) -> Result<Row, Failure> {
        let mut workers: Vec<_> = workers.collect();
        let start = Instant::now();
        while self.have.get().contains(&false) {
            pump(LOOK)?;
            let have = self.have.get();
            for (worker, _) in workers.iter_mut().zip(have).filter(|(_, has)| !has) {
                if worker.try_wait()?.is_some() {
                    return worker.gone("it was to report to the window");
                }
            }
            if start.elapsed() > PATIENCE {
                return Err(Failure::Failed("a worker does not report to the window".into()));
            }
        }
        drop(self.window);
        let mut row = Row::new("window", "reports, answered");
        for worker in workers {
            say(&format!(
                "worker  (pid {}) has told the main window: {SUCCESS}; and was answered\n",
                worker.pid()
            ))?;
            row.note_one_way(SUCCESS.len() + 1);
            row.note_one_way(size_of::<isize>());
        }
        Ok(row)
    }
}

/// What a worker does at the end.
pub(super) fn report(to: &Address, index: u8) -> Result<(), Failure> {
    let window = WindowSearch::at(to)?.find()?;
    match window.copy_data_text(REPORT + usize::from(index), SUCCESS, Encoding::Ansi)? {
        RIGHT => Ok(()),
        answer => Err(Failure::Failed(format!(
            "the main window's answer to a report is {answer}, not {RIGHT}"
        ))),
    }
}
