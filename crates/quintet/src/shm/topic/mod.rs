//! Publish and subscribe, in shared memory.
//!
//! # The memory
//! Two parts. A room (`room.rs`): the header, a bell for subscribers who wait for a message and one for those who wait for others to come
//! or go (`peers.rs`), slots for up to 64 publishers and 255 subscribers, and what each subscriber *holds*. And the data: a header, a
//! control block for each *lane*, and the lanes' rings. A publisher has a lane, found by the kernel's lock on the lane's slot, so each ring has
//! one writer; nobody else ever writes there. Lanes are those of a queue (`shm/lane`).
//!
//! The data is memory of its own, of which only publishers have a mapping to write to: so nothing can be written through what
//! subscribers hand out, and the system can keep who may subscribe only from writing there at all. The room all have to write.
//!
//! # The protocol of a lane
//! As in a queue, positions only ever grow, and a message is a record that becomes visible by one store of its first word. The
//! difference: nobody takes messages out. Every subscriber has a position of its own, and the publisher makes room by itself.
//!
//! - **Publish** (`lapping.rs`): if there is no room, move *the oldest* forward over as many records as are needed and some more;
//!   fence; see what subscribers hold, and go around it. Write the bytes, and make the record visible. What it costs does not
//!   depend on how many subscribe.
//! - **Receive by copying** (`following.rs`): if there is a record at our position, copy it; then look whether the oldest has
//!   passed our position. If not, nothing there had been overwritten, so the copy is right. If it has, we were too slow: go on
//!   at the oldest, and count how many messages were missed by their numbers. (A record has the low bits of its number only;
//!   after such a jump, how many were published tells the rest.) Who is too slow several times in a row holds it to copy it.
//! - **Receive in place**: say which record we hold; fence; look whether the oldest has passed it. If not, the publisher, which
//!   looks at what is held after it has moved the oldest, sees that we hold it, and goes around it as long as we do.
//!
//! # Deaths
//! | of | when | what happens |
//! |---|---|---|
//! | publisher | before the publishing store | nothing was published; the next publisher of the lane writes there |
//! | publisher | after it | it was published; the next one finds the records behind the noted tail |
//! | publisher | any time | who waits for a message is told, once, also if another has its lane by then (`turns.rs`) |
//! | subscriber | any time | what it held is used again by the publisher that needs the place, which asks the kernel who lives |
//! | any | before it wakes who it should | they look by themselves within a slice (50 ms) |
//!
//! # What is not believed
//! Publishers believe their own ring's control words and heads only as far as they lead nowhere outside the ring; subscribers
//! check each head, and the positions, before they use them. A lane that makes no sense is reported once and left out.

mod following;
mod kind;
mod lapping;
mod loan;
#[cfg(all(test, loom))]
mod models;
mod peers;
mod publisher;
mod room;
mod sample;
mod stats;
mod subscriber;
#[expect(clippy::module_inception, reason = "a file has the name of its type")]
mod topic;
mod turns;
mod typed;

pub use kind::Topics;
pub use loan::SampleLoan;
pub use peers::{PeerChange, PeerEvent};
pub use publisher::Publisher;
pub use sample::Sample;
pub use stats::TopicStats;
pub use subscriber::{Delivered, Subscriber};
pub use topic::{Topic, TopicBuilder};
pub use typed::{TypedPublisher, TypedSample, TypedSubscriber, TypedTopic, TypedTopicBuilder};
