use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::run::shown;

/// A program that takes part in a case. Killed when dropped.
///
/// What it reads and writes are files: no pipe to fill up, none that a helper process of its own could keep open, and
/// all of it is there to show when something goes wrong.
#[derive(Debug)]
pub(crate) struct Peer {
    shown: String,
    child: Child,
    /// Readable when the program has ended.
    ended: OwnedFd,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Peer {
    /// Starts `command` with `input` on its stdin. Its files are `files` with an ending each.
    pub(crate) fn start(command: &mut Command, input: &[u8], files: &Path) -> Result<Self> {
        let stdin = files.with_extension("in");
        let stdout = files.with_extension("out");
        let stderr = files.with_extension("err");
        fs::write(&stdin, input)?;
        let child = command
            .stdin(File::open(&stdin)?)
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

    /// Waits for the program's end, which must be a success, and returns what it wrote to its stdout.
    pub(crate) fn finish(&mut self, deadline: Instant) -> Result<Vec<u8>> {
        let left = deadline.saturating_duration_since(Instant::now());
        ensure!(
            self.has_ended(left)?,
            "{}: still running at the deadline",
            self.shown
        );
        let status = self.child.wait()?;
        ensure!(status.success(), "{}: {status}", self.shown);
        Ok(fs::read(&self.stdout)?)
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
