use anyhow::{Context, Result};

use crate::apt::Apt;

/// The compiler, its cargo and clippy, and the standard library's source: useless unless they are of one version.
const RUST: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy"];
/// The linker, what runs the programs, and what a Chinese locale is made of.
const OTHERS: [&str; 4] = ["gcc-mingw-w64-x86-64-win32", "wine64", "wine", "locales"];

/// What is installed, once everything is.
#[derive(Debug)]
pub(crate) struct Packages {
    /// Wine's version; a prefix made by another one is not used.
    pub(crate) wine: String,
}

/// Installs what is missing.
pub(crate) fn require() -> Result<Packages> {
    let mut apt = Apt::read()?;
    apt.require(&OTHERS, &RUST)?;
    let wine = apt.version("wine64").context("wine64 is not installed")?;
    Ok(Packages {
        wine: wine.to_owned(),
    })
}
