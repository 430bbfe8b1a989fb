//! Quintet's own rows: a file a mechanism.

mod pipe;

use crate::row::Row;

pub(crate) fn all() -> Vec<Row> {
    pipe::rows()
}
