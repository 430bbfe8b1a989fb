//! Who a process is: uid, pid, executable.

use rustix::fd::AsFd;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A uid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UserId(u32);

impl UserId {
    /// The effective uid of this process.
    pub(crate) fn current() -> Self {
        UserId(rustix::process::geteuid().as_raw())
    }

    pub(crate) fn from_uid(uid: u32) -> Self {
        UserId(uid)
    }

    /// root, whom nothing keeps out.
    pub(crate) fn is_almighty(&self) -> bool {
        self.0 == 0
    }

    /// Whether this process may trust an object of that user without being told to.
    pub(super) fn is_trusted(&self) -> bool {
        self.is_almighty() || *self == UserId::current()
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A process, as far as it is known.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    pub(crate) user: Option<UserId>,
    pub(crate) executable: Option<PathBuf>,
}

impl Identity {
    /// A process known by its number, which the caller knows to be alive (and so not to be reused).
    pub(super) fn of_pid(pid: u32, user: Option<UserId>) -> Self {
        Identity {
            pid,
            user,
            executable: executable(pid),
        }
    }
}

/// The processes that have a file open of which `is_it`, given the descriptor's path in `/proc` and what it links to, as far as we
/// may look.
pub(super) fn with_a_file(is_it: impl Fn(&Path, &Path) -> bool) -> Vec<u32> {
    let has_it = |pid: &u32| {
        fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|fds| {
            fds.flatten()
                .any(|fd| fs::read_link(fd.path()).is_ok_and(|link| is_it(&fd.path(), &link)))
        })
    };
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(has_it)
        .collect()
}

/// The other processes that have this file in `/dev/shm` open, whether they take part in anything there or not. (One that has mapped it and
/// closed it is not found.)
pub(super) fn others_with(file: impl AsFd) -> Vec<Identity> {
    let Ok(file) = rustix::fs::fstat(file) else {
        return Vec::new();
    };
    let is_it = |fd: &Path, link: &Path| {
        link.starts_with("/dev/shm")
            && fs::metadata(fd).is_ok_and(|there| there.ino() == file.st_ino && there.dev() == file.st_dev)
    };
    let mut pids = with_a_file(is_it);
    pids.retain(|pid| *pid != std::process::id());
    pids.into_iter()
        .map(|pid| {
            let user = fs::metadata(format!("/proc/{pid}")).ok();
            Identity::of_pid(pid, user.map(|meta| UserId::from_uid(meta.uid())))
        })
        .collect()
}

/// The file that a process runs; `None` when it has ended or is not ours to look at.
fn executable(pid: u32) -> Option<PathBuf> {
    Pid::from_raw(i32::try_from(pid).ok()?)?;
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

pub(crate) use super::fork::generation;

/// How many cores the machine has for whoever may use them.
pub(crate) fn cores() -> usize {
    // SAFETY: takes a plain value and touches no memory of ours.
    let cores = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    usize::try_from(cores).unwrap_or(1)
}

/// The core that this thread is running on; it may be on another one the next moment.
pub(crate) fn core() -> usize {
    sched_getcpu()
}

/// Keeps this thread off that core, if there are others that it may run on, and if that is known to be allowed: in a sandbox it may
/// be the end of the process to ask for it.
pub(crate) fn keep_off(core: usize) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let filtered = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    if filtered.is_none_or(|mode| mode.trim() != "0") || core >= CpuSet::MAX_CPU {
        return;
    }
    if let Ok(mut cores) = sched_getaffinity(None) {
        cores.unset(core);
        // None at all is refused.
        let _ = sched_setaffinity(None, &cores);
    }
}

/// Which pid namespace this process's pids are of. Numbers of another one mean nothing here.
pub(crate) fn pid_space() -> u64 {
    static SPACE: OnceLock<u64> = OnceLock::new();
    *SPACE.get_or_init(|| fs::metadata("/proc/self/ns/pid").map_or(0, |space| space.ino()))
}

/// Ends this process at once, as SIGKILL does.
#[cfg(feature = "test-hooks")]
pub(crate) fn die() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort()
}
