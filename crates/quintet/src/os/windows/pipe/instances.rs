//! The instances of a pipe: how many clients a server has at once, and how a client finds a place.
//!
//! On Windows a client connects to a free instance, whether or not its server is just waiting for one, or is told that
//! all are busy. So a server keeps instances ready: as many as may still connect, but not more than `READY`. A client
//! that connected before `accept` was called is found in one of them, with what it wrote, even if it has left since.
//!
//! A pipe's name is there as long as any instance is. When the last connection of a full server drops, the next
//! instance is made *before* that one's is closed: clients that wait for the server never see it gone.
//!
//! How many instances there may be is counted here and not by the kernel. The kernel counts instances whose server has
//! closed them until their client does so too, and would refuse to make the next one because of a client that is slow
//! to leave.

use super::path;
use super::plan::Plan;
use crate::os::pipe_types::ServerOptions;
use crate::os::windows::claim::Mark;
use crate::os::windows::event::Event;
use crate::{Name, Result};
use std::mem::ManuallyDrop;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most instances that wait for clients at the same time. `accept` watches all of them.
const READY: u32 = 16;

/// A pipe's instances: those that wait for clients, and how many are connected.
#[derive(Debug)]
pub(super) struct Instances {
    plan: Plan,
    max: u32,
    state: Mutex<State>,
    /// Set when any of the instances that are watched gets a client, and when there is one more to watch.
    news: Arc<Event>,
    /// Who watches has ended.
    free_to_watch: Condvar,
    _streams: Option<Mark>,
}

#[derive(Debug, Default)]
struct State {
    connected: u32,
    /// Waiting for clients, or with one that nobody has accepted yet. The oldest first, as clients find them.
    ready: Vec<OwnedHandle>,
    /// More of them, which a thread in `accept` has taken out to watch.
    watched: u32,
    is_watching: bool,
    ended: bool,
}

impl State {
    fn all_ready(&self) -> u32 {
        self.ready.len() as u32 + self.watched
    }
}

impl Instances {
    pub(super) fn create(name: &Name, options: &ServerOptions) -> Result<Arc<Self>> {
        let plan = Plan::new(name, options)?;
        let first = plan.make_first(|| path::is_left_over(name))?;
        let instances = Instances {
            plan,
            max: options.max_instances.unwrap_or(u32::MAX),
            state: Mutex::new(State {
                ready: vec![first],
                ..State::default()
            }),
            news: Arc::new(Event::new()?),
            free_to_watch: Condvar::new(),
            _streams: Mark::hold(&path::streams(name)),
        };
        instances.fill(&mut instances.lock())?;
        Ok(Arc::new(instances))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every step leaves the state consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many instances should wait for clients.
    fn wanted(&self, state: &State) -> u32 {
        self.max.saturating_sub(state.connected).min(READY)
    }

    /// Makes the instances that are missing.
    fn fill(&self, state: &mut State) -> Result<()> {
        while !state.ended && state.all_ready() < self.wanted(state) {
            let pipe = if state.all_ready() + state.connected == 0 {
                self.plan.make_again()?
            } else {
                self.plan.make_another()?
            };
            state.ready.push(pipe);
        }
        Ok(())
    }

    /// Becomes the one that watches the instances, unless somebody does so; tried for at most `time`.
    pub(super) fn try_watch(&self, time: Duration) -> bool {
        let state = self.lock();
        let (mut state, _) = self
            .free_to_watch
            .wait_timeout_while(state, time, |state| state.is_watching)
            .unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut state.is_watching, true)
    }

    /// Gives back what was taken out to watch; somebody else may watch now.
    pub(super) fn end_watch(&self, watched: Vec<OwnedHandle>) {
        let mut state = self.lock();
        // They are older than what has been made since.
        state.ready.splice(0..0, watched);
        state.watched = 0;
        state.is_watching = false;
        drop(state);
        self.free_to_watch.notify_one();
    }

    /// Takes out what is not watched yet, made first if need be. Nothing, when all are connected.
    pub(super) fn take_out(&self) -> Result<Vec<OwnedHandle>> {
        let mut state = self.lock();
        let filled = self.fill(&mut state);
        if state.all_ready() == 0 {
            filled?;
        }
        state.watched += state.ready.len() as u32;
        Ok(std::mem::take(&mut state.ready))
    }

    /// Whether there is something that `take_out` has not given yet.
    pub(super) fn has_more(&self) -> bool {
        !self.lock().ready.is_empty()
    }

    /// An instance that was watched is of no use.
    pub(super) fn discard(&self, pipe: OwnedHandle) {
        let mut state = self.lock();
        state.watched -= 1;
        // The name must not go with it.
        let _ = self.fill(&mut state);
        drop(pipe);
    }

    /// An instance that was watched has a client.
    pub(super) fn connect(self: &Arc<Self>, pipe: OwnedHandle) -> PipeEnd {
        let mut state = self.lock();
        state.watched -= 1;
        state.connected += 1;
        // What fails here is tried again at the next accept or release.
        let _ = self.fill(&mut state);
        PipeEnd {
            pipe: ManuallyDrop::new(pipe),
            instances: Some(self.clone()),
        }
    }

    fn release(&self, pipe: OwnedHandle) {
        let mut state = self.lock();
        state.connected -= 1;
        // First the new one: see the top of this file.
        let _ = self.fill(&mut state);
        drop(pipe);
        drop(state);
        self.news.set();
    }

    /// No more clients. The connected ones stay.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        state.ready.clear();
    }

    pub(super) fn news(&self) -> &Arc<Event> {
        &self.news
    }

    /// How many bytes can wait in the kernel towards a client: what was asked for.
    pub(super) fn out_buffer(&self) -> u32 {
        self.plan.out_buffer
    }
}

/// One end of a connected pipe. On the server's side dropping it gives its place to the next client.
///
/// The pipe is closed and never "disconnected", which would take from the client what it has not read yet.
#[derive(Debug)]
pub(super) struct PipeEnd {
    pipe: ManuallyDrop<OwnedHandle>,
    instances: Option<Arc<Instances>>,
}

impl PipeEnd {
    /// The client's.
    pub(super) fn client(pipe: OwnedHandle) -> Self {
        PipeEnd {
            pipe: ManuallyDrop::new(pipe),
            instances: None,
        }
    }

    pub(super) fn is_server(&self) -> bool {
        self.instances.is_some()
    }
}

impl AsHandle for PipeEnd {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.pipe.as_handle()
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        // SAFETY: taken here only, and `self` is not used after this.
        let pipe = unsafe { ManuallyDrop::take(&mut self.pipe) };
        match &self.instances {
            Some(instances) => instances.release(pipe),
            None => drop(pipe),
        }
    }
}
