//! Events.

use super::member::{Member, Registry, Waiting, layout, room_of};
use super::signal::{Signal, Word};
use crate::layout::Layout;
use crate::os::linux::futex::ANYONE;
use crate::os::linux::look;
use crate::os::linux::segment::Spec;
use crate::os::types::{Found, ObjectOptions, Opening};
use crate::participants;
use crate::wait::Spin;
use crate::{Deadline, Error, ErrorKind, Name, Result, Scheme};
use std::sync::Arc;

static LAYOUT: Layout = layout(
    Scheme::Event,
    "1: header 64, parameter 1 manual; word u64 at 64: set 1, times 30, waiters 1, 32 unused; swept u64 at 72; \
     1022 slots of 64 at 128: held u64 unused, aux u64 unused, since u64 unused, since_of u64 unused, space u64, pid u32, \
     waiting u32; locks at 2^62: life 1, 1 unused, 2 a slot",
);

static OPEN: Registry<Event> = Registry::new();

/// An event, of which this process is one participant.
#[derive(Debug)]
pub(crate) struct Event {
    member: Member,
    manual: bool,
    spin: Spin,
}

impl Event {
    pub(crate) fn open(
        name: &Name,
        opening: Opening,
        manual: bool,
        set: bool,
        options: &ObjectOptions,
    ) -> Result<(Arc<Self>, bool)> {
        let spec = Spec {
            layout: &LAYOUT,
            name,
            options: *options,
            size: LAYOUT.size,
            parameter: manual.into(),
        };
        let (opened, made) = Member::open(&spec, opening, Signal::initial(set))?;
        let manual = opened.header().parameter() != 0;
        let id = opened.id();
        let event = OPEN.get_or_make(
            id,
            |open| !open.member.is_released(),
            || {
                Ok(Event {
                    // A dead participant leaves nothing but its sleepers.
                    member: opened.join(|_, _| Ok(()))?,
                    manual,
                    spin: Spin::default(),
                })
            },
        )?;
        Ok((event, made))
    }

    pub(crate) fn release_name(&self) {
        self.member.release_name();
    }

    pub(crate) fn is_manual(&self) -> bool {
        self.manual
    }

    fn signal(&self) -> Signal<'_> {
        Signal {
            word: &self.member.room().word,
            manual: self.manual,
        }
    }

    pub(crate) fn is_set(&self) -> Result<bool> {
        Ok(self.signal().look().is_set())
    }

    pub(crate) fn set(&self) -> Result<()> {
        self.member.check_ours()?;
        let wake = self.signal().set()?;
        self.member.wake(wake, ANYONE);
        Ok(())
    }

    pub(crate) fn reset(&self) -> Result<()> {
        self.member.check_ours()?;
        self.signal().reset()
    }

    pub(crate) fn wait(&self, deadline: Deadline) -> Result<()> {
        self.member.check_ours()?;
        self.member
            .block(&self.spin, deadline, &ForSignal::new(self))?
            .ok_or_else(|| Error::new(ErrorKind::TimedOut, "it was not set in time"))
    }

    pub(super) fn member(&self) -> &Member {
        &self.member
    }
}

/// A thread that waits for an event.
pub(super) struct ForSignal<'a> {
    event: &'a Event,
    /// The word when it began to; `None`: only what is now counts.
    since: Option<Word>,
}

impl<'a> ForSignal<'a> {
    pub(super) fn new(event: &'a Event) -> Self {
        ForSignal {
            event,
            since: Some(event.signal().look()),
        }
    }

    /// One that is content only while the event is set.
    pub(super) fn now(event: &'a Event) -> Self {
        ForSignal { event, since: None }
    }
}

impl Waiting for ForSignal<'_> {
    type Got = ();

    fn try_take(&self, others_sleep: bool) -> Result<Option<()>> {
        let content = self.event.signal().try_wait(self.since, others_sleep)?;
        Ok(content.then_some(()))
    }

    fn before_sleep(&self) -> Result<Option<u32>> {
        self.event.signal().announce_sleeper(self.since)
    }

    fn sweep(&self, _now: bool) -> Result<()> {
        // Nobody holds anything of an event.
        Ok(())
    }
}

pub(crate) fn list() -> Result<Vec<Found>> {
    look::list(&LAYOUT, stat)
}

pub(crate) fn stat(name: &Name) -> Result<Found> {
    look::stat(&LAYOUT, name, |look| {
        let room = room_of(look);
        let manual = look.header().parameter() != 0;
        let signal = Signal {
            word: &room.word,
            manual,
        };
        let set = if signal.look().is_set() { "yes" } else { "no" };
        let reset = if manual { "manual" } else { "auto" };
        let seen = participants::see(look, &room.header.high_water, &room.slots, 0, |_, _| (0, None));
        Ok((seen, vec![("set", set.into()), ("reset", reset.into())]))
    })
}

pub(crate) fn remove(name: &Name) -> Result<()> {
    look::remove(&LAYOUT, name)
}
