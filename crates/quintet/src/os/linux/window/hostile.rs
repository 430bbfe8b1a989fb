//! A sender that writes anything into what it shares with a receiver, while others send to it as they should: nobody but itself
//! notices.

use super::closing::Connection;
use super::lane::{self, Bells, Kind, Outcome, RingOut};
use super::outgoing::{MOST_POSTED, Outgoing};
use super::plate::Seen;
use super::roll::Roll;
use super::shuttle::ShuttleOut;
use super::socket;
use crate::os::atomic::Ordering;
use crate::os::fence::Publisher;
use crate::os::linux::fork::PrivateFd;
use crate::os::window_types::Letter;
use crate::window::{Access, Message, Pumped, WM_APP, WM_QUIT, Window, WindowHandle, pump};
use crate::{Deadline, Error, ErrorKind};
use rustix::fd::{AsFd, BorrowedFd};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
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
    socket: Connection,
    ring: RingOut,
    bells: Bells,
    shuttle: ShuttleOut,
}

impl Scribbled {
    /// Comes in as this user's do, or as others'.
    fn connect(roll: &Roll, window: WindowHandle, openly: bool) -> Self {
        let deadline = Deadline::after(PATIENCE);
        let desk = roll.owner(window.raw()).unwrap();
        let (ring, _answers, bells, file) = lane::make().unwrap();
        let socket = if openly {
            let plate = Seen::open(window.raw()).unwrap().unwrap();
            let socket = socket::connect_openly(plate.socket().unwrap(), plate.user, deadline);
            let socket = socket.unwrap().unwrap();
            socket::say_hello(&socket, None, &file).unwrap();
            plate.knock();
            socket
        } else {
            let socket = socket::connect(&roll.socket(desk), deadline).unwrap().unwrap();
            // Any desk: its owner may be woken for nothing.
            socket::say_hello(&socket, Some(desk), &file).unwrap();
            roll.knock(desk, Publisher::new());
            socket
        };
        let mut shuttle = ShuttleOut::make().unwrap();
        shuttle.reserve(40_000).unwrap();
        Scribbled {
            socket,
            ring,
            bells,
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
            4 => (*self.bells.receiver)
                .as_ref()
                .word()
                .store(any as u32, Ordering::Relaxed),
            5 => (*self.bells.sender)
                .as_ref()
                .word()
                .store(any as u32, Ordering::Relaxed),
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
    a_lane_is_scribbled_over(false);
}

#[test]
fn nor_does_another_user() {
    a_lane_is_scribbled_over(true);
}

fn a_lane_is_scribbled_over(openly: bool) {
    let (say, hear) = mpsc::channel();
    let served = thread::spawn(move || {
        let counted = Rc::new(Cell::new(0_u64));
        let stopped = Rc::new(Cell::new(false));
        let (count, stop) = (counted.clone(), stopped.clone());
        let window = Window::builder("quintet-hostile-lane").access(Access::Everyone);
        let window = window
            .create(move |message: &Message<'_>| {
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
    let over = AtomicBool::new(false);
    let mut nonsense = 0;
    let posted = thread::scope(|scope| {
        let over = &over;
        let senders = [100, 300_000].map(|seed| scope.spawn(move || honest(window, seed, over)));
        let mut state = 0x9E37_79B9_7F4A_7C15;
        let mut lane = Scribbled::connect(&roll, window, openly);
        for write in 0_u64.. {
            lane.scribble(&mut state, window.raw());
            if write.is_multiple_of(16) {
                lane.bells.receiver.ring();
                roll.ring(roll.owner(window.raw()).unwrap(), Publisher::new());
                thread::yield_now();
                // It was disconnected, as it made no sense. Or the receiver has come further than is written to.
                let made_no_sense = socket::is_hung_up(&lane.socket);
                if made_no_sense || write.is_multiple_of(1024) {
                    lane = Scribbled::connect(&roll, window, openly);
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

/// Comes in by the open socket, as another user does.
fn come_in(window: &Window) -> Outgoing {
    let plate = Seen::open(window.handle().raw()).unwrap().unwrap();
    let deadline = Deadline::after(PATIENCE);
    Outgoing::connect_openly(plate, Publisher::new(), deadline)
        .unwrap()
        .unwrap()
}

fn letter(number: u32, wparam: usize) -> Letter<'static> {
    Letter {
        number,
        wparam,
        lparam: 0,
        data: None,
    }
}

/// What becomes of a message to that window, which this thread serves.
fn outcome(from: &Outgoing, window: u32, number: u32) -> Outcome {
    let place = from.take_place().unwrap();
    let sent = from.put(Kind::Send, window, &letter(number, 0), place).unwrap();
    loop {
        pump(Duration::from_millis(10)).unwrap();
        if let Some(outcome) = from.answers.get(place, sent).unwrap() {
            from.leave_place(place, sent);
            return outcome;
        }
    }
}

#[test]
fn who_comes_in_by_the_open_socket_reaches_open_windows_alone_and_ends_no_loop() {
    let title = "quintet-hostile-outsider";
    let private = Window::create(title, |_| panic!("it is not open")).unwrap();
    let open = Window::builder(title).access(Access::Everyone);
    let open = open.create(|message| message.number() as isize).unwrap();
    assert!(Seen::open(private.handle().raw()).unwrap().is_none());
    let outsider = come_in(&open);
    let (inside, there) = (private.handle().raw(), open.handle().raw());
    assert_eq!(outcome(&outsider, there, ASK), Outcome::Result(ASK as isize));
    // Nobody who uses the library can do that.
    assert_eq!(outcome(&outsider, inside, ASK), Outcome::Gone);
    assert_eq!(outcome(&outsider, 0, ASK), Outcome::Gone);
    for window in [inside, there] {
        outsider.put(Kind::Post, window, &letter(WM_QUIT, 7), 0).unwrap();
        outsider.put(Kind::Post, window, &letter(WM_APP, 7), 0).unwrap();
        outsider
            .put(Kind::Notify, window, &letter(WM_QUIT, 7), 0)
            .unwrap();
        assert_eq!(pump(PATIENCE).unwrap(), Pumped::Served);
    }
    assert_eq!(outcome(&outsider, there, ASK), Outcome::Result(ASK as isize));
    drop(open);
    assert!(!outsider.is_current());
    // Its thread is still there, so this is how it learns.
    assert!(!outsider.is_hung_up());
    assert_eq!(outcome(&outsider, there, ASK), Outcome::Gone);
}

#[test]
fn who_comes_in_by_the_open_socket_leaves_room_for_others() {
    let title = "quintet-hostile-many";
    let came = Rc::new(RefCell::new(Vec::new()));
    let log = came.clone();
    let open = Window::builder(title).access(Access::Everyone);
    let open = open.create(move |message| {
        log.borrow_mut()
            .push((message.sender().is_some(), message.wparam()));
        0
    });
    let open = open.unwrap();
    let there = open.handle();
    let outsider = come_in(&open);
    let mut posted = 0;
    let full = loop {
        match outsider.put(Kind::Post, there.raw(), &letter(ASK, posted), 0) {
            Ok(_) => posted += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((full.kind(), posted as u64), (ErrorKind::Full, MOST_POSTED));
    // This looks at what has come, and serves some of it.
    assert_eq!(pump(Duration::ZERO).unwrap(), Pumped::Served);
    assert!(came.borrow().len() <= posted);
    for own in 0..MOST_POSTED as usize / 2 {
        there.post(ASK, own, 0).unwrap();
    }
    while came.borrow().len() < posted + MOST_POSTED as usize / 2 {
        assert_eq!(pump(PATIENCE).unwrap(), Pumped::Served);
    }
    for (theirs, all) in [(true, posted), (false, MOST_POSTED as usize / 2)] {
        let came = came.borrow();
        let in_order = came.iter().filter(|(is_theirs, _)| *is_theirs == theirs);
        assert!(in_order.map(|(_, which)| *which).eq(0..all));
    }
    // Who comes when there are as many of one user as may be is turned away, and the others stay.
    let others: Vec<_> = (0..60).map(|_| come_in(&open)).collect();
    assert_eq!(outcome(&outsider, there.raw(), ASK), Outcome::Result(0));
    let stay = || others.iter().filter(|other| !other.is_hung_up()).count();
    eventually(|| stay() == 31);
    drop(others);
    // When they have gone there is room again, also where nobody ever sleeps.
    for number in 0..100 {
        came.borrow_mut().clear();
        let next = come_in(&open);
        next.put(Kind::Post, there.raw(), &letter(ASK, number), 0)
            .unwrap();
        drop(next);
        eventually(|| {
            pump(Duration::ZERO).unwrap();
            came.borrow().contains(&(true, number))
        });
    }
}

/// Waits for what another thread does soon.
fn eventually(mut is_so: impl FnMut() -> bool) {
    let end = Deadline::after(PATIENCE);
    while !is_so() {
        assert!(!end.has_passed(), "it never came");
        thread::yield_now();
    }
}

/// How often this thread has gone to sleep.
fn sleeps() -> i64 {
    // SAFETY: plain numbers, for which zeros are valid; the call writes them.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage), 0);
        usage.ru_nvcsw
    }
}

#[test]
fn who_stops_in_the_middle_of_a_message_keeps_nobody_awake_and_goes() {
    let open = Window::builder("quintet-hostile-middle").access(Access::Everyone);
    let open = open.create(|message| message.number() as isize).unwrap();
    let there = open.handle().raw();
    // One more than may be of one user.
    for _ in 0..33 {
        let outsider = come_in(&open);
        // Lends the shuttle.
        let bytes = Letter {
            data: Some(&[1; 40_000]),
            ..letter(crate::window::WM_COPYDATA, 0)
        };
        let place = outsider.take_place().unwrap();
        outsider.put(Kind::Send, there, &bytes, place).unwrap();
        eventually(|| {
            pump(Duration::ZERO).unwrap();
            outsider.answers.get(place, 2).unwrap().is_some()
        });
        outsider.put_without_bytes(there);
        let before = sleeps();
        assert_eq!(pump(Duration::from_millis(60)).unwrap(), Pumped::Nothing);
        assert!(sleeps() > before, "it waits for nothing, awake");
    }
    let last = come_in(&open);
    assert_eq!(outcome(&last, there, ASK), Outcome::Result(ASK as isize));
}

/// Says hello with more than belongs to it.
fn hand_over_many(socket: &PrivateFd, files: &[BorrowedFd<'_>]) {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
    let mut packet = [0xFF; 16];
    packet[..8].copy_from_slice(b"QUINTETw");
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(files)));
    let parts = [rustix::io::IoSlice::new(&packet)];
    rustix::net::sendmsg(socket, &parts, &mut control, SendFlags::NOSIGNAL).unwrap();
}

#[test]
fn who_is_let_in_when_a_window_has_been_closed_learns_of_it() {
    let title = "quintet-hostile-closed";
    let make = || {
        Window::builder(title)
            .access(Access::Everyone)
            .create(|_| 0)
            .unwrap()
    };
    let (one, other) = (make(), make());
    let to_one = come_in(&one);
    assert!(to_one.is_current());
    // Nobody has been let in yet.
    drop(one);
    eventually(|| {
        pump(Duration::ZERO).unwrap();
        !to_one.is_current()
    });
    assert!(!to_one.is_hung_up() && come_in(&other).is_current());
    // Those who wait at a door that is shut hear of it, and who has been let in.
    let waits = std::thread::spawn(|| {
        let window = Window::builder("quintet-hostile-shut").access(Access::Everyone);
        let window = window.create(|_| 0).unwrap();
        let inside = come_in(&window);
        pump(Duration::ZERO).unwrap();
        (inside, (0..70).map(|_| come_in(&window)).collect::<Vec<_>>())
    });
    let (inside, outside) = waits.join().unwrap();
    eventually(|| inside.is_hung_up() && outside.iter().all(Outgoing::is_hung_up));
}

#[test]
fn what_is_handed_over_and_is_no_memory_is_closed_and_its_sender_goes() {
    let open = Window::builder("quintet-hostile-files").access(Access::Everyone);
    let open = open.create(|message| message.number() as isize).unwrap();
    let plate = Seen::open(open.handle().raw()).unwrap().unwrap();
    let connect = || {
        let deadline = Deadline::after(PATIENCE);
        let socket = socket::connect_openly(plate.socket().unwrap(), plate.user, deadline);
        socket.unwrap().unwrap()
    };
    let pump_until = |is_so: &dyn Fn() -> bool| {
        eventually(|| {
            pump(Duration::ZERO).unwrap();
            is_so()
        });
    };
    let (reader, writer) = std::io::pipe().unwrap();
    let socket = connect();
    socket::say_hello(&socket, None, &writer.into()).unwrap();
    pump_until(&|| socket::is_hung_up(&socket));
    drop(socket);
    // Which would wait for ever if it were still open.
    assert_eq!(std::io::Read::read(&mut &reader, &mut [0]).unwrap(), 0);
    // More than one, of which the first would do.
    let (reader, writer) = std::io::pipe().unwrap();
    let (.., lane) = lane::make().unwrap();
    let socket = connect();
    hand_over_many(
        &socket,
        &[lane.as_fd(), writer.as_fd(), writer.as_fd(), writer.as_fd()],
    );
    drop(writer);
    pump_until(&|| socket::is_hung_up(&socket));
    drop(socket);
    assert_eq!(std::io::Read::read(&mut &reader, &mut [0]).unwrap(), 0);
    // A second ring that is no larger, a second shuttle.
    for (kind, times, file) in [
        (Kind::Moved, 1, lane::make().unwrap().3),
        (
            Kind::Lend,
            2,
            ShuttleOut::make().unwrap().file().try_clone().unwrap(),
        ),
    ] {
        let socket = connect();
        let (mut ring, _answers, bells, lane) = lane::make().unwrap();
        socket::say_hello(&socket, None, &lane).unwrap();
        for _ in 0..times {
            assert!(!socket::is_hung_up(&socket));
            socket::attach(&socket, ring.next(), &file).unwrap();
            ring.put(&lane::Record::with_file(kind, lane::FIRST as u64), &[]);
            bells.receiver.ring();
        }
        pump_until(&|| socket::is_hung_up(&socket));
    }
    let last = come_in(&open);
    assert_eq!(
        outcome(&last, open.handle().raw(), ASK),
        Outcome::Result(ASK as isize)
    );
}

#[test]
fn who_waits_for_an_answer_keeps_to_its_deadline_whatever_others_send() {
    let (say, hear) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let deaf = thread::spawn(move || {
        let window = Window::create("quintet-hostile-deaf", |_| 0).unwrap();
        say.send(window.handle()).unwrap();
        let _ = ended.recv();
    });
    let window = hear.recv().unwrap();
    let open = Window::builder("quintet-hostile-flood").access(Access::Everyone);
    let open = open.create(|_| 0).unwrap();
    let there = open.handle().raw();
    let over = Arc::new(AtomicBool::new(false));
    let (stop, begun) = (over.clone(), Arc::new(AtomicBool::new(false)));
    let begins = begun.clone();
    let flood = thread::spawn(move || {
        let plate = Seen::open(there).unwrap().unwrap();
        let deadline = Deadline::after(PATIENCE);
        let outsider = Outgoing::connect_openly(plate, Publisher::new(), deadline);
        let outsider = outsider.unwrap().unwrap();
        while !stop.load(Ordering::Relaxed) {
            // More than there is room for is an error.
            let _ = outsider.put(Kind::Notify, there, &letter(ASK, 0), 0);
            begins.store(true, Ordering::Relaxed);
        }
    });
    eventually(|| begun.load(Ordering::Relaxed));
    let soon = Deadline::after(Duration::from_millis(100));
    let late = window.send_timeout(ASK, 0, 0, crate::window::SendMode::Normal, soon);
    assert_eq!(late.unwrap_err().kind(), ErrorKind::TimedOut);
    // Nor does a thread that ends wait for the last of them.
    drop(open);
    over.store(true, Ordering::Relaxed);
    flood.join().unwrap();
    drop(end);
    deaf.join().unwrap();
}

#[test]
fn a_handle_of_one_user_is_not_that_of_another() {
    let open = Window::builder("quintet-hostile-owner").access(Access::Everyone);
    let open = open
        .create(|_| panic!("it is another user's that is meant"))
        .unwrap();
    let meant = super::Handle {
        number: open.handle().raw(),
        user: Some(12_345),
    };
    let no_window = |error: Error| error.kind() == ErrorKind::NotFound;
    let deadline = Deadline::after(PATIENCE);
    let mode = crate::window::SendMode::Normal;
    assert!(super::send(meant, &letter(ASK, 0), mode, deadline).is_err_and(no_window));
    assert!(super::post(meant, &letter(ASK, 0)).is_err_and(no_window));
    assert!(super::sight(meant).is_err_and(no_window));
    assert!(!super::is_alive(meant));
    // Also where there is a connection already.
    let ours = super::Handle {
        user: Some(rustix::process::geteuid().as_raw()),
        ..meant
    };
    let late = super::send(
        ours,
        &letter(ASK, 0),
        crate::window::SendMode::Block,
        Deadline::now(),
    );
    assert_eq!(late.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(super::post(meant, &letter(ASK, 0)).is_err_and(no_window));
    // And who answers at a socket has to be that user.
    let plate = Seen::open(meant.number).unwrap().unwrap();
    let number = plate.socket().unwrap();
    let refused = socket::connect_openly(number, 12_345, deadline).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
}
