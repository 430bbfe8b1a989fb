use super::core::{Awaits, Handle};
use super::options::Options;
use super::pattern::pattern;
use super::protocol::Protocol;
use super::state::Verdict;
use crate::{Deadline, Error, ErrorKind, Result};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The mark of a request's number, which stands last in a header.
const LAST: u32 = 1 << 31;

/// Asks: each request goes to one of the [`Rep`](super::Rep) sockets that are connected, by turns, and the call returns with
/// the reply.
///
/// If the connection breaks, or no reply comes for [`Options::retry`], the request is sent again, perhaps to another peer:
/// **it may be answered, and what it asks for done, more than once**. Ask for what can be repeated. Replies to a request that
/// was given up are dropped when they come.
///
/// One request is under way at a time; threads that share the socket take turns. Without a peer a request waits for one.
///
/// ```
/// use quintet::socket::{Rep, Req};
///
/// let server = Rep::new()?;
/// let address = server.listen("tcp://127.0.0.1:0")?;
/// let server = std::thread::spawn(move || -> quintet::Result<()> {
///     let request = server.recv()?;
///     let reply = request.body().to_ascii_uppercase();
///     request.reply(reply)
/// });
/// let client = Req::new()?;
/// client.dial(&address)?;
/// assert_eq!(client.request("hello")?, b"HELLO");
/// server.join().unwrap()?;
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Req {
    handle: Handle,
    retry: Duration,
    /// The number of the last request. Held by whose turn it is.
    last: Mutex<u32>,
}

pattern!(Req);

/// What a wait for a reply ended with.
enum Outcome {
    Reply,
    /// Whoever was asked has gone.
    Gone,
}

impl Req {
    /// As [`new`](Self::new), otherwise than by default.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with(options: &Options) -> Result<Self> {
        let handle = Handle::new(Protocol::Req, options)?;
        Ok(Req {
            handle,
            retry: options.retry,
            // Not where the last process began, whose late replies may still come.
            last: Mutex::new(RandomState::new().hash_one(std::process::id()) as u32),
        })
    }

    /// Asks, and waits for the reply as long as it takes.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`].
    pub fn request(&self, body: impl AsRef<[u8]>) -> Result<Vec<u8>> {
        self.request_timeout(body, Deadline::NEVER)
    }

    /// As [`request`](Self::request), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`]: no reply came. The request may have been answered all the same.
    pub fn request_timeout(&self, body: impl AsRef<[u8]>, deadline: impl Into<Deadline>) -> Result<Vec<u8>> {
        let mut reply = Vec::new();
        self.request_into(body, &mut reply, deadline)?;
        Ok(reply)
    }

    /// As [`request_timeout`](Self::request_timeout), with the reply in a buffer whose old contents are dropped and whose
    /// memory is used again.
    ///
    /// # Errors
    /// Those of [`request_timeout`](Self::request_timeout).
    pub fn request_into(
        &self,
        body: impl AsRef<[u8]>,
        reply: &mut Vec<u8>,
        deadline: impl Into<Deadline>,
    ) -> Result<()> {
        let (body, deadline) = (body.as_ref(), deadline.into());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = last.wrapping_add(1) & !LAST;
        let number = (*last | LAST).to_be_bytes();
        let core = &self.handle.core;
        let mut is_first = true;
        loop {
            let asked = core.send(&number, body, deadline, true)?;
            if !is_first {
                core.lock().stats.retried += 1;
            }
            is_first = false;
            let again = Instant::now()
                .checked_add(self.retry)
                .map_or(Deadline::NEVER, Deadline::from);
            let until = match (deadline.remaining(), again.remaining()) {
                (Some(time), Some(retry)) if retry < time => again,
                (None, _) => again,
                _ => deadline,
            };
            let outcome = core.block_with(until, Awaits::Peer(asked), |state| {
                let answer = state.next_message(
                    |_, message, _| match message.first_chunk() {
                        Some(header) if *header == number => Verdict::Take((), number.len()),
                        _ => Verdict::Discard,
                    },
                    reply,
                );
                if answer.is_some() {
                    return Ok(Some(Outcome::Reply));
                }
                Ok(state.hearing(asked).is_none().then_some(Outcome::Gone))
            })?;
            match outcome {
                Some(Outcome::Reply) => return Ok(()),
                Some(Outcome::Gone) => {}
                None if deadline.has_passed() => {
                    return Err(Error::new(
                        ErrorKind::TimedOut,
                        "no reply came before the deadline",
                    ));
                }
                None => {}
            }
        }
    }
}
