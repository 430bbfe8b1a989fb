//! What leaves the demo: each verdict that is right goes over a socket to a reader, which inspects all of the frame once more as
//! it should be, and ends well only if every result was right and none is missing.

use super::payload::{self, Said, Verdict};
use super::table::{Row, count};
use super::worker::Worker;
use super::{FRAME, LOOK, PATIENCE, say};
use crate::failure::Failure;
use quintet::socket::{Pull, Push};
use quintet::sync::{Process, Waitable, wait_any};
use quintet::{Address, Deadline, ErrorKind};
use std::collections::HashMap;
use std::time::Instant;

/// A port of this machine that the system chooses.
const ANY_PORT: &str = "tcp://127.0.0.1:0";

/// What the order of a reader begins with.
const ORDER: &str = "results ";

/// The main process's side.
pub(super) struct Results {
    socket: Push,
    reader: Worker,
    pub(super) row: Row,
}

impl Results {
    /// Starts the reader, and waits until it is connected.
    pub(super) fn start(orders: &mut Row) -> Result<Self, Failure> {
        let socket = Push::new()?;
        let address = socket.listen(ANY_PORT)?;
        let mut reader = Worker::start()?;
        let order = format!("{ORDER}{address} {}\n", std::process::id());
        reader.order(&order)?;
        orders.note_one_way(order.len());
        let start = Instant::now();
        loop {
            match socket.wait_for_peers(1, LOOK) {
                Err(error) if error.kind() == ErrorKind::TimedOut && start.elapsed() < PATIENCE => {
                    if reader.try_wait()?.is_some() {
                        return reader.gone("it was to read the results");
                    }
                }
                done => break done?,
            }
        }
        say(&format!(
            "reader  (pid {}) reads the results at {address}\n",
            reader.pid()
        ))?;
        Ok(Results {
            socket,
            reader,
            row: Row::new("socket", "results of 18 B"),
        })
    }

    /// Sends a verdict on.
    pub(super) fn send(&mut self, index: u8, verdict: Verdict) -> Result<(), Failure> {
        let result = Said::Verdict(verdict).bytes(index);
        self.hand_over(&result)?;
        self.row.note_one_way(result.len());
        Ok(())
    }

    fn hand_over(&mut self, message: &[u8]) -> Result<(), Failure> {
        let start = Instant::now();
        loop {
            match self.socket.send_timeout(message, LOOK) {
                Err(error) if error.kind() == ErrorKind::TimedOut && start.elapsed() < PATIENCE => {
                    if self.reader.try_wait()?.is_some() {
                        return self.reader.gone("the results are not all read");
                    }
                }
                done => return Ok(done?),
            }
        }
    }

    /// Tells the reader that these were all, and waits for its word that they were right.
    pub(super) fn end(mut self) -> Result<Row, Failure> {
        let results = self.row.messages();
        self.hand_over(&(results as u64).to_le_bytes())?;
        self.socket.close()?;
        let status = self.reader.wait()?;
        if !status.success() {
            return Err(Failure::Failed(format!(
                "the reader of the results has failed: {status}"
            )));
        }
        say(&format!(
            "reader  has read {} results, all of them right\n",
            count(results)
        ))?;
        Ok(self.row)
    }
}

/// What the reader has to do, if this is its order.
pub(super) fn order(line: &str) -> Option<&str> {
    line.strip_prefix(ORDER)
}

/// What the reader does.
pub(super) fn read(order: &str) -> Result<(), Failure> {
    let (address, main) = order.split_once(' ').unwrap_or((order, ""));
    let address: Address = address.parse()?;
    let main = main
        .parse()
        .map_err(|_| Failure::Failed("the reader was not told whose results it reads".into()))?;
    let main = Process::open(main)?;
    let socket = Pull::new()?;
    socket.dial(&address)?;
    let (mut result, mut results, mut sums) = (Vec::new(), 0u64, HashMap::new());
    loop {
        if let Err(error) = socket.recv_into(&mut result, LOOK) {
            if error.kind() != ErrorKind::TimedOut {
                return Err(error.into());
            }
            if wait_any(&[Waitable::from(&main)], Deadline::now()).is_ok() {
                return Err(Failure::Failed(
                    "the main process has ended before its last result".into(),
                ));
            }
            continue;
        }
        if let Ok(all) = <[u8; 8]>::try_from(&result[..]) {
            let all = u64::from_le_bytes(all);
            return match all == results {
                true => Ok(()),
                false => Err(Failure::Failed(format!("{results} of {all} results have come"))),
            };
        }
        let Some((_, Said::Verdict(verdict))) = Said::read(&result) else {
            return Err(Failure::Failed("what has come is no result".into()));
        };
        let sum = sums.entry(verdict.frame).or_insert_with(|| {
            let frame = payload::message(verdict.frame, FRAME);
            payload::sum(&frame)
        });
        if *sum != verdict.sum {
            return Err(Failure::Failed(format!(
                "the result on frame {} is wrong",
                verdict.frame
            )));
        }
        results += 1;
    }
}
