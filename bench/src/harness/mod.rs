//! Everything that is not a row: processes, cores, repeats, figures, tables.
//!
//! Three processes take part. The *director* (what the user started) runs no row. For every row, in every repeat, it
//! starts two more of its own program, *near* and *far*, gives them their orders on stdin and reads their reports from
//! stdout ([`wire`]). It can therefore end a row that hangs ([`pair`]); and when it dies itself, their stdin ends and so
//! do they ([`place`]).

#[cfg(target_os = "linux")]
mod calls;
pub(crate) mod machine;
mod pair;
mod place;
mod report;
mod schedule;
mod statistics;
mod table;
mod wire;

#[cfg(target_os = "linux")]
pub(crate) use calls::count_calls;
pub(crate) use place::{Place, run_side};
pub(crate) use report::{LeftOut, Report};
pub(crate) use schedule::{Effort, measure};
pub(crate) use table::print;
pub(crate) use wire::Side;
