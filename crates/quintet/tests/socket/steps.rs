//! Processes that die before any of their system calls, and calls that fail.

use super::{PATIENCE, any_port, number_of, numbered};
use quintet::socket::{Options, Pull, Push, Rep, Req};
use quintet::{Address, Result, test_hooks};
use quintet_testkit::{Role, eventually, start_with_deadline};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const EIO: i32 = 5;
const EMFILE: i32 = 24;

/// The lengths of what is sent, the last of which is written from where it is.
const LENS: [usize; 3] = [10, 100, 200_000];

/// Listens at `arg(0)`, and sends to `arg(1)`; dies before its system call number `arg(2)`.
pub(crate) fn dies_at_any_step(p: &mut Role) {
    test_hooks::die_at(p.arg(2).parse().unwrap());
    let pull = Pull::new().unwrap();
    pull.listen(p.arg(0)).unwrap();
    let push = Push::new().unwrap();
    push.dial(p.arg(1)).unwrap();
    for (number, len) in LENS.into_iter().enumerate() {
        push.send_timeout(numbered(number, len), PATIENCE).unwrap();
    }
    push.close().unwrap();
    drop(pull);
    test_hooks::disarm();
    p.say("passed");
}

/// Whatever a peer has done when it dies, what came is whole and in order, and its name can be taken at once.
#[test]
fn a_peer_that_dies_at_any_step_leaves_whole_messages_and_a_free_name() {
    let t = start_with_deadline(Duration::from_secs(120));
    let pull = Pull::new().unwrap();
    let here = pull
        .listen(format!("ipc://{}/here", t.temp_dir().display()).as_str())
        .unwrap();
    let there = format!("ipc://{}/there", t.temp_dir().display());
    for step in 0.. {
        let before = pull.stats();
        let mut peer = t.spawn(
            "dies_at_any_step",
            &[&there, &here.to_string(), &step.to_string()],
        );
        let mut next = 0;
        let mut message = Vec::new();
        let mut take = || {
            let taken = pull.recv_into(&mut message, Duration::from_millis(1)).is_ok();
            if taken {
                assert_eq!(number_of(&message, LENS[next]), next);
                next += 1;
            }
            taken
        };
        let mut passed = None;
        thread::scope(|scope| {
            let end = scope.spawn(|| peer.hear_or_end().is_some());
            while !end.is_finished() {
                take();
            }
            passed = Some(end.join().unwrap());
        });
        eventually("all of it has come", || {
            while take() {}
            let stats = pull.stats();
            stats.peers + stats.pending == 0
        });
        let stats = pull.stats();
        assert!(stats.broken - before.broken <= 1, "{stats:?}");
        drop(Pull::new().unwrap().listen(&*there).unwrap());
        if passed == Some(true) {
            assert_eq!((next, stats.broken), (LENS.len(), before.broken));
            return;
        }
        peer.wait_exit();
    }
}

fn ask(address: &Address) -> Result<()> {
    let req = Req::with(&Options::new().retry(Duration::from_secs(1)))?;
    req.dial(address)?;
    for (number, len) in LENS.into_iter().enumerate() {
        let question = numbered(number, len);
        assert!(req.request_timeout(&question, PATIENCE)? == question);
    }
    Ok(())
}

/// Answers whoever asks, until it is enough.
fn answer(rep: &Rep, enough: &AtomicBool) {
    while !enough.load(Ordering::Acquire) {
        if let Ok(request) = rep.recv_timeout(Duration::from_millis(10)) {
            let body = request.body().to_vec();
            // Who has gone meanwhile asks again.
            let _ = request.reply(body);
        }
    }
}

/// Runs `act` with its calls failing one after the other, on this thread, until it passes all.
fn fail_each(act: impl Fn() -> Result<()>) {
    for errno in [EIO, EMFILE] {
        for step in 0.. {
            test_hooks::fail_at(step, errno);
            let done = act();
            let calls = test_hooks::disarm();
            if calls <= step {
                done.unwrap();
                break;
            }
        }
    }
}

#[test]
fn an_asker_whose_calls_fail_gets_its_answer_or_an_error() {
    let _t = start_with_deadline(Duration::from_secs(120));
    let rep = Rep::new().unwrap();
    let address = rep.listen(any_port()).unwrap();
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| answer(&rep, &enough));
        fail_each(|| ask(&address));
        // And others are served.
        let asked = ask(&address);
        enough.store(true, Ordering::Release);
        asked.unwrap();
    });
}

#[test]
fn a_server_whose_calls_fail_serves_on() {
    let _t = start_with_deadline(Duration::from_secs(120));
    fail_each(|| {
        let rep = Rep::new()?;
        let address = rep.listen(any_port())?;
        let enough = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                // Nothing fails here, so that whatever fails there is made up for.
                let asked = ask(&address);
                enough.store(true, Ordering::Release);
                asked.unwrap();
            });
            answer(&rep, &enough);
        });
        Ok(())
    });
}
