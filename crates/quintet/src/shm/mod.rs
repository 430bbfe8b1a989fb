//! Shared memory: bytes that several processes have in their memory at once, by name, from a file, or handed to a child.
//!
//! [`SharedMemory`] is the region itself, raw bytes from offset 0, as other programs know it: on Linux POSIX shared memory
//! `/NAME` (C's `shm_open`, Python's `multiprocessing.shared_memory`, .NET's `MemoryMappedFile.CreateFromFile` on
//! `/dev/shm/NAME`), on Windows the section `Local\NAME` (`OpenFileMapping`, `MemoryMappedFile.OpenExisting`).
//!
//! A [`View`] is a part of it, by offset and length.
//!
//! A [`Mailbox`] is a structure in such memory, with a layout of its own: the newest value of one [`MailboxWriter`], which any
//! number of [`MailboxReader`]s find whole.
//!
//! A [`Queue`] is another one: many [`Producer`]s put messages in, each of which one of many [`Consumer`]s takes out, whoever
//! dies when.
//!
//! What you read while another process writes may be half of each. Guard it with a [`Mutex`](crate::sync::Mutex) or a
//! [`Semaphore`](crate::sync::Semaphore), or use atomics in it. Whatever is in it, nothing here gives a `&[u8]` to bytes
//! that another process may write, but for [`SharedMemory::as_slice`], which is `unsafe` and says why.
//!
//! # Lifetime
//! Named memory lives while a process has it open, and goes with the last one, also by `kill -9`: the next open makes it anew.
//! `persistent(true)` keeps it until it is removed (Linux). What *another program* made is never removed by us, unless asked
//! to (`quintet rm`); and what we made is not removed while another program has it open.
//!
//! # What can go wrong in other hands
//! On Linux a program that makes the file *shorter* (`ftruncate`) while others have it mapped ends those with SIGBUS when they
//! touch what is gone. Nothing can be done about that by who is hit, short of a signal handler for the whole process, which
//! is the program's to have; anonymous memory is sealed against it.
//!
//! Python removes the name of memory that it merely attached to when it exits, unless it was attached with `track=False`
//! (3.13; before, with `resource_tracker.unregister("/NAME", "shared_memory")` after it): [`SharedMemory::has_name`] tells.

mod bytes;
mod child;
mod kind;
mod lane;
mod mailbox;
mod plain;
mod prefault;
mod queue;
mod shared_memory;
mod stream;
mod topic;
mod trust;
mod view;

pub use crate::os::types::{Access, MapMode};
pub use child::{ChildMemory, spawn};
pub use kind::SharedMemories;
pub use mailbox::{
    InPlace, Loan, Mailbox, MailboxBuilder, MailboxReader, MailboxStats, MailboxWriter, Mailboxes, Reading,
};
pub use plain::Plain;
pub use queue::{
    Batch, Consumer, Peek, Producer, Queue, QueueBuilder, QueueStats, Queues, Received, Reservation,
};
pub use shared_memory::{SharedMemory, SharedMemoryBuilder};
pub use stream::MemoryStream;
pub use topic::{
    Delivered, PeerChange, PeerEvent, Publisher, Sample, SampleLoan, Subscriber, Topic, TopicBuilder,
    TopicStats, Topics, TypedPublisher, TypedSample, TypedSubscriber, TypedTopic, TypedTopicBuilder,
};
pub use trust::{Trust, Trusting, Wary};
pub use view::View;
