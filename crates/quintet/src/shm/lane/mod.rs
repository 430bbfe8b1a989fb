//! A ring of messages that one process writes, and how a message becomes visible in it: what the lanes of a queue and of a
//! topic have in common.

mod hold;
mod record;
mod ring;
mod writing;

pub(super) use hold::Hold;
pub(super) use record::{HEAD, Head, Kind, extent, whole_number};
pub(super) use ring::{Control, Found, Lane, Seen, nonsense};
pub(super) use writing::Writing;
