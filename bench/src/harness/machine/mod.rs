//! What is asked of the operating system for measuring.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod os;

pub(crate) use os::{describe, pin, switches};

use crate::row::Result;
use serde::Serialize;

/// The cores that the two sides run on.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Chosen {
    pub(crate) near: usize,
    /// `None` if there is only one.
    pub(crate) far: Option<usize>,
}

/// The first core that is ours, and the first that shares no execution units with it.
pub(crate) fn choose_cores() -> Result<Chosen> {
    let ours = os::cores()?;
    let near = *ours.first().ok_or("no core is ours")?;
    let physical = os::physical_core(near);
    let others = &ours[1..];
    let far = others
        .iter()
        .find(|core| os::physical_core(**core) != physical)
        .or(others.first());
    Ok(Chosen {
        near,
        far: far.copied(),
    })
}

/// What the figures were measured on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Description {
    pub(crate) system: String,
    pub(crate) processor: String,
}
