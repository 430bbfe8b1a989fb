//! Copying: what moving bytes costs at least, in one process and from one to another.

use crate::harness::Place;
use crate::row::{Batch, Group, Measure, Result, Row, Work};
use crate::work::Pages;
use std::time::{Duration, Instant};

const SIZES: [(&str, usize); 4] = [
    ("4 KiB", 4 << 10),
    ("64 KiB", 64 << 10),
    ("1 MiB", 1 << 20),
    ("64 MiB", 64 << 20),
];

/// What a message of a line costs at least where it is copied once and nobody waits for it.
pub(crate) const COPY: &str = "copy of 64 B";

pub(super) fn rows() -> Vec<Row> {
    let one = SIZES.map(|(size, bytes)| {
        let measure = Measure::Throughput { bytes: bytes as u64 };
        Row::new(Group::Floor, in_one(size), measure, InOneProcess { bytes })
    });
    #[cfg(target_os = "linux")]
    let two = SIZES.map(|(size, bytes)| {
        let measure = Measure::Throughput { bytes: bytes as u64 };
        let work = between::TwoProcesses { bytes };
        Row::new(
            Group::Floor,
            format!("memcpy {size}, two processes"),
            measure,
            work,
        )
        .against(in_one(size))
    });
    #[cfg(not(target_os = "linux"))]
    let two: [Row; 0] = [];
    let copy = InOneProcess { bytes: 64 };
    let copy = Row::new(Group::Floor, COPY, Measure::Operation { times: 1 }, copy).on_one_core();
    one.into_iter().chain(two).chain([copy]).collect()
}

fn in_one(size: &str) -> String {
    format!("memcpy {size}, one process")
}

/// Near copies from one buffer to another, the same ones each time.
struct InOneProcess {
    bytes: usize,
}

impl Work for InOneProcess {
    fn near(&self, _: &mut Place) -> Result<Batch> {
        let (mut from, mut to) = (Pages::new(self.bytes), Pages::new(self.bytes));
        Ok(Box::new(move |count| {
            let (from, to) = (from.bytes(), to.bytes());
            let start = Instant::now();
            for _ in 0..count {
                to.copy_from_slice(std::hint::black_box(from));
                std::hint::black_box(&mut *to);
            }
            Ok(start.elapsed())
        }))
    }

    /// Has nothing to do.
    fn far(&self, _: &mut Place) -> Result<Batch> {
        Ok(Box::new(|_| Ok(Duration::ZERO)))
    }
}

#[cfg(target_os = "linux")]
mod between {
    use super::super::shared::Shared;
    use crate::harness::Place;
    use crate::row::{Batch, Result, Work};
    use crate::work::{PAGE, Pages};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    /// Near copies messages in, chunk by chunk, while far copies the chunks before out. Nobody rests.
    pub(super) struct TwoProcesses {
        pub(super) bytes: usize,
    }

    /// The best of those tried, from 4 KiB with 16 slots to 1 MiB with 2: `rep movsb` comes into its own.
    const CHUNK: usize = 1 << 20;
    const SLOTS: u64 = 4;

    /// How many chunks near has copied in and far has copied out so far.
    const HEAD: usize = 0;
    const TAIL: usize = 1;
    const SLOTS_BEGIN: usize = PAGE;

    impl TwoProcesses {
        fn chunk(&self) -> usize {
            self.bytes.min(CHUNK)
        }

        fn size(&self) -> usize {
            SLOTS_BEGIN + SLOTS as usize * self.chunk()
        }
    }

    fn slot(number: u64, chunk: usize) -> usize {
        SLOTS_BEGIN + (number % SLOTS) as usize * chunk
    }

    /// Waits until the counter is at least that high.
    fn wait(counter: &AtomicU64, at_least: u64) {
        while counter.load(Ordering::Acquire) < at_least {}
    }

    impl Work for TwoProcesses {
        fn near(&self, place: &mut Place) -> Result<Batch> {
            let shared = Shared::near(place, self.size())?;
            let chunk = self.chunk();
            let mut message = Pages::new(self.bytes);
            let mut head = 0;
            Ok(Box::new(move |count| {
                let start = Instant::now();
                for _ in 0..count {
                    for part in message.bytes().chunks_exact(chunk) {
                        wait(shared.word(TAIL), (head + 1_u64).saturating_sub(SLOTS));
                        // SAFETY: far is done with this slot, as the tail says, and does not use it again before the
                        // head says that it may.
                        unsafe { shared.copy_in(slot(head, chunk), part) };
                        head += 1;
                        shared.word(HEAD).store(head, Ordering::Release);
                    }
                }
                wait(shared.word(TAIL), head);
                Ok(start.elapsed())
            }))
        }

        fn far(&self, place: &mut Place) -> Result<Batch> {
            let shared = Shared::far(place, self.size())?;
            let chunk = self.chunk();
            let mut message = Pages::new(self.bytes);
            let mut tail = 0;
            Ok(Box::new(move |count| {
                for _ in 0..count {
                    for part in message.bytes().chunks_exact_mut(chunk) {
                        wait(shared.word(HEAD), tail + 1);
                        // SAFETY: near has filled this slot, as the head says, and does not use it again before the
                        // tail says that it may.
                        unsafe { shared.copy_out(slot(tail, chunk), part) };
                        tail += 1;
                        shared.word(TAIL).store(tail, Ordering::Release);
                    }
                    std::hint::black_box(message.bytes());
                }
                Ok(Duration::ZERO)
            }))
        }
    }
}
