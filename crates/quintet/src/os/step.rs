//! Where a test lets a process die, or a system call fail.
//!
//! Every system call of a mechanism goes through [`call`], so that a test can run an operation again and again, the
//! first time ending the process before its first call, then before its second, until it passes; or having the call fail
//! with an error of the test's choice instead. What a process does between two system calls nobody else can see, except
//! in shared memory, where [`step`] marks the places.
//!
//! Without the feature `test-hooks`, which only the tests of this crate have, both are nothing.

/// Runs a system call, unless a test wants otherwise.
#[inline(always)]
pub(crate) fn call<T, E: Failure>(call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    #[cfg(feature = "test-hooks")]
    if let Some(errno) = hooks::pass() {
        return Err(E::from_number(errno));
    }
    call()
}

/// An error that a test can make up from the system's number.
pub(crate) trait Failure {
    #[cfg_attr(
        not(feature = "test-hooks"),
        expect(dead_code, reason = "only tests make errors up")
    )]
    fn from_number(number: i32) -> Self;
}

impl Failure for std::io::Error {
    fn from_number(number: i32) -> Self {
        std::io::Error::from_raw_os_error(number)
    }
}

#[cfg(target_os = "linux")]
impl Failure for rustix::io::Errno {
    fn from_number(number: i32) -> Self {
        rustix::io::Errno::from_raw_os_error(number)
    }
}

#[cfg(feature = "test-hooks")]
pub mod hooks {
    //! What a test arms. For the thread that arms it, so that tests beside it are left alone.

    use std::cell::Cell;

    #[derive(Clone, Copy)]
    enum Act {
        Nothing,
        Die,
        Fail(i32),
    }

    thread_local! {
        static ACT: Cell<Act> = const { Cell::new(Act::Nothing) };
        static AT: Cell<u64> = const { Cell::new(0) };
        static PASSED: Cell<u64> = const { Cell::new(0) };
    }

    fn arm(act: Act, at: u64) {
        ACT.set(act);
        AT.set(at);
        PASSED.set(0);
    }

    /// Lets the process end, as by SIGKILL, before this thread's system call number `at` from now, counted from 0.
    pub fn die_at(at: u64) {
        arm(Act::Die, at);
    }

    /// Lets this thread's system call number `at` from now fail with `errno`, once.
    pub fn fail_at(at: u64, errno: i32) {
        arm(Act::Fail(errno), at);
    }

    /// Lets everything pass again: how many system calls there were since it was armed.
    pub fn disarm() -> u64 {
        ACT.set(Act::Nothing);
        PASSED.get()
    }

    pub(super) fn pass() -> Option<i32> {
        let number = PASSED.get();
        PASSED.set(number + 1);
        match ACT.get() {
            Act::Die if number == AT.get() => crate::os::process::die(),
            Act::Fail(errno) if number == AT.get() => Some(errno),
            _ => None,
        }
    }
}
