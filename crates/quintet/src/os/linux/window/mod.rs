//! Window messages.

use crate::os::window_types::{InSend, Letter, Making, Pumped, SendMode};
use crate::os::window_types::{Procedure, Query, Sight};
use crate::{Deadline, Error, ErrorKind, Result};

fn not_yet() -> Error {
    Error::new(ErrorKind::Unsupported, "not yet")
}

/// A window of this thread; dropping it destroys it.
#[derive(Debug)]
pub(crate) struct Window {
    handle: u32,
}

impl Window {
    pub(crate) fn create(_making: &Making<'_>, _procedure: Procedure) -> Result<Self> {
        Err(not_yet())
    }

    pub(crate) fn handle(&self) -> u32 {
        self.handle
    }

    pub(crate) fn set_title(&self, _title: &str) -> Result<()> {
        Err(not_yet())
    }

    /// What `wait_any` waits for: that its thread has messages.
    pub(crate) fn messages(&self) -> &Messages {
        &Messages
    }
}

/// The messages of a thread, to be waited for.
#[derive(Debug)]
pub(crate) struct Messages;

pub(crate) fn pump(_deadline: Deadline) -> Result<Pumped> {
    Err(not_yet())
}

pub(crate) fn post_quit(_code: i32) {}

pub(crate) fn in_send() -> Option<InSend> {
    None
}

pub(crate) fn reply(_result: isize) -> bool {
    false
}

pub(crate) fn send(_window: u32, _letter: &Letter<'_>, _mode: SendMode, _deadline: Deadline) -> Result<isize> {
    Err(not_yet())
}

pub(crate) fn send_notify(_window: u32, _letter: &Letter<'_>) -> Result<()> {
    Err(not_yet())
}

pub(crate) fn post(_window: u32, _letter: &Letter<'_>) -> Result<()> {
    Err(not_yet())
}

/// Calls `found` with the handles of those meant, until it says no.
pub(crate) fn find(_query: &Query, _found: &mut dyn FnMut(u32) -> bool) -> Result<()> {
    Err(not_yet())
}

pub(crate) fn sight(_window: u32) -> Result<Sight> {
    Err(not_yet())
}

pub(crate) fn is_alive(_window: u32) -> bool {
    false
}

pub(crate) fn is_hung(_window: u32) -> Result<bool> {
    Err(not_yet())
}

pub(crate) fn register_message(_name: &str) -> Result<u32> {
    Err(not_yet())
}

/// Text as this machine's code page has it.
pub(crate) fn to_ansi(text: &str) -> Result<Vec<u8>> {
    Ok(text.as_bytes().to_vec())
}

pub(crate) fn from_ansi(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
