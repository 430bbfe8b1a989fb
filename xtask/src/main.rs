//! Quintet's own heavy or slow checks, each one command: `cargo xtask --help` lists them.

// Debian's packages bring the Windows toolchain, Wine and mono; elsewhere there is nothing here to run.
#[cfg(target_os = "linux")]
mod apt;
#[cfg(target_os = "linux")]
mod cli;
#[cfg(target_os = "linux")]
mod interop;
#[cfg(target_os = "linux")]
mod models;
#[cfg(target_os = "linux")]
mod picture;
#[cfg(target_os = "linux")]
mod release;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod windows;
#[cfg(target_os = "linux")]
mod workspace;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use clap::Parser;

    cli::Cli::parse().run().unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        std::process::ExitCode::FAILURE
    })
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("xtask: these checks need Debian Linux; on this system use `cargo test`");
    std::process::ExitCode::FAILURE
}
