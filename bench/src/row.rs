//! What a row is: a name, what it is judged against, and what its two processes do.

use crate::harness::Place;
use std::error::Error;
use std::time::Duration;

/// What goes wrong in a row is shown to people and never matched.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// One line of the table: a floor, something of Quintet's, or a peer.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) group: Group,
    pub(crate) measure: Measure,
    pub(crate) cores: Cores,
    pub(crate) asleep: Asleep,
    /// It says that no operation makes a system call; its work fails if one does.
    pub(crate) silent: bool,
    /// Why it cannot run here, if so.
    pub(crate) left_out: Option<String>,
    pub(crate) against: Vec<Against>,
    pub(crate) work: Box<dyn Work>,
}

impl Row {
    pub(crate) fn new(
        group: Group,
        name: impl Into<String>,
        measure: Measure,
        work: impl Work + 'static,
    ) -> Self {
        Row {
            name: name.into(),
            group,
            measure,
            cores: Cores::Two,
            asleep: Asleep::NotClaimed,
            silent: false,
            left_out: None,
            against: Vec::new(),
            work: Box::new(work),
        }
    }

    /// Both processes on one core.
    pub(crate) fn on_one_core(mut self) -> Self {
        self.cores = Cores::One;
        self
    }

    /// The row says that somebody sleeps in every round trip, which is checked.
    pub(crate) fn asleep(mut self, who: Asleep) -> Self {
        self.asleep = who;
        self
    }

    /// Leaves the row out, and says so, if there is a reason.
    pub(crate) fn left_out(mut self, why: Option<String>) -> Self {
        self.left_out = why;
        self
    }

    /// Judged against the floor (or the rival) of that name, in the same repeat. (Messages a second against a floor that is a time: how many go
    /// in that time.)
    pub(crate) fn against(mut self, floor: impl Into<String>) -> Self {
        self.against.push(Against {
            floor: floor.into(),
            target: None,
        });
        self
    }

    /// As [`against`](Self::against), and the ratio is meant to be such.
    pub(crate) fn target(mut self, floor: impl Into<String>, target: Target) -> Self {
        self.against.push(Against {
            floor: floor.into(),
            target: Some(target),
        });
        self
    }
}

/// The sections of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// What the machine does without any library.
    Floor,
    Pipe,
    Sync,
    Mailbox,
    Queue,
    Topic,
    Channel,
    Window,
    Socket,
    /// Other libraries.
    Peer,
}

impl Group {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Group::Floor => "floor",
            Group::Pipe => "pipe",
            Group::Sync => "sync",
            Group::Mailbox => "mailbox",
            Group::Queue => "queue",
            Group::Topic => "topic",
            Group::Channel => "channel",
            Group::Window => "window",
            Group::Socket => "socket",
            Group::Peer => "peer",
        }
    }
}

/// What one operation of a batch is, and so what the time that it took means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// There and back.
    RoundTrip,
    /// There and back, of which half is told.
    OneWay,
    /// Each does something so often, and nobody answers.
    Operation { times: u64 },
    /// So many bytes moved.
    Throughput { bytes: u64 },
    /// One message moved, where it matters how many they are and not how long.
    Messages,
}

impl Measure {
    /// From the time for one operation to the figure of the row: nanoseconds, bytes or messages a second.
    pub(crate) fn value(self, nanoseconds: f64) -> f64 {
        match self {
            Measure::RoundTrip => nanoseconds,
            Measure::OneWay => nanoseconds / 2.0,
            Measure::Operation { times } => nanoseconds / times as f64,
            Measure::Throughput { bytes } => bytes as f64 / nanoseconds * 1e9,
            Measure::Messages => 1e9 / nanoseconds,
        }
    }

    /// Whether the figure is so many nanoseconds, and not so many of something a second.
    pub(crate) fn is_time(self) -> bool {
        match self {
            Measure::RoundTrip | Measure::OneWay | Measure::Operation { .. } => true,
            Measure::Throughput { .. } | Measure::Messages => false,
        }
    }
}

/// Where the two processes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    One,
    Two,
}

/// Who is said to sleep in every operation. A row that says so must prove it by the kernel's count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asleep {
    NotClaimed,
    /// Both are awake all the time, which is claimed as well.
    Nobody,
    Both,
    /// Only the one that answers.
    Far,
}

/// A floor and what the ratio to it should be.
#[derive(Clone, Debug)]
pub(crate) struct Against {
    pub(crate) floor: String,
    pub(crate) target: Option<Target>,
}

/// What a ratio should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    pub(crate) fn is_met_by(self, ratio: f64) -> bool {
        match self {
            Target::AtMost(limit) => ratio <= limit,
            Target::AtLeast(limit) => ratio >= limit,
        }
    }
}

/// What the two processes of a row do. *Near* measures; *far* answers.
///
/// Each is a process of its own, pinned to its core, and sets itself up with the help of its [`Place`].
pub(crate) trait Work {
    /// Runs in both processes before they are pinned.
    fn before_pinning(&self) -> Result<()> {
        Ok(())
    }

    fn near(&self, place: &mut Place) -> Result<Batch>;

    fn far(&self, place: &mut Place) -> Result<Batch>;
}

/// Does so many operations and tells how long they took. Both sides run theirs at the same time; far's answer is not
/// used.
pub(crate) type Batch = Box<dyn FnMut(u64) -> Result<Duration>>;
