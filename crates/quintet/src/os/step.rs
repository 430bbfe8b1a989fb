//! Where a test lets a process die, or a system call fail.
//!
//! Every system call of a mechanism goes through [`call`], so that a test can run an operation again and again, the
//! first time ending the process before its first call, then before its second, until it passes; or having the call fail
//! with an error of the test's choice instead. What a process does between two system calls nobody else can see, except
//! in shared memory, where [`step`] marks the places.
//!
//! Without the feature `test-hooks`, which only the tests of this crate have, both are nothing.

/// Runs a system call, again if a signal interrupted it; or lets it fail, where a test wants that.
#[inline(always)]
pub(crate) fn call<T, E: Failure>(mut call: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    loop {
        #[cfg(feature = "test-hooks")]
        let result = match hooks::pass() {
            Some(errno) => Err(E::from_number(errno)),
            None => call(),
        };
        #[cfg(not(feature = "test-hooks"))]
        let result = call();
        match result {
            Err(error) if error.is_interruption() => {}
            #[cfg(feature = "test-hooks")]
            Err(error) if error.would_block() => {
                hooks::look_again();
                return Err(error);
            }
            result => return result,
        }
    }
}

/// A step of an algorithm in shared memory: what follows, others can see. Between any two of these a test lets the process
/// end, or, in a model, a thread stop for ever.
#[inline(always)]
pub(crate) fn step() {
    #[cfg(all(feature = "test-hooks", not(loom)))]
    hooks::step();
    #[cfg(loom)]
    stopping::step();
}

#[cfg(loom)]
pub(crate) mod stopping {
    //! How a thread of a model stops for ever in the middle of an operation: it unwinds, and does nothing more.

    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    loom::thread_local! {
        static LEFT: Cell<Option<u32>> = Cell::new(None);
    }

    struct Stopped;

    pub(super) fn step() {
        LEFT.with(|left| match left.get() {
            Some(0) => {
                left.set(None);
                resume_unwind(Box::new(Stopped));
            }
            Some(steps) => left.set(Some(steps - 1)),
            None => {}
        });
    }

    /// Runs `act`, and stops before its step number `steps`, from 0; `None` if it stopped.
    pub(crate) fn after<T>(steps: u32, act: impl FnOnce() -> T) -> Option<T> {
        LEFT.with(|left| left.set(Some(steps)));
        let done = catch_unwind(AssertUnwindSafe(act));
        LEFT.with(|left| left.set(None));
        match done {
            Ok(done) => Some(done),
            Err(panic) if panic.is::<Stopped>() => None,
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// An error of a system call.
pub(crate) trait Failure {
    fn is_interruption(&self) -> bool;

    /// One of the test's choice, from the system's number.
    #[cfg_attr(
        not(feature = "test-hooks"),
        expect(dead_code, reason = "only tests make errors up")
    )]
    fn from_number(number: i32) -> Self;

    /// Whether it only says that there is nothing yet.
    #[cfg_attr(
        not(feature = "test-hooks"),
        expect(dead_code, reason = "only tests count calls")
    )]
    fn would_block(&self) -> bool;
}

impl Failure for std::io::Error {
    fn is_interruption(&self) -> bool {
        self.kind() == std::io::ErrorKind::Interrupted
    }

    fn from_number(number: i32) -> Self {
        std::io::Error::from_raw_os_error(number)
    }

    fn would_block(&self) -> bool {
        self.kind() == std::io::ErrorKind::WouldBlock
    }
}

#[cfg(target_os = "linux")]
impl Failure for rustix::io::Errno {
    fn is_interruption(&self) -> bool {
        *self == rustix::io::Errno::INTR
    }

    fn from_number(number: i32) -> Self {
        rustix::io::Errno::from_raw_os_error(number)
    }

    fn would_block(&self) -> bool {
        *self == rustix::io::Errno::AGAIN
    }
}

#[cfg(feature = "test-hooks")]
pub mod hooks {
    //! What a test arms. For the thread that arms it, so that tests beside it are left alone.

    use std::cell::Cell;

    #[derive(Clone, Copy, Default)]
    enum Act {
        #[default]
        Nothing,
        Die,
        Fail(i32),
    }

    #[derive(Clone, Copy, Default)]
    struct Plan {
        act: Act,
        at: u64,
        passed: u64,
    }

    thread_local! {
        static PLAN: Cell<Plan> = Cell::default();
    }

    fn arm(act: Act, at: u64) {
        PLAN.set(Plan { act, at, passed: 0 });
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
        PLAN.replace(Plan::default()).passed
    }

    /// A call found nothing yet, so it will be made again, nobody knows how often: all of them count as one.
    pub(super) fn look_again() {
        let plan = PLAN.get();
        PLAN.set(Plan {
            passed: plan.passed.saturating_sub(1),
            ..plan
        });
    }

    /// A step in shared memory: a place to die, not to fail.
    pub(super) fn step() {
        if matches!(PLAN.get().act, Act::Die) {
            pass();
        }
    }

    pub(super) fn pass() -> Option<i32> {
        let plan = PLAN.get();
        PLAN.set(Plan {
            passed: plan.passed + 1,
            ..plan
        });
        match plan.act {
            Act::Die if plan.passed == plan.at => crate::os::process::die(),
            Act::Fail(errno) if plan.passed == plan.at => Some(errno),
            _ => None,
        }
    }
}
