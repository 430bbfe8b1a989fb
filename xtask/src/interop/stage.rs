use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::peer::Peer;

/// How long one case may take, programs' starts included.
const DEADLINE: Duration = Duration::from_secs(20);

/// One case's pipe name, deadline and programs. Dropping it kills what still runs and removes what lies about.
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

    /// The pipe's name, which no other case has.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The pipe's address for `quintet`.
    pub(crate) fn address(&self) -> String {
        format!("pipe://{}", self.name)
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
