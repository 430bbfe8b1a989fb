//! The command line of windows.

use super::{parse_time, words};
use clap::{ValueHint, value_parser};
use quintet::Address;
use quintet::window::Access;
use std::time::Duration;

/// Over the options of verbs that are for others as well.
pub(super) const HEADING: &str = "Options of windows";

/// Which window, besides its title.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PeerArgs {
    /// The window is of this class
    #[arg(help_heading = HEADING, long, value_name = "NAME")]
    class: Option<String>,

    /// It is of a process that runs a file of this name, with or without .exe
    #[arg(help_heading = HEADING, long, value_name = "NAME")]
    process: Option<String>,

    /// It is of this process
    #[arg(help_heading = HEADING, long, value_name = "N")]
    pid: Option<u32>,

    /// It has this handle, as `find` prints it
    #[arg(help_heading = HEADING, long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    hwnd: Option<u32>,
}

impl PeerArgs {
    /// What they are as options of an address.
    pub(crate) fn options(&self) -> [(&'static str, Option<String>); 4] {
        [
            ("class", self.class.clone()),
            ("process", self.process.clone()),
            ("pid", self.pid.map(|pid| pid.to_string())),
            ("hwnd", self.hwnd.map(|hwnd| hwnd.to_string())),
        ]
    }

    /// One of them that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        super::given(&[
            ("--class", self.class.is_some()),
            ("--process", self.process.is_some()),
            ("--pid", self.pid.is_some()),
            ("--hwnd", self.hwnd.is_some()),
        ])
    }
}

/// Whose window.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct WhoseArgs {
    /// Whose windows are meant: everyone's are also those that other users have opened, on Linux [default: user]
    #[arg(help_heading = HEADING, long, value_name = "WHO", value_parser = words::<Access>(["user", "everyone"]))]
    pub(crate) access: Option<Access>,
}

/// A message of two numbers.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct MessageArgs {
    /// The message's number, as 1025, 0x401, WM_USER+1, WM_APP, WM_COMMAND or WM_CLOSE
    #[arg(help_heading = HEADING, long, value_name = "N", value_parser = parse_message)]
    pub(crate) msg: Option<u32>,

    /// The message is the one that all programs know by this name (RegisterWindowMessage)
    #[arg(help_heading = HEADING, long, value_name = "NAME", conflicts_with = "msg")]
    pub(crate) registered: Option<String>,

    #[command(flatten)]
    pub(crate) numbers: NumberArgs,
}

/// What goes along with a message.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct NumberArgs {
    /// The first number that goes along with a message [default: 0]
    #[arg(help_heading = HEADING, long, value_name = "N", value_parser = parse_word, allow_negative_numbers = true)]
    wparam: Option<i64>,

    /// The second one [default: 0]
    #[arg(help_heading = HEADING, long, value_name = "N", value_parser = parse_word, allow_negative_numbers = true)]
    lparam: Option<i64>,
}

impl NumberArgs {
    pub(crate) fn wparam(self) -> usize {
        self.wparam.unwrap_or(0) as usize
    }

    pub(crate) fn lparam(self) -> isize {
        self.lparam.unwrap_or(0) as isize
    }

    fn given(self) -> Option<&'static str> {
        super::given(&[
            ("--wparam", self.wparam.is_some()),
            ("--lparam", self.lparam.is_some()),
        ])
    }
}

impl MessageArgs {
    /// One of them that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let message = [
            ("--msg", self.msg.is_some()),
            ("--registered", self.registered.is_some()),
        ];
        super::given(&message).or(self.numbers.given())
    }
}

/// What `send` and `req` have for windows.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct AskArgs {
    #[command(flatten)]
    pub(crate) peer: PeerArgs,

    /// What kind of data it is, as the two programs have agreed (dwData) [default: 0]
    #[arg(help_heading = HEADING, long, value_name = "N", value_parser = parse_word, allow_negative_numbers = true)]
    pub(crate) id: Option<i64>,

    #[command(flatten)]
    pub(crate) message: MessageArgs,

    /// Give up at once (exit code 124) when the window's thread has served nothing for 5 seconds
    #[arg(help_heading = HEADING, long)]
    pub(crate) abort_if_hung: bool,
}

impl AskArgs {
    /// One of them that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let own = [
            ("--id", self.id.is_some()),
            ("--abort-if-hung", self.abort_if_hung),
        ];
        self.peer.given().or(self.message.given()).or(super::given(&own))
    }
}

/// How a window is to be that `recv` and `rep` make.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct WindowArgs {
    /// The class of the window [default: Quintet]
    #[arg(help_heading = HEADING, long, value_name = "NAME")]
    class: Option<String>,

    /// It gets no broadcasts, and Windows programs do not find it by its title
    #[arg(help_heading = HEADING, long)]
    message_only: bool,

    /// It is to be seen, on Windows, where C# finds only such a one as a process's MainWindowHandle
    #[arg(help_heading = HEADING, long)]
    visible: bool,

    /// Programs of lower integrity may send to it, on Windows
    #[arg(help_heading = HEADING, long)]
    admit_lower_integrity: bool,

    /// Take the message, too, that all programs know by this name; more than one can be given
    #[arg(help_heading = HEADING, long = "registered", value_name = "NAME")]
    pub(crate) registered: Vec<String>,
}

impl WindowArgs {
    /// What they are as options of an address.
    pub(crate) fn options(&self) -> [(&'static str, Option<String>); 4] {
        let yes = |given: bool| given.then(|| "true".to_string());
        [
            ("class", self.class.clone()),
            ("message_only", yes(self.message_only)),
            ("visible", yes(self.visible)),
            ("admit_lower_integrity", yes(self.admit_lower_integrity)),
        ]
    }

    /// One of them that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        super::given(&[
            ("--class", self.class.is_some()),
            ("--message-only", self.message_only),
            ("--visible", self.visible),
            ("--admit-lower-integrity", self.admit_lower_integrity),
            ("--registered", !self.registered.is_empty()),
        ])
    }
}

/// Put a message into the queue of a window's thread, and do not wait
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What PostMessage does on Windows: the message has a number and two more, --wparam and --lparam, and no data; `send` has \
that. Ends when the message is in the queue, of 10,000 at most. Without such a window it fails (1), or with --timeout waits \
so long for one to appear (124). Of several of that title one gets it.

Examples:
  # Ask a window to close
  quintet post window://TestWindow --msg WM_CLOSE
  # A message that the two programs have agreed on, by number or by name
  quintet post window://TestWindow --msg WM_APP+1 --wparam 7 --lparam -1
  quintet post --class Worker window:// --registered Example.Done")]
#[command(group(clap::ArgGroup::new("message").required(true).args(["msg", "registered"])))]
pub(crate) struct PostArgs {
    /// Wait so long for such a window, in seconds (or 500ms, 2m); exit code 124
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_negative_numbers = true)]
    pub(crate) timeout: Option<Duration>,

    /// How many times [default: 1]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    #[command(flatten)]
    pub(crate) peer: PeerArgs,

    #[command(flatten)]
    pub(crate) access: WhoseArgs,

    #[command(flatten)]
    pub(crate) message: MessageArgs,

    /// Which: window://TITLE, or window:// with options
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,
}

/// Post or send a registered message to all windows
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What HWND_BROADCAST does on Windows: all top-level windows of this user (on Windows: of this desktop) get the message, and \
message-only windows do not. Only a message that programs know by its name can be broadcast. Posts, and does not wait; \
with --send it waits for the result of one window after the other, passes over those that are hung, and prints each handle \
and result. What went wrong at a window is said on standard error, and no failure.

Examples:
  # To whoever takes it: quintet recv window://Listener --registered Example.Changed
  quintet broadcast --registered Example.Changed --wparam 7
  # And gather the results, for 5 seconds at most
  quintet broadcast --send --timeout 5 --registered Example.Changed")]
pub(crate) struct BroadcastArgs {
    /// The message's name
    #[arg(long, value_name = "NAME", required = true)]
    pub(crate) registered: String,

    /// Send, and print the results
    #[arg(long)]
    pub(crate) send: bool,

    /// Of --send: how long for all of them together, in seconds (or 500ms, 2m); exit code 124
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_negative_numbers = true, requires = "send")]
    pub(crate) timeout: Option<Duration>,

    /// A JSON object on a line for each window: hwnd, and result or error
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) numbers: NumberArgs,
}

/// Find a window, and print its handle
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What FindWindow does on Windows: by title, class, or both; also by process. Upper and lower case are the same. Of several \
windows it prints one, with --all each on a line. Without any it fails (1), or with --timeout waits so long for one (124).

Examples:
  quintet find window://TestWindow
  # Wait until a program has its window
  quintet find --timeout 10 window://TestWindow
  # All windows of a program: handle, class, title, process
  quintet find --all --json --process Worker window://")]
pub(crate) struct FindArgs {
    /// All of them
    #[arg(long)]
    pub(crate) all: bool,

    /// A JSON object on a line for each, as `stat` has it
    #[arg(long)]
    pub(crate) json: bool,

    /// Wait so long for one, in seconds (or 500ms, 2m); exit code 124
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_negative_numbers = true)]
    pub(crate) timeout: Option<Duration>,

    #[command(flatten)]
    pub(crate) peer: PeerArgs,

    #[command(flatten)]
    pub(crate) access: WhoseArgs,

    /// Which: window://TITLE, or window:// with options
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,
}

/// A number with or without a sign, as wide as a pointer is at most.
pub(crate) fn parse_word(text: &str) -> Result<i64, String> {
    const WIDEST: i128 = u64::MAX as i128;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (digits, radix) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (digits, 10),
    };
    let number = u64::from_str_radix(digits, radix)
        .ok()
        // A sign is none of the digits.
        .filter(|_| digits.starts_with(|digit: char| digit.is_ascii_hexdigit()))
        .ok_or("write a number, as 10, -10 or 0x0a")?;
    let number = sign * i128::from(number);
    let widest = if cfg!(target_pointer_width = "64") {
        i64::MIN.into()..=WIDEST
    } else {
        i32::MIN.into()..=i128::from(u32::MAX)
    };
    if !widest.contains(&number) {
        return Err("it has more bits than a pointer".into());
    }
    // The upper half of what has no sign is the lower half of what has one.
    Ok(number as i64)
}

/// The number of a message: itself, or one that it begins from.
fn parse_message(text: &str) -> Result<u32, String> {
    const NAMES: [(&str, u32); 6] = [
        ("WM_NULL", 0),
        ("WM_CLOSE", 0x0010),
        ("WM_QUIT", 0x0012),
        ("WM_COMMAND", 0x0111),
        ("WM_USER", 0x0400),
        ("WM_APP", 0x8000),
    ];
    let (name, more) = text.split_once('+').unwrap_or((text, "0"));
    let named = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let number = match named {
        Some((_, base)) => parse_word(more)?.checked_add((*base).into()),
        None => Some(parse_word(text)?),
    };
    let number = number.and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| *number <= 0xffff)
        .ok_or_else(|| "the number of a message is 0 to 0xFFFF".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_or_hexadecimal_and_as_wide_as_a_pointer() {
        for (text, number) in [
            ("0", 0),
            ("-1", -1),
            ("0x0A", 10),
            ("-0x10", -16),
            ("65537", 65537),
        ] {
            assert_eq!(parse_word(text), Ok(number), "{text}");
        }
        if cfg!(target_pointer_width = "64") {
            assert_eq!(parse_word("0xFFFFFFFFFFFFFFFF"), Ok(-1));
            assert_eq!(parse_word("-9223372036854775808"), Ok(i64::MIN));
        }
        for bad in [
            "",
            "-",
            "x",
            "--1",
            "+1",
            "0x",
            "1.5",
            "0x10000000000000000",
            "-9223372036854775809",
        ] {
            assert!(parse_word(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_message_has_a_number_or_a_name_to_count_from() {
        for (text, number) in [
            ("1025", 0x401),
            ("wm_user+1", 0x401),
            ("WM_APP+0x10", 0x8010),
            ("WM_CLOSE", 16),
        ] {
            assert_eq!(parse_message(text), Ok(number), "{text}");
        }
        for bad in [
            "WM_SETTEXT",
            "-1",
            "0x10000",
            "WM_APP+0x8000",
            "WM_APP+",
            "WM_APP-1",
            "1+1",
        ] {
            assert!(parse_message(bad).is_err(), "{bad}");
        }
    }
}
