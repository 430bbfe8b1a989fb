//! `quintet req`.

use crate::args::{EndpointArgs, ReqArgs};
use crate::endpoint::for_windows;
use crate::failure::Failure;
use crate::questions::Questions;
use crate::record::{self, Format, Printer};
use crate::send::convert;
use crate::socket::SocketEnd;
use crate::verbs;
use crate::window;
use quintet::Scheme;

pub(crate) fn run(mut args: ReqArgs) -> Result<(), Failure> {
    verbs::check("req", &args.address)?;
    let print = args.print();
    let endpoint: EndpointArgs = std::mem::take(&mut args.socket).into();
    if args.address.scheme() == Scheme::Window {
        return window::req(&args, &endpoint);
    }
    for_windows(&args.address, args.window.given())?;
    let format = Format::chosen(print.format, print.json, false, Format::Raw);
    let Some(end) = SocketEnd::at(&args.address, &endpoint, false)? else {
        return Err(Failure::Usage("req is for sockets and windows".into()));
    };
    let mut printer = Printer::new(record::output(None)?, format, print.encoding);
    let mut source = printer.source(None);
    let questions = Questions::open(&args.data, args.text.as_deref(), end.deadline)?;
    let req = end.ask()?;
    questions.each(|question| {
        let question = convert(args.data.encoding, question)?;
        let reply = req
            .request_timeout(&*question, end.deadline)
            .map_err(|error| Failure::about(&args.address, error))?;
        printer.print(&mut source, &reply, true)?;
        printer.flush()
    })
}
