//! The posted messages that a thread has seen and not served.
//!
//! Who posts takes a *ticket*, the next number at the receiver's desk, before the message is to be seen in a lane. The receiver serves in
//! the order of the tickets. The message whose ticket is next it serves at once. If that is not there, who has it may be about to show
//! the message, or dead: then the receiver looks how many tickets were given, goes through all lanes once more, and serves the
//! lowest that it has. Whoever posted before that one was posted has shown his message by then, so it is seen; the tickets in
//! between are given up.

use super::incoming::From;
use super::outgoing::MOST_POSTED;
use std::collections::VecDeque;
use std::rc::Rc;

/// So many are put away at most; more than that nobody posts who counts.
const MOST: usize = 2 * MOST_POSTED as usize;

/// A message for the queue.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) ticket: u64,
    pub(super) window: u32,
    pub(super) number: u32,
    pub(super) wparam: usize,
    pub(super) lparam: isize,
    /// `None`: this thread.
    pub(super) from: Option<Rc<From>>,
}

/// Posted messages, in the order of their tickets.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Posted>,
    /// Whether they are in order. They come in order from each lane, and are sorted when all have been gone through.
    sorted: bool,
    /// All tickets below this have been served or given up.
    next: u64,
}

impl Queue {
    /// One of a thread to which so many had been posted before it was there.
    pub(super) fn new(next: u64) -> Self {
        Queue {
            waiting: VecDeque::new(),
            sorted: true,
            next,
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < MOST
    }

    /// How many of those that were posted do not wait any more.
    #[inline]
    pub(super) fn taken(&self) -> u64 {
        self.next
    }

    #[inline]
    pub(super) fn put(&mut self, posted: Posted) {
        self.sorted &= self
            .waiting
            .back()
            .is_none_or(|last| last.ticket <= posted.ticket);
        self.waiting.push_back(posted);
    }

    /// The first one.
    #[inline]
    fn first(&mut self) -> Option<&Posted> {
        if !self.sorted {
            self.sort();
        }
        self.waiting.front()
    }

    #[cold]
    fn sort(&mut self) {
        // Which merges what is in order.
        self.waiting.make_contiguous().sort_by_key(|posted| posted.ticket);
        self.sorted = true;
    }

    /// Whether there is one before which no other can have been posted.
    #[inline(always)]
    pub(super) fn has_next(&mut self) -> bool {
        let next = self.next;
        self.first().is_some_and(|first| first.ticket <= next)
    }

    /// That one.
    #[inline(always)]
    pub(super) fn take_next(&mut self) -> Option<Posted> {
        if self.has_next() { self.take_first() } else { None }
    }

    /// The first one, after all lanes have been gone through since so many tickets had been given.
    pub(super) fn take_after(&mut self, given: u64) -> Option<Posted> {
        // One with a ticket that was never given is as good now as later.
        if let Some(ticket) = self.first().map(|first| first.ticket)
            && (self.next..given).contains(&ticket)
        {
            self.next = ticket;
        }
        self.take_first()
    }

    #[inline(always)]
    fn take_first(&mut self) -> Option<Posted> {
        let first = self.waiting.pop_front()?;
        if first.ticket == self.next {
            self.next = self.next.saturating_add(1);
        }
        Some(first)
    }

    /// Gives up all tickets below that, as nothing waits and all lanes have been gone through since so many had been given.
    pub(super) fn give_up(&mut self, given: u64) {
        self.next = self.next.max(given);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn posted(ticket: u64) -> Posted {
        Posted {
            ticket,
            window: 0,
            number: 0,
            wparam: 0,
            lparam: 0,
            from: None,
        }
    }

    proptest! {
        /// Whatever comes, in whatever order, is served; and what is there when it is looked for, in its order.
        #[test]
        fn what_is_put_is_served_in_order(tickets in proptest::collection::vec(0..60u64, 0..60), looks in any::<u64>()) {
            let mut queue = Queue::new(10);
            let mut there: Vec<u64> = Vec::new();
            let mut served = 0;
            for (index, ticket) in tickets.iter().copied().enumerate() {
                queue.put(posted(ticket));
                there.push(ticket);
                there.sort_unstable();
                if looks >> index & 1 == 1 {
                    let before = queue.taken();
                    let one = match queue.take_next() {
                        Some(one) => {
                            prop_assert!(one.ticket <= before);
                            Some(one)
                        }
                        None => queue.take_after(50),
                    };
                    prop_assert_eq!(one.map(|one| one.ticket), Some(there.remove(0)));
                    prop_assert!((before..=50.max(before + 1)).contains(&queue.taken()));
                    served += 1;
                }
            }
            prop_assert_eq!(queue.len(), tickets.len() - served);
        }
    }

    #[test]
    fn the_ticket_that_is_next_needs_no_look_and_a_gap_does() {
        let mut queue = Queue::new(5);
        queue.put(posted(7));
        queue.put(posted(5));
        assert_eq!(queue.take_next().unwrap().ticket, 5);
        assert!(queue.take_next().is_none(), "6 may be about to come");
        assert_eq!(queue.taken(), 6);
        assert_eq!(queue.take_after(8).unwrap().ticket, 7);
        assert_eq!(queue.taken(), 8, "6 is given up");
        // It comes after all, and is served at once.
        queue.put(posted(6));
        assert_eq!(queue.take_next().unwrap().ticket, 6);
        assert_eq!(queue.taken(), 8);
        queue.give_up(11);
        assert_eq!(queue.taken(), 11);
        queue.put(posted(u64::MAX));
        assert_eq!(queue.take_after(11).unwrap().ticket, u64::MAX);
        assert_eq!(queue.taken(), 11, "nobody gave that one");
    }
}
