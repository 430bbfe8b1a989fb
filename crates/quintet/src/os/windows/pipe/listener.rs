//! A pipe's server.

use super::connection::{Connection, Terms};
use super::instances::{Instances, PipeEnd};
use super::kernel;
use super::path::{self, There};
use super::watch::Watch;
use crate::os::pipe_types::{PipeMode, ServerOptions};
use crate::os::windows::claim::Claim;
use crate::os::windows::peer::{End, Peer};
use crate::wait::{self, Spin};
use crate::{Deadline, Error, ErrorKind, Name, Result};
use std::os::windows::io::AsHandle;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often a waiting server looks without having been woken.
const CHECK: Duration = wait::SLICE.saturating_mul(10);

/// A pipe that is served.
///
/// # Protocol
/// 1. Take the *claim* of the name (`claim.rs`): of all Quintet processes of the session only its holder serves the
///    name. Held by another: busy.
/// 2. Look at the pipe without connecting. Served by a program that takes no claims: busy. One whose server has ended,
///    kept by streams that it accepted or by clients that have not noticed, is joined and made ours.
/// 3. Make the first instance, as such: the kernel refuses it if somebody was faster.
///
/// The kernel gives back all of it with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Listener {
    instances: Arc<Instances>,
    options: ServerOptions,
    spin: Spin,
    /// Declared last: the name is not free before its instances are gone.
    _claim: Claim,
}

impl Listener {
    pub(crate) fn create(name: &Name, options: &ServerOptions) -> Result<Self> {
        let created = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let text = format!(
            "path={}\npid={}\nmode={}\nmax_instances={}\ncreated={}\n",
            path::shown(name),
            std::process::id(),
            options.mode,
            options
                .max_instances
                .map_or("unlimited".into(), |max| max.to_string()),
            created.as_secs(),
        );
        let is_there = || match path::wait(&path::of(name), Duration::ZERO)? {
            There::Nothing => Ok(false),
            There::Busy => Ok(!path::is_left_over(name)),
            There::Free => Ok(true),
        };
        let claim = Claim::take(&path::claim(name), &text, is_there)?
            .ok_or_else(|| path::busy("another server has this name"))?;
        Ok(Listener {
            instances: Instances::create(name, options)?,
            options: options.clone(),
            spin: Spin::default(),
            _claim: claim,
        })
    }

    /// The next client, once there is one and an instance for it.
    pub(crate) fn accept(&self, deadline: Deadline) -> Result<Connection> {
        let timed_out = || Error::new(ErrorKind::TimedOut, "no client connected before the deadline");
        let mut watch = Watch::begin(&self.instances, deadline).ok_or_else(timed_out)?;
        // One thread waits in here at a time, and looks and parks by turns.
        let watch = std::cell::RefCell::new(&mut watch);
        let client = wait::wait(
            &self.spin,
            deadline,
            CHECK,
            || watch.borrow_mut().look(),
            |slice| {
                watch.borrow().park(slice);
                Ok(())
            },
        )?;
        self.connection(client.ok_or_else(timed_out)?)
    }

    fn connection(&self, client: PipeEnd) -> Result<Connection> {
        let pipe = client.as_handle();
        let peer = Peer::of(pipe, End::Server);
        let quota = kernel::info(pipe).map_or_else(|_| self.instances.out_buffer(), |info| info.quota);
        let terms = Terms {
            mode: self.options.mode,
            bounded: self.options.mode == PipeMode::Message,
            direction: self.options.direction,
            max_message: self.options.max_message,
            quota,
        };
        Connection::new(client, peer, &terms)
    }

    /// Nothing to do: the kernel removes the name with its last holder.
    pub(crate) fn release_name(&self) {}
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.instances.end();
    }
}
