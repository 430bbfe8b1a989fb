//! What window messages take and return on both systems: the plain data between [`window`](super::window) and what stands
//! above it.

use super::process::Identity;
use super::types::{Access, words};
use crate::{Error, ErrorKind};
use std::cmp;
use std::fmt;
use std::hash;
use std::rc::Rc;
use std::str::FromStr;

/// Asks a window to close. What that means is the procedure's to decide: nothing happens by itself.
pub const WM_CLOSE: u32 = 0x0010;
/// Posted to a window, ends the loop of its thread with `wparam` as the code. [`post_quit`](crate::window::post_quit) is
/// the way to do that from inside.
pub const WM_QUIT: u32 = 0x0012;
/// Carries bytes: [`WindowHandle::copy_data`](crate::window::WindowHandle::copy_data).
pub const WM_COPYDATA: u32 = 0x004A;
/// A command with a number.
pub const WM_COMMAND: u32 = 0x0111;
/// The first of the numbers that a window's class gives a meaning; the last is 0x7FFF.
pub const WM_USER: u32 = 0x0400;

/// Whether a procedure gets messages of that number; the system answers others by itself.
pub(crate) fn is_for_procedures(number: u32) -> bool {
    number >= WM_USER || matches!(number, WM_CLOSE | WM_COMMAND | WM_COPYDATA)
}

/// A window, of whatever process.
///
/// Where it is another user's, which only Linux tells, it is that user's for good: once the window is gone, its number may be
/// anybody's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handle {
    pub(crate) number: u32,
    /// `None`: this user's.
    pub(crate) user: Option<u32>,
}

impl Handle {
    /// One of this user's.
    pub(crate) fn ours(number: u32) -> Self {
        Handle { number, user: None }
    }
}

// Numbers are all that tells windows apart: no two users have one of the same number.
impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Handle {}

impl PartialOrd for Handle {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Handle {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.number.cmp(&other.number)
    }
}

impl hash::Hash for Handle {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

/// A window to be made by this thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Making<'a> {
    pub(crate) class: &'a str,
    pub(crate) title: &'a str,
    pub(crate) message_only: bool,
    #[cfg_attr(
        target_os = "linux",
        expect(dead_code, reason = "there is nothing to be seen there")
    )]
    pub(crate) visible: bool,
    #[cfg_attr(
        target_os = "linux",
        expect(dead_code, reason = "there is no integrity level there")
    )]
    pub(crate) admit_lower_integrity: bool,
    #[cfg_attr(windows, expect(dead_code, reason = "all windows are the desktop's there"))]
    pub(crate) access: Access,
}

impl Making<'_> {
    /// The most bytes of a class. Its characters are no more, of which Windows takes 256.
    const CLASS: usize = 128;

    /// Checks what both systems refuse.
    pub(crate) fn check(&self) -> crate::Result<()> {
        let invalid = |what: &str| Err(Error::new(ErrorKind::InvalidName, what.to_string()));
        if self.class.is_empty() {
            return invalid("the class of a window has a name");
        }
        if self.class.contains('\0') {
            return invalid("the class of a window cannot contain a NUL");
        }
        check_title(self.title)?;
        if self.class.len() > Self::CLASS {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the class of a window has at most {} bytes, not {}",
                    Self::CLASS,
                    self.class.len()
                ),
            ));
        }
        Ok(())
    }
}

pub(crate) fn check_title(title: &str) -> crate::Result<()> {
    if title.contains('\0') {
        return Err(Error::new(
            ErrorKind::InvalidName,
            "the title of a window cannot contain a NUL",
        ));
    }
    Ok(())
}

/// What the thread that made a window runs for each of its messages, also while it runs already.
pub(crate) type Procedure = Rc<dyn Fn(&Arrival<'_>) -> isize>;

/// A message on its way to a procedure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    /// To which window.
    pub(crate) window: u32,
    pub(crate) letter: Letter<'a>,
    /// The process that sent or posted it, where the system tells.
    pub(crate) sender: Option<&'a Identity>,
    /// Whether it came through the queue.
    pub(crate) posted: bool,
}

/// A message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter<'a> {
    pub(crate) number: u32,
    pub(crate) wparam: usize,
    /// Of one that carries data: what kind of data that is (`dwData`).
    pub(crate) lparam: isize,
    /// Only of `WM_COPYDATA`, which always has it. Nobody changes the bytes while they are borrowed.
    pub(crate) data: Option<&'a [u8]>,
}

/// How to wait for a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum SendMode {
    /// Meanwhile serve what is sent to this thread's windows. The default.
    #[default]
    Normal,
    /// Serve nothing meanwhile. Two windows that send to each other so wait until their deadlines.
    Block,
    /// As normal, but give up at once when the window's thread is hung, or, on Linux, as soon as it is.
    AbortIfHung,
}

words!(
    SendMode,
    "way to send",
    Normal = "normal",
    Block = "block",
    AbortIfHung = "abort-if-hung"
);

/// What [`pump`](crate::window::pump) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pumped {
    /// Messages; they have been served.
    Served,
    /// There were none before the deadline.
    Nothing,
    /// The end of the loop, with this code: see [`post_quit`](crate::window::post_quit).
    Quit(i32),
}

/// How the message that a procedure is just working at was sent: see [`in_send`](crate::window::in_send).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InSend {
    /// Another thread sent it, and waits for the result.
    Waiting,
    /// Another thread sent it, and does not wait ([`send_notify`](crate::window::WindowHandle::send_notify)).
    Notified,
    /// Another thread sent it, and has its result by [`reply`](crate::window::reply).
    Replied,
}

/// Which windows are meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    /// Without regard to upper and lower case, as on Windows; the title as well.
    pub(crate) class: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) pid: Option<u32>,
    /// The name of the file that the process runs, with or without `.exe`, without regard to upper and lower case.
    pub(crate) executable: Option<String>,
    /// Whether message-only windows, which get no broadcasts, are left out.
    pub(crate) top_level_only: bool,
    /// Whose windows are meant.
    pub(crate) access: Access,
}

impl Query {
    pub(crate) fn is_class(&self, class: &str) -> bool {
        self.class.as_deref().is_none_or(|wanted| is_same(wanted, class))
    }

    pub(crate) fn is_title(&self, title: &str) -> bool {
        self.title.as_deref().is_none_or(|wanted| is_same(wanted, title))
    }

    /// `file_name` is asked for only if it matters; `None`: it is not known.
    pub(crate) fn is_executable(&self, file_name: impl FnOnce() -> Option<String>) -> bool {
        let Some(wanted) = &self.executable else {
            return true;
        };
        let bare = |name: &str| {
            let lower = name.to_lowercase();
            lower.strip_suffix(".exe").unwrap_or(&lower).to_string()
        };
        file_name().is_some_and(|name| bare(&name) == bare(wanted))
    }
}

/// The name of the file that a process runs, for [`Query::is_executable`].
pub(crate) fn executable_name(process: &Identity) -> Option<String> {
    let name = process.executable.as_deref()?.file_name()?.to_string_lossy();
    // What Linux says of a file that was replaced.
    Some(name.strip_suffix(" (deleted)").unwrap_or(&name).to_string())
}

fn is_same(wanted: &str, there: &str) -> bool {
    if wanted.is_ascii() {
        wanted.eq_ignore_ascii_case(there)
    } else {
        let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
        wanted == there || lower(wanted) == lower(there)
    }
}

/// What others see of a window.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    pub(crate) class: String,
    pub(crate) title: String,
    pub(crate) owner: Identity,
    pub(crate) message_only: bool,
    pub(crate) hung: bool,
    /// How many posted messages wait for its thread, where the system tells.
    pub(crate) queued: Option<u32>,
    /// Whose programs may reach it, where there is a choice.
    pub(crate) access: Option<Access>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_the_same_in_any_case() {
        assert!(is_same("TestWindow", "testWINDOW"));
        assert!(is_same("Größe", "GRÖSSE") == is_same("GRÖSSE", "Größe"));
        assert!(is_same("ÄÖ", "äö"));
        assert!(!is_same("成功", "成"));
    }

    #[test]
    fn an_executable_has_its_suffix_or_not() {
        let query = Query {
            executable: Some("Worker.exe".into()),
            ..Query::default()
        };
        for (there, same) in [("worker", true), ("WORKER.EXE", true), ("worker.py", false)] {
            assert_eq!(query.is_executable(|| Some(there.into())), same, "{there}");
        }
        assert!(!query.is_executable(|| None));
    }
}
