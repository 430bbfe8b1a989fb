use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::peer::{Input, Peer};

/// How long one case may take, programs' starts included.
const DEADLINE: Duration = Duration::from_secs(20);

/// One case's object name, deadline and programs. Dropping it kills what still runs and removes what lies about.
#[derive(Debug)]
pub(crate) struct Stage {
    name: String,
    /// The folder that the programs take for TMPDIR, if it is not to be the default.
    tmpdir: Option<PathBuf>,
    folder: PathBuf,
    deadline: Instant,
    peers: Vec<Peer>,
}

/// A program on a stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Role(usize);

impl Stage {
    /// `folder` is there, and is the stage's own.
    pub(crate) fn new(name: String, folder: PathBuf) -> Self {
        Self {
            name,
            tmpdir: None,
            folder,
            deadline: Instant::now() + DEADLINE,
            peers: Vec::new(),
        }
    }

    /// The object's name, which no other case has.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The stage's own folder, which goes with the suite.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The pipe's address for `quintet`.
    pub(crate) fn address(&self) -> String {
        self.address_of("pipe")
    }

    /// The address of another kind of object.
    pub(crate) fn address_of(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.name)
    }

    /// Gives the programs a TMPDIR of their own, instead of none.
    pub(crate) fn set_tmpdir(&mut self) -> Result<()> {
        // Short, because a socket's path has room for 107 bytes.
        let folder = Path::new("/tmp").join(&self.name);
        fs::create_dir(&folder)?;
        self.tmpdir = Some(folder);
        Ok(())
    }

    /// Where a pipe of this name is on Linux.
    pub(crate) fn socket(&self) -> PathBuf {
        let folder = self.tmpdir.as_deref().unwrap_or(Path::new("/tmp"));
        folder.join(format!("CoreFxPipe_{}", self.name))
    }

    /// Starts a program with `input` on its stdin.
    pub(crate) fn start(&mut self, command: &mut Command, input: &[u8]) -> Result<Role> {
        self.start_with(command, Input::Bytes(input))
    }

    /// Starts a program that is told what to do.
    pub(crate) fn start_for_orders(&mut self, command: &mut Command) -> Result<Role> {
        self.start_with(command, Input::Orders)
    }

    fn start_with(&mut self, command: &mut Command, input: Input<'_>) -> Result<Role> {
        let role = Role(self.peers.len());
        // What runs under Wine comes with its own, by which it finds its server.
        if !command.get_envs().any(|(name, _)| name == "TMPDIR") {
            match &self.tmpdir {
                Some(folder) => command.env("TMPDIR", folder),
                None => command.env_remove("TMPDIR"),
            };
        }
        let files = self.folder.join(format!("{}-{}", self.name, role.0));
        self.peers.push(Peer::start(command, input, &files)?);
        Ok(role)
    }

    /// Waits until a program of ours, which says so, is ready for the others.
    pub(crate) fn wait_ready(&self, role: Role) -> Result<()> {
        self.peers[role.0].wait_ready(self.deadline)
    }

    /// Tells a program to do something; its answer must be `expected`.
    pub(crate) fn ask(&mut self, role: Role, order: &str, expected: &str) -> Result<()> {
        self.tell(role, order)?;
        self.answer(role, expected).with_context(|| order.to_owned())
    }

    /// Tells a program to do something that may take until others have done something.
    pub(crate) fn tell(&mut self, role: Role, order: &str) -> Result<()> {
        self.peers[role.0].tell(order)
    }

    /// Waits for a program's next answer, which must be `expected`.
    pub(crate) fn answer(&mut self, role: Role, expected: &str) -> Result<()> {
        let answer = self.peers[role.0].answer(self.deadline)?;
        ensure!(
            answer == expected,
            "the answer is {answer:?}, where {expected:?} was expected"
        );
        Ok(())
    }

    /// Tells a program that this was all; it must succeed.
    pub(crate) fn dismiss(&mut self, role: Role) -> Result<()> {
        self.end_orders(role);
        self.finish(role).map(drop)
    }

    /// Ends what a program, or the command it was given, is told.
    pub(crate) fn end_orders(&mut self, role: Role) {
        self.peers[role.0].end_orders();
    }

    /// Ends a program as `kill -9` does. (What it started may still run, and be told things.)
    pub(crate) fn kill(&mut self, role: Role) -> Result<()> {
        self.peers[role.0].kill(self.deadline)
    }

    /// Waits for a program's end with this exit code.
    pub(crate) fn finish_as(&mut self, role: Role, code: i32) -> Result<()> {
        self.peers[role.0].finish_as(code, self.deadline).map(drop)
    }

    /// Waits for a program's end with this exit code, in which it wrote nothing to its stdout and says `why`.
    pub(crate) fn finish_saying(&mut self, role: Role, code: i32, why: &str) -> Result<()> {
        let (written, complaint) = self.peers[role.0].finish_as(code, self.deadline)?;
        ensure!(written.is_empty(), "it wrote something to its stdout");
        ensure!(complaint.contains(why), "it does not say {why:?}");
        Ok(())
    }

    /// Waits for a program's success; what it wrote.
    pub(crate) fn finish(&mut self, role: Role) -> Result<Vec<u8>> {
        self.peers[role.0].finish(self.deadline)
    }

    /// Waits for a program's success; it must have written `expected`.
    pub(crate) fn finish_with(&mut self, role: Role, expected: &[u8]) -> Result<()> {
        let written = self.finish(role)?;
        let same = written.iter().zip(expected).take_while(|(a, b)| a == b).count();
        ensure!(
            written == expected,
            "{} bytes arrived of {}, of which the first {same} are right",
            written.len(),
            expected.len(),
        );
        Ok(())
    }

    /// Whether Wine, and not a program on the stage, is to blame for a case that failed.
    pub(crate) fn fell_with_wine(&mut self) -> bool {
        self.peers.iter_mut().any(Peer::fell_with_wine)
    }

    /// What the programs were and wrote, for a report.
    pub(crate) fn transcript(&mut self) -> String {
        self.peers.iter_mut().map(Peer::transcript).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.peers.clear();
        // Both are usually gone, or never were.
        let _ = fs::remove_file(self.socket());
        if let Some(folder) = &self.tmpdir {
            let _ = fs::remove_dir_all(folder);
        }
    }
}
