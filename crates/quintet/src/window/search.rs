use super::WindowHandle;
use crate::os::types::Access;
use crate::os::window;
use crate::os::window_types::{Query, executable_name};
use crate::suggest::nearest;
use crate::{Address, Error, ErrorKind, Result, Target};

/// With more windows than these the nearest title is not looked for, as that takes longer than to find none.
const MOST_LIKELY: usize = 64;

/// Which windows to look for: those that are all that is said here.
///
/// Classes, titles and names of executables are compared without regard to upper and lower case, as on Windows.
///
/// ```
/// use quintet::window::{Window, WindowSearch};
///
/// # let title = format!("search-doc-{}", std::process::id());
/// let window = Window::create(&title, |_| 0)?;
/// let search = WindowSearch::new().title(&title).pid(std::process::id());
/// assert_eq!(search.find()?, window.handle());
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct WindowSearch {
    query: Query,
    handle: Option<WindowHandle>,
}

impl WindowSearch {
    /// All windows.
    pub fn new() -> Self {
        WindowSearch::default()
    }

    /// Those that an address means: `window://TITLE`, of which the title may be missing, with the options `class`, `process`
    /// (the name of an [`executable`](Self::executable)), `pid`, `hwnd` (the [number](WindowHandle::raw) of a handle) and
    /// [`access`](Self::access) (`user`, `everyone`).
    ///
    /// # Errors
    /// [`InvalidAddress`](ErrorKind::InvalidAddress) for an address that is not a window's, or that says nothing; for an unknown
    /// option, a value that makes no sense.
    ///
    /// ```
    /// use quintet::window::{Window, WindowSearch};
    ///
    /// # let title = format!("search-at-doc-{}", std::process::id());
    /// let window = Window::create(&title, |_| 0)?;
    /// let pid = std::process::id();
    /// let search = WindowSearch::at(&format!("window://{title}?class=Quintet&pid={pid}").parse()?)?;
    /// assert_eq!(search.find()?, window.handle());
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn at(address: &Address) -> Result<Self> {
        let title = title(address)?;
        address.expect_options(&["class", "process", "pid", "hwnd", "access"])?;
        if title.is_none() && address.options().all(|(key, _)| key == "access") {
            return Err(
                Error::new(ErrorKind::InvalidAddress, "it does not say which window")
                    .about(address)
                    .hint("write window://TITLE or window://?class=CLASS"),
            );
        }
        let option = |key| address.option(key).map(String::from);
        Ok(WindowSearch {
            query: Query {
                class: option("class"),
                title,
                pid: address.parse_option("pid")?,
                executable: option("process"),
                top_level_only: false,
                access: address.parse_option("access")?.unwrap_or_default(),
            },
            handle: address.parse_option("hwnd")?.map(WindowHandle::from_raw),
        })
    }

    /// That one, if it is all the other things as well. On Linux, with [`access`](Self::access), this is how to get at another
    /// user's window by its number.
    #[must_use]
    pub fn handle(mut self, handle: WindowHandle) -> Self {
        self.handle = Some(handle);
        self
    }

    /// Of this class.
    #[must_use]
    pub fn class(mut self, class: impl Into<String>) -> Self {
        self.query.class = Some(class.into());
        self
    }

    /// Of this title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.query.title = Some(title.into());
        self
    }

    /// Of this process.
    #[must_use]
    pub fn pid(mut self, pid: u32) -> Self {
        self.query.pid = Some(pid);
        self
    }

    /// Of processes that run a file of this name, with or without `.exe`. On Linux it is the file's name, as
    /// `/proc/PID/exe` has it, not the 15 bytes of `comm`; other users' processes do not let us see it (unless we are root).
    #[must_use]
    pub fn executable(mut self, file_name: impl Into<String>) -> Self {
        self.query.executable = Some(file_name.into());
        self
    }

    /// No message-only windows.
    #[must_use]
    pub fn top_level_only(mut self) -> Self {
        self.query.top_level_only = true;
        self
    }

    /// Whose windows are meant: this user's, or also those that other users have opened to everyone
    /// ([`WindowBuilder::access`](super::WindowBuilder::access)). Anybody can give a window any title and class: ask whose it is
    /// ([`WindowHandle::owner`]) before you send what is not for everybody.
    ///
    /// On Windows all windows of the desktop are meant in either case.
    ///
    /// ```
    /// use quintet::window::{Access, WindowSearch};
    ///
    /// for window in WindowSearch::new().access(Access::Everyone).find_all()? {
    ///     // One may be gone by now.
    ///     if let Ok(info) = window.info() {
    ///         println!("{window}: {:?}, of user {:?}", info.title, info.owner.user());
    ///     }
    /// }
    /// # Ok::<(), quintet::Error>(())
    /// ```
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.query.access = access;
        self
    }

    /// One of them. Which of several is not said; other users' come last.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if there is none.
    pub fn find(&self) -> Result<WindowHandle> {
        let mut found = None;
        self.each(&mut |handle| {
            found = Some(handle);
            false
        })?;
        found.ok_or_else(|| {
            let error = Error::new(
                ErrorKind::NotFound,
                format!("there is no window {}", self.in_words()),
            );
            if self.others_have_one() {
                return error
                    .hint("another user has opened one to everyone: look for it with access everyone");
            }
            match self.nearest_title() {
                Some(title) => error.hint(format!("did you mean {title:?}?")),
                None => error.hint("quintet ls window shows those there are"),
            }
        })
    }

    /// All of them. One that comes or goes meanwhile may be missing or still there.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn find_all(&self) -> Result<Vec<WindowHandle>> {
        let mut found = Vec::new();
        self.each(&mut |handle| {
            found.push(handle);
            true
        })?;
        Ok(found)
    }

    /// Calls `found` with those meant, until it says no.
    fn each(&self, found: &mut dyn FnMut(WindowHandle) -> bool) -> Result<()> {
        let Some(handle) = self.handle else {
            return window::find(&self.query, &mut |handle| found(WindowHandle::new(handle)));
        };
        // One that was found with others knows whose it is.
        let handle = match handle.inner().user {
            Some(_) => handle,
            None => WindowHandle::new(window::resolve(handle.raw(), self.query.access)),
        };
        let sight = match window::sight(handle.inner()) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            sight => sight?,
        };
        let query = &self.query;
        let is_meant = !(query.top_level_only && sight.message_only)
            && query.is_title(&sight.title)
            && query.is_class(&sight.class)
            && query.pid.is_none_or(|pid| pid == sight.owner.pid)
            && query.is_executable(|| executable_name(&sight.owner));
        if is_meant {
            found(handle);
        }
        Ok(())
    }

    /// Whether there is one of another user, when those were not meant.
    fn others_have_one(&self) -> bool {
        self.query.access == Access::CurrentUser
            && match self.handle {
                Some(handle) => window::resolve(handle.raw(), Access::Everyone).user.is_some(),
                None => window::others_have_one(&self.query),
            }
    }

    /// The title that was probably meant, if there are not too many.
    fn nearest_title(&self) -> Option<String> {
        let title = self.query.title.as_deref()?;
        let others = Query {
            title: None,
            ..self.query.clone()
        };
        let mut found = Vec::new();
        let looked = window::find(&others, &mut |handle| {
            found.push(handle);
            found.len() <= MOST_LIKELY
        });
        if looked.is_err() || found.len() > MOST_LIKELY {
            return None;
        }
        let sights = found.into_iter().filter_map(|handle| window::sight(handle).ok());
        let titles: Vec<String> = sights.map(|sight| sight.title).collect();
        nearest(title, titles.iter().map(String::as_str)).map(String::from)
    }

    fn in_words(&self) -> String {
        let mut words = Vec::new();
        let mut say = |what: &str, value: Option<String>| {
            words.extend(value.map(|value| format!("{what} {value}")));
        };
        let query = &self.query;
        say("of title", query.title.as_ref().map(|title| format!("{title:?}")));
        say("of class", query.class.as_ref().map(|class| format!("{class:?}")));
        say("of process", query.pid.map(|pid| pid.to_string()));
        say("of executable", query.executable.clone());
        say("with handle", self.handle.map(|handle| handle.raw().to_string()));
        if words.is_empty() {
            "at all".into()
        } else {
            words.join(", ")
        }
    }
}

/// The title in the address of a window.
pub(super) fn title(address: &Address) -> Result<Option<String>> {
    match address.target() {
        Target::Window(title) => Ok(title.clone()),
        _ => Err(
            Error::new(ErrorKind::InvalidAddress, "it is not the address of a window")
                .about(address)
                .hint("write window://TITLE"),
        ),
    }
}
