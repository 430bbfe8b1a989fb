//! Quintet's own rows: a file a mechanism.

mod channel;
mod mailbox;
mod pipe;
mod queue;
#[cfg(target_os = "linux")]
mod run;
mod socket;
mod sync;
mod topic;
#[cfg(target_os = "linux")]
mod window;

use crate::row::Row;

pub(crate) fn all() -> Vec<Row> {
    let groups = [
        pipe::rows(),
        sync::rows(),
        #[cfg(target_os = "linux")]
        run::rows(),
        mailbox::rows(),
        queue::rows(),
        topic::rows(),
        channel::rows(),
        #[cfg(target_os = "linux")]
        window::rows(),
        socket::rows(),
    ];
    groups.into_iter().flatten().collect()
}
