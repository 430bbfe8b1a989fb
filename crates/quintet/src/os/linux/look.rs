//! What an object looks like to somebody who does not hold it.

use crate::layout::Layout;
use crate::named::Liveness;
use crate::os::linux::process::Identity;
use crate::os::linux::segment::{self, Look};
use crate::os::types::{Found, Owner};
use crate::{Error, ErrorKind, Name, Result};

pub(crate) type Seen = (Vec<Identity>, Vec<Owner>, u32);
pub(crate) type Details = Vec<(&'static str, String)>;

/// All objects of a kind. What cannot be looked at (another user's) or has gone meanwhile is left out. What is there and makes no
/// sense takes memory all the same, and is shown.
pub(crate) fn list(layout: &'static Layout, stat: impl Fn(&Name) -> Result<Found>) -> Result<Vec<Found>> {
    Ok(segment::names(layout)?
        .iter()
        .filter_map(|name| {
            stat(name)
                .or_else(|error| unknown(name, &error).ok_or(error))
                .ok()
        })
        .collect())
}

/// What to show of an object that says of itself what cannot be.
fn unknown(name: &Name, error: &Error) -> Option<Found> {
    let makes_no_sense = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported);
    makes_no_sense.then(|| Found {
        name: name.base().to_string(),
        liveness: Liveness::Unknown,
        evidence: error.to_string(),
        holders: Vec::new(),
        owners: Vec::new(),
        size: None,
        created: None,
        details: Vec::new(),
    })
}

/// One object. `see` says who takes part, and what its kind knows.
pub(crate) fn stat(
    layout: &'static Layout,
    name: &Name,
    see: impl Fn(&Look) -> Result<(Seen, Details)>,
) -> Result<Found> {
    let look = segment::look(layout, name)?;
    look.header().check(layout, look.size)?;
    let ((mut holders, owners, waiting), mut details) = see(&look)?;
    // Who keeps it open and takes no part.
    if holders.is_empty() && look.is_held {
        holders = look.others();
    }
    details.push(("waiting", waiting.to_string()));
    // What misses a part was left by who died making or removing it.
    let persistent = look.header().is_persistent() && (layout.data.is_none() || look.data().is_some());
    details.push(("persistent", if persistent { "yes" } else { "no" }.into()));
    let (liveness, evidence) = match (look.is_held, persistent) {
        (true, _) => (Liveness::Live, "a process has it open, by a lock of the kernel"),
        (false, true) => (Liveness::Live, "it is persistent: it stays until it is removed"),
        (false, false) => (Liveness::Stale, "no process holds the lock on it"),
    };
    Ok(Found {
        name: name.base().to_string(),
        liveness,
        evidence: evidence.into(),
        holders,
        owners,
        size: Some(look.size.saturating_add(look.data().map_or(0, |(_, size)| size)) as u64),
        created: look.header().created(),
        details,
    })
}

/// Removes an object that nobody holds.
pub(crate) fn remove(layout: &'static Layout, name: &Name) -> Result<()> {
    segment::remove(layout, name)
}
