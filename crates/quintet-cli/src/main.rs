//! The `quintet` command: VERB ADDRESS. A thin program on the library's public API.
//!
//! `args` is the command line; each verb has a file of its name; `endpoint`, `fifo` and `connection` open what it
//! talks through; `input`, `lines`, `text` and `record` are what data goes through on the way in and out.

mod args;
mod connection;
mod demo;
mod endpoint;
mod failure;
mod fifo;
mod input;
mod lines;
mod ls;
mod note;
mod record;
mod recv;
mod rm;
mod send;
mod stat;
mod text;

use args::{Args, Verb};
use clap::{CommandFactory, Parser};
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let verb = match demo::orders() {
        Some(orders) => Verb::Work(orders),
        None => Args::parse().verb,
    };
    if let Err(error) = ctrlc::set_handler(|| {
        // Destructors do not run on the way out, so names have to be taken back here.
        failure::take_back();
        std::process::exit(failure::INTERRUPTED.into());
    }) {
        note::complain(format!(
            "cannot handle signals, so Ctrl-C may leave a name behind: {error}"
        ));
    }
    let done = match verb {
        Verb::Send(args) => send::run(&args),
        Verb::Recv(args) => recv::run(&args),
        Verb::Ls(args) => ls::run(&args),
        Verb::Stat(args) => stat::run(&args),
        Verb::Rm(args) => rm::run(&args),
        Verb::Demo(args) => demo::run(&args),
        Verb::Work(orders) => demo::work(&orders),
        Verb::Completions { shell } => completions(shell),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ExitCode::from(failure.report()),
    }
}

fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    // Into memory first: written straight to a closed pipe, it would panic.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "quintet", &mut script);
    record::print(&script)
}
