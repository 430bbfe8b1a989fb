//! Named shared memory with a header: the section `Local\quintet.KIND.NAME`.
//!
//! It lives while somebody holds it: the kernel removes it with the last handle. But a handle of somebody who only *looks*
//! at it keeps it as well. So everybody who holds it has an event beside it, `….held`, which nobody opens who only looks.
//!
//! # Protocol
//! Everything below happens under the guard of the name (`guard.rs`), one process at a time.
//! - **Open**: ask whether the mark is there; open the section. If there is no section, make one. If there is one and no
//!   mark, its holders are gone and somebody looks at it: it counts as none, and is written anew. Then hold the mark. The
//!   header is written last, and what a death left unwritten counts as none too.
//! - **Close**, which takes no guard: stop using the memory, close the section, then the mark.
//!
//! An object may have a second section, for what not everybody may write who holds it. It is made, written and opened under the same
//! guard, and closed before the first one; the first one's header is written after it.
//!
//! A process that is killed closes its handles in any order, but none of its threads runs any more, so nothing is written
//! without the mark.

use super::call;
use super::guard::Guard;
use super::object;
use super::parking::Place;
use super::process::Identity;
use super::section::View;
use super::security::Descriptor;
use super::suspended;
use super::token::{self, Token};
use super::{error, wide};
use crate::layout::{Header, Layout};
use crate::os::copy;
use crate::os::types::{Access, ObjectOptions, Opening};
use crate::{Error, ErrorKind, Name, Result, Scope};
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_ALREADY_EXISTS, ERROR_FILE_NOT_FOUND, ERROR_INVALID_HANDLE,
    ERROR_PATH_NOT_FOUND, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::READ_CONTROL;
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, OpenFileMappingW, PAGE_READWRITE,
};

/// Which object, and how it is made.
#[derive(Debug)]
pub(crate) struct Spec<'a> {
    pub(crate) layout: &'static Layout,
    pub(crate) name: &'a Name,
    /// Of one that is made.
    pub(crate) size: usize,
    pub(crate) options: ObjectOptions,
    /// See [`Header`].
    pub(crate) parameter: u64,
}

/// How the second piece of memory is made that an object has if its layout says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DataSpec {
    pub(crate) size: usize,
    /// Whose processes may write it. To read it, those may who may use the object.
    pub(crate) writers: Access,
    pub(crate) parameter: u64,
}

/// A named piece of shared memory that this process holds. The fields are dropped in this order.
#[derive(Debug)]
pub(crate) struct Segment {
    token: Token,
    view: View,
    /// How many bytes of the view are the object's: the system rounds up.
    len: usize,
    section: OwnedHandle,
    mark: OwnedHandle,
    beside: String,
    access: Access,
}

impl Segment {
    /// Makes or opens it. `init` writes what stands behind the header, into zeroed memory that nobody believes yet. Also
    /// says whether it was made.
    pub(crate) fn open(
        spec: &Spec<'_>,
        opening: Opening,
        init: impl Fn(NonNull<u8>),
    ) -> Result<(Segment, bool)> {
        Segment::open_with(spec, None, opening, init).map(|(segment, _, made)| (segment, made))
    }

    /// As [`open`](Self::open), of an object with a second piece of memory, which needs `self` to stay what it is, and is dropped
    /// before.
    pub(crate) fn open_both(
        spec: &Spec<'_>,
        data: DataSpec,
        opening: Opening,
        init: impl Fn(NonNull<u8>),
    ) -> Result<(Segment, Data, bool)> {
        let (segment, data, made) = Segment::open_with(spec, Some(data), opening, init)?;
        let data = data.ok_or_else(|| Error::new(ErrorKind::Os, "its layout has one part only"))?;
        Ok((segment, data, made))
    }

    fn open_with(
        spec: &Spec<'_>,
        data: Option<DataSpec>,
        opening: Opening,
        init: impl Fn(NonNull<u8>),
    ) -> Result<(Segment, Option<Data>, bool)> {
        if spec.options.persistent {
            return Err(object::not_persistent());
        }
        let access = spec.options.access;
        let beside = object::beside(spec.layout.scheme, spec.name);
        let _guard = Guard::lock(&beside, access)?;
        let mark = object::mark(&beside);
        let is_held = object::is_event_there(&mark)?;
        let found = open_section(&beside, FILE_MAP_READ | FILE_MAP_WRITE)?;
        let was_there = found.is_some();
        let section = match found {
            Some(section) => {
                object::check_owner(section.as_handle(), access)?;
                section
            }
            None if opening == Opening::OpenExisting => return Err(object::not_there()),
            None => create_section(&beside, spec, spec.size, &Descriptor::of_section(access)?)?,
        };
        let view = View::of(&section, spec.layout.size, true)?;
        let header = header(&view);
        let is_written = was_there && header.is_written();
        // Whoever's it is and whether anybody holds it: what is not of this layout is not for us to change.
        let len = match is_written {
            true => header.check(spec.layout, view.len())?,
            false => spec.size,
        };
        let is_new = !is_held || !is_written;
        match opening {
            Opening::OpenExisting if is_new => return Err(object::not_there()),
            Opening::CreateNew if !is_new => return Err(object::exists_already()),
            _ => {}
        }
        if is_new && spec.size > view.len() {
            // Somebody looks at one of another size that nobody holds: a moment, unless he is stopped.
            return Err(object::busy_with_a_look());
        }
        let data = match spec.layout.data.zip(data) {
            None => None,
            Some((layout, data)) if is_new => Some(Data::make(spec, layout, data)?),
            Some((layout, _)) => Some(Data::open(spec, layout)?),
        };
        let (mark, _) = object::hold(&mark, access)?;
        let len = if is_new { spec.size } else { len };
        if is_new {
            if was_there {
                wipe(&view, spec.size);
            }
            init(view.start());
            header.write(spec.layout, spec.size, false, spec.parameter);
        }
        Ok((
            Segment {
                token: Token::new(&beside, access),
                view,
                len,
                section,
                mark,
                beside,
                access,
            },
            data,
            is_new,
        ))
    }

    pub(crate) fn header(&self) -> &Header {
        header(&self.view)
    }

    /// Where its bytes begin. They stay there as long as `self` does.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.view.start()
    }

    /// How many bytes there are: at least the layout's size.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn token(&self) -> &Token {
        &self.token
    }

    /// A place to sleep at: see `parking.rs`.
    pub(crate) fn parking(&self, number: usize) -> Place {
        Place::new(&self.beside, number, self.access)
    }

    /// As [`parking`](Self::parking), where all who sleep are woken at once.
    pub(crate) fn parking_for_all(&self, number: usize) -> Place {
        Place::for_all(&self.beside, number, self.access)
    }

    /// The name goes by itself when the process ends.
    pub(crate) fn release_name(&self) {}

    /// Another token, which can be another participant.
    #[expect(clippy::unnecessary_wraps, reason = "it needs a descriptor on Linux")]
    pub(crate) fn new_token(&self) -> Result<Token> {
        Ok(Token::new(&self.beside, self.access))
    }

    /// As `new_token`: no token holds the object here.
    #[expect(clippy::unnecessary_wraps, reason = "it needs a descriptor on Linux")]
    pub(crate) fn spare_token(&self) -> Result<Token> {
        Ok(Token::new(&self.beside, self.access))
    }

    /// Lets a child hold the object too, until it ends.
    pub(super) fn give_to(&self, process: BorrowedHandle<'_>) -> Result<()> {
        suspended::give(self.section.as_handle(), process)?;
        suspended::give(self.mark.as_handle(), process)
    }
}

/// The second piece of memory of an object, mapped to be read. The fields are dropped in this order.
#[derive(Debug)]
pub(crate) struct Data {
    view: View,
    len: usize,
    _section: OwnedHandle,
    name: String,
}

impl Data {
    /// Makes it, for an object that is just being made.
    fn make(spec: &Spec<'_>, layout: &'static Layout, data: DataSpec) -> Result<Self> {
        let name = object::data(layout.scheme, spec.name);
        let access = spec.options.access;
        let found = open_section(&name, FILE_MAP_READ | FILE_MAP_WRITE)?;
        let was_there = found.is_some();
        let section = match found {
            // Its holders are gone; somebody looks at it, or is just closing it. As the first one, it keeps the rights it has.
            Some(section) => {
                object::check_owner(section.as_handle(), access)?;
                section
            }
            None => create_section(
                &name,
                spec,
                data.size,
                &Descriptor::of_data(access, data.writers)?,
            )?,
        };
        let written = View::of(&section, layout.size, true)?;
        if written.len() < data.size {
            return Err(object::busy_with_a_look());
        }
        if was_there {
            wipe(&written, data.size);
        }
        header(&written).write(layout, data.size, false, data.parameter);
        Ok(Data {
            view: View::of(&section, data.size, false)?,
            len: data.size,
            _section: section,
            name,
        })
    }

    /// Opens the one of an object that is there.
    fn open(spec: &Spec<'_>, layout: &'static Layout) -> Result<Self> {
        let name = object::data(layout.scheme, spec.name);
        let missing = || Error::new(ErrorKind::Corrupt, "a part of it is missing");
        let section = open_section(&name, FILE_MAP_READ)?.ok_or_else(missing)?;
        object::check_owner(section.as_handle(), spec.options.access)?;
        let view = View::of(&section, layout.size, false)?;
        Ok(Data {
            len: header(&view).check(layout, view.len())?,
            view,
            _section: section,
            name,
        })
    }

    pub(crate) fn header(&self) -> &Header {
        header(&self.view)
    }

    /// Where its bytes begin, of which none can be written there. They stay there as long as `self` does.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.view.start()
    }

    /// How many bytes there are: at least its layout's size.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// It once more, to be written.
    pub(crate) fn to_write(&self) -> Result<Writable> {
        // While we have it open its name leads to it.
        let opened = open_section(&self.name, FILE_MAP_READ | FILE_MAP_WRITE);
        let section = match opened {
            Ok(section) => section.ok_or_else(object::not_there)?,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(Error::new(
                    ErrorKind::PermissionDenied,
                    "it belongs to another user, who has opened it to be read only",
                ));
            }
            Err(error) => return Err(error),
        };
        View::of(&section, self.len, true).map(Writable)
    }
}

/// The same, mapped to be written.
#[derive(Debug)]
pub(crate) struct Writable(View);

impl Writable {
    /// Where its bytes begin, which are as many. They stay there as long as `self` does.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.0.start()
    }
}

/// `None` if there is none.
fn open_section(beside: &str, access: u32) -> Result<Option<OwnedHandle>> {
    let name = wide(beside);
    // SAFETY: the name ends with NUL; the handle is a new one.
    match unsafe { call::handle(|| OpenFileMappingW(access | READ_CONTROL, 0, name.as_ptr())) } {
        Ok(section) => Ok(Some(section)),
        Err(ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND) => Ok(None),
        Err(ERROR_INVALID_HANDLE) => Err(object::in_the_way(beside)),
        Err(code) => Err(object::cannot_open(code)),
    }
}

fn create_section(
    beside: &str,
    spec: &Spec<'_>,
    size: usize,
    descriptor: &Descriptor,
) -> Result<OwnedHandle> {
    let name = wide(beside);
    let attributes = descriptor.attributes();
    let size = size as u64;
    // Its memory is reserved now: that is what a section without further flags does.
    // SAFETY: a section without a file is asked for by that handle; the name ends with NUL, and the attributes point into
    // `descriptor`, which lives across the call. The handle is a new one.
    let section = unsafe {
        call::handle(|| {
            CreateFileMappingW(
                INVALID_HANDLE_VALUE,
                &attributes,
                PAGE_READWRITE,
                (size >> 32) as u32,
                size as u32,
                name.as_ptr(),
            )
        })
    };
    let was_there = error::last_code() == ERROR_ALREADY_EXISTS;
    match section {
        // Who made it since we asked does not know of the guard.
        Ok(_) if was_there => Err(object::in_the_way(beside)),
        Ok(section) => Ok(section),
        Err(ERROR_ACCESS_DENIED) if spec.name.scope() == Some(Scope::Global) => {
            Err(object::not_for_all_sessions())
        }
        Err(ERROR_ACCESS_DENIED | ERROR_INVALID_HANDLE) => Err(object::in_the_way(beside)),
        Err(code) => Err(error::of("cannot make its shared memory", code)),
    }
}

fn header(view: &View) -> &Header {
    // SAFETY: every view is of a layout's size, which is at least a header's, begins at a page, and stays as long as it is
    // borrowed. A header is made of atomics only, for which any bytes will do and which others may change.
    unsafe { view.start().cast::<Header>().as_ref() }
}

/// Makes it what a new section is. The header first, so that nobody believes the rest.
fn wipe(view: &View, size: usize) {
    for at in 0..size / size_of::<u64>() {
        // SAFETY: it is in the view, which begins at a page, and is touched as an atomic, which others may change.
        let word = unsafe { view.start().cast::<AtomicU64>().add(at).as_ref() };
        word.store(0, Ordering::Relaxed);
    }
}

/// An object seen by somebody who does not hold it.
#[derive(Debug)]
pub(crate) struct Look {
    view: View,
    /// Of the second piece, if it has one.
    data: Option<View>,
    beside: String,
    /// The size of the whole, without the second piece, rounded up to pages.
    pub(crate) size: usize,
    pub(crate) is_held: bool,
    /// Which layout it says it has was checked; if it has another, why.
    pub(crate) check: Result<()>,
}

impl Look {
    pub(crate) fn header(&self) -> &Header {
        header(&self.view)
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.view.start()
    }

    /// Where the part begins that the second pieces of all of its kind begin with, and how large all of that piece is. It has its
    /// layout; `None` if there is none.
    pub(crate) fn data(&self) -> Option<(NonNull<u8>, usize)> {
        self.data.as_ref().map(|view| (view.start(), view.len()))
    }

    /// Copies what stands at a place, which may be behind that part: how much there was.
    pub(crate) fn read_at(&self, offset: u64, buf: &mut [u8]) -> usize {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let len = self.view.len().saturating_sub(offset).min(buf.len());
        if len > 0 {
            // SAFETY: it is in the view, of which there are `len` bytes from there on.
            unsafe { copy::out(self.view.start().add(offset), &mut buf[..len]) };
        }
        len
    }

    pub(crate) fn is_participant(&self, slot: usize) -> bool {
        token::is_participant(&self.beside, slot).unwrap_or(false)
    }

    /// What is known of the process behind a participant.
    pub(crate) fn identity(&self, pid: u32) -> Identity {
        Identity::of_pid(pid)
    }
}

/// Looks at an object, unnoticed.
pub(crate) fn look(layout: &'static Layout, name: &Name) -> Result<Look> {
    let beside = object::beside(layout.scheme, name);
    let section = open_section(&beside, FILE_MAP_READ)?.ok_or_else(object::not_there)?;
    let is_held = object::is_event_there(&object::mark(&beside))?;
    let view = View::of(&section, layout.size, false)?;
    let size = view.len();
    let mut check = header(&view).check(layout, size).map(drop);
    let mut data = None;
    if let Some(second) = layout.data
        && let Some(section) = open_section(&object::data(layout.scheme, name), FILE_MAP_READ)?
    {
        let view = View::of(&section, second.size, false)?;
        check = check.and(header(&view).check(second, view.len()).map(drop));
        data = Some(view);
    }
    Ok(Look {
        view,
        data,
        beside,
        size,
        is_held,
        check,
    })
}
