//! Windows.

use crate::floors::{LINE_THERE, NAP};
use crate::harness::Place;
use crate::row::{Asleep, Batch, Group, Measure, Result, Row, Target, Work};
use crate::work::{busy, check, stamp};
use quintet::window::{Message, WM_APP, Window, WindowHandle, pump};
use quintet::{Deadline, ErrorKind};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

pub(super) fn rows() -> Vec<Row> {
    let row =
        |what: &str, measure, work| Row::new(Group::Window, format!("quintet window, {what}"), measure, work);
    let bytes = 1 << 20;
    let find = Row::new(
        Group::Window,
        "quintet window, find one of 1,000",
        Measure::Operation { times: 1 },
        Finding,
    );
    let post = Row::new(
        Group::Window,
        "quintet window, messages that are posted",
        Measure::Messages,
        Posting,
    );
    vec![
        row("send, awake", Measure::RoundTrip, Sending::default())
            .asleep(Asleep::Nobody)
            .target("cache line, fixed, there and back", Target::AtMost(1.25))
            .against("cache line, one a direction, there and back")
            .against("unix stream round trip 64 B, spinning"),
        row(
            "send, asleep",
            Measure::RoundTrip,
            Sending {
                nap: Some(NAP),
                bytes: None,
            },
        )
        .asleep(Asleep::Both)
        .target("futex round trip, both 120 µs idle", Target::AtMost(1.3))
        .against("unix stream round trip 64 B, asleep"),
        post.target(LINE_THERE, Target::AtLeast(1.8))
            .against("bare ring, messages of 64 B"),
        row(
            "copy_data of 1 MiB",
            Measure::Throughput { bytes: bytes as u64 },
            Sending {
                nap: None,
                bytes: Some(bytes),
            },
        )
        .target("memcpy 1 MiB, one process", Target::AtLeast(0.9))
        .against("memcpy 1 MiB, two processes"),
        find,
    ]
}

/// Its result is its first number and 1.
const ASK: u32 = WM_APP;
/// Counts.
const COUNT: u32 = WM_APP + 1;
/// Its result is how many have been counted.
const COUNTED: u32 = WM_APP + 2;

/// Far's window, which the thread serves that runs the batch.
struct Served {
    _window: Window,
    done: Rc<Cell<u64>>,
    wrong: Rc<RefCell<Option<String>>>,
}

impl Served {
    /// `procedure`: of each message whether it is one of those that a batch waits for, and its result.
    fn new(
        place: &Place,
        procedure: impl Fn(&Message<'_>, u64) -> Result<(bool, isize)> + 'static,
    ) -> Result<Self> {
        let title = place.unique_name();
        let done = Rc::new(Cell::new(0));
        let wrong = Rc::new(RefCell::default());
        let (count, why) = (done.clone(), wrong.clone());
        let window = Window::create(title, move |message| match procedure(message, count.get()) {
            Ok((counts, result)) => {
                count.set(count.get() + u64::from(counts));
                result
            }
            Err(error) => {
                *why.borrow_mut() = Some(error.to_string());
                -1
            }
        })?;
        place.say(&window.handle().raw().to_string())?;
        Ok(Served {
            _window: window,
            done,
            wrong,
        })
    }

    /// Serves so many more.
    fn serve(&self, count: u64) -> Result<Duration> {
        self.done.set(0);
        while self.done.get() < count {
            pump(Deadline::NEVER)?;
            if let Some(why) = self.wrong.take() {
                return Err(why.into());
            }
        }
        Ok(Duration::ZERO)
    }
}

fn found(place: &Place) -> Result<WindowHandle> {
    Ok(WindowHandle::from_raw(place.hear()?.parse()?))
}

fn expect(result: isize, expected: isize) -> Result<()> {
    match result == expected {
        true => Ok(()),
        false => Err(format!("the result {result} came, and not {expected}").into()),
    }
}

/// Near sends, with bytes or without, and far answers.
#[derive(Clone, Copy, Debug, Default)]
struct Sending {
    /// How long each side is busy before it sends or answers, so that the other has gone to sleep. It is not counted.
    nap: Option<Duration>,
    bytes: Option<usize>,
}

impl Work for Sending {
    fn near(&self, place: &mut Place) -> Result<Batch> {
        let window = found(place)?;
        let Sending { nap, bytes } = *self;
        let mut data = vec![7; bytes.unwrap_or(0)];
        let mut send = move |number: u64| -> Result<()> {
            let result = match bytes {
                Some(_) => {
                    stamp(&mut data, number);
                    window.copy_data(number as usize, &data)?
                }
                None => window.send(ASK, number as usize, 0)?,
            };
            expect(result, number as isize + 1)
        };
        let nap = nap.unwrap_or_default();
        Ok(Box::new(move |count| {
            // One that is not counted: far is there then.
            send(0)?;
            if nap.is_zero() {
                let start = Instant::now();
                for number in 0..count {
                    send(number)?;
                }
                return Ok(start.elapsed());
            }
            let mut elapsed = Duration::ZERO;
            for number in 0..count {
                busy(nap);
                let start = Instant::now();
                send(number)?;
                elapsed += start.elapsed().saturating_sub(nap);
            }
            Ok(elapsed)
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let Sending { nap, bytes } = *self;
        let served = Served::new(place, move |message, _| {
            if let Some(nap) = nap {
                busy(nap);
            }
            let number = match message.copy_data() {
                Some(data) => {
                    check(data.bytes(), bytes.unwrap_or(0), data.id() as u64)?;
                    data.id()
                }
                None => message.wparam(),
            };
            Ok((true, number as isize + 1))
        })?;
        Ok(Box::new(move |count| served.serve(count + 1)))
    }
}

/// Near posts as fast as it can; the time is over when far has served the last.
struct Posting;

impl Work for Posting {
    fn near(&self, place: &mut Place) -> Result<Batch> {
        let window = found(place)?;
        Ok(Box::new(move |count| {
            // Far has begun then.
            window.send(COUNTED, 0, 0)?;
            let start = Instant::now();
            for number in 0..count {
                loop {
                    match window.post(COUNT, number as usize, 0) {
                        // 10,000 wait.
                        Err(error) if error.kind() == ErrorKind::Full => std::hint::spin_loop(),
                        posted => break posted?,
                    }
                }
            }
            while window.send(COUNTED, 0, 0)? < count as isize {}
            let elapsed = start.elapsed();
            // The end of far's batch.
            window.post(COUNT, count as usize, 0)?;
            Ok(elapsed)
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let served = Served::new(place, |message, done| match message.number() {
            COUNT if message.wparam() as u64 == done => Ok((true, 0)),
            COUNT => Err(format!("{} came where {done} was next", message.wparam()).into()),
            _ => Ok((false, done as isize)),
        })?;
        Ok(Box::new(move |count| served.serve(count + 1)))
    }
}

/// Near finds the last of many windows by its title. Far has them.
struct Finding;

const WINDOWS: usize = 1000;

impl Work for Finding {
    fn near(&self, place: &mut Place) -> Result<Batch> {
        let title = place.hear()?;
        Ok(Box::new(move |count| {
            let start = Instant::now();
            for _ in 0..count {
                WindowHandle::find(None, Some(&title))?;
            }
            Ok(start.elapsed())
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let title = |number: usize| format!("{}-{number}", place.unique_name());
        let make = |number| Window::builder(title(number)).message_only(true).create(|_| 0);
        let windows = (0..WINDOWS).map(make).collect::<quintet::Result<Vec<_>>>()?;
        place.say(&title(WINDOWS - 1))?;
        Ok(Box::new(move |_| {
            let _open = &windows;
            Ok(Duration::ZERO)
        }))
    }
}
