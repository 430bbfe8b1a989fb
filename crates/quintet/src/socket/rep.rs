use super::core::{Core, Handle};
use super::options::Options;
use super::pattern::pattern;
use super::protocol::Protocol;
use super::receiving::receive;
use super::slots::Id;
use super::state::Verdict;
use super::watch::waitable;
use crate::{Deadline, Error, ErrorKind, Result};
use std::sync::Arc;

/// The most words of a header: the request's number and the sockets that passed it on.
const MOST_WORDS: usize = 16;
const WORD: usize = 4;

/// The bit that marks the last word.
const LAST: u8 = 0x80;

/// Answers: takes the requests of any number of [`Req`](super::Req) sockets, of each by turns.
///
/// Several requests can be under way at once, and be answered in any order by any thread. A reply waits for nobody: who
/// does not read his replies is served no more requests once [`Options::send_mark`] bytes wait for him, which costs the others
/// nothing. If a client goes, its reply is lost and counted; if it only lost its connection it asks again.
///
/// ```
/// use quintet::socket::{Rep, Req};
/// use std::time::Duration;
///
/// let server = Rep::new()?;
/// let address = server.listen("tcp://127.0.0.1:0")?;
/// let client = std::thread::spawn(move || -> quintet::Result<Vec<u8>> {
///     let client = Req::new()?;
///     client.dial(&address)?;
///     client.request("2 + 2")
/// });
/// let request = server.recv_timeout(Duration::from_secs(10))?;
/// assert_eq!(request.body(), b"2 + 2");
/// request.reply("4")?;
/// assert_eq!(client.join().unwrap()?, b"4");
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct Rep {
    handle: Handle,
}

pattern!(Rep);

/// A request that waits for its reply. Dropped, it gets none.
#[derive(Debug)]
pub struct Request {
    core: Arc<Core>,
    from: Id,
    header: [u8; MOST_WORDS * WORD],
    header_len: usize,
    body: Vec<u8>,
}

impl Rep {
    /// As [`new`](Self::new), otherwise than by default.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with(options: &Options) -> Result<Self> {
        let handle = Handle::new(Protocol::Rep, options)?;
        Ok(Rep { handle })
    }

    /// Waits for a request and takes it.
    ///
    /// # Errors
    /// When the system refuses to wait. A client's misbehaviour is no error: it is disconnected, and counted in
    /// [`stats`](Self::stats).
    pub fn recv(&self) -> Result<Request> {
        self.recv_timeout(Deadline::NEVER)
    }

    /// As [`recv`](Self::recv), until a deadline. A zero duration takes a request that is there already.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`]: nothing was taken.
    pub fn recv_timeout(&self, deadline: impl Into<Deadline>) -> Result<Request> {
        self.recv_with(Vec::new(), deadline)
    }

    /// As [`recv_timeout`](Self::recv_timeout), with the request's body in memory that is used again.
    ///
    /// # Errors
    /// Those of [`recv_timeout`](Self::recv_timeout).
    pub fn recv_with(&self, mut body: Vec<u8>, deadline: impl Into<Deadline>) -> Result<Request> {
        let mut header = [0; MOST_WORDS * WORD];
        let (from, header_len) = receive(
            &self.handle.core,
            deadline.into(),
            &mut body,
            |from, message, _| match header_len(message) {
                Some(len) => {
                    header[..len].copy_from_slice(&message[..len]);
                    Verdict::Take((from, len), len)
                }
                None => Verdict::Discard,
            },
        )?;
        Ok(Request {
            core: self.handle.core.clone(),
            from,
            header,
            header_len,
            body,
        })
    }
}

waitable!(Rep, |rep| |_, message: &[u8], _| match header_len(message) {
    Some(len) => Verdict::Take((), len),
    None => Verdict::Discard,
});

/// The bytes of a request's header: words up to the one that is marked as the last; `None` if there is no such word, or too
/// late a one.
fn header_len(message: &[u8]) -> Option<usize> {
    let words = message.chunks_exact(WORD).take(MOST_WORDS);
    let last = words.into_iter().position(|word| word[0] & LAST != 0)?;
    Some((last + 1) * WORD)
}

impl Request {
    /// What was asked.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Answers, without waiting for the client to read it.
    ///
    /// # Errors
    /// [`ErrorKind::Disconnected`] if the client has gone; [`ErrorKind::TooLarge`].
    pub fn reply(self, body: impl AsRef<[u8]>) -> Result<()> {
        self.reply_and_keep(body).map(drop)
    }

    /// As [`reply`](Self::reply): the memory of the request's body, for [`Rep::recv_with`].
    ///
    /// # Errors
    /// Those of [`reply`](Self::reply).
    pub fn reply_and_keep(self, body: impl AsRef<[u8]>) -> Result<Vec<u8>> {
        let header = &self.header[..self.header_len];
        if self.core.send_to(self.from, header, body.as_ref())? {
            return Ok(self.body);
        }
        self.core.lock().stats.lost += 1;
        Err(Error::new(
            ErrorKind::Disconnected,
            "the client has gone before its reply",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_ends_with_the_word_that_says_so() {
        assert_eq!(header_len(&[0x80, 0, 0, 1, 9]), Some(4));
        assert_eq!(header_len(&[0, 0, 0, 1, 0xff, 0, 0, 1]), Some(8));
        assert_eq!(header_len(&[0, 0, 0, 1]), None);
        assert_eq!(header_len(&[0x80, 0, 0]), None);
        assert_eq!(header_len(&[0; 400]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_header_that_fits_or_none(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Some(len) = header_len(&bytes) {
                prop_assert!(len <= bytes.len() && len <= MOST_WORDS * WORD && len % WORD == 0);
            }
        }
    }
}
