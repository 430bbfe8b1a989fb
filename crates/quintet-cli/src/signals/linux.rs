//! Linux: a thread takes the signals from a descriptor and sends them on.

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::thread;

/// What people and programs send to a command to tell it something. (Ctrl-Z is for quintet too, and does what it does.)
const PASSED_ON: [Signal; 6] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// Those that Ctrl-C and Ctrl-\ send. (A terminal that is closed sends SIGHUP, but not always to all.)
const KEYS: [i32; 2] = [Signal::SIGINT as i32, Signal::SIGQUIT as i32];

/// `si_code` of what the kernel sends by itself, as for a key at a terminal.
const SI_KERNEL: i32 = 0x80;

/// The signals that were blocked when this process was started.
static BLOCKED: OnceLock<SigSet> = OnceLock::new();

/// A descriptor of the command's process: its number may be another's once it has been waited for.
#[derive(Debug)]
pub(super) struct Process(Option<OwnedFd>);

impl Process {
    pub(super) fn of(child: &Child) -> Self {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Process(pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()))
    }

    fn send(&self, signal: i32) {
        if let (Some(process), Some(signal)) = (&self.0, rustix::process::Signal::from_named_raw(signal)) {
            // It fails if the command has just ended, of which its exit code tells.
            let _ = pidfd_send_signal(process, signal);
        }
    }
}

pub(super) fn handle() -> Result<(), String> {
    let ignored = ignored();
    let mut signals = SigSet::empty();
    // What was ignored when we were started, as by nohup(1), the command is to ignore as well.
    for signal in PASSED_ON.into_iter().filter(|signal| !is_in(ignored, *signal)) {
        signals.add(signal);
    }
    let failed = |error: nix::Error| error.to_string();
    // Threads that are started from now on block them too; so would the command, see `prepare`.
    let before = SigSet::thread_get_mask().map_err(failed)?;
    let _ = BLOCKED.set(before);
    signals.thread_block().map_err(failed)?;
    let source = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC).map_err(failed)?;
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            loop {
                if let Ok(Some(signal)) = source.read_signal() {
                    pass_on(&signal);
                }
            }
        })
        .map_err(|error| error.to_string())?;
    Ok(())
}

/// Lets the command have its signals, and those that have come for it between fork and exec.
pub(super) fn prepare(command: &mut Command) {
    let Some(blocked) = BLOCKED.get() else {
        return;
    };
    let unblock = || Ok(blocked.thread_set_mask()?);
    // SAFETY: between fork and exec the closure only makes a system call: it takes no lock and no memory, and what it reads
    // was set before the fork, for good.
    unsafe { command.pre_exec(unblock) };
}

fn pass_on(info: &siginfo) {
    let signal = info.ssi_signo.cast_signed();
    let running = super::running();
    match &*running {
        // A key at the terminal has sent it to all processes in its foreground, the command included.
        Some(_) if info.ssi_code == SI_KERNEL && KEYS.contains(&signal) => {}
        Some(process) => process.send(signal),
        None => super::end(running, 128 + signal),
    }
}

/// The signals that this process was told to ignore, as a set of bits.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .unwrap_or(0)
}

fn is_in(set: u64, signal: Signal) -> bool {
    set >> (signal as u32 - 1) & 1 == 1
}
