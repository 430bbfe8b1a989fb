use super::following::{Copied, Cursor, Next};
use super::peers::{self, Acquaintance, Others, Side};
use super::room::{self, HOLDS, Held};
use super::sample::{Hold, Sample};
use super::topic::Shared;
use super::turns::Turns;
use crate::doorbell::{Readiness, Waiter};
use crate::os::atomic::{AtomicU64, Ordering};
use crate::participants::Seat;
use crate::shm::lane::Lane;
use crate::shm::{Trust, Trusting, Wary};
use crate::sync::Waitable;
use crate::wait::{SLICE, Spin};
use crate::{Deadline, Error, ErrorKind, Result};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// One who receives what is published on a [`Topic`](super::Topic), from when it subscribed on.
///
/// Messages of one publisher come in order. Who is too slow misses the oldest, and is told how many. Nobody waits for a
/// subscriber, and a message that is held in place stays as long as it is held.
///
/// ```
/// use quintet::shm::Topic;
///
/// # let name = format!("subscriber-doc-{}", std::process::id());
/// let topic = Topic::create_or_open(&name)?;
/// let mut subscriber = topic.subscriber()?;
/// topic.publisher()?.publish(b"hello")?;
/// let mut message = Vec::new();
/// let delivered = subscriber.copy(&mut message)?; // or receive(), which copies nothing
/// assert_eq!((message.as_slice(), delivered.sequence, delivered.lost), (&b"hello"[..], 0, 0));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Subscriber<T: Trust = Wary> {
    pub(super) core: Arc<Core>,
    following: Following,
    /// The publishers that it was told of.
    pub(super) known: Acquaintance,
    trust: PhantomData<T>,
}

/// What is known of a message that was received.
///
/// ```
/// # let topic = quintet::shm::Topic::create_or_open(&format!("delivered-doc-{}", std::process::id()))?;
/// # let mut subscriber = topic.subscriber()?;
/// let mut publisher = topic.publisher()?;
/// publisher.publish("a")?;
/// let delivered = subscriber.copy(&mut Vec::new())?;
/// assert_eq!((delivered.lane, delivered.sequence, delivered.len), (publisher.lane(), 0, 1));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered {
    /// Its length in bytes.
    pub len: usize,
    /// Which lane it was published in: all messages of one publisher come in one.
    pub lane: usize,
    /// How many messages were published in that lane before.
    pub sequence: u64,
    /// How many of that lane this subscriber missed right before it.
    pub lost: u64,
}

/// What a subscriber, and what it holds in place, keep.
#[derive(Debug)]
pub(super) struct Core {
    // Before what it is a seat in.
    pub(super) seat: Seat,
    pub(super) shared: Arc<Shared>,
    /// Which holds are free: a bit for each.
    pub(super) free: AtomicU32,
    pub(super) spin: Spin,
}

/// Where it is in each lane.
#[derive(Debug)]
struct Following {
    cursors: Vec<Cursor>,
    /// Which lane to look at first.
    next: usize,
    depth: u64,
    /// Of how many publishers of each lane it is no news that they died: those who had when we subscribed, and those of which
    /// it was said.
    told: Vec<u32>,
    /// Of lanes that make no sense: that was said.
    senseless: u64,
    received: u64,
    lost: u64,
    /// What those received and lost who had our seat before.
    before: (u64, u64),
}

const _: () = assert!(super::room::LANES <= u64::BITS as usize && HOLDS <= u32::BITS as usize);

impl Subscriber {
    pub(super) fn new(shared: &Arc<Shared>, depth: u64) -> Result<Self> {
        let held = &shared.held;
        // Before anybody sees us: who waited for us and publishes then does so for us.
        let mut following = Following {
            cursors: (0..held.shape.lanes)
                .map(|lane| Cursor::new(held.lane(lane)))
                .collect(),
            next: 0,
            depth,
            told: (0..held.shape.lanes)
                .map(|lane| publishers(held).turns(lane).map(Turns::died))
                .collect::<Result<_>>()?,
            senseless: 0,
            received: 0,
            lost: 0,
            before: (0, 0),
        };
        let seat = held.sit_as_subscriber()?;
        let slot = &held.room().subscribers[seat.index()];
        following.before = (
            slot.aux.load(Ordering::Relaxed),
            slot.held.load(Ordering::Relaxed),
        );
        let subscriber = Subscriber {
            core: Arc::new(Core {
                seat,
                shared: shared.clone(),
                free: AtomicU32::new((1 << HOLDS) - 1),
                spin: Spin::default(),
            }),
            following,
            known: Acquaintance::default(),
            trust: PhantomData,
        };
        peers::tell(held);
        Ok(subscriber)
    }

    /// Takes the other processes at their word, so that what it receives in place can be read as a slice.
    ///
    /// # Safety
    /// As of [`Publisher::trusting`](super::Publisher::trusting), as long as this or anything that it holds lives.
    pub unsafe fn trusting(self) -> Subscriber<Trusting> {
        Subscriber {
            core: self.core,
            following: self.following,
            known: self.known,
            trust: PhantomData,
        }
    }
}

impl<T: Trust> Subscriber<T> {
    /// The next message where it is, as soon as there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Full`] if this subscriber holds 8 already; [`ErrorKind::PeerDied`] if a publisher has died since it
    /// subscribed, which is said to who waits, once (also of several that had the same lane meanwhile); [`ErrorKind::Corrupt`] if some process has written into a lane, which is then left out; on
    /// Linux [`ErrorKind::Unsupported`] in a forked child.
    pub fn receive(&mut self) -> Result<Sample<T>> {
        self.receive_timeout(Deadline::NEVER)
    }

    /// As [`receive`](Self::receive), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `receive`.
    pub fn receive_timeout(&mut self, deadline: impl Into<Deadline>) -> Result<Sample<T>> {
        let deadline = deadline.into();
        let (core, following) = (&self.core, &mut self.following);
        if core.sees(following, deadline)
            && let Some((hold, delivered)) = following.hold_the_next(core)
        {
            return Ok(Sample::new(hold, delivered));
        }
        self.receive_later(deadline)
    }

    #[inline(never)]
    fn receive_later(&mut self, deadline: Deadline) -> Result<Sample<T>> {
        let (core, following) = (&self.core, &mut self.following);
        let taken = core.wait(following, deadline, |following| following.hold(core));
        taken
            .map(|(hold, delivered)| Sample::new(hold, delivered))
            .map_err(|error| core.shared.about(error))
    }

    /// As [`receive`](Self::receive), if there is one now.
    ///
    /// # Errors
    /// Those of `receive`.
    pub fn try_receive(&mut self) -> Result<Option<Sample<T>>> {
        if let Some((hold, delivered)) = self.following.hold_the_next(&self.core) {
            return Ok(Some(Sample::new(hold, delivered)));
        }
        let held = self.following.hold(&self.core);
        held.map(|held| held.map(|(hold, delivered)| Sample::new(hold, delivered)))
            .map_err(|error| self.core.shared.about(error))
    }

    /// Copies the next message, as soon as there is one: its bytes become those of `message`.
    ///
    /// # Errors
    /// Those of [`receive`](Self::receive), but for `Full`.
    pub fn copy(&mut self, message: &mut Vec<u8>) -> Result<Delivered> {
        self.copy_timeout(message, Deadline::NEVER)
    }

    /// As [`copy`](Self::copy), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `copy`.
    pub fn copy_timeout(
        &mut self,
        message: &mut Vec<u8>,
        deadline: impl Into<Deadline>,
    ) -> Result<Delivered> {
        let deadline = deadline.into();
        if self.core.sees(&self.following, deadline)
            && let Some(delivered) = self.try_copy(message)?
        {
            return Ok(delivered);
        }
        let (core, following) = (&self.core, &mut self.following);
        core.wait(following, deadline, |following| following.copy(core, message))
            .map_err(|error| core.shared.about(error))
    }

    /// As [`copy`](Self::copy), if there is one now.
    ///
    /// # Errors
    /// Those of `copy`.
    #[inline]
    pub fn try_copy(&mut self, message: &mut Vec<u8>) -> Result<Option<Delivered>> {
        self.following
            .copy(&self.core, message)
            .map_err(|error| self.core.shared.about(error))
    }

    /// How many messages it has received.
    pub fn received(&self) -> u64 {
        self.following.received
    }

    /// How many it has missed, because it was too slow.
    pub fn lost(&self) -> u64 {
        self.following.lost
    }
}

/// Until there is a message.
///
/// ```
/// use quintet::Deadline;
/// use quintet::shm::Topic;
/// use quintet::sync::{Event, Reset, wait_any};
///
/// # let name = format!("topic-any-doc-{}", std::process::id());
/// let topic = Topic::create_or_open(&name)?;
/// let quit = Event::create_or_open(&name, Reset::Manual)?;
/// let mut frames = topic.subscriber()?;
/// topic.publisher()?.publish(b"frame")?;
/// assert_eq!(wait_any(&[(&quit).into(), (&frames).into()], Deadline::NEVER)?.index, 1);
/// assert!(frames.try_receive()?.is_some());
/// # Ok::<(), quintet::Error>(())
/// ```
impl<'a, T: Trust> From<&'a Subscriber<T>> for Waitable<'a> {
    fn from(subscriber: &'a Subscriber<T>) -> Self {
        Waitable::ready(subscriber)
    }
}

impl<T: Trust> Readiness for Subscriber<T> {
    fn is_ready(&self) -> Result<bool> {
        self.core.seat.check_ours()?;
        Ok(self.following.is_ready(&self.core))
    }

    fn waiter(&self) -> Waiter<'_> {
        self.core.waiter()
    }
}

impl Core {
    fn waiter(&self) -> Waiter<'_> {
        self.shared.held.waiter(Some(self.seat.index()))
    }

    /// One of the words in which we say what we hold, if one is free: it is the caller's until he gives it back.
    #[inline(always)]
    pub(super) fn take_word(&self) -> Option<u32> {
        let mut free = self.free.load(Ordering::Acquire);
        while free != 0 {
            let left = free & (free - 1);
            match self
                .free
                .compare_exchange(free, left, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Some(free.trailing_zeros()),
                Err(now) => free = now,
            }
        }
        None
    }

    #[inline(always)]
    pub(super) fn word(&self, index: u32) -> &AtomicU64 {
        &self.shared.held.holds_of(self.seat.index())[index as usize]
    }

    /// Says that nothing is held there any more.
    #[inline(always)]
    pub(super) fn give_back(&self, index: u32) {
        // A forked child has none: it is its parent's.
        if self.seat.is_ours() {
            // What was read of it has been read.
            self.word(index).store(0, Ordering::Release);
        }
        self.free.fetch_or(1 << index, Ordering::AcqRel);
    }

    /// Whether something is seen at the first glance, which needs no clock and says nothing of spinning, or within a few more.
    #[inline(always)]
    fn sees(&self, following: &Following, deadline: Deadline) -> bool {
        following.glance(self) || self.spin.sees(deadline, || following.glance(self))
    }

    fn wait<R>(
        &self,
        following: &mut Following,
        deadline: Deadline,
        mut take: impl FnMut(&mut Following) -> Result<Option<R>>,
    ) -> Result<R> {
        loop {
            // In slices, so that a publisher's death is noticed.
            let slice = Deadline::after(deadline.slice(SLICE));
            let shared = std::cell::RefCell::new(&mut *following);
            let taken = self.waiter().wait_by_glances(
                &self.spin,
                slice,
                || shared.borrow().glance(self),
                || take(&mut shared.borrow_mut()),
                || Ok(shared.borrow().is_ready(self)),
            )?;
            match taken {
                Some(taken) => return Ok(taken),
                None if deadline.has_passed() => {
                    return Err(Error::new(ErrorKind::TimedOut, "nothing was published in time"));
                }
                None => following.ask_who_lives(self)?,
            }
        }
    }
}

impl Following {
    #[inline(always)]
    fn glance(&self, core: &Core) -> bool {
        let held = &core.shared.held;
        (0..held.lanes_used()).any(|lane| self.cursors[lane].glance(held.lane(lane)))
    }

    fn is_ready(&self, core: &Core) -> bool {
        let said = |lane: usize| self.senseless >> lane & 1 != 0;
        let lanes = 0..core.shared.held.lanes_used();
        lanes
            .into_iter()
            .any(|lane| !said(lane) && self.cursors[lane].is_ready(core.shared.held.lane(lane)))
    }

    /// The next message of all lanes, as `take` takes it.
    #[inline]
    fn next<R>(
        &mut self,
        core: &Core,
        mut take: impl FnMut(&mut Cursor, usize, Lane<'_>) -> Result<Option<(R, Next)>>,
    ) -> Result<Option<(R, Delivered)>> {
        core.seat.check_ours()?;
        let held = &core.shared.held;
        let lanes = held.lanes_used();
        for _ in 0..lanes {
            let index = if self.next < lanes { self.next } else { 0 };
            // The others are next.
            self.next = index + 1;
            if self.senseless >> index & 1 != 0 {
                continue;
            }
            let (cursor, lane) = (&mut self.cursors[index], core.shared.held.lane(index));
            let taken = match self.depth {
                u64::MAX => Ok(()),
                depth => cursor.skip(lane, depth),
            };
            match taken.and_then(|()| take(cursor, index, lane)) {
                Ok(Some((taken, next))) => return Ok(Some((taken, self.note(core, index, &next)))),
                Ok(None) => {}
                Err(error) => {
                    if error.kind() == ErrorKind::Corrupt {
                        self.senseless |= 1 << index;
                    }
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    #[inline(always)]
    fn note(&mut self, core: &Core, lane: usize, next: &Next) -> Delivered {
        self.received = self.received.wrapping_add(1);
        self.lost = self.lost.wrapping_add(next.lost);
        // For who looks.
        let slot = &core.shared.held.room().subscribers[core.seat.index()];
        let (received, lost) = self.before;
        slot.aux
            .store(received.wrapping_add(self.received), Ordering::Relaxed);
        if next.lost > 0 {
            slot.held.store(lost.wrapping_add(self.lost), Ordering::Relaxed);
        }
        Delivered {
            len: next.found.len as usize,
            lane,
            sequence: next.number,
            lost: next.lost,
        }
    }

    #[inline]
    fn copy(&mut self, core: &Arc<Core>, message: &mut Vec<u8>) -> Result<Option<Delivered>> {
        message.clear();
        let copied = self.next(core, |cursor, index, lane| match cursor.copy(lane, message)? {
            Copied::Message(next) => Ok(Some(((), next))),
            Copied::Nothing => Ok(None),
            Copied::Overtaken => copy_held(core, cursor, index, lane, message),
        })?;
        Ok(copied.map(|((), delivered)| delivered))
    }

    /// The next message, if it is right where we are in the lane that is next, as nearly always where there is one publisher, and
    /// there is something free to hold it. If not, that is for [`hold`](Self::hold) to find out.
    #[inline(always)]
    fn hold_the_next(&mut self, core: &Arc<Core>) -> Option<(Hold, Delivered)> {
        let lanes = core.shared.held.lanes_used();
        let index = if self.next < lanes { self.next } else { 0 };
        if self.depth != u64::MAX
            || index >= lanes
            || self.senseless >> index & 1 != 0
            || !core.seat.is_ours()
        {
            return None;
        }
        let (cursor, lane) = (&mut self.cursors[index], core.shared.held.lane(index));
        let found = cursor.glimpse(lane)?;
        let word = core.take_word()?;
        let Some(next) = cursor.try_hold(lane, index, core.word(word), found) else {
            core.give_back(word);
            return None;
        };
        self.next = index + 1;
        let delivered = self.note(core, index, &next);
        Some((Hold::new(core, word, index, found.at, found.len), delivered))
    }

    fn hold(&mut self, core: &Arc<Core>) -> Result<Option<(Hold, Delivered)>> {
        self.next(core, |cursor, index, lane| {
            let Some(found) = cursor.find(lane)? else {
                return Ok(None);
            };
            let hold = Hold::take(core)?;
            let held = cursor.hold(lane, index, hold.word(), found)?;
            Ok(held.map(|next| (hold.of(index, next.found), next)))
        })
    }

    /// Finds out which publishers live. Of one that has died since we asked the last time, or subscribed, it is said now.
    fn ask_who_lives(&mut self, core: &Core) -> Result<()> {
        let held = &core.shared.held;
        for lane in 0..held.lanes_used() {
            let died = publishers(held).turns(lane)?.died();
            // What it has published comes first.
            if died == self.told[lane] || self.cursors[lane].is_ready(core.shared.held.lane(lane)) {
                continue;
            }
            self.told[lane] = died;
            // Unless another has its place by now.
            let slot = &held.room().publishers[lane];
            let who = match slot.pid() {
                pid if pid != 0 && !held.is_alive(lane)? => format!("a publisher (pid {pid})"),
                _ => "a publisher".to_owned(),
            };
            return Err(Error::new(ErrorKind::PeerDied, format!("{who} has died")));
        }
        Ok(())
    }
}

fn publishers(held: &Held) -> Others<'_> {
    Others {
        held,
        side: Side::Publishers,
    }
}

/// Copies a message while it is held: for who needs longer to copy one than its publisher to come by again.
#[cold]
fn copy_held(
    core: &Arc<Core>,
    cursor: &mut Cursor,
    index: usize,
    lane: Lane<'_>,
    message: &mut Vec<u8>,
) -> Result<Option<((), Next)>> {
    let Some(found) = cursor.find(lane)? else {
        return Ok(None);
    };
    let Ok(hold) = Hold::take(core) else {
        // All are in use. Once more without; and then it is as if it had not been there yet.
        return match cursor.copy(lane, message)? {
            Copied::Message(next) => Ok(Some(((), next))),
            Copied::Nothing | Copied::Overtaken => Ok(None),
        };
    };
    let Some(next) = cursor.hold(lane, index, hold.word(), found)? else {
        return Ok(None);
    };
    hold.of(index, next.found).bytes().append_to(message);
    Ok(Some(((), next)))
}

impl Drop for Core {
    fn drop(&mut self) {
        let held = &self.shared.held;
        room::leave(held, &self.seat, &held.room().subscribers[self.seat.index()]);
    }
}
