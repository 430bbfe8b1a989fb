//! The two ways in which the bare floors wait.

use crate::row::Result;
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// In the kernel, as a plain blocking call does.
    Block,
    /// As Quintet waits: look again and again for at most what a wake-up may cost, then block.
    Spin,
}

/// Quintet's upper limit; what it finds worth it on a machine may be less.
const LONGEST: Duration = Duration::from_micros(50);

/// As often as Quintet does between two looks at the clock.
const LOOKS_PER_TICK: u32 = 8;

impl Waiting {
    /// Looks until `look` finds something or spinning is no longer worth it.
    pub(super) fn spin<T>(mut look: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
        let start = Instant::now();
        loop {
            for _ in 0..LOOKS_PER_TICK {
                if let Some(found) = look()? {
                    return Ok(Some(found));
                }
                std::hint::spin_loop();
            }
            if start.elapsed() >= LONGEST {
                return Ok(None);
            }
        }
    }

    /// Receives what there is, waiting for something.
    pub(super) fn receive(self, socket: impl AsFd, buf: &mut [u8]) -> Result<usize> {
        let mut look = |flags| match rustix::net::recv(&socket, &mut *buf, flags) {
            Ok((_, len)) => Ok(Some(len)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        };
        if self == Waiting::Spin
            && let Some(len) = Waiting::spin(|| look(RecvFlags::DONTWAIT))?
        {
            return Ok(len);
        }
        loop {
            if let Some(len) = look(RecvFlags::empty())? {
                return Ok(len);
            }
        }
    }
}

/// Sends all of `data`; a message must go at once.
pub(super) fn send_all(socket: impl AsFd, mut data: &[u8]) -> Result<()> {
    while !data.is_empty() {
        match rustix::net::send(&socket, data, SendFlags::NOSIGNAL) {
            Ok(len) => data = &data[len..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
