use crate::os::window;
pub use crate::os::window_types::{WM_CLOSE, WM_COMMAND, WM_COPYDATA, WM_QUIT, WM_USER};
use crate::{Error, ErrorKind, Result};
use std::ops::RangeInclusive;

/// Does nothing: who gets an answer to it knows that the window's thread serves.
pub const WM_NULL: u32 = 0x0000;
/// The first of the numbers that a program gives a meaning; the last is 0xBFFF.
pub const WM_APP: u32 = 0x8000;
/// The numbers of [registered](register_message) messages.
pub const REGISTERED: RangeInclusive<u32> = 0xC000..=0xFFFF;

/// The number of the message that all programs know by this name: the same in every process of this user, from its first
/// registration for as long as a process lives that has registered any (Windows: until the session ends). Upper and lower case are the same.
///
/// # Errors
/// [`InvalidName`](ErrorKind::InvalidName) for a name that is empty, longer than 255 units of UTF-16 (a character is one or two), or has
/// control characters, and for `#` with digits alone, which Windows takes for a number;
/// [`Full`](ErrorKind::Full) when all 16,384 numbers are taken.
///
/// ```
/// use quintet::window::{REGISTERED, register_message};
///
/// let number = register_message("Quintet.Documentation")?;
/// assert!(REGISTERED.contains(&number));
/// assert_eq!(register_message("quintet.documentation")?, number);
/// # Ok::<(), quintet::Error>(())
/// ```
pub fn register_message(name: &str) -> Result<u32> {
    const MOST: usize = 255;
    if name.is_empty() || name.encode_utf16().count() > MOST || name.chars().any(char::is_control) {
        return Err(Error::new(
            ErrorKind::InvalidName,
            format!("the message name {name:?} is not 1 to {MOST} UTF-16 units without control characters"),
        ));
    }
    let digits = name.strip_prefix('#').unwrap_or_default();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::new(
            ErrorKind::InvalidName,
            format!("{name:?} is a number to Windows, and no name of a message"),
        ));
    }
    window::register_message(name)
}

/// Whether messages of that number are among those of the system's that carry more than two numbers: in them a number is
/// where something is in memory, which means nothing in another process.
#[inline]
pub(super) fn carries_more(number: u32) -> bool {
    number < WM_USER && is_listed(number)
}

fn is_listed(number: u32) -> bool {
    matches!(
        number,
        // Creation and its like; texts; settings.
        0x01 | 0x0C | 0x0D | 0x1A | 0x1B | 0x24 | 0x2B..=0x2D | 0x39 | 0x46 | 0x47 | 0x4A | 0x4E | 0x53
            | 0x49 | 0x7C | 0x7D | 0x81..=0x83 | 0x87 | 0x11A | 0x124 | 0x213 | 0x218 | 0x33F
            // Timers: a function to be called.
            | 0x113 | 0x118
            // How menus and captions are drawn; scroll bars; resolutions.
            | 0x90..=0x95 | 0xAE | 0xAF | 0xE0..=0xEB | 0x2E0 | 0x2E4
            // Input methods; DDE.
            | 0x283 | 0x288 | 0x3E0..=0x3E8
            // Edit controls, combo and list boxes.
            | 0xB0..=0xD9 | 0x140..=0x165 | 0x180..=0x1B5
            // Sizes, devices, other windows of one, the clipboard.
            | 0x214 | 0x216 | 0x219 | 0x220 | 0x229 | 0x309 | 0x30B | 0x30C
    )
}
