//! Several things to wait for at once, as the kernel does it: poll(2).

use crate::harness::Place;
use crate::row::{Group, Result, Row};
use crate::work::{Alone, Common, Operation};
use rustix::event::{EventfdFlags, PollFd, PollFlags};
use rustix::fd::OwnedFd;

pub(super) fn rows() -> Vec<Row> {
    [2, 16]
        .map(|many| {
            let name = format!("eventfd write, poll of {many}, read");
            Alone::row(Group::Floor, name, Eventfds { many })
        })
        .into()
}

/// The last of them is set, found by poll and read.
struct Eventfds {
    many: usize,
}

impl Common for Eventfds {
    type Side = Near;

    fn near(&self, _: &mut Place) -> Result<Near> {
        let make = |_| rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let files = (0..self.many).map(make).collect::<rustix::io::Result<_>>()?;
        Ok(Near { files })
    }

    fn far(&self, _: &mut Place) -> Result<Near> {
        Ok(Near { files: Vec::new() })
    }
}

struct Near {
    files: Vec<OwnedFd>,
}

impl Operation for Near {
    fn run(&mut self) -> Result<()> {
        let last = self.files.last().ok_or("there is none")?;
        rustix::io::write(last, &1_u64.to_ne_bytes())?;
        let mut polled: Vec<_> = self
            .files
            .iter()
            .map(|file| PollFd::new(file, PollFlags::IN))
            .collect();
        rustix::event::poll(&mut polled, None)?;
        let ready = polled
            .iter()
            .position(|file| file.revents().contains(PollFlags::IN));
        if ready != Some(self.files.len() - 1) {
            return Err(format!("expected the last to be ready, got {ready:?}").into());
        }
        rustix::io::read(last, &mut [0; 8])?;
        Ok(())
    }
}
