use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::run;

/// Where things are: the workspace's root and its target folder.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        // Set by `cargo run` to this package's folder. Asked at run time, so that a moved checkout finds itself.
        let package = env::var_os("CARGO_MANIFEST_DIR").context("start this through `cargo xtask`")?;
        let root = Path::new(&package)
            .parent()
            .context("the xtask package has no folder around it")?
            .to_owned();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => std::path::absolute(folder)?,
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// A path below the workspace's root.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// A path below the target folder.
    pub(crate) fn target(&self, below: &str) -> PathBuf {
        self.target.join(below)
    }

    /// Where the Windows tools and Wine put their temporary files, instead of /tmp, where both leave some behind. One
    /// folder for all: Wine's programs find their server there.
    pub(crate) fn windows_tmp(&self) -> PathBuf {
        self.target("windows-tmp")
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Builds what `selection` selects for this machine; where `program` of it is.
    pub(crate) fn build(&self, selection: &[&str], program: &str) -> Result<PathBuf> {
        // The cargo that runs us.
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
        cargo
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            .args(["build", "--quiet"])
            .args(selection);
        run(&mut cargo)?;
        let profile = if selection.contains(&"--release") {
            "release"
        } else {
            "debug"
        };
        let program = self.target(profile).join(program);
        ensure!(program.is_file(), "{} was not built", program.display());
        Ok(program)
    }
}
