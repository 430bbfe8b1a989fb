//! The `quintet` command: VERB ADDRESS. A thin program on the library's public API.
//!
//! `args` is the command line; each verb has a file of its name (those of windows alone in `window`), and `verbs` says which scheme has it; `endpoint`, `fifo`,
//! `queue`, `topic`, `mailbox`, `socket`, `window` and `connection` open what it talks through, `object` what it takes, waits for or looks into; `input`, `questions`, `lines`, `text` and
//! `record` are what data goes through on the way in and out; `command` and `signals` are for what it runs.

mod args;
mod command;
mod connection;
mod create;
mod demo;
mod doctor;
mod endpoint;
mod failure;
mod fifo;
mod hold;
mod hz;
mod image;
mod input;
mod lines;
mod ls;
mod mailbox;
mod note;
mod object;
mod patience;
mod r#pub;
mod pull;
mod push;
mod questions;
mod queue;
mod read;
mod record;
mod recv;
mod release;
mod rep;
mod req;
mod reset;
mod rm;
mod run;
mod send;
mod set;
mod signals;
mod socket;
mod stat;
mod sub;
mod text;
mod topic;
mod verbs;
mod wait;
mod whole_file;
mod window;
mod write;

use args::{Args, Verb};
use clap::{CommandFactory, Parser};
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let verb = match demo::orders() {
        Some(orders) => Verb::Work(orders),
        None => Args::parse().verb,
    };
    let handled = match verb {
        Verb::Run(_) | Verb::Hold(_) => signals::handle(),
        _ => ctrlc::set_handler(|| {
            // Destructors do not run on the way out, so names have to be taken back here.
            failure::take_back();
            std::process::exit(failure::INTERRUPTED);
        })
        .map_err(|error| error.to_string()),
    };
    if let Err(error) = handled {
        note::complain(format!(
            "cannot handle signals, so Ctrl-C may leave a name behind: {error}"
        ));
    }
    let done = match verb {
        Verb::Send(args) => send::run(&args),
        Verb::Recv(args) => recv::run(&args),
        Verb::Push(args) => push::run(args),
        Verb::Pull(args) => pull::run(args),
        Verb::Pub(args) => r#pub::run(args),
        Verb::Sub(args) => sub::run(args),
        Verb::Req(args) => req::run(args),
        Verb::Rep(args) => rep::run(args),
        Verb::Post(args) => window::post(&args),
        Verb::Broadcast(args) => window::broadcast(&args),
        Verb::Find(args) => window::find(&args),
        Verb::Run(args) => run::run(&args),
        Verb::Create(args) => create::run(&args),
        Verb::Hold(args) => hold::run(&args),
        Verb::Wait(args) => wait::run(&args),
        Verb::Release(args) => release::run(&args),
        Verb::Set(args) => set::run(&args),
        Verb::Reset(args) => reset::run(&args),
        Verb::Read(args) => read::run(&args),
        Verb::Write(args) => write::run(&args),
        Verb::Ls(args) => ls::run(&args),
        Verb::Hz(args) => hz::run(&args),
        Verb::Stat(args) => stat::run(&args),
        Verb::Rm(args) => rm::run(&args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Demo(args) => demo::run(&args),
        Verb::Work(orders) => demo::work(&orders),
        Verb::Completions { shell } => completions(shell),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // All that it held has been dropped. (An ExitCode would not hold all codes that a command has on Windows.)
        Err(failure) => std::process::exit(failure.report()),
    }
}

fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    // Into memory first: written straight to a closed pipe, it would panic.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "quintet", &mut script);
    record::print(&script)
}
