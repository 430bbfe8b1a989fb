use super::WindowHandle;
use crate::os::window;
use crate::os::window_types::Query;
use crate::{Error, ErrorKind, Result};

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
pub struct WindowSearch(Query);

impl WindowSearch {
    /// All windows.
    pub fn new() -> Self {
        WindowSearch::default()
    }

    /// Of this class.
    #[must_use]
    pub fn class(mut self, class: impl Into<String>) -> Self {
        self.0.class = Some(class.into());
        self
    }

    /// Of this title.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.0.title = Some(title.into());
        self
    }

    /// Of this process.
    #[must_use]
    pub fn pid(mut self, pid: u32) -> Self {
        self.0.pid = Some(pid);
        self
    }

    /// Of processes that run a file of this name, with or without `.exe`. On Linux it is the file's name, as
    /// `/proc/PID/exe` has it, not the 15 bytes of `comm`.
    #[must_use]
    pub fn executable(mut self, file_name: impl Into<String>) -> Self {
        self.0.executable = Some(file_name.into());
        self
    }

    /// No message-only windows.
    #[must_use]
    pub fn top_level_only(mut self) -> Self {
        self.0.top_level_only = true;
        self
    }

    /// One of them. Which of several is not said.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if there is none.
    pub fn find(&self) -> Result<WindowHandle> {
        let mut found = None;
        window::find(&self.0, &mut |handle| {
            found = Some(WindowHandle::new(handle));
            false
        })?;
        found.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("there is no window {}", self.in_words()),
            )
            .hint("quintet ls window shows those there are")
        })
    }

    /// All of them. One that comes or goes meanwhile may be missing or still there.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn find_all(&self) -> Result<Vec<WindowHandle>> {
        let mut found = Vec::new();
        window::find(&self.0, &mut |handle| {
            found.push(WindowHandle::new(handle));
            true
        })?;
        Ok(found)
    }

    fn in_words(&self) -> String {
        let mut words = Vec::new();
        let mut say = |what: &str, value: Option<String>| {
            words.extend(value.map(|value| format!("{what} {value}")));
        };
        say(
            "of title",
            self.0.title.as_ref().map(|title| format!("{title:?}")),
        );
        say(
            "of class",
            self.0.class.as_ref().map(|class| format!("{class:?}")),
        );
        say("of process", self.0.pid.map(|pid| pid.to_string()));
        say("of executable", self.0.executable.clone());
        if words.is_empty() {
            "at all".into()
        } else {
            words.join(", ")
        }
    }
}
