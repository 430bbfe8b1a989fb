//! Terminating processes, and the job object that ends them with us.

use std::env;
use std::io;
use std::os::windows::io::AsRawHandle;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::ptr;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
};
use windows_sys::Win32::System::Pipes::PeekNamedPipe;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};

/// The exit code of a process that ended itself: what a Unix shell shows for `kill -9`.
const KILLED: i32 = 137;

/// Ends this process as from outside.
pub(crate) fn die() -> ! {
    exit_now(KILLED)
}

/// Waits until nobody can write into this process's stdin any more, without reading from it.
pub(crate) fn wait_for_the_end_of_stdin() {
    let stdin = io::stdin();
    let null = ptr::null_mut();
    // SAFETY: it asks about our stdin, which stays open, and is given no place to write to. It fails once the other ends
    // are closed; there is no call that waits for that.
    while unsafe {
        PeekNamedPipe(
            stdin.as_raw_handle(),
            null,
            0,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
        )
    } != 0
    {
        thread::sleep(Duration::from_millis(20));
    }
}

/// Ends this process with no regard to what its threads are doing.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: the handle stands for this process and is always valid.
    unsafe { TerminateProcess(GetCurrentProcess(), code.cast_unsigned()) };
    loop {
        std::thread::park();
    }
}

/// Nothing to do here: see [`adopt`].
pub(crate) fn tie_to_parent() {}

/// Nothing to do here: see [`adopt`].
pub(crate) fn tie_to_us(_command: &mut Command) {}

/// Has the system end the child when this process ends, however that happens.
pub(crate) fn adopt(child: &Child) {
    static JOB: OnceLock<usize> = OnceLock::new();
    let job = *JOB.get_or_init(new_job);
    if job != 0 {
        // SAFETY: both handles are valid: the job's is never closed, the child's lives as long as `child`.
        // If it fails, the child has ended, or is in a job that allows no other. It still ends with its stdin.
        unsafe { AssignProcessToJobObject(ptr::with_exposed_provenance_mut(job), child.as_raw_handle()) };
    }
}

/// A job whose processes end when its last handle is closed; we keep it open as long as we live. 0 if there is none.
fn new_job() -> usize {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    // SAFETY: no name and no security attributes is allowed; the information has the type and size of its class.
    unsafe {
        let job = CreateJobObjectW(ptr::null(), ptr::null());
        SetInformationJobObject(
            job,
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast(),
            size_of_val(&limits) as u32,
        );
        job.expose_provenance()
    }
}

/// Starts a program.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    started(|| command.spawn(), io::Error::raw_os_error)
}

/// Wine, when much is going on, now and then has an internal error (1359) instead of a new process, and the next try
/// succeeds; Windows has none.
pub(crate) fn started<T, E>(
    mut start: impl FnMut() -> Result<T, E>,
    code: impl Fn(&E) -> Option<i32>,
) -> Result<T, E> {
    const ERROR_INTERNAL_ERROR: i32 = 1359;
    for _ in 0..100 {
        match start() {
            Err(error) if code(&error) == Some(ERROR_INTERNAL_ERROR) => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            result => return result,
        }
    }
    start()
}

/// Where temporary files are; named objects are not files here, and go with their last user.
pub(crate) fn shared_places() -> Vec<PathBuf> {
    vec![env::temp_dir()]
}

pub(crate) fn runtime_folders() -> Vec<PathBuf> {
    Vec::new()
}

/// Windows has no simple way to tell what another process is waiting for.
pub(crate) fn describe_process(_pid: u32) -> String {
    String::new()
}
