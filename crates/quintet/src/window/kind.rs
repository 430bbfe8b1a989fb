use super::{Access, WindowHandle, WindowSearch};
use crate::named::{Entry, Liveness, NamedKind};
use crate::{Address, Error, ErrorKind, Name, Result, Scheme};

/// Windows as a kind of object that can be listed and looked at, for [`named::kinds`](crate::named::kinds).
///
/// A title may be that of several windows, of which [`stat`](NamedKind::stat) shows one, as
/// [`find`](WindowSearch::find) does; [`stat_at`](NamedKind::stat_at) takes whatever
/// [`WindowSearch::at`] knows. All are live, on Windows also those of other programs, and none can be removed. On Linux those are
/// shown too that other users have [opened](super::WindowBuilder::access).
///
/// ```
/// use quintet::named::NamedKind;
/// use quintet::window::{Window, Windows};
///
/// # let title = format!("kind-doc-{}", std::process::id());
/// let window = Window::create(&title, |_| 0)?;
/// let entry = Windows.stat_at(&format!("window://{title}").parse()?)?;
/// assert_eq!(entry.detail("hwnd"), Some(&*window.handle().raw().to_string()));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Windows;

impl NamedKind for Windows {
    fn scheme(&self) -> Scheme {
        Scheme::Window
    }

    fn list(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for window in everyones(WindowSearch::new()).find_all()? {
            match entry(window) {
                // It has gone meanwhile, or another user lets us see no more of it.
                Err(error) if error.kind() == ErrorKind::NotFound || window.inner().user.is_some() => {}
                entry => entries.push(entry?),
            }
        }
        Ok(entries)
    }

    fn stat(&self, name: &Name) -> Result<Entry> {
        entry(everyones(WindowSearch::new().title(name.as_str())).find()?)
    }

    fn stat_at(&self, address: &Address) -> Result<Entry> {
        entry(everyones(WindowSearch::at(address)?).find()?)
    }

    /// There is nothing to remove.
    fn remove(&self, name: &Name) -> Result<()> {
        let error = Error::new(ErrorKind::Unsupported, "a window goes by itself, with its thread");
        Err(error
            .about(Address::window(Some(name.as_str())))
            .hint("post it WM_CLOSE to have its program end it"))
    }
}

/// To look at a window does no harm, whosever it is.
fn everyones(search: WindowSearch) -> WindowSearch {
    search.access(Access::Everyone)
}

/// What is to be seen of a window.
fn entry(window: WindowHandle) -> Result<Entry> {
    let info = window.info()?;
    let title = Some(info.title.as_str()).filter(|title| !title.is_empty());
    let mut address = Address::window(title);
    if title.is_none() {
        address = address.with_option("hwnd", window.raw().to_string());
    }
    if window.inner().user.is_some() {
        address = address.with_option("access", Access::Everyone.to_string());
    }
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_string();
    let mut details = vec![
        ("hwnd", window.raw().to_string()),
        ("class", info.class),
        ("title", info.title),
        ("message_only", yes(info.message_only)),
        ("hung", yes(info.hung)),
    ];
    details.extend(info.access.map(|access| ("access", access.to_string())));
    details.extend(info.queued.map(|queued| ("queued", queued.to_string())));
    Ok(Entry {
        address,
        liveness: Liveness::Live,
        evidence: "the system says that its thread lives".into(),
        holders: vec![info.owner],
        owners: Vec::new(),
        size: None,
        created: None,
        details,
    })
}
