//! Window classes: what the system calls when a window of ours gets a message.

use super::desk::{self, Birth, Received};
use super::doing;
use crate::os::window_types::{Making, Procedure};
use crate::os::windows::{call, error, wide};
use crate::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::{LazyLock, Mutex, PoisonError};
use windows_sys::Win32::Foundation::{ERROR_CLASS_ALREADY_EXISTS, HINSTANCE, HWND, LPARAM, LRESULT, WPARAM};
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, GetModuleHandleExW,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CW_USEDEFAULT, CreateWindowExW, DefWindowProcW, GCLP_WNDPROC, GetClassInfoExW, GetClassLongPtrW,
    HWND_MESSAGE, IDC_ARROW, LoadCursorW, RegisterClassExW, UnregisterClassW, WNDCLASSEXW,
    WS_OVERLAPPEDWINDOW,
};

/// How many windows of each class there are, by its [`folded`] name.
static CLASSES: LazyLock<Mutex<HashMap<String, usize>>> = LazyLock::new(Mutex::default);

/// A class, for one window of it. The last one takes it away.
#[derive(Debug)]
pub(super) struct Class {
    name: String,
    text: Vec<u16>,
    module: HINSTANCE,
}

impl Class {
    pub(super) fn of(name: &str) -> Result<Self> {
        let (text, module) = (wide(name), module()?);
        let name = folded(name);
        let mut classes = CLASSES.lock().unwrap_or_else(PoisonError::into_inner);
        if !classes.contains_key(&name) {
            register(&text, module)?;
        }
        *classes.entry(name.clone()).or_default() += 1;
        Ok(Class { name, text, module })
    }
}

impl Drop for Class {
    fn drop(&mut self) {
        let mut classes = CLASSES.lock().unwrap_or_else(PoisonError::into_inner);
        match classes.get_mut(&self.name) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) => {
                classes.remove(&self.name);
                // SAFETY: the name ends with a NUL. The system refuses if there is a window of the class.
                unsafe { UnregisterClassW(self.text.as_ptr(), self.module) };
            }
            None => {}
        }
    }
}

/// What names have in common that are the same to the system, which does not tell upper and lower case: each character by
/// itself, in upper case where that is one character too. (In lower case it would be more: the Kelvin sign is no K to it.)
fn folded(name: &str) -> String {
    let upper = |character: char| {
        let mut upper = character.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(one), None) => one,
            _ => character,
        }
    };
    name.chars().map(upper).collect()
}

/// Makes a window of that class.
pub(super) fn create(class: &Class, making: &Making<'_>, procedure: Procedure) -> Result<(HWND, Birth)> {
    let title = wide(making.title);
    let parent = if making.message_only {
        HWND_MESSAGE
    } else {
        ptr::null_mut()
    };
    let awaited = desk::awaits(procedure, making.visible)?;
    let mut window = ptr::null_mut();
    call::done(|| {
        // SAFETY: class and title end with a NUL; a window without a menu, in the usual place. What it is made with is a number.
        window = unsafe {
            CreateWindowExW(
                0,
                class.text.as_ptr(),
                title.as_ptr(),
                WS_OVERLAPPEDWINDOW,
                CW_USEDEFAULT,
                CW_USEDEFAULT,
                CW_USEDEFAULT,
                CW_USEDEFAULT,
                parent,
                ptr::null_mut(),
                class.module,
                ptr::without_provenance(awaited.token()),
            )
        };
        (!window.is_null()).into()
    })
    .map_err(|code| {
        desk::forget(awaited.birth());
        error::of("cannot make a window", code)
            .hint("a top-level window needs a desktop; there may be too many windows")
    })?;
    Ok((window, awaited.birth()))
}

/// What the system calls for windows of a window's class, however it says that; 0 of a window that is gone. Not what a class of that
/// name has now: the window's own.
pub(super) fn mark(window: HWND) -> usize {
    // SAFETY: takes plain values.
    unsafe { GetClassLongPtrW(window, GCLP_WNDPROC) }
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
        // It stayed for a window that its thread had not dropped when it ended.
        Err(ERROR_CLASS_ALREADY_EXISTS) if !is_anothers(class, module) => Ok(()),
        Err(ERROR_CLASS_ALREADY_EXISTS) => Err(Error::new(
            ErrorKind::AlreadyExists,
            "this program has a window class of that name which is not Quintet's",
        )
        .hint("choose another class")),
        Err(code) => Err(error::of("cannot register the window's class", code)),
    }
}

/// Whether it is a class that something else in this program has registered.
fn is_anothers(class: &[u16], module: HINSTANCE) -> bool {
    let mut found = WNDCLASSEXW {
        cbSize: size_of::<WNDCLASSEXW>() as u32,
        ..WNDCLASSEXW::default()
    };
    // SAFETY: the name ends with a NUL; the description is written to a place of ours that is as large as it says.
    let is_there = unsafe { GetClassInfoExW(module, class.as_ptr(), &mut found) } != 0;
    is_there && found.lpfnWndProc.map(|procedure| procedure as usize) != Some(receive as *const () as usize)
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
        Ok(Received::Served(result)) => result,
        Ok(Received::Systems(came)) => {
            let _works = doing::working(came);
            // SAFETY: it is what the system has just called us with. A panic of a procedure that it calls ends there.
            unsafe { DefWindowProcW(window, number, wparam, lparam) }
        }
        Err(panic) => {
            desk::keep_panic(panic);
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::types::Access;
    use std::rc::Rc;

    fn making(class: &str) -> Making<'_> {
        Making {
            class,
            title: "",
            message_only: true,
            visible: false,
            admit_lower_integrity: false,
            access: Access::CurrentUser,
        }
    }

    fn is_there(class: &[u16]) -> bool {
        let mut found = WNDCLASSEXW {
            cbSize: size_of::<WNDCLASSEXW>() as u32,
            ..WNDCLASSEXW::default()
        };
        // SAFETY: as in `is_anothers`.
        unsafe { GetClassInfoExW(module().unwrap(), class.as_ptr(), &mut found) != 0 }
    }

    #[test]
    fn a_class_goes_with_its_last_window() {
        let name = format!("quintet-class-{}", std::process::id());
        let making = making(&name);
        let make = || super::super::Window::create(&making, Rc::new(|_| 0)).unwrap();
        let class = wide(&name);
        for _ in 0..3 {
            assert!(!is_there(&class));
            let one = make();
            let other = make();
            drop(one);
            assert!(is_there(&class));
            drop(other);
        }
        assert!(!is_there(&class));
    }

    #[test]
    fn a_class_of_other_code_is_not_ours() {
        let name = format!("quintet-other-{}", std::process::id());
        let class = wide(&name);
        let module = module().unwrap();
        let description = WNDCLASSEXW {
            cbSize: size_of::<WNDCLASSEXW>() as u32,
            lpfnWndProc: Some(DefWindowProcW),
            hInstance: module,
            lpszClassName: class.as_ptr(),
            ..WNDCLASSEXW::default()
        };
        // SAFETY: as in `register`.
        assert_ne!(unsafe { RegisterClassExW(&description) }, 0);
        assert_eq!(
            register(&class, module).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        // SAFETY: as in `Class`.
        unsafe { UnregisterClassW(class.as_ptr(), module) };
    }

    /// Threads that make and destroy windows of one class at once.
    #[test]
    fn a_class_that_comes_and_goes_is_there_for_each_window() {
        let name = format!("quintet-coming-{}", std::process::id());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let making = making(&name);
                    for _ in 0..200 {
                        super::super::Window::create(&making, Rc::new(|_| 0)).unwrap();
                    }
                });
            }
        });
        assert!(!is_there(&wide(&name)));
    }
}
