//! `quintet rep`.

use crate::args::{EndpointArgs, RepArgs};
use crate::command;
use crate::endpoint::for_windows;
use crate::failure::Failure;
use crate::note;
use crate::patience;
use crate::socket::SocketEnd;
use crate::verbs;
use crate::window;
use quintet::{Deadline, Error, Scheme};
use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Output, Stdio};

pub(crate) fn run(mut args: RepArgs) -> Result<(), Failure> {
    verbs::check("rep", &args.address)?;
    let endpoint: EndpointArgs = std::mem::take(&mut args.socket).into();
    if args.address.scheme() == Scheme::Window {
        return window::rep(&args, &endpoint);
    }
    for_windows(&args.address, args.window.given())?;
    for_windows(&args.address, args.encoding.map(|_| "--encoding"))?;
    let Some(end) = SocketEnd::at(&args.address, &endpoint, true)? else {
        return Err(Failure::Usage("rep is for sockets and windows".into()));
    };
    let rep = end.answer()?;
    for _ in 0..args.count.unwrap_or(u64::MAX) {
        let what = || format!("a question at {}", args.address);
        let request = patience::wait_for(end.deadline.remaining(), what, |time| {
            rep.recv_timeout(Deadline::from(time))
        })
        .map_err(|error| Failure::about(&args.address, error))?;
        let reply = answer(&args, request.body())?;
        if let Err(error) = request.reply(reply) {
            // One client's trouble is not the next one's.
            note::complain(error);
        }
    }
    Ok(rep.close()?)
}

fn answer(args: &RepArgs, question: &[u8]) -> Result<Vec<u8>, Failure> {
    if let Some(text) = &args.reply {
        return Ok(text.clone().into_encoded_bytes());
    }
    if let Some(path) = &args.reply_file {
        return std::fs::read(path).map_err(|error| Failure::file(path, error));
    }
    let output = ask_command(&args.command, question, Stdio::piped())?;
    if !output.status.success() {
        note::complain(format!(
            "{} ended with {}; what it printed is the reply",
            args.command[0].to_string_lossy(),
            output.status
        ));
    }
    Ok(output.stdout)
}

/// Runs the command with the question on its standard input: how it ended, and what it printed if `stdout` is a pipe.
pub(crate) fn ask_command(words: &[OsString], question: &[u8], stdout: Stdio) -> Result<Output, Failure> {
    let Some((program, rest)) = words.split_first() else {
        return Err(Failure::Usage("there is no command to run".into()));
    };
    let mut child = Command::new(program)
        .args(rest)
        .stdin(Stdio::piped())
        .stdout(stdout)
        .spawn()
        .map_err(|error| command::not_started(program, Error::from_io(error)))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // Beside the reading, as it may print before it has read everything; and it need not read it.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(question)));
        child.wait_with_output()
    });
    output.map_err(|error| Failure::Failed(format!("cannot wait for the command: {error}")))
}
