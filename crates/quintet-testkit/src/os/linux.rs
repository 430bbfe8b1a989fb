//! Signals and /proc.

use std::env;
use std::fmt::Write;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

/// Ends this process as `kill -9` does.
pub(crate) fn die() -> ! {
    // SAFETY: both calls take no pointers.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    loop {
        thread::park();
    }
}

/// Ends this process with no regard to what its threads are doing.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: it takes no pointers and runs nothing of this process.
    unsafe { libc::_exit(code) }
}

/// Waits until nobody can write into this process's stdin any more, without reading from it.
pub(crate) fn wait_for_the_end_of_stdin() {
    // With no event to wait for, only that the other ends are closed is told, or that there is no such descriptor.
    let mut stdin = libc::pollfd {
        fd: libc::STDIN_FILENO,
        events: 0,
        revents: 0,
    };
    // SAFETY: there is one entry, which lives across the call.
    while unsafe { libc::poll(&mut stdin, 1, -1) } < 1 {}
}

/// Has the kernel kill this process when the thread that started it ends: also while it is stopped and cannot see that
/// its stdin has ended.
pub(crate) fn tie_to_parent() {
    // SAFETY: this option takes a number. It cannot fail with a valid signal.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Has the kernel kill the program when the thread that starts it ends.
pub(crate) fn tie_to_us(command: &mut Command) {
    // SAFETY: what runs between fork and exec is one system call.
    unsafe {
        command.pre_exec(|| {
            tie_to_parent();
            Ok(())
        });
    }
}

/// Nothing is left to do for a child here: see [`tie_to_us`].
pub(crate) fn adopt(_child: &Child) {}

/// Here a program that can be started is.
pub(crate) fn started<T, E>(
    mut start: impl FnMut() -> Result<T, E>,
    _code: impl Fn(&E) -> Option<i32>,
) -> Result<T, E> {
    start()
}

/// Starts a program that may just have been written: while any other thread forks, the descriptor that wrote it is
/// open in a child for a moment, and the program is "busy".
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    for _ in 0..1000 {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                thread::sleep(Duration::from_millis(1))
            }
            result => return result,
        }
    }
    command.spawn()
}

pub(crate) fn is_root() -> bool {
    // SAFETY: it takes no arguments and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Sends a signal to a child that has not been waited for.
pub(crate) fn send_signal(pid: u32, signal: i32) {
    // SAFETY: it takes no pointers.
    unsafe { libc::kill(pid.cast_signed(), signal) };
}

/// Whether all of a process has been stopped by a signal.
pub(crate) fn is_stopped(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    threads
        .map(|thread| state(&format!("{}/stat", thread.path().display())))
        .all(|state| state.as_deref() == Some("T"))
}

/// The letter for what a process or thread is doing.
fn state(stat: &str) -> Option<String> {
    let stat = fs::read_to_string(stat).ok()?;
    // The name before it is in parentheses, and may contain some.
    let after_name = &stat[stat.rfind(')')? + 1..];
    Some(after_name.split_whitespace().next()?.to_owned())
}

/// Where named objects and temporary files are.
pub(crate) fn shared_places() -> Vec<PathBuf> {
    vec![PathBuf::from("/dev/shm"), PathBuf::from("/tmp"), env::temp_dir()]
}

/// The runtime folders of all users that are open to us.
pub(crate) fn runtime_folders() -> Vec<PathBuf> {
    let folders = fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    folders
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("quintet-"))
        .map(|entry| entry.path())
        .collect()
}

/// What a process, its threads and its children are doing.
pub(crate) fn describe_process(pid: u32) -> String {
    let mut text = String::new();
    describe_into(&mut text, pid, 1);
    text
}

fn describe_into(text: &mut String, pid: u32, depth: usize) {
    let indent = "  ".repeat(depth);
    let process = format!("/proc/{pid}");
    let exe = fs::read_link(format!("{process}/exe"))
        .map_or_else(|error| error.to_string(), |exe| exe.display().to_string());
    let doing = state(&format!("{process}/stat")).unwrap_or_else(|| "gone".to_owned());
    let _ = writeln!(text, "{indent}process {pid}: {exe}, state {doing}");
    let mut children = Vec::new();
    for thread in numbers(&format!("{process}/task")) {
        let file = |name: &str| {
            let content = fs::read_to_string(format!("{process}/task/{thread}/{name}")).unwrap_or_default();
            content.trim().to_owned()
        };
        let doing = state(&format!("{process}/task/{thread}/stat")).unwrap_or_else(|| "gone".to_owned());
        let _ = write!(text, "{indent}  thread {thread} ({}): {doing}", file("comm"));
        match file("wchan") {
            place if place.is_empty() || place == "0" => {}
            place => {
                let _ = write!(text, ", waits in {place}");
            }
        }
        match file("syscall") {
            call if call.is_empty() || call == "running" => {}
            call => {
                let _ = write!(text, ", system call {}{call}", call_name(&call));
            }
        }
        text.push('\n');
        let frames: Vec<_> = file("stack").lines().filter_map(frame_name).collect();
        if !frames.is_empty() {
            let _ = writeln!(text, "{indent}    {}", frames.join(" < "));
        }
        children.extend(
            file("children")
                .split_whitespace()
                .filter_map(|child| child.parse::<u32>().ok()),
        );
    }
    // Children of a peer; ours are on the test's list, or are another test's.
    if pid != std::process::id() && depth < 4 {
        for child in children {
            describe_into(text, child, depth + 1);
        }
    }
}

/// The function in a line of /proc/PID/stack; the entry to the kernel, the same in all, is none.
fn frame_name(line: &str) -> Option<String> {
    let name = line.trim_start_matches("[<0>] ").split('+').next()?;
    (!name.starts_with("do_syscall") && !name.starts_with("entry_")).then(|| name.to_owned())
}

/// The entries of a folder that are numbers, in order.
fn numbers(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut numbers: Vec<_> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// The name of a call that a process may well wait in, for the reader of /proc/PID/syscall.
fn call_name(call: &str) -> &'static str {
    let number = call
        .split_whitespace()
        .next()
        .and_then(|number| number.parse::<libc::c_long>().ok());
    match number {
        Some(libc::SYS_read) => "read ",
        Some(libc::SYS_write) => "write ",
        Some(libc::SYS_fcntl) => "fcntl ",
        Some(libc::SYS_flock) => "flock ",
        Some(libc::SYS_futex) => "futex ",
        Some(libc::SYS_futex_waitv) => "futex_waitv ",
        Some(libc::SYS_ppoll) => "ppoll ",
        #[cfg(target_arch = "x86_64")]
        Some(libc::SYS_poll) => "poll ",
        #[cfg(target_arch = "x86_64")]
        Some(libc::SYS_epoll_wait) => "epoll_wait ",
        Some(libc::SYS_epoll_pwait) => "epoll_pwait ",
        Some(libc::SYS_accept) => "accept ",
        Some(libc::SYS_accept4) => "accept4 ",
        Some(libc::SYS_connect) => "connect ",
        Some(libc::SYS_recvfrom) => "recvfrom ",
        Some(libc::SYS_recvmsg) => "recvmsg ",
        Some(libc::SYS_sendto) => "sendto ",
        Some(libc::SYS_sendmsg) => "sendmsg ",
        Some(libc::SYS_wait4) => "wait4 ",
        Some(libc::SYS_waitid) => "waitid ",
        Some(libc::SYS_nanosleep) => "nanosleep ",
        Some(libc::SYS_clock_nanosleep) => "clock_nanosleep ",
        _ => "",
    }
}
