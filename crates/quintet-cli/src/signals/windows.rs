//! Windows: Ctrl-C goes to all processes at the console, the command included; there is nothing to send on.

use crate::failure::INTERRUPTED;
use std::process::{Child, Command};

/// That there is a command.
#[derive(Debug)]
pub(super) struct Process(());

impl Process {
    pub(super) fn of(_: &Child) -> Self {
        Process(())
    }
}

pub(super) fn prepare(_: &mut Command) {}

pub(super) fn handle() -> Result<(), String> {
    ctrlc::set_handler(|| {
        let running = super::running();
        if running.is_none() {
            super::end(running, INTERRUPTED);
        }
    })
    .map_err(|error| error.to_string())
}
