//! Quintet's own rows: a file a mechanism.

mod pipe;
#[cfg(target_os = "linux")]
mod run;
mod sync;

use crate::row::Row;

pub(crate) fn all() -> Vec<Row> {
    let groups = [
        pipe::rows(),
        sync::rows(),
        #[cfg(target_os = "linux")]
        run::rows(),
    ];
    groups.into_iter().flatten().collect()
}
