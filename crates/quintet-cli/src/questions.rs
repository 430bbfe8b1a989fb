//! What `req` asks, and `send` sends to a window: one thing after the other, each with its answer.

use crate::args::DataArgs;
use crate::failure::Failure;
use crate::input::Input;
use quintet::Deadline;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::time::Duration;

/// Questions to be asked.
pub(crate) struct Questions {
    what: What,
    count: Option<u64>,
    interval: Option<Duration>,
    deadline: Deadline,
}

enum What {
    /// The same again and again.
    Whole(Vec<u8>),
    /// Each line.
    Lines(Box<dyn BufRead>),
}

impl Questions {
    /// Of TEXT, or what the arguments say. What is to be asked as a whole is read now.
    pub(crate) fn open(args: &DataArgs, text: Option<&OsStr>, deadline: Deadline) -> Result<Self, Failure> {
        let what = match text.map(|text| text.as_encoded_bytes().to_vec()) {
            Some(text) if args.lines => What::Lines(Box::new(Cursor::new(text))),
            Some(text) => What::Whole(text),
            None => {
                let mut input = Input::open(args.file.as_deref(), deadline)?;
                if args.lines {
                    What::Lines(Box::new(BufReader::new(input)))
                } else {
                    let mut whole = Vec::new();
                    let read = input.read_to_end(&mut whole);
                    read.map_err(|error| input.failed(&error))?;
                    What::Whole(whole)
                }
            }
        };
        Ok(Questions::of(what, args, deadline))
    }

    /// Of something that is no data: as often as the arguments say.
    pub(crate) fn without_data(args: &DataArgs, deadline: Deadline) -> Self {
        Questions::of(What::Whole(Vec::new()), args, deadline)
    }

    fn of(what: What, args: &DataArgs, deadline: Deadline) -> Self {
        Questions {
            what,
            count: args.count,
            interval: args.interval,
            deadline,
        }
    }

    /// Asks each.
    pub(crate) fn each(self, mut ask: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        let pause = |number: u64| {
            if let Some(interval) = self.interval.filter(|_| number > 0) {
                let left = self.deadline.remaining();
                std::thread::sleep(left.map_or(interval, |left| left.min(interval)));
            }
        };
        match self.what {
            What::Whole(question) => {
                let endless = if self.interval.is_some() { u64::MAX } else { 1 };
                for number in 0..self.count.unwrap_or(endless) {
                    pause(number);
                    ask(&question)?;
                }
            }
            What::Lines(lines) => {
                for (number, line) in (0..self.count.unwrap_or(u64::MAX)).zip(lines.split(b'\n')) {
                    let line =
                        line.map_err(|error| Failure::Failed(format!("cannot read the questions: {error}")))?;
                    pause(number);
                    ask(line.strip_suffix(b"\r").unwrap_or(&line))?;
                }
            }
        }
        Ok(())
    }
}
