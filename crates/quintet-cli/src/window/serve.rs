//! `recv` and `rep` as a window: what comes to it, and the results.

use super::{to_text, with_access};
use crate::args::{EndpointArgs, RecvArgs, RepArgs, WindowArgs, parse_word};
use crate::command;
use crate::endpoint;
use crate::failure::Failure;
use crate::note;
use crate::object;
use crate::patience;
use crate::record::{self, Format, Printer};
use crate::rep::ask_command;
use crate::verbs;
use quintet::window::{
    Message, Pumped, REGISTERED, WM_CLOSE, Window, exclusive, post_quit, pump, register_message,
};
use quintet::{Address, Deadline};
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::process::Stdio;
use std::rc::Rc;

pub(crate) fn recv(args: &RecvArgs) -> Result<(), Failure> {
    endpoint::not_for_windows(&args.endpoint)?;
    if args.lines {
        return Err(Failure::Usage(
            "--lines is for bytes, and each message of a window is a record already (--format lines puts a newline \
             after each)"
                .into(),
        ));
    }
    let file = args.print.file.as_deref().filter(|path| *path != Path::new("-"));
    let format = Format::chosen(args.print.format, args.print.json, file.is_some(), Format::Raw);
    let server = Server::at("recv", &args.address, &args.window, &args.endpoint)?;
    let mut printer = Printer::new(record::output(file)?, format, None);
    let encoding = args.print.encoding;
    let reply = args.reply.unwrap_or(0) as isize;
    let want = match args.follow {
        true => None,
        false => Some(args.count.unwrap_or(1)),
    };
    server.serve(want, move |message| {
        let mut source = printer.source(message.sender());
        match message.copy_data() {
            Some(data) => {
                source.id(data.id());
                let text = encoding.map(|encoding| to_text(encoding, data.bytes()));
                printer.show(&source, data.bytes(), text)?;
            }
            None => {
                let (number, wparam, lparam) = (message.number(), message.wparam(), message.lparam());
                let fields = [
                    ("message", number.into()),
                    ("wparam", wparam.into()),
                    ("lparam", lparam.into()),
                    ("posted", message.is_posted().into()),
                ];
                printer.print_fields(&source, &format!("{number:#06x} {wparam} {lparam}"), fields)?;
            }
        }
        printer.flush()?;
        Ok(reply)
    })
}

pub(crate) fn rep(args: &RepArgs, endpoint: &EndpointArgs) -> Result<(), Failure> {
    endpoint::not_for_windows(endpoint)?;
    if args.reply_file.is_some() {
        return Err(Failure::Usage(
            "--reply-file is for sockets: what a window answers is a number, --reply N".into(),
        ));
    }
    let reply = match &args.reply {
        Some(text) => {
            let number = text
                .to_str()
                .map_or_else(|| Err("it is no text".into()), parse_word);
            let number = number.map_err(|why| {
                Failure::Usage(format!("--reply: what a window answers is a number: {why}"))
            })?;
            Some(number as isize)
        }
        None => None,
    };
    let server = Server::at("rep", &args.address, &args.window, endpoint)?;
    let words = args.command.clone();
    let encoding = args.encoding;
    server.serve(args.count, move |message| {
        if let Some(reply) = reply {
            return Ok(reply);
        }
        let data = message.copy_data().map(|data| data.bytes()).unwrap_or_default();
        let text = encoding.map(|encoding| to_text(encoding, data));
        let input = text.as_deref().map_or(data, str::as_bytes);
        let output = ask_command(&words, input, Stdio::inherit())?;
        Ok(command::exit_code(output.status) as isize)
    })
}

/// A window that is about to be made.
struct Server {
    address: Address,
    deadline: Deadline,
    /// Of the registered messages only these are taken: the others are for other programs' windows.
    registered: Vec<u32>,
}

impl Server {
    fn at(
        verb: &str,
        address: &Address,
        window: &WindowArgs,
        endpoint: &EndpointArgs,
    ) -> Result<Self, Failure> {
        verbs::check(verb, address)?;
        let address = object::with_flags(address, window.options());
        let address = with_access(&address, endpoint.access);
        // Finds what is wrong with it.
        Window::at(&address)?;
        let registered = window.registered.iter().map(|name| register_message(name));
        Ok(Server {
            address,
            deadline: endpoint.timeout.into(),
            registered: registered.collect::<quintet::Result<_>>()?,
        })
    }

    /// Makes the window and has `act` give the results, of so many messages or until it is closed.
    fn serve(
        &self,
        want: Option<u64>,
        mut act: impl FnMut(&Message<'_>) -> Result<isize, Failure> + 'static,
    ) -> Result<(), Failure> {
        let window: Rc<RefCell<Option<Window>>> = Rc::default();
        let left = Rc::new(Cell::new(want.unwrap_or(u64::MAX)));
        // Nobody whose message is not taken shall wait for more than the end of the window.
        let close = {
            let window = window.clone();
            move || {
                drop(window.take());
                post_quit(0);
            }
        };
        let (registered, count) = (self.registered.clone(), left.clone());
        let procedure = move |message: &Message<'_>| {
            let number = message.number();
            if number == WM_CLOSE {
                close();
                return 0;
            }
            if REGISTERED.contains(&number) && !registered.contains(&number) {
                return 0;
            }
            // Who waits learns of a failure by the end of the process.
            let result = act(message).unwrap_or_else(|failure| failure.exit());
            count.set(count.get() - 1);
            if count.get() == 0 {
                close();
            }
            result
        };
        let made = Window::at(&self.address)?.create(exclusive(0, procedure))?;
        note::say(|| {
            format!(
                "listening at {}, {} (Ctrl-C to stop)",
                self.address,
                made.handle()
            )
        });
        *window.borrow_mut() = Some(made);
        let late = || patience::too_late("not all that was waited for came in time".into());
        while window.borrow().is_some() {
            let what = || format!("a message at {}", self.address);
            patience::wait_for(self.deadline.remaining(), what, |time| match pump(time)? {
                Pumped::Nothing => Err(late()),
                // Also where messages still come.
                Pumped::Served if self.deadline.has_passed() && window.borrow().is_some() => Err(late()),
                Pumped::Served | Pumped::Quit(_) => Ok(()),
            })
            .map_err(|error| Failure::about(&self.address, error))?;
        }
        match want {
            Some(want) if left.get() > 0 => Err(Failure::Failed(format!(
                "{}: the window was closed after {} of {want} messages",
                self.address,
                want - left.get()
            ))),
            _ => Ok(()),
        }
    }
}
