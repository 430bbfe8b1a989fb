use super::{Event, Mutex, MutexGuard, Permit, Process, Semaphore};
use crate::doorbell::Readiness;
use crate::os::many::{self, Got, Source};
use crate::os::window;
use crate::{Deadline, Error, ErrorKind, Result};
#[cfg(target_os = "linux")]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsHandle;
use std::ptr;

/// The most that can be waited for at once, on both systems.
const MOST: usize = 64;

/// Something to wait for, with [`wait_any`] or [`wait_all`].
///
/// `From` a semaphore means a raw [`wait`](Semaphore::wait); for a permit there is [`permit`](Self::permit).
#[derive(Clone, Copy, Debug)]
pub struct Waitable<'a>(Inner<'a>);

#[derive(Clone, Copy, Debug)]
enum Inner<'a> {
    Wait(&'a Semaphore),
    Permit(&'a Semaphore),
    Mutex(&'a Mutex),
    Event(&'a Event),
    Process(&'a Process),
    Ready(&'a dyn Readiness),
    /// A descriptor, a handle, or a window.
    Raw(Source<'a>),
}

impl<'a> Waitable<'a> {
    /// A permit of a semaphore, as [`Semaphore::acquire`] takes one.
    pub fn permit(semaphore: &'a Semaphore) -> Self {
        Waitable(Inner::Permit(semaphore))
    }

    /// The messages of a window's thread.
    pub(crate) fn messages(messages: &'a window::Messages) -> Self {
        Waitable(Inner::Raw(Source::Messages(messages)))
    }

    /// Something that is looked at, of which nothing is taken.
    pub(crate) fn ready(ready: &'a dyn Readiness) -> Self {
        Waitable(Inner::Ready(ready))
    }

    /// Anything with a descriptor: until it can be read, has reached its end, or has failed (poll(2) with `POLLIN`).
    /// Linux only; on Windows see `signalled`.
    ///
    /// Of a [`PipeStream`](crate::pipe::PipeStream) in message mode it tells of new messages: the rest of one that was read in part is with
    /// the stream already, so read on until [`is_message_complete`](crate::pipe::PipeStream::is_message_complete) before waiting.
    ///
    /// ```
    /// use quintet::Deadline;
    /// use quintet::sync::{Waitable, wait_any};
    /// use std::io::Write;
    ///
    /// let (reader, mut writer) = std::io::pipe().unwrap();
    /// writer.write_all(b"x").unwrap();
    /// assert_eq!(wait_any(&[Waitable::readable(&reader)], Deadline::NEVER)?.index, 0);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    #[cfg(target_os = "linux")]
    pub fn readable(file: &'a impl AsFd) -> Self {
        Waitable(Inner::Raw(Source::Readable(file.as_fd())))
    }

    /// As `readable`, until it can be written to without waiting (`POLLOUT`). Linux only.
    #[cfg(target_os = "linux")]
    pub fn writable(file: &'a impl AsFd) -> Self {
        Waitable(Inner::Raw(Source::Writable(file.as_fd())))
    }

    /// Anything with a handle that can be waited for: until it is signalled. Windows only; on Linux see `readable`.
    #[cfg(windows)]
    pub fn signalled(object: &'a impl AsHandle) -> Self {
        Waitable(Inner::Raw(Source::Signalled(object.as_handle())))
    }

    fn source(&self) -> Source<'a> {
        match self.0 {
            Inner::Wait(semaphore) => Source::Wait(semaphore.inner()),
            Inner::Permit(semaphore) => Source::Acquire(semaphore.inner()),
            Inner::Mutex(mutex) => Source::Lock(mutex.inner()),
            Inner::Event(event) => Source::Event(event.inner()),
            Inner::Process(process) => Source::Process(process.inner()),
            Inner::Ready(ready) => Source::Ready(ready),
            Inner::Raw(source) => source,
        }
    }

    /// Whether both are the same object.
    fn is_same(&self, other: &Waitable<'_>) -> bool {
        match (self.source(), other.source()) {
            (Source::Wait(a) | Source::Acquire(a), Source::Wait(b) | Source::Acquire(b)) => ptr::eq(a, b),
            (Source::Lock(a), Source::Lock(b)) => ptr::eq(a, b),
            (Source::Event(a), Source::Event(b)) => ptr::eq(a, b),
            _ => false,
        }
    }

    fn taken(&self, got: Got) -> Taken<'a> {
        match (self.0, got) {
            (Inner::Permit(semaphore), Got::Permit(lot)) => {
                Taken::Permit(Permit::new(semaphore.inner(), lot))
            }
            (Inner::Mutex(mutex), Got::Lock { abandoned }) => {
                Taken::Lock(MutexGuard::new(mutex.inner(), abandoned))
            }
            _ => Taken::Nothing,
        }
    }
}

impl<'a> From<&'a Semaphore> for Waitable<'a> {
    fn from(semaphore: &'a Semaphore) -> Self {
        Waitable(Inner::Wait(semaphore))
    }
}

impl<'a> From<&'a Mutex> for Waitable<'a> {
    fn from(mutex: &'a Mutex) -> Self {
        Waitable(Inner::Mutex(mutex))
    }
}

impl<'a> From<&'a Event> for Waitable<'a> {
    fn from(event: &'a Event) -> Self {
        Waitable(Inner::Event(event))
    }
}

impl<'a> From<&'a Process> for Waitable<'a> {
    fn from(process: &'a Process) -> Self {
        Waitable(Inner::Process(process))
    }
}

/// What a wait took of what it waited for.
#[derive(Debug)]
#[must_use = "what is not kept is given back at once"]
pub enum Taken<'a> {
    /// Nothing that could be given back: an event, a process's end, a file; or a raw wait.
    Nothing,
    /// A permit.
    Permit(Permit<'a>),
    /// A mutex.
    Lock(MutexGuard<'a>),
}

impl Taken<'_> {
    /// Whether its last holder died: see [`Permit::was_abandoned`], [`MutexGuard::was_abandoned`].
    pub fn was_abandoned(&self) -> bool {
        match self {
            Taken::Nothing => false,
            Taken::Permit(permit) => permit.was_abandoned(),
            Taken::Lock(guard) => guard.was_abandoned(),
        }
    }
}

/// Which of several was there, and what was taken of it.
#[derive(Debug)]
pub struct Ready<'a> {
    /// Its place among those waited for.
    pub index: usize,
    /// What was taken.
    pub taken: Taken<'a>,
}

/// Waits until one of several things is there, at most 64, and takes it and no other; if there are several, the first.
///
/// On Windows this is WaitForMultipleObjects. On Linux a thread sleeps on all objects at once; only if descriptors or
/// processes are among them as well does it get a helper thread that polls those (the first time; it stays), so these
/// wake it one thread later.
///
/// # Errors
/// [`ErrorKind::TimedOut`]; [`ErrorKind::TooLarge`] for more than 64; [`ErrorKind::Unsupported`] for none, and for the same
/// object twice; those of waiting for each.
///
/// ```
/// use quintet::Deadline;
/// use quintet::sync::{Event, Reset, Semaphore, wait_any};
///
/// # let name = format!("wait-any-doc-{}", std::process::id());
/// let stop = Event::create_or_open(&name, Reset::Manual)?;
/// # let name = name + "-work";
/// let work = Semaphore::create_or_open(&name, 1, 1)?;
/// let ready = wait_any(&[(&stop).into(), (&work).into()], Deadline::NEVER)?;
/// assert_eq!(ready.index, 1);
/// # Ok::<(), quintet::Error>(())
/// ```
pub fn wait_any<'a>(items: &[Waitable<'a>], deadline: impl Into<Deadline>) -> Result<Ready<'a>> {
    let sources = sources(items)?;
    let (index, got) = many::any(&sources, deadline.into())?;
    let taken = items.get(index).map_or(Taken::Nothing, |item| item.taken(got));
    Ok(Ready { index, taken })
}

/// Waits until all of several things are there, at most 64, and takes all of them; until then it keeps nothing.
///
/// On Windows the kernel takes all in one step; if one of several mutexes was abandoned, all of them say so, as the system
/// does not tell which. On Linux they are taken one after the other, and given back when one turns
/// out to be missing: for that moment (microseconds) others may see a count that is lower by one, a mutex that is locked,
/// an automatic event that is not set, and a `try_…` of theirs may fail for it. A process killed in that moment gives
/// back permits and mutexes (those as abandoned); an automatic event that it had consumed stays consumed. A `reset` of an
/// automatic event in that moment is undone.
///
/// # Errors
/// Those of [`wait_any`].
///
/// ```
/// use quintet::sync::{Mutex, Semaphore, wait_all};
/// use std::time::Duration;
///
/// # let name = format!("wait-all-doc-{}", std::process::id());
/// let mutex = Mutex::create_or_open(&name)?;
/// # let name = name + "-work";
/// let work = Semaphore::create_or_open(&name, 0, 1)?;
/// let both = wait_all(&[(&mutex).into(), (&work).into()], Duration::from_millis(1));
/// assert!(both.is_err() && !mutex.is_locked()?);
/// work.release(1)?;
/// let both = wait_all(&[(&mutex).into(), (&work).into()], Duration::from_secs(1))?;
/// assert!(both.len() == 2 && mutex.is_locked()?);
/// # Ok::<(), quintet::Error>(())
/// ```
pub fn wait_all<'a>(items: &[Waitable<'a>], deadline: impl Into<Deadline>) -> Result<Vec<Taken<'a>>> {
    let sources = sources(items)?;
    let got = many::all(&sources, deadline.into())?;
    Ok(items.iter().zip(got).map(|(item, got)| item.taken(got)).collect())
}

fn sources<'a>(items: &[Waitable<'a>]) -> Result<Vec<Source<'a>>> {
    if items.is_empty() {
        return Err(Error::new(ErrorKind::Unsupported, "there is nothing to wait for"));
    }
    if items.len() > MOST {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!("{} things to wait for; {MOST} are the most", items.len()),
        ));
    }
    for (index, item) in items.iter().enumerate() {
        if items[..index].iter().any(|other| other.is_same(item)) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the same object is to be waited for twice",
            ));
        }
    }
    Ok(items.iter().map(Waitable::source).collect())
}
