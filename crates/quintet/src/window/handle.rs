use super::numbers::carries_more;
use super::{Encoding, SendMode, WM_COPYDATA, WindowSearch};
use crate::os::types::Access;
use crate::os::window;
use crate::os::window_types::{Handle, Letter};
use crate::{Deadline, Error, ErrorKind, PeerIdentity, Result};
use std::fmt;

/// The most bytes that one message carries: 1 GiB.
const MOST_DATA: usize = 1 << 30;

/// A window, of whatever process: a positive number of 32 bits, as the handle of a window is on Windows.
///
/// It is a number and little more: copying it costs nothing, and the window may be gone at any time. The number is not soon
/// another window's; a message to a window that is gone is an error.
///
/// On Linux a handle reaches windows of this user, unless a [search](WindowSearch::access) found it that looked for other users' as well:
/// then it is of that user's window, and nobody else's, ever. (As a number, or in an address, it does not say whose: who looks it up
/// again gets the window that has it then.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowHandle(Handle);

impl WindowHandle {
    pub(crate) fn new(handle: Handle) -> Self {
        WindowHandle(handle)
    }

    pub(crate) fn inner(self) -> Handle {
        self.0
    }

    /// The window of this number, as [`raw`](Self::raw) gave it, here or in another process. Whether there is one turns out
    /// when it is used. On Linux it is one of this user; for another user's see [`WindowSearch::handle`].
    pub fn from_raw(handle: u32) -> Self {
        WindowHandle(Handle::ours(handle))
    }

    /// Its number: an `HWND` on Windows.
    pub fn raw(self) -> u32 {
        self.0.number
    }

    /// Finds a window by its class, its title or both, as `FindWindow` does; also message-only ones. Which of several is
    /// not said. [`WindowSearch`] knows more to look for.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if there is none.
    ///
    /// ```
    /// use quintet::ErrorKind;
    /// use quintet::window::WindowHandle;
    ///
    /// let missing = WindowHandle::find(None, Some("no window has this title"));
    /// assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    /// ```
    pub fn find(class: Option<&str>, title: Option<&str>) -> Result<Self> {
        search(class, title).find()
    }

    /// As [`find`](Self::find): all of them, perhaps none.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn find_all(class: Option<&str>, title: Option<&str>) -> Result<Vec<Self>> {
        search(class, title).find_all()
    }

    /// Sends a message and waits for the procedure's result, as long as it takes (on Windows: 24 days at most). Meanwhile what is sent to this thread's
    /// windows is served. To a window of this thread it is a call of its procedure.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if there is no such window, or it was destroyed before it served the message (on
    /// Windows: or while it did); [`PeerDied`](ErrorKind::PeerDied) if its process ends meanwhile;
    /// [`Disconnected`](ErrorKind::Disconnected) if its procedure panicked; [`PermissionDenied`](ErrorKind::PermissionDenied) on Windows if its
    /// process has a higher integrity (see [the module](super#who-may-send)); [`Unsupported`](ErrorKind::Unsupported) for one of the system's messages that
    /// carry more than two numbers; [`Full`](ErrorKind::Full) if too many messages wait already (windows that send to each
    /// other without end). On Windows, where another thread gets a result and nothing else, a procedure that panicked, or was not
    /// run because too many were running, gives 0. Of another user's process, which this one may not look at, it may say that it ended by
    /// `NotFound`.
    ///
    /// Some controls of Windows (list views, tree views) have messages of their own, from `WM_USER` on, in which a number is a place
    /// in memory. Do not send these to controls of this process: they write there.
    pub fn send(self, number: u32, wparam: usize, lparam: isize) -> Result<isize> {
        self.send_timeout(number, wparam, lparam, SendMode::Normal, Deadline::NEVER)
    }

    /// As [`send`](Self::send), with a deadline, and a choice of what to do meanwhile.
    ///
    /// # Errors
    /// Those of [`send`](Self::send); [`TimedOut`](ErrorKind::TimedOut) when the deadline passes, or the window's thread is
    /// hung and the mode says so. The message may be served later nevertheless (on Windows only if that had begun).
    pub fn send_timeout(
        self,
        number: u32,
        wparam: usize,
        lparam: isize,
        mode: SendMode,
        deadline: impl Into<Deadline>,
    ) -> Result<isize> {
        let letter = self.plain(number, wparam, lparam)?;
        window::send(self.0, &letter, mode, deadline.into()).map_err(|error| error.about(self))
    }

    /// Sends a message and does not wait for the procedure. It is served before those that are posted. To a window of this
    /// thread it is a call of its procedure.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if there is no such window; [`Full`](ErrorKind::Full) when more of this thread's
    /// messages wait than there is room for; [`Unsupported`](ErrorKind::Unsupported) and
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) as [`send`](Self::send).
    pub fn send_notify(self, number: u32, wparam: usize, lparam: isize) -> Result<()> {
        let letter = self.plain(number, wparam, lparam)?;
        window::send_notify(self.0, &letter).map_err(|error| error.about(self))
    }

    /// Puts a message in the queue of the window's thread, and does not wait.
    ///
    /// # Errors
    /// [`Full`](ErrorKind::Full) if 10,000 wait there (on Windows that is the [system's
    /// number](https://learn.microsoft.com/windows/win32/api/winuser/nf-winuser-postmessagew), which its administrator can
    /// change, and everything in the thread's queue counts): send, which needs no place there, or wait until some have been served; those of [`send_notify`](Self::send_notify).
    pub fn post(self, number: u32, wparam: usize, lparam: isize) -> Result<()> {
        let letter = self.plain(number, wparam, lparam)?;
        window::post(self.0, &letter).map_err(|error| error.about(self))
    }

    /// Sends bytes, by a [`WM_COPYDATA`], and waits for the procedure's result, as [`send`](Self::send) does. `id` says
    /// what kind of bytes, as the two programs have agreed. Which results mean success is theirs to agree as well: many
    /// programs return 0 for it.
    ///
    /// The receiver has bytes, and no more: a pointer or a handle in them means nothing in another process. They are there
    /// while its procedure runs, and are its copy: nothing that it does to them comes back. `wparam`, by which C# and C programs
    /// may say which window is sending, is 0. On Windows a receiver of 32 bits gets the lower 32 of `id`.
    ///
    /// # Errors
    /// Those of [`send`](Self::send); [`TooLarge`](ErrorKind::TooLarge) for more than 1 GiB.
    ///
    /// ```
    /// use quintet::window::Window;
    ///
    /// # let title = format!("copy-data-doc-{}", std::process::id());
    /// let window = Window::create(&title, |message| {
    ///     message.copy_data().map_or(-1, |data| data.bytes().len() as isize)
    /// })?;
    /// assert_eq!(window.handle().copy_data(1, b"hello")?, 5);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn copy_data(self, id: usize, bytes: &[u8]) -> Result<isize> {
        self.copy_data_timeout(id, bytes, SendMode::Normal, Deadline::NEVER)
    }

    /// As [`copy_data`](Self::copy_data), with a deadline.
    ///
    /// # Errors
    /// Those of [`copy_data`](Self::copy_data) and [`send_timeout`](Self::send_timeout).
    pub fn copy_data_timeout(
        self,
        id: usize,
        bytes: &[u8],
        mode: SendMode,
        deadline: impl Into<Deadline>,
    ) -> Result<isize> {
        if bytes.len() > MOST_DATA {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "{} bytes are more than a message carries, {MOST_DATA}",
                    bytes.len()
                ),
            )
            .about(self));
        }
        let letter = Letter {
            number: WM_COPYDATA,
            wparam: 0,
            lparam: id.cast_signed(),
            data: Some(bytes),
        };
        window::send(self.0, &letter, mode, deadline.into()).map_err(|error| error.about(self))
    }

    /// Sends text, by a [`WM_COPYDATA`], with the NUL that receivers read to. Which encoding is for the two programs to agree: nothing
    /// in the message says so. C# programs that declare `lpData` as `string`, and C programs with `char *`, mean
    /// [`Ansi`](Encoding::Ansi); `wchar_t *`, and C#'s `Marshal.PtrToStringUni`, are [`Utf16`](Encoding::Utf16).
    ///
    /// # Errors
    /// Those of [`copy_data`](Self::copy_data); [`Unsupported`](ErrorKind::Unsupported) for text with a NUL in it, or that
    /// the encoding does not have.
    ///
    /// ```
    /// use quintet::window::{Encoding, Window};
    ///
    /// # let title = format!("copy-text-doc-{}", std::process::id());
    /// let window = Window::create(&title, |message| match message.text(Encoding::Utf8) {
    ///     Some(text) if text == "成功" => 0,
    ///     _ => 1,
    /// })?;
    /// assert_eq!(window.handle().copy_data_text(0, "成功", Encoding::Utf8)?, 0);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn copy_data_text(self, id: usize, text: &str, encoding: Encoding) -> Result<isize> {
        let bytes = encoding.encode(text).map_err(|error| error.about(self))?;
        self.copy_data(id, &bytes)
    }

    /// What others see of it.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if there is no such window (any more).
    pub fn info(self) -> Result<WindowInfo> {
        let sight = window::sight(self.0).map_err(|error| error.about(self))?;
        Ok(WindowInfo {
            class: sight.class,
            title: sight.title,
            owner: sight.owner.into(),
            message_only: sight.message_only,
            hung: sight.hung,
            queued: sight.queued,
            access: sight.access,
        })
    }

    /// Its title.
    ///
    /// # Errors
    /// Those of [`info`](Self::info).
    pub fn title(self) -> Result<String> {
        self.info().map(|info| info.title)
    }

    /// Its class.
    ///
    /// # Errors
    /// Those of [`info`](Self::info).
    pub fn class(self) -> Result<String> {
        self.info().map(|info| info.class)
    }

    /// The process that it belongs to.
    ///
    /// # Errors
    /// Those of [`info`](Self::info).
    pub fn owner(self) -> Result<PeerIdentity> {
        self.info().map(|info| info.owner)
    }

    /// Whether there is such a window.
    ///
    /// ```
    /// use quintet::window::Window;
    ///
    /// # let title = format!("alive-doc-{}", std::process::id());
    /// let window = Window::create(&title, |_| 0)?;
    /// let handle = window.handle();
    /// assert!(handle.is_alive());
    /// drop(window);
    /// assert!(!handle.is_alive());
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn is_alive(self) -> bool {
        window::is_alive(self.0)
    }

    /// Whether its thread has served nothing, and not waited for messages either, for 5 s. (On Windows a thread that waits for the
    /// result of a message serves nothing in this sense.)
    ///
    /// # Errors
    /// Those of [`info`](Self::info).
    pub fn is_hung(self) -> Result<bool> {
        window::is_hung(self.0).map_err(|error| error.about(self))
    }

    #[inline(always)]
    fn plain(self, number: u32, wparam: usize, lparam: isize) -> Result<Letter<'static>> {
        if carries_more(number) {
            let error = Error::new(
                ErrorKind::Unsupported,
                format!("message {number:#06x} carries more than two numbers"),
            );
            let hint = if number == WM_COPYDATA {
                "send it with copy_data; it cannot be posted"
            } else {
                "choose a number from WM_USER on"
            };
            return Err(error.hint(hint).about(self));
        }
        if number > 0xFFFF {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("{number:#x} is not the number of a message; the last is 0xFFFF"),
            )
            .about(self));
        }
        Ok(Letter {
            number,
            wparam,
            lparam,
            data: None,
        })
    }
}

fn search(class: Option<&str>, title: Option<&str>) -> WindowSearch {
    let mut search = WindowSearch::new();
    if let Some(class) = class {
        search = search.class(class);
    }
    if let Some(title) = title {
        search = search.title(title);
    }
    search
}

impl fmt::Display for WindowHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "window://?hwnd={}", self.0.number)?;
        if self.0.user.is_some() {
            write!(f, "&access={}", Access::Everyone)?;
        }
        Ok(())
    }
}

/// What others see of a window: [`WindowHandle::info`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WindowInfo {
    /// Its class.
    pub class: String,
    /// Its title.
    pub title: String,
    /// The process that it belongs to.
    pub owner: PeerIdentity,
    /// Whether it is a message-only window.
    pub message_only: bool,
    /// Whether its thread has served nothing, and not waited for messages either, for 5 s.
    pub hung: bool,
    /// How many posted messages wait for its thread. `None` of another user's window, and on Windows, which does not tell.
    pub queued: Option<u32>,
    /// Whose programs may reach it. `None` on Windows, where it is every program of the desktop.
    pub access: Option<Access>,
}
