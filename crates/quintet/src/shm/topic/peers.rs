//! Who is on the other side of a topic: how many, who came, who left, who died.

use super::publisher::Publisher;
use super::room::{FIRST_SUBSCRIBER, Held};
use super::subscriber::Subscriber;
use super::turns::Turns;
use crate::doorbell::Waiter;
use crate::os::atomic::{AtomicU32, Ordering};
use crate::participants::Slot;
use crate::shm::Trust;
use crate::wait::Spin;
use crate::{Deadline, Error, ErrorKind, Result};

/// That somebody on the other side of a [`Topic`](super::Topic) came or went: a subscriber to a publisher, a publisher to a
/// subscriber.
///
/// ```
/// use quintet::shm::{PeerChange, Topic};
///
/// # let name = format!("peer-event-doc-{}", std::process::id());
/// let topic = Topic::create_or_open(&name)?;
/// let mut publisher = topic.publisher()?;
/// let subscriber = topic.subscriber()?;
/// let came = publisher.peer_events()?;
/// assert_eq!((came[0].change, came[0].pid), (PeerChange::Joined, Some(std::process::id())));
/// drop(subscriber);
/// assert_eq!(publisher.peer_events()?[0].change, PeerChange::Left);
/// assert!(publisher.peer_events()?.is_empty());
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerEvent {
    /// What it did.
    pub change: PeerChange,
    /// Which place it has or had: of a publisher the number of its lane, of a subscriber its number among them. Another may have
    /// it later.
    pub place: usize,
    /// Its process; `None` if that has no number here (in another container).
    pub pid: Option<u32>,
}

/// What became of who is, or was, on the other side.
///
/// ```
/// # use quintet::shm::{PeerChange, Topic};
/// # let topic = Topic::create_or_open(&format!("peer-change-doc-{}", std::process::id()))?;
/// let publisher = topic.publisher()?;
/// let mut subscriber = topic.subscriber()?;
/// assert_eq!(subscriber.peer_events()?[0].change, PeerChange::Joined);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerChange {
    /// It is there.
    Joined,
    /// It was dropped.
    Left,
    /// Its process ended without that: it was killed, say.
    Died,
}

/// Which side others are on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Publishers,
    Subscribers,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Publishers => "publishers",
            Side::Subscribers => "subscribers",
        }
    }
}

/// Who takes part on that side of a topic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Others<'a> {
    pub(super) held: &'a Held,
    pub(super) side: Side,
}

impl<'a> Others<'a> {
    /// Their places, the highest that was ever taken plus one, and the participant's number of the first.
    fn places(self) -> (&'a [Slot], &'a AtomicU32, usize) {
        let room = self.held.room();
        match self.side {
            Side::Publishers => (
                &room.publishers[..self.held.shape.lanes],
                &room.header.high_water,
                0,
            ),
            Side::Subscribers => (&room.subscribers, &room.subscribers_high, FIRST_SUBSCRIBER),
        }
    }

    fn slots(self) -> &'a [Slot] {
        let (slots, high_water, _) = self.places();
        crate::participants::used(high_water, slots)
    }

    /// How many there are now.
    pub(super) fn count(self) -> usize {
        let (.., first) = self.places();
        (0..self.slots().len())
            .filter(|place| self.held.is_alive(first + place).unwrap_or(false))
            .count()
    }

    /// What became of those who had a place.
    pub(super) fn turns(self, place: usize) -> Result<Turns> {
        let (slots, _, first) = self.places();
        Turns::now(&slots[place].in_hand, || self.held.is_alive(first + place))
    }

    /// Who is there.
    fn at(self, place: usize) -> Result<Known> {
        let turns = self.turns(place)?;
        let pid = turns.is_taken().then(|| self.slots()[place].pid());
        Ok(Known {
            turns,
            pid: pid.filter(|pid| *pid != 0),
        })
    }

    /// Waits until there are so many.
    fn wait_for(self, count: usize, waiter: Waiter<'_>, spin: &Spin, deadline: Deadline) -> Result<()> {
        let most = self.places().0.len();
        if count > most {
            let what = format!(
                "it has room for {most} {}, so there are never {count}",
                self.side.name()
            );
            return Err(Error::new(ErrorKind::TooLarge, what));
        }
        let is_there = || Ok(self.count() >= count);
        let late = || match (self.side, count) {
            (Side::Subscribers, 1) => "nobody subscribed in time".to_owned(),
            (Side::Publishers, 1) => "there was no publisher in time".to_owned(),
            (side, _) => format!("there were fewer than {count} {} in time", side.name()),
        };
        wait(waiter, spin, deadline, is_there, late)
    }
}

/// Waits until something is so.
fn wait(
    waiter: Waiter<'_>,
    spin: &Spin,
    deadline: Deadline,
    is_so: impl Fn() -> Result<bool>,
    late: impl FnOnce() -> String,
) -> Result<()> {
    // In slices, as nobody rings for the dead.
    match waiter.wait(spin, deadline, || Ok(is_so()?.then_some(())), &is_so)? {
        Some(()) => Ok(()),
        None => Err(Error::new(ErrorKind::TimedOut, late())),
    }
}

/// Whom one on this side knows of.
#[derive(Debug, Default)]
pub(super) struct Acquaintance(Vec<Known>);

/// Who was at a place when we looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    turns: Turns,
    pid: Option<u32>,
}

impl Acquaintance {
    /// Whether anybody came or went since we looked.
    fn has_news(&self, others: Others<'_>) -> Result<bool> {
        for place in 0..others.slots().len() {
            let before = self.0.get(place).copied().unwrap_or_default();
            if changes(before, others.at(place)?).next().is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Who came or went since we looked: at most two for each place.
    fn news(&mut self, others: Others<'_>) -> Result<Vec<PeerEvent>> {
        let mut events = Vec::new();
        for place in 0..others.slots().len() {
            // A failure here leaves what was not told yet to the next look.
            let now = match others.at(place) {
                Ok(now) => now,
                Err(error) if events.is_empty() => return Err(error),
                Err(_) => break,
            };
            if self.0.len() <= place {
                self.0.resize(place + 1, Known::default());
            }
            let before = std::mem::replace(&mut self.0[place], now);
            events.extend(changes(before, now).map(|(change, pid)| PeerEvent { change, place, pid }));
        }
        Ok(events)
    }
}

/// What happened at a place. Of those who came and went between two looks nothing is known, but that one died.
fn changes(before: Known, now: Known) -> impl Iterator<Item = (PeerChange, Option<u32>)> {
    let is_another = before.turns.had() != now.turns.had();
    let has_died = before.turns.died() != now.turns.died();
    let went = before.turns.is_taken() && (is_another || !now.turns.is_taken());
    let came = now.turns.is_taken() && (is_another || !before.turns.is_taken());
    let gone = match (went, has_died) {
        (true, false) => Some((PeerChange::Left, before.pid)),
        (true, true) => Some((PeerChange::Died, before.pid)),
        (false, true) => Some((PeerChange::Died, None)),
        (false, false) => None,
    };
    let here = came.then_some((PeerChange::Joined, now.pid));
    gone.into_iter().chain(here)
}

impl<T: Trust> Publisher<T> {
    fn others(&self) -> Others<'_> {
        let held = &self.parts.shared.held;
        Others {
            held,
            side: Side::Subscribers,
        }
    }

    fn peers_waiter(&self) -> Waiter<'_> {
        let slots = &self.parts.shared.held.room().publishers;
        self.parts.shared.held.waiter_for_peers(Some(&slots[self.lane()]))
    }

    /// How many subscribers there are now.
    pub fn subscribers(&self) -> usize {
        self.others().count()
    }

    /// Waits until there is a subscriber.
    ///
    /// # Errors
    /// On Linux [`ErrorKind::Unsupported`] in a forked child.
    pub fn wait_for_subscriber(&mut self) -> Result<()> {
        self.wait_for_subscribers(1, Deadline::NEVER)
    }

    /// As [`wait_for_subscriber`](Self::wait_for_subscriber), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `wait_for_subscriber`.
    pub fn wait_for_subscriber_timeout(&mut self, deadline: impl Into<Deadline>) -> Result<()> {
        self.wait_for_subscribers(1, deadline)
    }

    /// Waits until there are so many subscribers at a time, or more.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] at the deadline; [`ErrorKind::TooLarge`] for more than 255, which there never are; on Linux
    /// [`ErrorKind::Unsupported`] in a forked child.
    ///
    /// ```
    /// # let name = format!("wait-subscribers-doc-{}", std::process::id());
    /// let topic = quintet::shm::Topic::create_or_open(&name)?;
    /// let (_one, _two) = (topic.subscriber()?, topic.subscriber()?);
    /// topic.publisher()?.wait_for_subscribers(2, std::time::Duration::from_secs(5))?;
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn wait_for_subscribers(&mut self, count: usize, deadline: impl Into<Deadline>) -> Result<()> {
        self.parts.check_ours()?;
        self.others()
            .wait_for(count, self.peers_waiter(), &self.parts.spin, deadline.into())
            .map_err(|error| self.parts.shared.about(error))
    }

    /// Which subscribers came or went since this was asked last: the first time, who is there.
    ///
    /// It costs a question to the kernel for each subscriber, and publishing nothing: nobody tells, this looks. So of one who came
    /// and went between two calls there is nothing, but for a death, which is then told without the pid, once for a place.
    ///
    /// # Errors
    /// On Linux [`ErrorKind::Unsupported`] in a forked child.
    pub fn peer_events(&mut self) -> Result<Vec<PeerEvent>> {
        self.parts.check_ours()?;
        let mut known = std::mem::take(&mut self.parts.known);
        let news = known.news(self.others());
        self.parts.known = known;
        news.map_err(|error| self.parts.shared.about(error))
    }

    /// As [`peer_events`](Self::peer_events), as soon as there is one: of a death within 50 ms.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `peer_events`.
    pub fn wait_for_peer_events(&mut self, deadline: impl Into<Deadline>) -> Result<Vec<PeerEvent>> {
        self.parts.check_ours()?;
        let is_so = || self.parts.known.has_news(self.others());
        let late = || "no subscriber came or went in time".to_owned();
        wait(
            self.peers_waiter(),
            &self.parts.spin,
            deadline.into(),
            is_so,
            late,
        )
        .map_err(|error| self.parts.shared.about(error))?;
        self.peer_events()
    }
}

impl<T: Trust> Subscriber<T> {
    fn others(&self) -> Others<'_> {
        let held = &self.core.shared.held;
        Others {
            held,
            side: Side::Publishers,
        }
    }

    fn peers_waiter(&self) -> Waiter<'_> {
        let held = &self.core.shared.held;
        let slots = &held.room().subscribers;
        held.waiter_for_peers(Some(&slots[self.core.seat.index()]))
    }

    fn check_ours(&self) -> Result<()> {
        let ours = self.core.seat.check_ours();
        ours.map_err(|error| self.core.shared.about(error))
    }

    /// How many publishers there are now.
    pub fn publishers(&self) -> usize {
        self.others().count()
    }

    /// Waits until there are so many publishers at a time, or more.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] at the deadline; [`ErrorKind::TooLarge`] for more than the topic has room for; on Linux
    /// [`ErrorKind::Unsupported`] in a forked child.
    ///
    /// ```
    /// # let name = format!("wait-publishers-doc-{}", std::process::id());
    /// let topic = quintet::shm::Topic::create_or_open(&name)?;
    /// let _publisher = topic.publisher()?;
    /// topic.subscriber()?.wait_for_publishers(1, std::time::Duration::from_secs(5))?;
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn wait_for_publishers(&mut self, count: usize, deadline: impl Into<Deadline>) -> Result<()> {
        self.check_ours()?;
        self.others()
            .wait_for(count, self.peers_waiter(), &self.core.spin, deadline.into())
            .map_err(|error| self.core.shared.about(error))
    }

    /// Which publishers came or went since this was asked last: the first time, who is there. As
    /// [`Publisher::peer_events`].
    ///
    /// What a publisher that is gone has published is still received: this tells of who, not of what.
    ///
    /// # Errors
    /// On Linux [`ErrorKind::Unsupported`] in a forked child.
    pub fn peer_events(&mut self) -> Result<Vec<PeerEvent>> {
        self.check_ours()?;
        let mut known = std::mem::take(&mut self.known);
        let news = known.news(self.others());
        self.known = known;
        news.map_err(|error| self.core.shared.about(error))
    }

    /// As [`peer_events`](Self::peer_events), as soon as there is one: of a death within 50 ms.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `peer_events`.
    pub fn wait_for_peer_events(&mut self, deadline: impl Into<Deadline>) -> Result<Vec<PeerEvent>> {
        self.check_ours()?;
        let is_so = || self.known.has_news(self.others());
        let late = || "no publisher came or went in time".to_owned();
        wait(self.peers_waiter(), &self.core.spin, deadline.into(), is_so, late)
            .map_err(|error| self.core.shared.about(error))?;
        self.peer_events()
    }
}

/// Tells who waits for that that somebody came or left. After he has said so.
pub(super) fn tell(held: &Held) {
    crate::os::atomic::fence(Ordering::SeqCst);
    if held.room().arrived.has_sleepers() {
        held.waiter_for_peers(None).wake(u32::MAX);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use PeerChange::{Died, Joined, Left};

    fn known(had: u64, died: u64, pid: u32) -> Known {
        Known {
            turns: Turns(had << 32 | died << 1 | u64::from(pid != 0)),
            pid: Some(pid).filter(|pid| *pid != 0),
        }
    }

    #[test]
    fn what_happened_is_told_from_two_looks() {
        for (before, now, expected) in [
            (known(0, 0, 0), known(0, 0, 0), &[][..]),
            (known(0, 0, 0), known(1, 0, 7), &[(Joined, Some(7))]),
            (known(1, 0, 7), known(1, 0, 7), &[]),
            (known(1, 0, 7), known(1, 0, 0), &[(Left, Some(7))]),
            (known(1, 0, 7), known(1, 1, 0), &[(Died, Some(7))]),
            (
                known(1, 0, 7),
                known(2, 0, 8),
                &[(Left, Some(7)), (Joined, Some(8))],
            ),
            (
                known(1, 0, 7),
                known(2, 1, 8),
                &[(Died, Some(7)), (Joined, Some(8))],
            ),
            // Unseen ones.
            (known(1, 0, 0), known(2, 0, 0), &[]),
            (known(1, 0, 0), known(2, 1, 0), &[(Died, None)]),
            (known(1, 0, 0), known(3, 1, 9), &[(Died, None), (Joined, Some(9))]),
        ] {
            assert_eq!(
                changes(before, now).collect::<Vec<_>>(),
                expected,
                "{before:?} {now:?}"
            );
        }
    }
}
