//! A roll that somebody writes into. What a lane may contain is tried in the library's own tests, where one can write there.

use super::*;
use quintet::window::SendMode;
use quintet_testkit::{start_with_deadline, wrapped};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

// Where things are, as the layout says.
const SLOTS: u64 = 128;
const DESKS: u64 = SLOTS + 2048 * 64;
const ENTRIES: u64 = DESKS + 2048 * 192;

/// Numbers that follow no pattern, the same each time.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn number(state: &mut u64) -> u64 {
    let (kind, any) = (next(state) % 6, next(state));
    match kind {
        0 => 0,
        1 => u64::MAX - any % 16,
        2 => 1 << (any % 64),
        // A tag.
        3 => (any % 2100) << 32 | 3 << 20 | any >> 46,
        4 => any % 20_000,
        _ => any,
    }
}

/// A place of everything that counts of the first few.
fn place(state: &mut u64) -> u64 {
    let (kind, any) = (next(state) % 4, next(state));
    match kind {
        0 => 56 + any % 10 * 8,
        1 => SLOTS + any % 8 * 64 + any / 8 % 8 * 8,
        2 => DESKS + any % 8 * 192 + [0, 8, 64, 128, 136, 144][any as usize / 8 % 6],
        _ => ENTRIES + any % 8 * 832 + any / 8 % 16 * 8,
    }
}

#[track_caller]
fn ends<T>(result: Result<T, Error>) {
    if let Err(error) = result {
        use ErrorKind::{Corrupt, Disconnected, Full, NotFound, PeerDied, TimedOut, Unsupported};
        assert!(
            [
                Corrupt,
                Disconnected,
                Full,
                NotFound,
                PeerDied,
                TimedOut,
                Unsupported
            ]
            .contains(&error.kind()),
            "{error:?}"
        );
    }
}

fn uses(title: &str, over: &AtomicBool, uses: &AtomicU32) {
    let soon = Duration::from_millis(2);
    while !over.load(Ordering::Relaxed) {
        let own = Window::create(title, |message| message.wparam() as isize);
        let all = WindowHandle::find_all(None, None);
        for window in all.iter().flatten().take(8) {
            ends(window.send_timeout(WM_USER, 1, 1, SendMode::Normal, soon));
            ends(window.copy_data_timeout(1, &[1; 3000], SendMode::Block, soon));
            ends(window.post(WM_USER, 1, 1));
            ends(window.send_notify(WM_USER, 1, 1));
            ends(window.info());
            ends(window.is_hung());
            window.is_alive();
        }
        ends(all);
        if let Ok(own) = &own {
            ends(own.set_title("another"));
        }
        ends(pump(soon));
        ends(own);
        uses.fetch_add(1, Ordering::Relaxed);
    }
}

/// Uses windows from four threads, some of which end and begin again, while another writes into the roll.
pub(crate) fn is_scribbled_over(p: &mut Role) {
    let keeps = Window::create(p.arg(0), |_| 0).unwrap();
    let path = format!("/dev/shm/quintet.window.{}", quintet::UserId::current());
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut state = 0x9E37_79B9_7F4A_7C15;
    for _ in 0..8 {
        let over = Arc::new(AtomicBool::new(false));
        let used = Arc::new(AtomicU32::new(0));
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let (title, over, used) = (format!("{}-{number}", p.arg(0)), over.clone(), used.clone());
                thread::spawn(move || uses(&title, &over, &used))
            })
            .collect();
        while used.load(Ordering::Relaxed) < 100 {
            let (place, number) = (place(&mut state), number(&mut state));
            file.write_all_at(&number.to_le_bytes(), place).unwrap();
            if state.is_multiple_of(8) {
                // So that they get further than to what is wrong first.
                thread::sleep(Duration::from_micros(100));
            }
        }
        over.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
    drop(keeps);
    p.say("passed");
}

#[test]
fn whatever_stands_in_the_roll_is_an_error_at_worst() {
    let t = start_with_deadline(Duration::from_secs(200));
    // Not the one that other tests use.
    let mount = "mount -t tmpfs -o size=16m,mode=1777 none /dev/shm";
    let allowed = t.run(Command::new("unshare").args(["--mount", "sh", "-c", mount]));
    if !allowed.status.success() {
        eprintln!("skipped: only root can mount a /dev/shm of its own");
        return;
    }
    let mut peer = t.spawn_with("is_scribbled_over", &[&t.name("w")], |command| {
        let script = format!("{mount} && exec \"$@\"");
        *command = wrapped(command, "unshare", &["--mount", "sh", "-c", &script, "sh"]);
    });
    peer.expect("passed");
    peer.finish();
}
