//! The newest value, in shared memory.
//!
//! # The memory
//! A room (`room.rs`): the header, a word that says which value is the newest, a bell for who waits for a newer one, *pins*, slots
//! for one writer and 255 readers, and a head for each buffer. Behind it the buffers: two more than there are pins.
//!
//! # The protocol
//! A value has a number, which only ever grows. The word *newest* has the number and the buffer of the newest value. A buffer's
//! head has the number of the value in it, or 0 while it is being written; its length; and when it was written.
//!
//! - **Write** (`writing.rs`): pick a buffer that is neither the newest nor pinned, of which there always is one; put 0 into its
//!   head, then write the bytes, then the length, then the number; then, by one store, make it the newest. Only then look at
//!   the bell. Nothing of that waits for anybody. Short values go to the buffers in turn, so each stays whole for as long as
//!   possible; long ones to the first buffer there is, which the processor may still have at hand.
//! - **Read by copying** (`reading.rs`): load the newest; the head must have its number; copy; if the head still has the number,
//!   nobody has written meanwhile, and the copy is whole. Else there is a newer one: try again.
//! - **Read in place** (`pins.rs`): claim a pin, say in it which buffer is the newest, and look whether it still is. If so the
//!   writer, which looks at the pins after it has published another, sees ours, and leaves that buffer alone. If not, try again.
//!   Who copies a long value does that, too, and who was overtaken again and again; but with a pin that says so, and that who
//!   wants a place and finds none takes from him: he finds out as any other who copies.
//! - **Wait for a newer one**: until the word has another number.
//!
//! That only one writes is by the kernel's lock on the writer's slot.
//!
//! # Deaths
//! | of | when | what happens |
//! |---|---|---|
//! | writer | before the store that makes it the newest | it was never written; the buffer is used again by the next writer |
//! | writer | after it | it was written |
//! | reader | while it has a pin | that pin is of nobody; who needs one and finds none free takes those of dead readers |
//! | any | before it wakes who it should | they look by themselves within a slice (50 ms) |
//!
//! A pin's word has a count that each claim raises, so it is never the same twice: who takes a dead reader's pin cannot take
//! that of a living one who came in between.
//!
//! # What is not believed
//! Numbers of buffers, lengths and owners are checked before they are used, and tries are counted. A head that has not the newest's
//! number, though that is still the newest, is an error.

mod in_place;
mod kind;
mod loan;
#[expect(clippy::module_inception, reason = "a file has the name of its type")]
mod mailbox;
#[cfg(all(test, loom))]
mod models;
mod newest;
mod pins;
mod reader;
mod reading;
mod room;
mod stats;
mod writer;
mod writing;

pub use in_place::InPlace;
pub use kind::Mailboxes;
pub use loan::Loan;
pub use mailbox::{Mailbox, MailboxBuilder};
pub use reader::{MailboxReader, Reading};
pub use stats::MailboxStats;
pub use writer::MailboxWriter;
