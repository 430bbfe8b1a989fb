use super::{Encoding, WindowHandle};
use crate::PeerIdentity;
use crate::os::window_types::Arrival;

/// A message, as a window's procedure gets it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a>(Arrival<'a>);

impl<'a> Message<'a> {
    pub(super) fn new(arrival: Arrival<'a>) -> Self {
        Message(arrival)
    }

    /// The window that it is for.
    pub fn window(&self) -> WindowHandle {
        WindowHandle::from_raw(self.0.window)
    }

    /// Which message.
    pub fn number(&self) -> u32 {
        self.0.letter.number
    }

    /// The first of the two numbers that go along.
    pub fn wparam(&self) -> usize {
        self.0.letter.wparam
    }

    /// The second one; 0 of one that carries data.
    pub fn lparam(&self) -> isize {
        if self.0.letter.data.is_some() {
            0
        } else {
            self.0.letter.lparam
        }
    }

    /// Whether it came through the queue, and nobody waits for the result. (On Windows this is also true of what other code of this thread
    /// sends by `SendMessage`, and false of what is posted, if a loop of other code's brings it inside a procedure that works at a message
    /// that was sent: see [`in_send`](super::in_send).)
    pub fn is_posted(&self) -> bool {
        self.0.posted
    }

    /// The process that sent or posted it, by the kernel's word. `None` for one of this thread's own, and on Windows, where
    /// the system does not tell.
    pub fn sender(&self) -> Option<PeerIdentity> {
        self.0.sender.cloned().map(PeerIdentity::from)
    }

    /// The data of a [`WM_COPYDATA`](super::WM_COPYDATA).
    pub fn copy_data(&self) -> Option<CopyData<'a>> {
        let letter = self.0.letter;
        Some(CopyData {
            id: letter.lparam.cast_unsigned(),
            bytes: letter.data?,
        })
    }

    /// The data as text, up to the first NUL; what is no such text becomes `�`. `None` if there is no data.
    ///
    /// C# programs send and expect [`Encoding::Ansi`] where their `COPYDATASTRUCT` says no more than `string`.
    pub fn text(&self, encoding: Encoding) -> Option<String> {
        Some(encoding.decode(self.copy_data()?.bytes))
    }
}

/// What a [`WM_COPYDATA`](super::WM_COPYDATA) carries. It is there, and stays as it is, as long as the procedure runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyData<'a> {
    id: usize,
    bytes: &'a [u8],
}

impl<'a> CopyData<'a> {
    /// What kind of data it is, as the two programs have agreed (`dwData`).
    pub fn id(&self) -> usize {
        self.id
    }

    /// The bytes, in place.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
