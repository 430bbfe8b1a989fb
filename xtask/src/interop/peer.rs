use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::run::shown;
use crate::windows::WINE;

/// A program that takes part in a case. Killed when dropped.
///
/// What it reads and writes are files: no pipe to fill up, none that a helper process of its own could keep open, and
/// all of it is there to show when something goes wrong. (One that is told what to do line by line reads that from a
/// pipe.)
#[derive(Debug)]
pub(crate) struct Peer {
    shown: String,
    child: Child,
    /// Readable when the program has ended.
    ended: OwnedFd,
    stdout: PathBuf,
    stderr: PathBuf,
    /// Of one that is told what to do.
    orders: Option<ChildStdin>,
    /// How many lines of its stdout were asked for.
    answers: usize,
    under_wine: bool,
}

/// What is on its stdin.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    Bytes(&'a [u8]),
    /// Whatever it is told later.
    Orders,
}

impl Peer {
    /// Starts `command` with `input` on its stdin. Its files are `files` with an ending each.
    pub(crate) fn start(command: &mut Command, input: Input<'_>, files: &Path) -> Result<Self> {
        let stdin = match input {
            Input::Bytes(bytes) => {
                let stdin = files.with_extension("in");
                fs::write(&stdin, bytes)?;
                File::open(&stdin)?.into()
            }
            Input::Orders => Stdio::piped(),
        };
        let stdout = files.with_extension("out");
        let stderr = files.with_extension("err");
        let mut child = command
            .stdin(stdin)
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .spawn()
            .with_context(|| format!("cannot start {}", shown(command)))?;
        // The command holds our copies of the files, and they are of no use any more.
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let ended = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        Ok(Self {
            shown: shown(command),
            orders: child.stdin.take(),
            answers: 0,
            under_wine: command.get_program() == WINE,
            child,
            ended,
            stdout,
            stderr,
        })
    }

    /// Waits until the program has said on its stderr that it is ready for the others.
    pub(crate) fn wait_ready(&self, deadline: Instant) -> Result<()> {
        let said = || fs::read(&self.stderr).is_ok_and(|text| text.windows(5).any(|word| word == b"ready"));
        while !said() {
            ensure!(Instant::now() < deadline, "{}: not ready in time", self.shown);
            // A file cannot be waited for; the program's end can, and so it is what makes the pause.
            if self.has_ended(Duration::from_millis(2))? && !said() {
                bail!("{}: ended before it was ready", self.shown);
            }
        }
        Ok(())
    }

    /// Tells the program to do something.
    pub(crate) fn tell(&mut self, order: &str) -> Result<()> {
        let orders = self.orders.as_mut().context("its orders have ended")?;
        orders
            .write_all(format!("{order}\n").as_bytes())
            .with_context(|| format!("{}: cannot tell it to {order}", self.shown))
    }

    /// That was all: the program's stdin ends.
    pub(crate) fn end_orders(&mut self) {
        self.orders = None;
    }

    /// Waits for the next line on the program's stdout.
    pub(crate) fn answer(&mut self, deadline: Instant) -> Result<String> {
        loop {
            // Asked first: what it wrote before its end is there by then.
            let ended = self.has_ended(Duration::ZERO)?;
            let text = String::from_utf8_lossy(&fs::read(&self.stdout)?).into_owned();
            if let Some(line) = text.split_inclusive('\n').nth(self.answers)
                && let Some(line) = line.strip_suffix('\n')
            {
                self.answers += 1;
                return Ok(line.to_owned());
            }
            ensure!(!ended, "{}: ended without an answer", self.shown);
            ensure!(Instant::now() < deadline, "{}: no answer in time", self.shown);
            self.has_ended(Duration::from_millis(2))?;
        }
    }

    /// Waits for the program's end, which must be a success, and returns what it wrote to its stdout.
    pub(crate) fn finish(&mut self, deadline: Instant) -> Result<Vec<u8>> {
        let status = self.end(deadline)?;
        ensure!(status.success(), "{}: {status}", self.shown);
        Ok(fs::read(&self.stdout)?)
    }

    /// Waits for the program's end, which must have this exit code; what it wrote to its stdout and to its stderr.
    pub(crate) fn finish_as(&mut self, code: i32, deadline: Instant) -> Result<(Vec<u8>, String)> {
        let status = self.end(deadline)?;
        ensure!(
            status.code() == Some(code),
            "{}: {status}, where {code} was expected",
            self.shown
        );
        let complaint = String::from_utf8_lossy(&fs::read(&self.stderr)?).into_owned();
        Ok((fs::read(&self.stdout)?, complaint))
    }

    /// Ends the program as `kill -9` does.
    pub(crate) fn kill(&mut self, deadline: Instant) -> Result<()> {
        self.child.kill()?;
        self.end(deadline).map(drop)
    }

    fn end(&mut self, deadline: Instant) -> Result<ExitStatus> {
        let left = deadline.saturating_duration_since(Instant::now());
        ensure!(
            self.has_ended(left)?,
            "{}: still running at the deadline",
            self.shown
        );
        Ok(self.child.wait()?)
    }

    /// Whether Wine ended it: with a code of 1 and not a word but Wine's own, as no program here does of itself. (Wine
    /// ends a thread so that faults in Wine's code. Seen once in CI, and not in 7,000 starts of the same program since.)
    pub(crate) fn fell_with_wine(&mut self) -> bool {
        let text = |file: &Path| fs::read_to_string(file).unwrap_or_default();
        let is_of_wine = |line: &str| line.contains(":err:") || line.starts_with("wine client error");
        self.under_wine
            && matches!(self.child.try_wait(), Ok(Some(status)) if status.code() == Some(1))
            && text(&self.stdout).is_empty()
            && text(&self.stderr).lines().all(is_of_wine)
    }

    /// What the program was and wrote, for a report.
    pub(crate) fn transcript(&mut self) -> String {
        let state = match self.child.try_wait() {
            Ok(Some(status)) => status.to_string(),
            _ => "was running".to_owned(),
        };
        let mut text = format!("  {} ({state})\n", self.shown);
        for (name, file) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let bytes = fs::read(file).unwrap_or_default();
            let start = &bytes[..bytes.len().min(2000)];
            text += &format!("    {name}, {} bytes:\n", bytes.len());
            for line in String::from_utf8_lossy(start).lines() {
                text += &format!("      {line}\n");
            }
        }
        text
    }

    fn has_ended(&self, within: Duration) -> Result<bool> {
        let timeout = Timespec::try_from(within)?;
        let mut fds = [PollFd::new(&self.ended, PollFlags::IN)];
        Ok(poll(&mut fds, Some(&timeout))? > 0)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
