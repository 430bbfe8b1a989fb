//! What the director and the two sides of a row say to each other: one line of JSON each.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Which of a row's two processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// Measures.
    Near,
    /// Answers.
    Far,
}

impl Side {
    pub(crate) fn other(self) -> Side {
        match self {
            Side::Near => Side::Far,
            Side::Far => Side::Near,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Side::Near => "near",
            Side::Far => "far",
        }
    }
}

/// Director to side.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// What the other side said while it was setting up.
    Hear(String),
    /// A batch of so many operations.
    Run(u64),
    /// No more batches. The end of the pipe without this means that the director has died or given the row up.
    End,
}

/// Side to director.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Said {
    /// For the other side.
    ToOther(String),
    /// Set up.
    Ready,
    Ran(Ran),
    Failed(String),
}

/// A batch that was run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Ran {
    /// As the row measured it, in nanoseconds.
    pub(super) elapsed: u64,
    /// The whole batch, with what was not to be measured, in nanoseconds.
    pub(super) wall: u64,
    /// What the thread that ran it did to the scheduler meanwhile, where the system counts that.
    pub(super) switches: Option<Switches>,
}

/// How often a thread gave up its core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Switches {
    /// To sleep.
    pub(crate) voluntary: u64,
    /// Because another thread was to run: somebody else is using the machine.
    pub(crate) involuntary: u64,
}
