//! What is to go out on a connection: whole frames, of which the first may be in part with the system already. A state
//! machine with no input or output of its own.

use super::framing::{Framing, MAX_HEADER};

/// Room that is not given back when the queue runs empty.
const KEEP: usize = 256 * 1024;

/// Frames in the order in which they go out.
#[derive(Debug)]
pub(super) struct Outgoing {
    framing: Framing,
    buffer: Vec<u8>,
    /// How much of the buffer is with the system.
    written: usize,
}

impl Outgoing {
    pub(super) fn new(framing: Framing) -> Self {
        Outgoing {
            framing,
            buffer: Vec::new(),
            written: 0,
        }
    }

    pub(super) fn framing(&self) -> Framing {
        self.framing
    }

    /// Bytes that wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.buffer.len() - self.written
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that wait.
    pub(super) fn waiting(&self) -> &[u8] {
        &self.buffer[self.written..]
    }

    /// Adds a message: what the pattern puts before it, and what the program said.
    #[inline]
    pub(super) fn push(&mut self, prefix: &[u8], body: &[u8]) {
        if self.written > 0 && self.written >= self.buffer.len() / 2 {
            self.forget_written();
        }
        let header = self.framing.encode((prefix.len() + body.len()) as u64);
        self.buffer.reserve(MAX_HEADER + prefix.len() + body.len());
        self.buffer
            .extend_from_slice(&header[MAX_HEADER - self.framing.header()..]);
        self.buffer.extend_from_slice(prefix);
        self.buffer.extend_from_slice(body);
    }

    /// Adds a message to an empty queue, of whose frame so much is with the system already.
    pub(super) fn push_rest(&mut self, prefix: &[u8], body: &[u8], written: usize) {
        self.clear();
        self.push(prefix, body);
        self.written = written;
    }

    /// Notes that so much more is with the system.
    pub(super) fn wrote(&mut self, len: usize) {
        self.written += len;
        if self.written == self.buffer.len() {
            self.written = 0;
            self.buffer.clear();
            if self.buffer.capacity() > KEEP {
                self.buffer.shrink_to(KEEP);
            }
        }
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.written = 0;
    }

    /// The messages that cannot have arrived, since their last byte is not with the system.
    pub(super) fn unsent(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.buffer[self.first_unsent()..];
        std::iter::from_fn(move || {
            let (frame, later) = rest.split_at_checked(self.frame_len(rest)?)?;
            rest = later;
            Some(&frame[self.framing.header()..])
        })
    }

    /// Where the first frame begins that is not with the system as a whole.
    fn first_unsent(&self) -> usize {
        let mut at = 0;
        while at < self.written {
            let Some(len) = self.frame_len(&self.buffer[at..]) else {
                break;
            };
            if at + len > self.written {
                break;
            }
            at += len;
        }
        at
    }

    /// The length of the frame that begins here, of which all is there.
    fn frame_len(&self, bytes: &[u8]) -> Option<usize> {
        let len = self.framing.decode(bytes).ok()??;
        Some(self.framing.header() + usize::try_from(len).ok()?)
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.buffer.capacity()
    }

    fn forget_written(&mut self) {
        let whole = self.first_unsent();
        self.buffer.drain(..whole);
        self.written -= whole;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn everything_goes_out_once_and_what_did_not_is_known(
            steps in prop::collection::vec((prop::option::of(prop::collection::vec(any::<u8>(), 0..40)), 0..60usize), 0..60),
            framing in prop_oneof![Just(Framing::Tcp), Just(Framing::Ipc)],
        ) {
            let mut out = Outgoing::new(framing);
            let (mut all, mut sent, mut ends, mut messages) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for (message, take) in steps {
                if let Some(message) = message {
                    out.push(b"p", &message);
                    let header = framing.encode(message.len() as u64 + 1);
                    all.extend_from_slice(&header[MAX_HEADER - framing.header()..]);
                    all.push(b'p');
                    all.extend_from_slice(&message);
                    ends.push(all.len());
                    messages.push([b"p", &message[..]].concat());
                }
                let take = take.min(out.len());
                sent.extend_from_slice(&out.waiting()[..take]);
                out.wrote(take);
                prop_assert_eq!(out.len(), all.len() - sent.len());
                let unsent: Vec<Vec<u8>> = out.unsent().map(<[u8]>::to_vec).collect();
                let arrived = ends.iter().filter(|end| **end <= sent.len()).count();
                prop_assert!(unsent == messages[arrived..]);
            }
            prop_assert!(all.starts_with(&sent));
        }
    }

    #[test]
    fn the_rest_of_a_message_is_a_whole_message_still() {
        let mut out = Outgoing::new(Framing::Ipc);
        out.push_rest(b"", b"hello", 11);
        assert_eq!(out.waiting(), b"llo");
        assert_eq!(out.unsent().collect::<Vec<_>>(), [b"hello"]);
    }
}
