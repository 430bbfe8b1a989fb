//! `send` and `req` to a window: a message, and its result.

use super::{Peer, number, to_data};
use crate::args::{AskArgs, DataArgs, EndpointArgs, ReqArgs, SendArgs};
use crate::endpoint;
use crate::failure::Failure;
use crate::questions::Questions;
use crate::record::{self, Format, Printer};
use quintet::Address;
use quintet::window::SendMode;
use std::ffi::OsStr;

pub(crate) fn send(args: &SendArgs) -> Result<(), Failure> {
    if args.follow {
        return Err(Failure::Usage(
            "--follow is for a server, and who sends to a window is none".into(),
        ));
    }
    if args.drain.no_drain {
        return Err(Failure::Usage("--no-drain is for queue://".into()));
    }
    let asking = Asking {
        verb: "send",
        address: &args.address,
        endpoint: &args.endpoint,
        window: &args.window,
        data: &args.data,
        text: args.text.as_deref(),
    };
    asking.ask(Format::Lines)
}

pub(crate) fn req(args: &ReqArgs, endpoint: &EndpointArgs) -> Result<(), Failure> {
    let asking = Asking {
        verb: "req",
        address: &args.address,
        endpoint,
        window: &args.window,
        data: &args.data,
        text: args.text.as_deref(),
    };
    let print = args.print();
    match print.format {
        None | Some(Format::Lines | Format::Json) => {}
        Some(_) => {
            return Err(Failure::Usage(
                "the result of a window is a number, to be printed in --format lines or json".into(),
            ));
        }
    }
    let json = print.json.then_some(Format::Json);
    asking.ask(json.or(print.format).unwrap_or(Format::Lines))
}

/// The arguments of either.
struct Asking<'a> {
    verb: &'static str,
    address: &'a Address,
    endpoint: &'a EndpointArgs,
    window: &'a AskArgs,
    data: &'a DataArgs,
    text: Option<&'a OsStr>,
}

impl Asking<'_> {
    fn ask(&self, format: Format) -> Result<(), Failure> {
        endpoint::not_for_windows(self.endpoint)?;
        let peer = Peer::at(
            self.verb,
            self.address,
            &self.window.peer,
            self.endpoint.access,
            self.endpoint.timeout,
        )?;
        let number = number(&self.window.message)?;
        self.check(number.is_some())?;
        let deadline = peer.deadline;
        let questions = match number {
            Some(_) => Questions::without_data(self.data, deadline),
            None => Questions::open(self.data, self.text, deadline)?,
        };
        let mut printer = Printer::new(record::output(None)?, format, None);
        let source = printer.source(None);
        let mode = if self.window.abort_if_hung {
            SendMode::AbortIfHung
        } else {
            SendMode::Normal
        };
        let window = peer.find()?;
        let numbers = self.window.message.numbers;
        questions.each(|data| {
            let result = match number {
                Some(number) => {
                    window.send_timeout(number, numbers.wparam(), numbers.lparam(), mode, deadline)
                }
                None => {
                    let id = self.window.id.unwrap_or(0) as usize;
                    let data = to_data(self.data.encoding, data)?;
                    window.copy_data_timeout(id, &data, mode, deadline)
                }
            }?;
            printer.print_fields(&source, &result.to_string(), [("result", result.into())])?;
            printer.flush()
        })
    }

    /// Refuses what does not go together.
    fn check(&self, is_plain: bool) -> Result<(), Failure> {
        if !is_plain {
            return match self.window.message.given() {
                Some(flag) => Err(Failure::Usage(format!(
                    "{flag} is for a message without data: add --msg"
                ))),
                None => Ok(()),
            };
        }
        let data = [
            ("TEXT", self.text.is_some()),
            ("--file", self.data.file.is_some()),
            ("--lines", self.data.lines),
            ("--encoding", self.data.encoding.is_some()),
            ("--id", self.window.id.is_some()),
        ];
        match data.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(Failure::Usage(format!(
                "{flag} is for a message with data, and with --msg or --registered there is none"
            ))),
            None => Ok(()),
        }
    }
}
