//! What others see of a window.

use super::no_window;
use crate::Result;
use crate::os::process::Identity;
use crate::os::types::Access;
use crate::os::window_types::{Handle, Query, Sight};
use crate::os::windows::{call, error};
use std::collections::{HashMap, HashSet};
use std::ptr;
use windows_sys::Win32::Foundation::{HWND, LPARAM};
use windows_sys::Win32::System::Threading::GetCurrentThreadId;
use windows_sys::Win32::UI::WindowsAndMessaging::{
    EnumWindows, FindWindowExW, GA_PARENT, GetAncestor, GetClassNameW, GetWindowThreadProcessId,
    HWND_BROADCAST, HWND_MESSAGE, InternalGetWindowText, IsHungAppWindow, IsWindow,
};
use windows_sys::core::BOOL;

/// So often the walk over message-only windows begins anew, as the one that it stands at is gone.
const WALKS: u32 = 100;

/// The longest title that is asked for, in units: the system has none that are longer, but by special tricks.
const LONGEST: usize = 1 << 16;

/// A handle as a number: of its bits only 32 mean something, whichever process looks.
pub(super) fn number(window: HWND) -> u32 {
    window as usize as u32
}

/// The handle of that number, if it can be one of a window: some mean all windows, or none, or where one is to be.
pub(super) fn handle(number: u32) -> Result<HWND> {
    let special = number == 0
        || number == HWND_BROADCAST as usize as u32
        || number.cast_signed() >= -16 && number.cast_signed() < 0;
    if special {
        return Err(no_window());
    }
    // The system extends the sign.
    Ok(number.cast_signed() as isize as HWND)
}

pub(super) fn is_there(window: HWND) -> bool {
    // SAFETY: takes a plain value.
    unsafe { IsWindow(window) != 0 }
}

/// Which thread and process a window belongs to, if it is there.
pub(super) fn owner(window: HWND) -> Result<(u32, u32)> {
    let mut pid = 0;
    // SAFETY: the process's number is written to a number of ours.
    let thread = unsafe { GetWindowThreadProcessId(window, &mut pid) };
    if thread == 0 || pid == 0 {
        return Err(no_window());
    }
    Ok((thread, pid))
}

pub(super) fn is_this_threads(window: HWND) -> bool {
    // SAFETY: takes nothing.
    let this = unsafe { GetCurrentThreadId() };
    owner(window).is_ok_and(|(thread, _)| thread == this)
}

pub(crate) fn is_alive(window: Handle) -> bool {
    handle(window.number).is_ok_and(is_there)
}

/// There are no windows of one user's here.
pub(crate) fn others_have_one(_query: &Query) -> bool {
    false
}

/// The same.
pub(crate) fn resolve(number: u32, _access: Access) -> Handle {
    Handle::ours(number)
}

pub(crate) fn is_hung(window: Handle) -> Result<bool> {
    let window = handle(window.number)?;
    if !is_there(window) {
        return Err(no_window());
    }
    Ok(hangs(window))
}

pub(super) fn hangs(window: HWND) -> bool {
    // SAFETY: takes a plain value.
    unsafe { IsHungAppWindow(window) != 0 }
}

pub(crate) fn sight(window: Handle) -> Result<Sight> {
    let window = handle(window.number)?;
    let (_, pid) = owner(window)?;
    let sight = Sight {
        class: class(window),
        title: title(window),
        owner: Identity::of_pid(pid),
        message_only: is_message_only(window),
        hung: hangs(window),
        queued: None,
        access: None,
    };
    // Else what we have may be of nobody.
    if is_there(window) {
        Ok(sight)
    } else {
        Err(no_window())
    }
}

/// The windows that only get messages are children of one that has no parent, and is not the desktop, whose are all others.
fn is_message_only(window: HWND) -> bool {
    // SAFETY: takes plain values.
    let parent = |window| unsafe { GetAncestor(window, GA_PARENT) };
    let above = parent(window);
    // SAFETY: takes nothing.
    let desktop = unsafe { windows_sys::Win32::UI::WindowsAndMessaging::GetDesktopWindow() };
    !above.is_null() && above != desktop && parent(above).is_null()
}

/// A window's class; nothing of one that is gone.
fn class(window: HWND) -> String {
    let mut text = [0; 257];
    // SAFETY: at most as many units as it is told are written to the buffer.
    let len = unsafe { GetClassNameW(window, text.as_mut_ptr(), text.len() as i32) };
    text_of(&text, len)
}

/// A window's title. Not by asking its procedure, which may be busy: as the system remembers it.
fn title(window: HWND) -> String {
    let mut text = vec![0; 512];
    loop {
        // SAFETY: as above.
        let len = unsafe { InternalGetWindowText(window, text.as_mut_ptr(), text.len() as i32) };
        let is_cut = usize::try_from(len).is_ok_and(|len| len + 1 >= text.len());
        if !is_cut || text.len() >= LONGEST {
            return text_of(&text, len);
        }
        text.resize(text.len() * 4, 0);
    }
}

fn text_of(units: &[u16], len: i32) -> String {
    let len = usize::try_from(len).unwrap_or(0);
    String::from_utf16_lossy(units.get(..len).unwrap_or_default())
}

/// Calls `found` with the handles of those meant, until it says no.
pub(crate) fn find(query: &Query, found: &mut dyn FnMut(Handle) -> bool) -> Result<()> {
    let mut windows = top_level()?;
    if !query.top_level_only {
        windows.extend(message_only());
    }
    let mut names: HashMap<u32, Option<String>> = HashMap::new();
    for window in windows {
        let Ok((_, pid)) = owner(window) else { continue };
        let is_meant = query.pid.is_none_or(|wanted| wanted == pid)
            && (query.title.is_none() || query.is_title(&title(window)))
            && (query.class.is_none() || query.is_class(&class(window)))
            && query.is_executable(|| names.entry(pid).or_insert_with(|| file_name(pid)).clone());
        if is_meant && !found(Handle::ours(number(window))) {
            break;
        }
    }
    Ok(())
}

fn file_name(pid: u32) -> Option<String> {
    let executable = Identity::of_pid(pid).executable?;
    Some(executable.file_name()?.to_string_lossy().into_owned())
}

fn top_level() -> Result<Vec<HWND>> {
    unsafe extern "system" fn note(window: HWND, all: LPARAM) -> BOOL {
        // SAFETY: it is the list below, which nobody else uses meanwhile.
        let all = unsafe { &mut *(all as *mut Vec<HWND>) };
        all.push(window);
        1
    }
    let mut all: Vec<HWND> = Vec::new();
    let list: *mut Vec<HWND> = &mut all;
    // SAFETY: the function is called before this returns only, with the list.
    call::done(|| unsafe { EnumWindows(Some(note), list as LPARAM) })
        .map_err(|code| error::of("cannot look for windows", code))?;
    Ok(all)
}

fn message_only() -> Vec<HWND> {
    // SAFETY: takes plain values; without class and title it is about all.
    let after = |window| unsafe { FindWindowExW(HWND_MESSAGE, window, ptr::null(), ptr::null()) };
    let mut all = Vec::new();
    let mut known = HashSet::new();
    for _ in 0..WALKS {
        let (mut before, mut last): (HWND, HWND) = (ptr::null_mut(), ptr::null_mut());
        loop {
            let next = after(last);
            if next.is_null() {
                break;
            }
            if known.insert(next) {
                all.push(next);
            }
            (before, last) = (last, next);
        }
        // Nothing follows: the end, unless the one that it stood at is not among them any more. That may be so for a while before it is
        // gone; but who has left them does not come back.
        if last.is_null() || after(before) == last {
            break;
        }
    }
    all
}
