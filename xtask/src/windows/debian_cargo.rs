use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::run::run;
use crate::workspace::Workspace;

const TRIPLE: &str = "x86_64-pc-windows-gnu";

/// Debian's cargo, set up to build for Windows along with the standard library.
#[derive(Debug)]
pub(crate) struct DebianCargo<'a> {
    workspace: &'a Workspace,
}

impl<'a> DebianCargo<'a> {
    pub(crate) fn new(workspace: &'a Workspace) -> Result<Self> {
        fs::create_dir_all(workspace.windows_tmp())?;
        Ok(Self { workspace })
    }

    /// `cargo SUBCOMMAND` for Windows.
    pub(crate) fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new("/usr/bin/cargo");
        for (name, _) in env::vars_os() {
            if !may_pass(&name) {
                command.env_remove(name);
            }
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(PathBuf::from("/usr/bin")).chain(env::split_paths(&path));
        command
            .current_dir(self.workspace.root())
            // Cargo finds rustc, rustdoc and clippy through PATH, where rustup's must not come first.
            .env("PATH", env::join_paths(folders).unwrap_or(path))
            // -Zbuild-std is what it is for: Debian has no compiled standard library for Windows.
            .env("RUSTC_BOOTSTRAP", "1")
            .env(
                "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER",
                "x86_64-w64-mingw32-gcc",
            )
            .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", super::wine::WINE)
            .env("TMPDIR", self.workspace.windows_tmp())
            .arg(subcommand)
            .args(["-Zbuild-std=std,panic_unwind", "--target", TRIPLE])
            // Not the folder of the other compiler: each would throw away what the other built.
            .arg("--target-dir")
            .arg(self.target());
        command
    }

    /// Builds the quintet command; where quintet.exe is.
    pub(crate) fn build_quintet(&self) -> Result<PathBuf> {
        self.build(&["-p", "quintet-cli"], "quintet.exe")
    }

    /// Builds what `selection` selects; where `program` of it is.
    pub(crate) fn build(&self, selection: &[&str], program: &str) -> Result<PathBuf> {
        run(self.command("build").arg("--quiet").args(selection))?;
        let program = self.target().join(TRIPLE).join("debug").join(program);
        ensure!(program.is_file(), "{} was not built", program.display());
        Ok(program)
    }

    fn target(&self) -> PathBuf {
        self.workspace.target("windows")
    }
}

/// Whether an environment variable may reach Debian's cargo.
///
/// `cargo xtask` runs under another cargo, often rustup's, which tells its children which compiler, which library path
/// and which package they belong to. None of that is true of this one; how to reach the network and what to print is.
fn may_pass(name: &OsStr) -> bool {
    const OURS: [&str; 4] = ["CARGO", "RUST", "CLIPPY", "LD_LIBRARY_PATH"];
    const PASS: [&str; 10] = [
        "CARGO_BUILD_JOBS",
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
        "RUST_BACKTRACE",
        "RUST_TEST_THREADS",
    ];
    let name = name.to_string_lossy();
    let begins = |prefix: &&str| name.starts_with(prefix);
    PASS.iter().any(begins) || !OURS.iter().any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_outer_cargo_says_of_itself_does_not_pass() {
        for name in [
            "CARGO",
            "CARGO_MANIFEST_DIR",
            "CARGO_PKG_NAME",
            "CARGO_TARGET_DIR",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC",
            "RUSTDOC",
            "RUSTDOCFLAGS",
            "RUSTUP_TOOLCHAIN",
            "RUST_RECURSION_COUNT",
            "LD_LIBRARY_PATH",
        ] {
            assert!(!may_pass(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn network_and_display_settings_pass() {
        for name in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "CARGO_TERM_COLOR",
            "CARGO_HTTP_CAINFO",
            "RUST_BACKTRACE",
        ] {
            assert!(may_pass(OsStr::new(name)), "{name}");
        }
    }
}
