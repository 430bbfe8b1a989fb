//! Waiting for clients.

use super::instances::{Instances, PipeEnd};
use crate::os::windows::error;
use crate::os::windows::operation::Operation;
use crate::{Deadline, Result, wait};
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::sync::Arc;
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, ERROR_NO_DATA, ERROR_OPERATION_ABORTED, ERROR_PIPE_CONNECTED,
};

/// One thread's watching the instances for clients.
///
/// The system's waiting for a client belongs to the thread that began it, and is cancelled when that thread ends. So
/// nothing is left under way when `accept` returns. An instance gets its client all the same, and what was missed is
/// found at the next look.
pub(super) struct Watch<'a> {
    instances: &'a Arc<Instances>,
    watched: Vec<Watched>,
}

struct Watched {
    /// Declared first: it is settled before the pipe is closed.
    operation: Operation,
    pipe: OwnedHandle,
}

impl<'a> Watch<'a> {
    /// `None` when another thread did so until the deadline.
    pub(super) fn begin(instances: &'a Arc<Instances>, deadline: Deadline) -> Option<Self> {
        loop {
            let over = deadline.has_passed();
            if instances.try_watch(deadline.slice(wait::SLICE)) {
                return Some(Watch {
                    instances,
                    watched: Vec::new(),
                });
            }
            if over {
                return None;
            }
        }
    }

    /// A client, if there is one.
    pub(super) fn look(&mut self) -> Result<Option<PipeEnd>> {
        for pipe in self.instances.take_out()? {
            self.watched.push(Watched {
                operation: Operation::new(self.instances.news().clone()),
                pipe,
            });
        }
        for at in 0..self.watched.len() {
            let code = self.watched[at].look();
            match code {
                ERROR_IO_PENDING => {}
                // It is there, or was there and left: what it wrote is there still.
                0 | ERROR_PIPE_CONNECTED | ERROR_NO_DATA => {
                    let pipe = self.watched.remove(at).into_pipe();
                    return Ok(Some(self.instances.connect(pipe)));
                }
                _ => {
                    let pipe = self.watched.remove(at).into_pipe();
                    self.instances.discard(pipe);
                    return Err(error::of("cannot wait for a client", code));
                }
            }
        }
        Ok(None)
    }

    /// Sleeps until something may have happened. Beginning to wait on one instance resets the event, so first it is
    /// reset and then looked whether there was any news.
    pub(super) fn park(&self, time: Duration) {
        let news = self.instances.news();
        news.reset();
        if self.watched.iter().any(Watched::has_news) || self.instances.has_more() {
            return;
        }
        news.wait(time);
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let pipes = self.watched.drain(..).map(Watched::into_pipe).collect();
        self.instances.end_watch(pipes);
    }
}

impl Watched {
    /// Looks for a client, beginning to wait for one if that is not under way: 0 when there is one,
    /// `ERROR_IO_PENDING`, or another error.
    fn look(&mut self) -> u32 {
        if self.operation.is_under_way() {
            if !self.operation.is_over() {
                return ERROR_IO_PENDING;
            }
            match self.operation.settle().code {
                // Somebody cancels everything on this handle.
                ERROR_OPERATION_ABORTED => {}
                code => return code,
            }
        }
        // SAFETY: whatever happens, the operation is settled before the pipe closes: by `into_pipe`, or by its drop.
        unsafe { self.operation.listen(self.pipe.as_handle()) }
    }

    fn has_news(&self) -> bool {
        !self.operation.is_under_way() || self.operation.is_over()
    }

    /// Watches no more. If a client came just now, the next look finds it.
    fn into_pipe(mut self) -> OwnedHandle {
        self.operation.settle();
        self.pipe
    }
}
