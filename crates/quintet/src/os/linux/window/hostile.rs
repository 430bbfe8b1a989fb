//! A sender that writes anything into what it shares with a receiver, while others send to it as they should: nobody but itself
//! notices.

use super::lane::{self, RingOut};
use super::roll::Roll;
use super::shuttle::ShuttleOut;
use super::socket;
use crate::os::atomic::Ordering;
use crate::os::fence::Publisher;
use crate::os::linux::fork::PrivateFd;
use crate::window::{Message, WM_APP, Window, WindowHandle, pump};
use crate::{Deadline, Error};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How often what was written has to make no sense to its receiver.
const TIMES: u32 = 100;
/// After so long something has no end.
const PATIENCE: Duration = Duration::from_secs(60);

const ASK: u32 = WM_APP;
const COUNT: u32 = WM_APP + 1;
const STOP: u32 = WM_APP + 2;

/// Numbers that follow no pattern, the same each time.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// A lane that its sender scribbles over.
struct Scribbled {
    socket: PrivateFd,
    ring: RingOut,
    shuttle: ShuttleOut,
}

impl Scribbled {
    fn connect(roll: &Roll, desk: usize) -> Self {
        let deadline = Deadline::after(PATIENCE);
        let socket = socket::connect(&roll.socket(desk), deadline).unwrap().unwrap();
        let (ring, _answers, _, file) = lane::make().unwrap();
        // Any desk: its owner may be woken for nothing.
        socket::say_hello(&socket, Some(desk), &file).unwrap();
        roll.knock(desk, Publisher::new());
        let mut shuttle = ShuttleOut::make().unwrap();
        shuttle.reserve(40_000).unwrap();
        Scribbled {
            socket,
            ring,
            shuttle,
        }
    }

    /// Writes one word that may mean something, where it may matter.
    fn scribble(&mut self, state: &mut u64, window: u32) {
        let (what, any) = (next(state), next(state));
        let words = self.ring.words();
        let line = 2 + (what >> 8) as usize % 6;
        let field = (what >> 16) as usize % 8;
        let value = match (field, what % 4) {
            // As if there were a record, the next one perhaps.
            (0, 0..3) => line as u64 - 1,
            (1, 0..3) => (1 + any % 6) | (any >> 8 & 3) << 8 | u64::from(window) << 32,
            (2, 0..3) => (COUNT + 1 + (any % 2) as u32).into(),
            (5, 0..3) => any % 16,
            (6, 0..3) => any % 40_000,
            _ => any,
        };
        match what >> 24 & 15 {
            0 => words[8].store(any, Ordering::Relaxed),
            1 => words[0].store(any, Ordering::Relaxed),
            2 => self.shuttle.words()[0].store((any % 40_000) & !7, Ordering::Relaxed),
            3 => drop(socket::attach(&self.socket, 1 + any % 8, self.shuttle.file())),
            _ => words[line * 8 + field].store(value, Ordering::Release),
        }
    }
}

fn honest(window: WindowHandle, seed: usize, stop: &AtomicBool) -> Result<u64, Error> {
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) {
        let number = seed + done as usize;
        let deadline = Deadline::after(PATIENCE);
        let result = window.send_timeout(ASK, number, 5, crate::window::SendMode::Normal, deadline)?;
        assert_eq!(result, number as isize + 5);
        let bytes = vec![number as u8; 20_000 + number % 50_000];
        let mode = crate::window::SendMode::Normal;
        let result = window.copy_data_timeout(number, &bytes, mode, deadline)?;
        assert_eq!(result, number as isize + bytes.len() as isize);
        window.post(COUNT, 0, 0)?;
        done += 1;
    }
    Ok(done)
}

#[test]
fn who_scribbles_over_its_lane_disturbs_nobody_else() {
    let (say, hear) = mpsc::channel();
    let served = thread::spawn(move || {
        let counted = Rc::new(Cell::new(0_u64));
        let stopped = Rc::new(Cell::new(false));
        let (count, stop) = (counted.clone(), stopped.clone());
        let window = Window::create("quintet-hostile-lane", move |message: &Message<'_>| {
            match (message.number(), message.copy_data()) {
                (_, Some(data)) => {
                    // A scribbler's bytes are anything, but they are there and stay.
                    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
                    assert_eq!(sum(data.bytes()), sum(data.bytes()));
                    data.id() as isize + data.bytes().len() as isize
                }
                (ASK, None) => message.wparam() as isize + message.lparam(),
                (COUNT, None) => {
                    count.set(count.get() + 1);
                    0
                }
                (STOP, None) if message.wparam() == 77 => {
                    stop.set(true);
                    0
                }
                _ => 0,
            }
        })
        .unwrap();
        say.send(window.handle()).unwrap();
        while !stopped.get() {
            pump(Duration::from_millis(50)).unwrap();
        }
        pump(Duration::ZERO).unwrap();
        counted.get()
    });
    let window = hear.recv().unwrap();
    let roll = Roll::join().unwrap();
    let desk = roll.owner(window.raw()).unwrap();
    let over = AtomicBool::new(false);
    let mut nonsense = 0;
    let posted = thread::scope(|scope| {
        let over = &over;
        let senders = [100, 300_000].map(|seed| scope.spawn(move || honest(window, seed, over)));
        let mut state = 0x9E37_79B9_7F4A_7C15;
        let mut lane = Scribbled::connect(&roll, desk);
        for write in 0_u64.. {
            lane.scribble(&mut state, window.raw());
            if write.is_multiple_of(16) {
                roll.ring(desk, Publisher::new());
                thread::yield_now();
                // It was disconnected, as it made no sense. Or the receiver has come further than is written to.
                let made_no_sense = socket::is_hung_up(&lane.socket);
                if made_no_sense || write.is_multiple_of(1024) {
                    lane = Scribbled::connect(&roll, desk);
                    nonsense += u32::from(made_no_sense);
                }
                if nonsense == TIMES {
                    break;
                }
            }
        }
        over.store(true, Ordering::Relaxed);
        senders.map(|sender| sender.join().unwrap().unwrap())
    });
    window.send(STOP, 77, 0).unwrap();
    assert!(posted.iter().all(|count| *count > 0), "{posted:?}");
    assert!(served.join().unwrap() >= posted.iter().sum());
}
