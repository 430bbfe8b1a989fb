//! A queue in shared memory.
//!
//! # The memory
//! A room (`room.rs`): the header, a line with the consumers' bell, slots for up to 256 consumers and 256 producers, and a control
//! block for each *lane*. Behind it the lanes' rings. A producer has a lane, found by the kernel's lock on the lane's slot, so
//! each ring has one writer. Its consumers are all.
//!
//! # The protocol of a lane
//! Positions are in bytes and only ever grow; a ring's place is a position modulo its size. A message is a *record*: a word
//! that says what it is (`lane/record.rs`), then the bytes. Records lie one behind the other; where one does not fit before the
//! ring's end, or something is held in place there, a *pad* says how much to skip. The word behind the last record is 0.
//!
//! - **Push** (`lane/writing.rs`): write the bytes, then 0 into the word behind them, then, by one store, the record's first
//!   word, which was 0. Several are published by one store as well: all but the first record's first word are written before.
//!   Then note the new number and tail, for a successor.
//! - **Pop** (`lane/ring.rs`): load the head; if there is a record there, copy its bytes; then move the head behind it by compare-and-swap.
//!   If that succeeds nobody had taken it before, so it had not been overwritten, so the copy is right. If it fails, try again
//!   with what is there now. Nothing is ever locked, and a consumer that is stopped or dies on the way has changed nothing.
//! - **Pop many** (`batch.rs`): copy all that the producer has noted as published, as it stands in the ring; find the messages in
//!   the copy; move the head behind the last one. What is published and not noted yet is copied message by message.
//! - **In place** (`peek.rs`, and popping what is long): say which record we hold (`lane/hold.rs`); fence; make sure that the head
//!   is still there. From then on the producer sees what we hold, and goes around it, lap after lap, whoever takes the message.
//!   Taking it is the same compare-and-swap.
//! - **Room**: what lies before the head is free, but for what consumers hold in place. The producer looks that up when
//!   what it knew to be free is used up. If that is not enough, it asks which of them live, and takes the room of those that are dead.
//!
//! # Deaths
//! | of | when | what happens |
//! |---|---|---|
//! | producer | before the publishing store | nothing was pushed; the word is still 0, and the next producer of the lane writes there |
//! | producer | after it | it was pushed; the next producer finds the records behind the noted tail, and goes on behind them |
//! | consumer | before its compare-and-swap | nothing was taken; what it held in place is used again by who needs the place |
//! | consumer | after it | the message is lost, and counted: it was taken, and no slot counts it as done |
//! | consumer | asleep | its slot says that it sleeps, which costs wake-ups for nobody: others who go to sleep doubt it, and bury it |
//! | any | before it wakes who it should | they look by themselves within a slice (50 ms) |
//!
//! *Lost* is what was taken (the head's record has a number), less what consumers are done with (their slots' counts, which go
//! on from one owner to the next), less what living ones have in hand.
//!
//! # What is not believed
//! Words read from the memory are masked, bounded and checked before they are used: lengths against the ring, positions against
//! each other, loops counted. A lane that makes no sense is reported once and left out, by consumers, and passed over by those
//! who come to be producers.

mod batch;
mod consumer;
mod kind;
#[cfg(all(test, loom))]
mod models;
mod peek;
mod producer;
#[expect(clippy::module_inception, reason = "a file has the name of its type")]
mod queue;
mod reservation;
mod room;
mod stats;
mod taking;

pub use batch::Batch;
pub use consumer::{Consumer, Received};
pub use kind::Queues;
pub use peek::Peek;
pub use producer::Producer;
pub use queue::{Queue, QueueBuilder};
pub use reservation::Reservation;
pub use stats::QueueStats;
