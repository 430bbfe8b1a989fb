//! Window classes: what the system calls when a window of ours gets a message.

use super::desk;
use crate::os::window_types::{Making, Procedure};
use crate::os::windows::{call, error, wide};
use crate::{Error, ErrorKind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use windows_sys::Win32::Foundation::{
    ERROR_CANNOT_FIND_WND_CLASS, ERROR_CLASS_ALREADY_EXISTS, HINSTANCE, HWND, LPARAM, LRESULT, WPARAM,
};
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, GetModuleHandleExW,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CW_USEDEFAULT, CreateWindowExW, DefWindowProcW, GetClassInfoExW, HWND_MESSAGE, IDC_ARROW, LoadCursorW,
    RegisterClassExW, UnregisterClassW, WNDCLASSEXW, WS_OVERLAPPEDWINDOW,
};

/// So often another thread may take a class away while we make a window of it.
const TRIES: u32 = 100;

/// Makes a window of that class, which is made if it is not there.
pub(super) fn create(class: &[u16], making: &Making<'_>, procedure: Procedure) -> Result<HWND> {
    let title = wide(making.title);
    let module = module()?;
    let parent = if making.message_only {
        HWND_MESSAGE
    } else {
        ptr::null_mut()
    };
    let _awaited = desk::awaits(procedure)?;
    for _ in 0..TRIES {
        register(class, module)?;
        let mut window = ptr::null_mut();
        let made = call::done(|| {
            // SAFETY: class and title end with a NUL; a window without a menu or data of its own, in the usual place.
            window = unsafe {
                CreateWindowExW(
                    0,
                    class.as_ptr(),
                    title.as_ptr(),
                    WS_OVERLAPPEDWINDOW,
                    CW_USEDEFAULT,
                    CW_USEDEFAULT,
                    CW_USEDEFAULT,
                    CW_USEDEFAULT,
                    parent,
                    ptr::null_mut(),
                    module,
                    ptr::null(),
                )
            };
            (!window.is_null()).into()
        });
        match made {
            Ok(()) => return Ok(window),
            // The last window of the class on another thread has just taken it away.
            Err(ERROR_CANNOT_FIND_WND_CLASS) => {}
            Err(code) => {
                leave(class);
                return Err(error::of("cannot make a window", code)
                    .hint("a top-level window needs a desktop; there may be too many windows"));
            }
        }
    }
    Err(Error::new(
        ErrorKind::Busy,
        "other threads take the window's class away again and again",
    ))
}

fn register(class: &[u16], module: HINSTANCE) -> Result<()> {
    let description = WNDCLASSEXW {
        cbSize: size_of::<WNDCLASSEXW>() as u32,
        lpfnWndProc: Some(receive),
        hInstance: module,
        // SAFETY: one of the system's own, which is not to be given back.
        hCursor: unsafe { LoadCursorW(ptr::null_mut(), IDC_ARROW) },
        lpszClassName: class.as_ptr(),
        ..WNDCLASSEXW::default()
    };
    // SAFETY: the description is whole, its name ends with a NUL, and the procedure has the module's lifetime.
    let done = call::done(|| unsafe { RegisterClassExW(&description) }.into());
    match done {
        Ok(()) => Ok(()),
        Err(ERROR_CLASS_ALREADY_EXISTS) if !is_anothers(class, module) => Ok(()),
        Err(ERROR_CLASS_ALREADY_EXISTS) => Err(Error::new(
            ErrorKind::AlreadyExists,
            "this program has a window class of that name which is not Quintet's",
        )
        .hint("choose another class")),
        Err(code) => Err(error::of("cannot register the window's class", code)),
    }
}

/// Whether it is a class that something else in this program has registered. One that is just being taken away is not.
fn is_anothers(class: &[u16], module: HINSTANCE) -> bool {
    let mut found = WNDCLASSEXW {
        cbSize: size_of::<WNDCLASSEXW>() as u32,
        ..WNDCLASSEXW::default()
    };
    // SAFETY: the name ends with a NUL; the description is written to a place of ours that is as large as it says.
    let is_there = unsafe { GetClassInfoExW(module, class.as_ptr(), &mut found) } != 0;
    is_there && found.lpfnWndProc.map(|procedure| procedure as usize) != Some(receive as *const () as usize)
}

/// Takes the class away, if no window of it is left.
pub(super) fn leave(class: &[u16]) {
    if let Ok(module) = module() {
        // SAFETY: the name ends with a NUL. The system refuses while there is a window of the class.
        unsafe { UnregisterClassW(class.as_ptr(), module) };
    }
}

/// The program or library that this code is in, to which the classes belong.
fn module() -> Result<HINSTANCE> {
    let mut module = ptr::null_mut();
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    // SAFETY: with these flags the second value is an address, which this function's is; the module is written to a place
    // of ours, and stays as long as this code, which is in it.
    call::done(|| unsafe { GetModuleHandleExW(flags, receive as *const () as *const u16, &mut module) })
        .map_err(|code| error::of("cannot tell which module this is", code))?;
    Ok(module)
}

/// The procedure of all our windows.
unsafe extern "system" fn receive(window: HWND, number: u32, wparam: WPARAM, lparam: LPARAM) -> LRESULT {
    // SAFETY: the system calls this, with a message as it makes them.
    let received = catch_unwind(AssertUnwindSafe(|| unsafe {
        desk::receive(window, number, wparam, lparam)
    }));
    match received {
        Ok(Some(result)) => result,
        // SAFETY: it is what the system has just called us with.
        Ok(None) => unsafe { DefWindowProcW(window, number, wparam, lparam) },
        Err(panic) => {
            desk::keep_panic(panic);
            0
        }
    }
}
