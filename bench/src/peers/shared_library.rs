//! C libraries that are used where they are installed.

use crate::row::Result;
use libloading::Library;

/// Why a library cannot be had, if so.
pub(super) fn is_missing(file: &str) -> Option<String> {
    load(file).err().map(|_| format!("{file} is not installed"))
}

pub(super) fn load(file: &str) -> Result<Library> {
    // SAFETY: these are the system's own, well-known libraries, whose initialisers do nothing to us.
    Ok(unsafe { Library::new(file) }?)
}

/// A function of a library. It stays valid since the library is never unloaded.
///
/// # Safety
/// `F` is the type of the function of that name.
pub(super) unsafe fn function<F: Copy>(library: &Library, name: &str) -> Result<F> {
    // SAFETY: as the caller says.
    let symbol = unsafe { library.get::<F>(name.as_bytes()) }?;
    Ok(*symbol)
}
