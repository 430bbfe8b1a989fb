//! Counts system calls exactly, by a seccomp filter: that needs no privilege and no other process.

use crate::row::Result;
use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So often before it counts: what is done once a thread is done then, such as malloc's first memory.
const BEFORE: u32 = 1_000;
const COUNTED: u32 = 10_000;

/// Beyond it, it counts as hanging: a call that is counted is not made, and it may be needed.
const DEADLINE: Duration = Duration::from_secs(5);

static CALLS: AtomicU64 = AtomicU64::new(0);

const RUNNING: usize = 0;
const DONE: usize = 1;
const FAILED: usize = 2;

/// How many system calls `operation` makes in ten thousand turns, on a thread of its own. One at a time in a process.
pub(crate) fn count_calls(operation: impl Fn() -> Result<()> + Send + 'static) -> Result<u64> {
    // SAFETY: the handler does nothing but add to an atomic.
    unsafe { libc::signal(libc::SIGSYS, on_call as *const () as libc::sighandler_t) };
    CALLS.store(0, Ordering::Relaxed);
    let state = Arc::new(AtomicUsize::new(RUNNING));
    let why = Arc::new(Mutex::new(String::new()));
    let (theirs, reason) = (state.clone(), why.clone());
    std::thread::spawn(move || {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            *reason.lock().unwrap_or_else(PoisonError::into_inner) = error.to_string();
            theirs.store(FAILED, Ordering::Release);
        };
        if let Err(error) = (0..BEFORE)
            .try_for_each(|_| operation())
            .and_then(|()| watch_this_thread())
        {
            return failed(error);
        }
        let result = (0..COUNTED).try_for_each(|_| operation());
        // The thread's end is none at which anything is dropped.
        drop(operation);
        theirs.store(if result.is_ok() { DONE } else { FAILED }, Ordering::Release);
        // All that a thread does at its end would be counted, and not be done. So it just ends; its stack stays.
        loop {
            // SAFETY: ends this thread, which has nothing that anybody waits for.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        }
    });
    let deadline = Instant::now() + DEADLINE;
    loop {
        std::thread::sleep(Duration::from_micros(200));
        let calls = CALLS.load(Ordering::Relaxed);
        match state.load(Ordering::Acquire) {
            DONE => return Ok(CALLS.load(Ordering::Relaxed)),
            RUNNING if Instant::now() < deadline => {}
            RUNNING => return Err(format!("it hangs, {calls} system calls that were not made later").into()),
            _ if calls > 0 => return Ok(calls),
            _ => {
                let why = why.lock().unwrap_or_else(PoisonError::into_inner);
                return Err(format!("its system calls cannot be counted: {why}").into());
            }
        }
    }
}

extern "C" fn on_call(_: libc::c_int) {
    CALLS.fetch_add(1, Ordering::Relaxed);
}

/// From now on every system call of this thread is SIGSYS instead, but for the end of that signal and of the thread.
fn watch_this_thread() -> Result<()> {
    let step = |code: u32, jt, jf, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let mut steps = [
        // The number of the call is the first thing in what a filter sees.
        step(BPF_LD | BPF_W | BPF_ABS, 0, 0, 0),
        step(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, libc::SYS_rt_sigreturn as u32),
        step(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, libc::SYS_exit as u32),
        step(BPF_RET | BPF_K, 0, 0, libc::SECCOMP_RET_TRAP),
        step(BPF_RET | BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: plain numbers; and a program that is there during the call, which copies it.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) == 0
    };
    if done {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_counts_and_nothing_else_does() {
        let number = AtomicU64::new(0);
        let silent = move || {
            number.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        assert_eq!(count_calls(silent).unwrap(), 0);
        let loud = || {
            // SAFETY: takes nothing and touches no memory.
            unsafe { libc::getppid() };
            Ok(())
        };
        assert_eq!(count_calls(loud).unwrap(), u64::from(COUNTED));
        let failing = || Err("for the test".into());
        assert!(
            count_calls(failing)
                .unwrap_err()
                .to_string()
                .contains("for the test")
        );
    }
}
