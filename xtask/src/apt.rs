use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::{output, run, shown};

/// Debian packages: which are there, and installing those that are not.
#[derive(Debug)]
pub(crate) struct Apt {
    /// Packages and their versions, as installed.
    installed: BTreeMap<String, String>,
}

impl Apt {
    pub(crate) fn read() -> Result<Self> {
        let listing = output(Command::new("dpkg-query").args([
            "--show",
            "--showformat=${db:Status-Status} ${Package} ${Version}\n",
        ]))?;
        Ok(Self {
            installed: installed(&listing),
        })
    }

    pub(crate) fn version(&self, package: &str) -> Option<&str> {
        self.installed.get(package).map(String::as_str)
    }

    /// Installs what is missing of `any`, at whatever version there is, and of `alike`, all at one version.
    ///
    /// Asks the network only when something is missing.
    pub(crate) fn require(&mut self, any: &[&str], alike: &[&str]) -> Result<()> {
        let mut wanted: Vec<String> = any
            .iter()
            .filter(|package| self.version(package).is_none())
            .map(|package| (*package).to_owned())
            .collect();
        let agree = self.agree(alike);
        if wanted.is_empty() && agree {
            return Ok(());
        }

        // One of the machine's other sources may be unreachable or unsigned, which is none of our business: what
        // counts is whether the packages can be installed.
        if let Err(error) = run(apt_get().arg("update")) {
            eprintln!("xtask: going on in spite of {error:#}");
        }
        if !agree {
            let listing = output(Command::new("apt-cache").arg("madison").args(alike))?;
            let version = newest_common(&listing, alike)
                .with_context(|| format!("no version is there for all of {}\n{listing}", alike.join(", ")))?;
            wanted.extend(alike.iter().map(|package| format!("{package}={version}-*")));
        }

        let mut install = apt_get();
        install
            .args(["install", "--yes", "--no-install-recommends"])
            .args(wanted);
        ensure!(
            rustix::process::geteuid().is_root(),
            "packages are missing; run as root: {}",
            shown(&install)
        );
        run(&mut install)?;

        *self = Self::read()?;
        for package in any {
            ensure!(
                self.version(package).is_some(),
                "{package} is not there after its installation"
            );
        }
        ensure!(
            self.agree(alike),
            "the versions of {} do not agree after their installation",
            alike.join(", ")
        );
        Ok(())
    }

    /// Fetches the source of a package, as its authors published it; where the archive is. The machine need not have a list
    /// of sources: there is one below `folder`.
    pub(crate) fn source(&self, package: &str, folder: &Path) -> Result<PathBuf> {
        let folder = folder.join("apt");
        let (lists, cache) = (folder.join("lists"), folder.join("cache"));
        for below in [lists.join("partial"), cache.join("archives/partial")] {
            fs::create_dir_all(below)?;
        }
        let release = fs::read_to_string("/etc/os-release")?;
        let codename = release
            .lines()
            .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
            .context("this is no release of Debian")?;
        let sources = folder.join("sources.list");
        let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
        fs::write(
            &sources,
            format!("deb-src [signed-by={keys}] http://deb.debian.org/debian {codename} main\n"),
        )?;
        let apt_get = || {
            let mut command = apt_get();
            command
                .current_dir(&folder)
                .arg(format!("-oDir::Etc::sourcelist={}", sources.display()))
                .arg("-oDir::Etc::sourceparts=/dev/null")
                .arg(format!("-oDir::State::lists={}", lists.display()))
                .arg(format!("-oDir::Cache={}", cache.display()))
                // It is our own folder, which apt's own user may not see.
                .arg("-oAPT::Sandbox::User=root");
            command
        };
        run(apt_get().arg("update"))?;
        run(apt_get().args(["source", "--download-only", package]))?;
        let original = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&format!("{package}_")) && name.contains(".orig.tar.") && !name.ends_with(".asc")
        };
        fs::read_dir(&folder)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(original)
            .with_context(|| format!("the source of {package} has no archive"))
    }

    /// Whether all are installed at one upstream version.
    fn agree(&self, packages: &[&str]) -> bool {
        packages.iter().all(|package| self.version(package).is_some())
            && packages
                .windows(2)
                .all(|pair| self.version(pair[0]).map(upstream) == self.version(pair[1]).map(upstream))
    }
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Another installation on the machine may hold the lock for a while.
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(["-o", "Dpkg::Use-Pty=0", "--quiet"]);
    command
}

fn installed(listing: &str) -> BTreeMap<String, String> {
    listing
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next()? == "installed").then_some(())?;
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        })
        .collect()
}

/// The version without Debian's own revision, which may differ between packages of one source.
fn upstream(version: &str) -> &str {
    version.rsplit_once('-').map_or(version, |(upstream, _)| upstream)
}

/// The newest upstream version that every package has, from the output of `apt-cache madison`, which lists each
/// package's versions newest first.
fn newest_common(listing: &str, packages: &[&str]) -> Option<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in listing.lines() {
        let mut fields = line.split('|').map(str::trim);
        if let (Some(package), Some(version)) = (fields.next(), fields.next()) {
            versions.entry(package).or_default().push(upstream(version));
        }
    }
    let (first, rest) = packages.split_first()?;
    versions
        .get(first)?
        .iter()
        .find(|version| {
            rest.iter()
                .all(|package| versions.get(package).is_some_and(|all| all.contains(version)))
        })
        .map(|version| (*version).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADISON: &str = "\
 rustc-web | 1.97.0+dfsg1-1 | http://deb.example/debian bookworm-security/main amd64 Packages
 rustc-web | 1.96.0+dfsg1-1~deb12u2 | http://deb.example/debian bookworm-security/main amd64 Packages
 rustc-web | 1.85.0+dfsg3-1~deb12u3 | http://deb.example/debian bookworm/main amd64 Packages
 cargo-web | 1.96.0+dfsg1-1~deb12u2+b1 | http://deb.example/debian bookworm-security/main amd64 Packages
 cargo-web | 1.85.0+dfsg3-1~deb12u3 | http://deb.example/debian bookworm/main amd64 Packages
";

    #[test]
    fn newest_common_skips_a_version_that_one_package_lacks() {
        let version = newest_common(MADISON, &["rustc-web", "cargo-web"]);
        assert_eq!(version.as_deref(), Some("1.96.0+dfsg1"));
    }

    #[test]
    fn newest_common_needs_every_package() {
        assert_eq!(newest_common(MADISON, &["rustc-web", "rust-web-src"]), None);
    }

    #[test]
    fn packages_that_were_removed_are_not_installed() {
        let all = installed("installed wine64 8.0~repack-4\nconfig-files wine 8.0~repack-4\n");
        assert!(all.contains_key("wine64"));
        assert!(!all.contains_key("wine"));
    }

    #[test]
    fn agreement_ignores_the_debian_revision_only() {
        let apt = |listing: &str| Apt {
            installed: installed(listing),
        };
        let pair = ["a", "b"];
        assert!(apt("installed a 1.96.0-1\ninstalled b 1.96.0-2+b1").agree(&pair));
        assert!(!apt("installed a 1.96.0-1\ninstalled b 1.97.0-1").agree(&pair));
        assert!(!apt("installed a 1.96.0-1").agree(&pair));
    }
}
