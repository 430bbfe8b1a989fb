use super::search::title;
use super::{Message, WindowHandle};
use crate::os::types::Access;
use crate::os::window;
use crate::os::window_types::{Arrival, Handle, Making, check_title};
use crate::sync::Waitable;
use crate::{Address, Error, ErrorKind, Result};
use std::rc::Rc;

/// A window of this thread: a title to be found by, and a procedure to be run for each message.
///
/// It is there until it is dropped, or its thread or process ends. Several windows may have one title. A thread serves
/// the messages of all its windows when it [runs](super::run) or [pumps](super::pump); a window whose thread does neither
/// makes its senders wait, and is *hung* after 5 s.
///
/// Dropping it is what `DestroyWindow` is: senders that still wait get [`NotFound`](crate::ErrorKind::NotFound), and posted
/// messages are gone. A thread that ends destroys its windows. Only its own thread can drop it:
///
/// ```compile_fail,E0277
/// let window = quintet::window::Window::create("mine", |_| 0).unwrap();
/// std::thread::spawn(move || drop(window));
/// ```
///
/// On Windows other code on this thread can destroy it as well, with `DestroyWindow`. Then it is gone for everybody, and what its
/// procedure has is dropped with the `Window`. That a message says so destroys nothing: neither `WM_CLOSE`, which is for the procedure to
/// decide, nor `WM_DESTROY` and `WM_NCDESTROY`, which any program can send.
#[derive(Debug)]
pub struct Window(window::Window);

impl Window {
    /// Makes a top-level window of class `Quintet`.
    ///
    /// # Errors
    /// Those of [`WindowBuilder::create`].
    pub fn create(
        title: impl Into<String>,
        procedure: impl Fn(&Message<'_>) -> isize + 'static,
    ) -> Result<Self> {
        Window::builder(title).create(procedure)
    }

    /// Makes one with options.
    pub fn builder(title: impl Into<String>) -> WindowBuilder {
        WindowBuilder {
            class: "Quintet".into(),
            title: title.into(),
            message_only: false,
            visible: false,
            admit_lower_integrity: false,
            access: Access::CurrentUser,
        }
    }

    /// As [`builder`](Self::builder), for an address: `window://TITLE?class=C`, of which the title may be missing. Its options
    /// are `class`, `access` (`user`, `everyone`), and `message_only`, `visible` and `admit_lower_integrity` (`true`, `false`).
    ///
    /// # Errors
    /// [`InvalidAddress`](crate::ErrorKind::InvalidAddress) for an address that is not a window's, or has neither a title nor a
    /// class; for an unknown option, a value that makes no sense.
    ///
    /// ```
    /// use quintet::window::Window;
    ///
    /// # let title = format!("window-at-doc-{}", std::process::id());
    /// let window = Window::at(&format!("window://{title}?class=Worker").parse()?)?.create(|_| 0)?;
    /// assert_eq!(window.handle().class()?, "Worker");
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn at(address: &Address) -> Result<WindowBuilder> {
        let title = title(address)?;
        address.expect_options(&[
            "class",
            "access",
            "message_only",
            "visible",
            "admit_lower_integrity",
        ])?;
        let class = address.option("class");
        if title.is_none() && class.is_none() {
            let error = Error::new(
                ErrorKind::InvalidAddress,
                "the window has neither a title nor a class",
            );
            return Err(error.about(address).hint("write window://TITLE"));
        }
        let option = |key| Ok::<bool, Error>(address.parse_option(key)?.unwrap_or_default());
        let mut builder = Window::builder(title.unwrap_or_default())
            .message_only(option("message_only")?)
            .visible(option("visible")?)
            .admit_lower_integrity(option("admit_lower_integrity")?)
            .access(address.parse_option("access")?.unwrap_or_default());
        if let Some(class) = class {
            builder = builder.class(class);
        }
        Ok(builder)
    }

    /// How others reach it.
    pub fn handle(&self) -> WindowHandle {
        WindowHandle::new(Handle::ours(self.0.handle()))
    }

    /// Changes its title. Who looks for it at this moment finds the old one or the new one.
    ///
    /// # Errors
    /// [`TooLarge`](crate::ErrorKind::TooLarge) for more than 320 bytes on Linux;
    /// [`InvalidName`](crate::ErrorKind::InvalidName) for one with a NUL.
    ///
    /// ```
    /// use quintet::window::Window;
    ///
    /// # let title = format!("title-doc-{}", std::process::id());
    /// let window = Window::create(&title, |_| 0)?;
    /// window.set_title(format!("{title}: ready"))?;
    /// assert_eq!(window.handle().title()?, format!("{title}: ready"));
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn set_title(&self, title: impl AsRef<str>) -> Result<()> {
        let title = title.as_ref();
        check_title(title)?;
        self.0.set_title(title)
    }
}

/// To wait for messages of this window's thread, to any of its windows, together with other things. Nothing is served by
/// waiting: [`pump`](super::pump) with a zero duration does that then. While it waits, the thread is not hung. Only the window's own
/// thread can wait for them (elsewhere it is [`Unsupported`](crate::ErrorKind::Unsupported)). On Windows it also wakes up for what
/// the system then answers by itself.
///
/// ```
/// use quintet::sync::{Event, Reset, wait_any};
/// use quintet::window::{Pumped, Window, WM_USER, pump};
/// use std::time::Duration;
///
/// # let title = format!("waitable-doc-{}", std::process::id());
/// let window = Window::create(&title, |_| 0)?;
/// let stop = Event::create_new(&title, Reset::Manual)?;
/// window.handle().post(WM_USER, 0, 0)?;
/// let ready = wait_any(&[(&stop).into(), (&window).into()], Duration::from_secs(60))?;
/// assert_eq!(ready.index, 1);
/// assert_eq!(pump(Duration::ZERO)?, Pumped::Served);
/// # Ok::<(), quintet::Error>(())
/// ```
impl<'a> From<&'a Window> for Waitable<'a> {
    fn from(window: &'a Window) -> Self {
        Waitable::messages(window.0.messages())
    }
}

/// A window to be made: [`Window::builder`].
#[derive(Clone, Debug)]
pub struct WindowBuilder {
    class: String,
    title: String,
    message_only: bool,
    visible: bool,
    admit_lower_integrity: bool,
    access: Access,
}

impl WindowBuilder {
    /// Its class: a word for all windows of one kind, to be found by. `Quintet` unless said otherwise.
    #[must_use]
    pub fn class(mut self, class: impl Into<String>) -> Self {
        self.class = class.into();
        self
    }

    /// Whether it is a message-only window: one that gets no broadcasts, and that `EnumWindows` does not list on
    /// Windows.
    #[must_use]
    pub fn message_only(mut self, yes: bool) -> Self {
        self.message_only = yes;
        self
    }

    /// Whether it is to be seen on the screen on Windows, an empty window with its title, which is shown without being made the active
    /// one: only a visible top-level window is what C# calls a process's `MainWindowHandle`. Its user can move it, and close it: then the
    /// procedure gets a [`WM_CLOSE`](super::WM_CLOSE), and nothing happens by itself. While the user moves it or has its menu open, the
    /// loop is the system's: see [`pump`](super::pump). A message-only window is never visible. On Linux nothing is to be seen, ever.
    ///
    /// ```
    /// use quintet::window::{Window, WindowHandle};
    ///
    /// # let title = format!("visible-doc-{}", std::process::id());
    /// let window = Window::builder(&title).visible(true).create(|_| 0)?;
    /// assert_eq!(WindowHandle::find(None, Some(&title))?, window.handle());
    /// # Ok::<(), quintet::Error>(())
    /// ```
    #[must_use]
    pub fn visible(mut self, yes: bool) -> Self {
        self.visible = yes;
        self
    }

    /// Whether programs of lower integrity may send to it on Windows, which User Interface Privilege Isolation forbids
    /// otherwise: so that a program run as administrator hears one that is not. It admits [`WM_COPYDATA`](super::WM_COPYDATA),
    /// [`WM_CLOSE`](super::WM_CLOSE), [`WM_COMMAND`](super::WM_COMMAND), the first 1,024 numbers from [`WM_USER`](super::WM_USER) and
    /// from [`WM_APP`](super::WM_APP) on, and the messages that this process has [registered](super::register_message) before. (It is
    /// `ChangeWindowMessageFilterEx` with `MSGFLT_ALLOW` for each.) Without it such a sender gets
    /// [`PermissionDenied`](crate::ErrorKind::PermissionDenied). Let them in only if the procedure checks what comes: these are the programs that
    /// the system would keep from you. On Linux there is nothing like it.
    ///
    /// ```
    /// use quintet::window::{Window, WM_APP};
    ///
    /// # let title = format!("admit-doc-{}", std::process::id());
    /// let window = Window::builder(&title).admit_lower_integrity(true).create(|message| {
    ///     if message.number() == WM_APP { 1 } else { 0 }
    /// })?;
    /// assert_eq!(window.handle().send(WM_APP, 0, 0)?, 1);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    #[must_use]
    pub fn admit_lower_integrity(mut self, yes: bool) -> Self {
        self.admit_lower_integrity = yes;
        self
    }

    /// Whose programs may find it and send to it. On Linux [`Access::Everyone`] opens it to all users of this machine, who find it if they
    /// [look for other users' windows](super::WindowSearch::access); otherwise it is this user's alone. What comes from others is a
    /// message like any other: [`Message::sender`] says whose process sent it, by the kernel's word.
    ///
    /// Others reach this window, and of its thread's other windows those that are open, too. All they can write to is memory that they have
    /// handed over themselves, and what they do there disturbs nobody else. What they can do is keep the thread busy, so that it comes to
    /// nothing else. A thread takes 96 connections of theirs at a time, 32 of one user; each of their threads has one to each window that it
    /// sends to. Who is one too many is turned away: a `send` gets [`PeerDied`](crate::ErrorKind::PeerDied), and what is posted is lost.
    /// Of the 10,000 posted messages that may wait for the thread 5,000 may be theirs, beside 10,000 in each one's own memory, behind
    /// which waits what he sends. A [`WM_QUIT`](super::WM_QUIT) of theirs ends no loop. Both have to be in one
    /// network namespace, and numbers of [registered messages](super::register_message) are each user's own: use those from
    /// [`WM_APP`](super::WM_APP) on.
    ///
    /// On Windows every program of the desktop finds and reaches every window, so this changes nothing there: see
    /// [who may send](super#who-may-send).
    ///
    /// ```
    /// use quintet::window::{Access, Window, WindowSearch, WM_APP};
    ///
    /// # let title = format!("access-doc-{}", std::process::id());
    /// let window = Window::builder(&title).access(Access::Everyone).create(|message| {
    ///     // This thread's own messages have no sender, and on Windows none has.
    ///     if let Some(sender) = message.sender() {
    ///         println!("from process {} of user {:?}", sender.pid(), sender.user());
    ///     }
    ///     0
    /// })?;
    /// // As another user's program does it.
    /// let found = WindowSearch::new().title(&title).access(Access::Everyone).find()?;
    /// assert_eq!(found.send(WM_APP, 0, 0)?, 0);
    /// # drop(window);
    /// # Ok::<(), quintet::Error>(())
    /// ```
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Makes it, as a window of this thread.
    ///
    /// # Errors
    /// [`TooLarge`](crate::ErrorKind::TooLarge) for a class of more than 128 bytes or, on Linux, a title of more than 320;
    /// [`InvalidName`](crate::ErrorKind::InvalidName) for an empty class, or a NUL in either;
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) on Windows for a class of that name that other code of this program has made;
    /// [`Full`](crate::ErrorKind::Full) when there are too many windows (on Linux 4,096 of one user, on 2,048 threads).
    ///
    /// ```
    /// use quintet::window::Window;
    ///
    /// # let title = format!("builder-doc-{}", std::process::id());
    /// let window = Window::builder(&title).class("Worker").message_only(true).create(|_| 0)?;
    /// assert_eq!(window.handle().class()?, "Worker");
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn create(&self, procedure: impl Fn(&Message<'_>) -> isize + 'static) -> Result<Window> {
        let making = Making {
            class: &self.class,
            title: &self.title,
            message_only: self.message_only,
            visible: self.visible,
            admit_lower_integrity: self.admit_lower_integrity,
            access: self.access,
        };
        making.check()?;
        let run = move |arrival: &Arrival<'_>| procedure(&Message::new(*arrival));
        window::Window::create(&making, Rc::new(run)).map(Window)
    }
}
