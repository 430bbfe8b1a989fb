//! How a message lies in a stream of bytes: its length before it, and on local sockets its type before that.

/// Which of the two published mappings a connection uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// TCP: eight bytes of length, the highest first.
    Tcp,
    /// IPC: a byte 1, for "a whole message", and the same.
    Ipc,
}

/// The longest header of a frame.
pub(super) const MAX_HEADER: usize = 9;

/// The one type of message that there is.
const MESSAGE: u8 = 1;

/// Bytes that are no frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoFrame(pub(super) u8);

impl Framing {
    /// Bytes of a frame's header.
    #[inline]
    pub(super) fn header(self) -> usize {
        match self {
            Framing::Tcp => 8,
            Framing::Ipc => 9,
        }
    }

    /// The header of a message of that length, in the last [`header`](Self::header) bytes.
    #[inline]
    pub(super) fn encode(self, len: u64) -> [u8; MAX_HEADER] {
        let mut header = [MESSAGE; MAX_HEADER];
        header[1..].copy_from_slice(&len.to_be_bytes());
        header
    }

    /// The length of the message whose frame begins here; `None` while the header is not whole.
    #[inline]
    pub(super) fn decode(self, bytes: &[u8]) -> Result<Option<u64>, NoFrame> {
        let length = match (self, bytes) {
            (Framing::Tcp, length) => length,
            (Framing::Ipc, [MESSAGE, length @ ..]) => length,
            (Framing::Ipc, [other, ..]) => return Err(NoFrame(*other)),
            (Framing::Ipc, []) => return Ok(None),
        };
        Ok(length.first_chunk().map(|length| u64::from_be_bytes(*length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_published_mappings() {
        let header = Framing::Ipc.encode(0x0102);
        assert_eq!(header, [1, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(Framing::Tcp.decode(&header[1..]), Ok(Some(0x0102)));
        assert_eq!(Framing::Ipc.decode(&header), Ok(Some(0x0102)));
        assert_eq!(Framing::Ipc.decode(&header[..8]), Ok(None));
        assert_eq!(Framing::Ipc.decode(&[2]), Err(NoFrame(2)));
    }
}
