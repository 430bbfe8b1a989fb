use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::packages::Packages;
use crate::run::run;
use crate::workspace::Workspace;

/// Runs one Windows program.
pub(crate) const WINE: &str = "/usr/lib/wine/wine64";
/// Wine's kernel: one a prefix, started by the first program and shared by all.
const WINESERVER: &str = "/usr/lib/wine/wineserver64";

/// A Wine prefix of the project's own, in which Rust programs run.
///
/// Each user of the prefix holds a shared lock beside it while it works, so that the last one, and only that one, stops
/// the prefix's wineserver when it is dropped.
#[derive(Debug)]
pub(crate) struct Wine {
    prefix: PathBuf,
    tmp: PathBuf,
    lock: File,
}

impl Wine {
    /// Opens the prefix; makes it first, if it is not there or not as it should be.
    pub(super) fn open(workspace: &Workspace, packages: &Packages) -> Result<Self> {
        let prefix = workspace.target("wine");
        fs::create_dir_all(&prefix)?;
        let tmp = workspace.windows_tmp();
        fs::create_dir_all(&tmp)?;
        let lock = File::create(workspace.target("wine.lock"))?;
        let wine = Self { prefix, tmp, lock };

        let forwarder = workspace.path("xtask/wine/bcryptprimitives.c");
        let source =
            fs::read_to_string(&forwarder).with_context(|| format!("cannot read {}", forwarder.display()))?;
        let stamp = format!("wine64 {}\n{source}", packages.wine);

        wine.lock.lock_shared()?;
        while !wine.is_ready(&stamp) {
            wine.lock.unlock()?;
            wine.lock.lock()?;
            // Another process may have made it while we waited.
            if !wine.is_ready(&stamp) {
                wine.make(&forwarder, &stamp)?;
                ensure!(
                    wine.is_ready(&stamp),
                    "the Wine prefix {} is not usable after its setup",
                    wine.prefix.display()
                );
            }
            wine.lock.unlock()?;
            wine.lock.lock_shared()?;
        }
        Ok(wine)
    }

    /// Runs `program` under Wine in this prefix.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(WINE);
        command.arg(program);
        self.enter(&mut command);
        command
    }

    /// Makes whatever Windows program `command` starts run in this prefix.
    pub(crate) fn enter(&self, command: &mut Command) {
        command
            .env("WINEPREFIX", &self.prefix)
            .env("TMPDIR", &self.tmp)
            .env("WINEARCH", "win64")
            // A word only when Wine ends a thread for a fault in code of its own: no test should have to guess that.
            .env("WINEDEBUG", "-all,err+virtual,err+seh")
            // No offer to install an HTML engine, and no desktop menus in the user's home folder.
            .env("WINEDLLOVERRIDES", "mshtml=;winemenubuilder.exe=d")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY");
    }

    /// Whether the prefix is what `make` leaves behind. Looks at the things themselves, not only at the stamp.
    fn is_ready(&self, stamp: &str) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|found| found == stamp)
            && self.forwarder().is_file()
            && self.prefix.join("system.reg").is_file()
            && fs::read_to_string(self.prefix.join("user.reg"))
                .is_ok_and(|registry| registry.contains("\"Graphics\"=\"null\""))
    }

    fn make(&self, forwarder: &Path, stamp: &str) -> Result<()> {
        eprintln!("xtask: making the Wine prefix {}", self.prefix.display());
        self.stop();
        fs::remove_dir_all(&self.prefix)?;
        fs::create_dir_all(&self.prefix)?;

        run(self
            .command(Path::new("wineboot"))
            .arg("--init")
            .stderr(Stdio::null()))
        .context("wineboot cannot make the prefix")?;
        run(Command::new("x86_64-w64-mingw32-gcc")
            .args(["-shared", "-O2", "-s", "-Wall", "-Werror", "-o"])
            .arg(self.forwarder())
            .arg(forwarder)
            .arg("-ladvapi32"))?;
        // The null driver gives top-level windows without a display.
        run(self
            .command(Path::new("reg"))
            .args([
                "add",
                r"HKCU\Software\Wine\Drivers",
                "/v",
                "Graphics",
                "/d",
                "null",
                "/f",
            ])
            .stderr(Stdio::null()))?;
        // Writes the registry to its files, and lets the next program start a desktop with that driver.
        self.stop();
        fs::write(self.stamp(), stamp)?;
        Ok(())
    }

    /// Stops this prefix's wineserver, with every program in it, and waits until it is gone.
    fn stop(&self) {
        for request in ["-k", "-w"] {
            let mut command = Command::new(WINESERVER);
            self.enter(&mut command);
            // Fails when no server runs, which is what we want.
            let _ = command
                .arg(request)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }

    /// The folder itself stays: a build that has nothing to do with Wine may be using it.
    fn clear_tmp(&self) {
        for entry in fs::read_dir(&self.tmp).into_iter().flatten().flatten() {
            let path = entry.path();
            // Whatever does not go now goes next time.
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        }
    }

    fn stamp(&self) -> PathBuf {
        self.prefix.join("quintet-setup")
    }

    fn forwarder(&self) -> PathBuf {
        self.prefix.join("drive_c/windows/system32/bcryptprimitives.dll")
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        if self.lock.unlock().is_err() {
            return;
        }
        match self.lock.try_lock() {
            Ok(()) => {
                self.stop();
                self.clear_tmp();
            }
            // Somebody else is at work in the prefix, and will stop it.
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}
