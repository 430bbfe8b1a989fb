//! `quintet broadcast`.

use crate::args::BroadcastArgs;
use crate::failure::Failure;
use crate::note;
use crate::record;
use quintet::window::{broadcast_post, broadcast_send, register_message};
use quintet::{Deadline, ErrorKind};
use serde_json::json;

pub(crate) fn broadcast(args: &BroadcastArgs) -> Result<(), Failure> {
    let number = register_message(&args.registered)?;
    let (wparam, lparam) = (args.numbers.wparam(), args.numbers.lparam());
    let deadline = Deadline::from(args.timeout);
    let answers = if args.send {
        broadcast_send(number, wparam, lparam, deadline)?
    } else {
        broadcast_post(number, wparam, lparam)?
    };
    let mut text = String::new();
    let mut reached = 0;
    let mut late = 0;
    for answer in answers {
        let hwnd = answer.window.raw();
        match answer.result {
            // It has gone meanwhile.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PeerDied) => {}
            Ok(result) => {
                reached += 1;
                if args.json {
                    text += &format!("{}\n", json!({ "hwnd": hwnd, "result": result }));
                } else if args.send {
                    text += &format!("{hwnd} {result}\n");
                }
            }
            Err(error) => {
                late += u64::from(error.kind() == ErrorKind::TimedOut && deadline.has_passed());
                if args.json {
                    text += &format!("{}\n", json!({ "hwnd": hwnd, "error": error.to_string() }));
                } else {
                    note::complain(error);
                }
            }
        }
    }
    note::say(|| format!("it reached {reached} windows"));
    record::print(text.as_bytes())?;
    match late {
        0 => Ok(()),
        _ => Err(Failure::Deadline(format!(
            "{late} windows had not answered at the deadline"
        ))),
    }
}
