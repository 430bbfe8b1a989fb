//! Windows whose threads and senders are killed and stopped: before they serve, while they do, after; while they wait for a
//! result; both; in circles; and broadcasts among windows that are dead, destroyed, never served or hung.
//!
//! Who sends draws a number, and the result follows from that and from the message: so the answer to another message, or
//! another sender, shows. Bytes follow from a number that comes beside them, so what is put together of two messages shows. What
//! is posted to a window, or sent without waiting, counts up, so what is missing, comes twice or out of its order shows. What must
//! hold besides: no wait is without end.

use crate::dice::Dice;
use crate::report;
use quintet::window::{
    Message, Pumped, SendMode, WM_APP, WM_COPYDATA, Window, WindowHandle, WindowSearch, broadcast_post,
    broadcast_send, pump, register_message, reply,
};
use quintet::{Error, ErrorKind};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const WORKERS: &[&str] = &[
    "server",
    "server",
    "ring",
    "ring",
    "caller",
    "caller",
    "poster",
    "broadcaster",
    "idler",
];

/// Its result is [`result_of`] its first number.
const ASK: u32 = WM_APP;
/// The same, after it was sent on so many windows further as the second number says.
const PASS: u32 = WM_APP + 1;
/// Of the series that the first number says, this is message number so many; posted.
const POSTED: u32 = WM_APP + 2;
/// The same, sent without waiting.
const NOTIFIED: u32 = WM_APP + 3;
/// Destroys the window, after a result as that of [`ASK`].
const DESTROY: u32 = WM_APP + 4;

/// How far a message is sent on.
const DEPTH: u64 = 6;

/// Long enough for any honest wait; one that takes longer fails the storm.
const LONG: Duration = Duration::from_secs(20);

/// How often something is done before it is reported.
const ROUND: u32 = 8;

/// What all of the storm's windows are called; those that are served also have a class of their own.
fn name(folder: &Path, what: &str) -> String {
    format!(
        "{}-{what}",
        folder.file_name().unwrap_or_default().to_string_lossy()
    )
}

fn text(error: Error) -> String {
    format!("{:?}: {error}", error.kind())
}

/// A window that is hung soon, as its thread does nothing, for as long as this is there.
struct Hung {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Hung {
    fn drop(&mut self) {
        self.stop = None;
        // It has nothing to fail at.
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// What the driver holds while the storm lasts.
pub(crate) fn begin(folder: &Path) -> Result<Box<dyn Any>, String> {
    let builder = Window::builder(name(folder, "window")).class(name(folder, "idle"));
    let (stop, stopped) = mpsc::channel::<()>();
    let (say, made) = mpsc::channel();
    let thread = thread::spawn(move || {
        let window = builder.create(|_| 0);
        let _ = say.send(window.as_ref().map(|_| ()).map_err(ToString::to_string));
        let _ = stopped.recv();
    });
    made.recv()
        .map_err(|_| "the window's thread panicked".to_string())??;
    Ok(Box::new(Hung {
        stop: Some(stop),
        thread: Some(thread),
    }))
}

pub(crate) fn work(kind: &str, seed: u64, folder: &Path) -> Result<(), String> {
    let dice = Dice::new(seed);
    match kind {
        "server" | "ring" => serve(dice, folder, kind == "ring"),
        "caller" => call(dice, folder),
        "poster" => post(dice, folder),
        "broadcaster" => broadcast(dice, folder),
        _ => idle(dice, folder),
    }
}

/// The result of a message with that number, whose second one is this.
fn result_of(number: usize, more: isize) -> isize {
    let mut pattern = Dice::new((number as u64).rotate_left(17) ^ more as u64);
    pattern.next();
    // No error that a library could make up.
    (pattern.next() as isize) | 1 << 40
}

/// The bytes that a number stands for.
fn bytes_of(number: usize) -> Vec<u8> {
    let mut pattern = Dice::new(number as u64);
    let len = match pattern.roll(16) {
        0 => pattern.roll(300_000),
        1..4 => pattern.roll(20_000),
        _ => pattern.roll(200),
    };
    let mut bytes = Vec::with_capacity(len as usize + 8);
    while bytes.len() < len as usize {
        bytes.extend(pattern.next().to_le_bytes());
    }
    bytes.truncate(len as usize);
    bytes
}

/// Whether an error is one that a killed or destroyed window, or its own end, may cause.
fn may_be(kind: ErrorKind) -> bool {
    // A window that ends while it works for another one has not panicked, it is killed.
    matches!(kind, ErrorKind::NotFound | ErrorKind::PeerDied)
}

/// One of the windows that are served; `None`: there is none just now.
fn some_window(dice: &mut Dice, folder: &Path) -> Result<Option<WindowHandle>, String> {
    let served = WindowSearch::new().class(name(folder, "served"));
    let windows = served.find_all().map_err(text)?;
    if windows.is_empty() {
        thread::sleep(Duration::from_micros(200));
        return Ok(None);
    }
    Ok(Some(windows[dice.roll(windows.len() as u64) as usize]))
}

/// Sends one message of some kind, and checks its result.
fn ask(dice: &mut Dice, window: WindowHandle, depth: u64) -> Result<(), String> {
    let number = dice.next() as usize;
    let (what, expected, result) = match dice.roll(8) {
        0 | 1 => {
            let bytes = bytes_of(number);
            let result = window.copy_data_timeout(number, &bytes, SendMode::Normal, LONG);
            ("data", result_of(number, bytes.len() as isize), result)
        }
        2 => {
            let result = window.send_timeout(DESTROY, number, 0, SendMode::Normal, LONG);
            ("the end", result_of(number, 0), result)
        }
        3..6 if depth > 0 => {
            let more = depth as isize;
            let result = window.send_timeout(PASS, number, more, SendMode::Normal, LONG);
            ("a message that is sent on", result_of(number, more), result)
        }
        _ => {
            let more = dice.next() as isize;
            let result = window.send_timeout(ASK, number, more, SendMode::Normal, LONG);
            ("a message", result_of(number, more), result)
        }
    };
    match result {
        Ok(result) if result == expected => Ok(()),
        Ok(result) => Err(format!(
            "{what} {number:#x} got {result:#x}, which is another one's"
        )),
        Err(error) if may_be(error.kind()) => Ok(()),
        // Those that send to each other may be too many.
        Err(error) if error.kind() == ErrorKind::Full => Ok(()),
        Err(error) => Err(format!("{what}: {}", text(error))),
    }
}

fn rest(dice: &mut Dice) {
    match dice.roll(8) {
        0 => thread::sleep(Duration::from_micros(dice.roll(300))),
        1 => (0..dice.roll(5000)).for_each(|_| std::hint::spin_loop()),
        _ => {}
    }
}

/// What a procedure knows, also while it runs a second time.
struct Procedure {
    folder: std::path::PathBuf,
    dice: RefCell<Dice>,
    /// What is next of each series.
    next: RefCell<HashMap<(u32, usize), isize>>,
    window: RefCell<Option<Window>>,
    served: Cell<u32>,
    wrong: RefCell<Option<String>>,
}

impl Procedure {
    fn run(&self, message: &Message<'_>) -> isize {
        self.served.set(self.served.get() + 1);
        let (number, wparam, lparam) = (message.number(), message.wparam(), message.lparam());
        let mut dice = {
            let mut dice = self.dice.borrow_mut();
            Dice::new(dice.next())
        };
        rest(&mut dice);
        let result = match number {
            WM_COPYDATA => {
                let Some(data) = message.copy_data() else {
                    return self.is_wrong("a message for data has none".into());
                };
                if data.bytes() != bytes_of(data.id()) {
                    return self.is_wrong(format!("the bytes of {:#x} are torn, or another's", data.id()));
                }
                result_of(data.id(), data.bytes().len() as isize)
            }
            POSTED | NOTIFIED => {
                if message.is_posted() != (number == POSTED) {
                    return self.is_wrong("what was posted was sent, or the other way around".into());
                }
                let mut next = self.next.borrow_mut();
                let next = next.entry((number, wparam)).or_insert(0);
                if *next != lparam {
                    return self.is_wrong(format!("{lparam} came where {next} of the series was next"));
                }
                *next += 1;
                return 0;
            }
            PASS => {
                let passed = some_window(&mut dice, &self.folder).and_then(|window| match window {
                    Some(window) => ask(&mut dice, window, lparam.unsigned_abs() as u64 - 1),
                    None => Ok(()),
                });
                if let Err(why) = passed {
                    return self.is_wrong(why);
                }
                result_of(wparam, lparam)
            }
            DESTROY => {
                drop(self.window.take());
                result_of(wparam, lparam)
            }
            _ => result_of(wparam, lparam),
        };
        // The sender goes on, and this one later. Who sends to itself waits for the end.
        if dice.roll(8) == 0 && reply(result) {
            rest(&mut dice);
            return 0;
        }
        result
    }

    fn is_wrong(&self, why: String) -> isize {
        *self.wrong.borrow_mut() = Some(why);
        0
    }
}

/// Has one window after the other, and serves it. `sends`: and sends to others meanwhile.
fn serve(mut dice: Dice, folder: &Path, sends: bool) -> Result<(), String> {
    let news = register_message(&name(folder, "news")).map_err(text)?;
    loop {
        let inner = Rc::new(Procedure {
            folder: folder.into(),
            dice: RefCell::new(Dice::new(dice.next())),
            next: RefCell::default(),
            window: RefCell::default(),
            served: Cell::new(0),
            wrong: RefCell::default(),
        });
        let procedure = inner.clone();
        let window = Window::builder(name(folder, "window"))
            .class(name(folder, "served"))
            .message_only(dice.roll(4) == 0)
            .create(move |message| match message.number() {
                number if number == news => result_of(message.wparam(), message.lparam()),
                _ => procedure.run(message),
            })
            .map_err(text)?;
        *inner.window.borrow_mut() = Some(window);
        let last = ROUND * (1 + dice.roll(8) as u32);
        let (mut told, mut said) = (0, 0);
        while inner.window.borrow().is_some() && inner.served.get() < last {
            let time = if sends {
                Duration::ZERO
            } else {
                Duration::from_millis(5)
            };
            match pump(time).map_err(text)? {
                Pumped::Served | Pumped::Nothing => {}
                Pumped::Quit(code) => return Err(format!("the loop was ended, by {code}")),
            }
            if sends && let Some(window) = some_window(&mut dice, folder)? {
                ask(&mut dice, window, 1 + DEPTH)?;
                told += 1;
            }
            if let Some(why) = inner.wrong.take() {
                return Err(why);
            }
            if told + inner.served.get() - said >= ROUND {
                report::done("rounds served");
                said = told + inner.served.get();
            }
        }
        inner.window.take();
        report::done("windows that came and went");
    }
}

fn call(mut dice: Dice, folder: &Path) -> Result<(), String> {
    loop {
        for _ in 0..ROUND {
            if let Some(window) = some_window(&mut dice, folder)? {
                ask(&mut dice, window, 1 + DEPTH)?;
            }
            rest(&mut dice);
        }
        report::done("rounds of questions");
    }
}

/// Posts and notifies a series to one window.
fn post(mut dice: Dice, folder: &Path) -> Result<(), String> {
    loop {
        let Some(window) = some_window(&mut dice, folder)? else {
            continue;
        };
        let series = dice.next() as usize;
        let mut next = [0, 0];
        for _ in 0..1 + dice.roll(16 * u64::from(ROUND)) {
            let (at, done) = match dice.roll(3) {
                0 => (1, window.send_notify(NOTIFIED, series, next[1])),
                _ => (0, window.post(POSTED, series, next[0])),
            };
            match done {
                Ok(()) => next[at] += 1,
                Err(error) if error.kind() == ErrorKind::Full => rest(&mut dice),
                Err(error) if may_be(error.kind()) => break,
                Err(error) => return Err(text(error)),
            }
        }
        if next != [0, 0] {
            report::done("series of posts");
        }
    }
}

/// Tells all windows, also those that nobody serves.
fn broadcast(mut dice: Dice, folder: &Path) -> Result<(), String> {
    let news = register_message(&name(folder, "news")).map_err(text)?;
    loop {
        let (wparam, lparam) = (dice.next() as usize, dice.next() as isize);
        let begun = Instant::now();
        let by_post = dice.roll(3) == 0;
        let answers = if by_post {
            broadcast_post(news, wparam, lparam)
        } else {
            broadcast_send(news, wparam, lparam, Duration::from_millis(dice.roll(60)))
        };
        for answer in answers.map_err(text)? {
            match answer.result {
                Ok(result) if by_post || result == result_of(wparam, lparam) => {}
                Ok(result) => {
                    // Another program's window knows nothing of this.
                    let class = answer.window.class();
                    if class.is_ok_and(|class| class == name(folder, "served")) {
                        return Err(format!("the news got {result:#x} from {}", answer.window));
                    }
                }
                Err(error) if may_be(error.kind()) => {}
                Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Full) => {}
                Err(error) => return Err(text(error)),
            }
        }
        if begun.elapsed() > LONG {
            return Err("a broadcast had no end".into());
        }
        report::done("broadcasts");
    }
}

/// Has windows that it does not serve.
fn idle(mut dice: Dice, folder: &Path) -> Result<(), String> {
    loop {
        let mut windows = Vec::new();
        for _ in 0..1 + dice.roll(3) {
            let window = Window::builder(name(folder, "window")).class(name(folder, "idle"));
            windows.push(window.create(|_| 0).map_err(text)?);
        }
        thread::sleep(Duration::from_micros(dice.roll(20_000)));
        report::done("windows that nobody served");
    }
}

/// When all workers are dead.
pub(crate) fn aftermath(folder: &Path) -> Result<(), String> {
    const TIMES: usize = 200;
    let news = name(folder, "news");
    let folder = folder.to_path_buf();
    // On a thread that ends with what it has.
    let looked = thread::spawn(move || {
        for what in ["served", "idle"] {
            let left = WindowSearch::new().class(name(&folder, what)).find_all();
            let left = left.map_err(text)?;
            if !left.is_empty() {
                return Err(format!("all are dead, and there are windows {left:?}"));
            }
        }
        // It is as if nothing had happened.
        let title = name(&folder, "after");
        let window = Window::create(&title, |message| result_of(message.wparam(), 0)).map_err(text)?;
        let handle = window.handle();
        let sender = thread::spawn(move || {
            for number in 0..TIMES {
                let result = handle.send_timeout(ASK, number, 0, SendMode::Normal, LONG);
                let result = result.map_err(text)?;
                if result != result_of(number, 0) {
                    return Err(format!("{number} got {result:#x}"));
                }
            }
            Ok(())
        });
        while !sender.is_finished() {
            pump(Duration::from_millis(5)).map_err(text)?;
        }
        sender.join().map_err(|_| "a sender panicked".to_string())?
    });
    looked.join().map_err(|_| "the driver panicked".to_string())??;
    // The list of messages' names that the dead leave goes with the next who knows one and ends in order.
    register_message(&news).map_err(text)?;
    nothing_left()
}

/// Whether nothing is left of the windows of this user. (Of other programs that have some there is.)
#[cfg(target_os = "linux")]
fn nothing_left() -> Result<(), String> {
    let user = quintet::UserId::current();
    let mut left = Vec::new();
    let mut look = |folder: &str, start: &str| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        left.extend(names.filter(|name| name.starts_with(start)));
    };
    look("/dev/shm", &format!("quintet.window.{user}"));
    look(&format!("/dev/shm/quintet-{user}"), "window");
    if left.is_empty() {
        return Ok(());
    }
    match WindowSearch::new().find_all() {
        // Somebody else's.
        Ok(others) if !others.is_empty() => Ok(()),
        _ => Err(format!("there is still {}", left.join(", "))),
    }
}

#[cfg(not(target_os = "linux"))]
fn nothing_left() -> Result<(), String> {
    Ok(())
}
