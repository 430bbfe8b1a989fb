//! Text in the code page of this machine.

use crate::os::windows::error;
use crate::{Error, ErrorKind, Result};
use std::ptr;
use windows_sys::Win32::Globalization::{
    CP_ACP, CP_UTF8, GetACP, MultiByteToWideChar, WC_NO_BEST_FIT_CHARS, WideCharToMultiByte,
};

fn code_page() -> u32 {
    // SAFETY: takes nothing.
    unsafe { GetACP() }
}

/// The text in the code page, in which all of it has to be.
pub(crate) fn to_ansi(text: &str) -> Result<Vec<u8>> {
    if text.is_ascii() || code_page() == CP_UTF8 {
        return Ok(text.as_bytes().to_vec());
    }
    let wide: Vec<u16> = text.encode_utf16().collect();
    let len = i32::try_from(wide.len())
        .map_err(|_| Error::new(ErrorKind::TooLarge, "the text is longer than the system converts"))?;
    let mut is_cut = 0;
    let mut convert = |bytes: &mut [u8]| {
        // SAFETY: there are so many units of text, and at most so many bytes are written; without any it only counts them.
        unsafe {
            WideCharToMultiByte(
                CP_ACP,
                WC_NO_BEST_FIT_CHARS,
                wide.as_ptr(),
                len,
                if bytes.is_empty() {
                    ptr::null_mut()
                } else {
                    bytes.as_mut_ptr()
                },
                i32::try_from(bytes.len()).unwrap_or(i32::MAX),
                ptr::null(),
                &mut is_cut,
            )
        }
    };
    let failed = || error::last("cannot convert the text");
    let count = usize::try_from(convert(&mut [])).ok().filter(|count| *count > 0);
    let mut bytes = vec![0; count.ok_or_else(failed)?];
    if convert(&mut bytes) <= 0 {
        return Err(failed());
    }
    if is_cut != 0 {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the machine's code page {} does not have all characters of the text",
                code_page()
            ),
        )
        .hint("agree with the receiver on UTF-8 or UTF-16"));
    }
    Ok(bytes)
}

pub(crate) fn from_ansi(bytes: &[u8]) -> String {
    if bytes.is_ascii() || code_page() == CP_UTF8 {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    // More than the system converts at once is converted in part.
    let len = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    // No character has more units than bytes.
    let mut wide = vec![0; bytes.len()];
    // SAFETY: there are so many bytes, and at most so many units are written.
    let count = unsafe { MultiByteToWideChar(CP_ACP, 0, bytes.as_ptr(), len, wide.as_mut_ptr(), len) };
    wide.truncate(usize::try_from(count).unwrap_or(0));
    String::from_utf16_lossy(&wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_or_is_refused() {
        for text in ["", "success", "成功", "é", "€", "ß成"] {
            match to_ansi(text) {
                Ok(bytes) => assert_eq!(from_ansi(&bytes), text),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unsupported);
                    assert!(!text.is_ascii());
                }
            }
        }
        // What of it fits must not stand for all.
        assert!(code_page() != 1252 || to_ansi("é成").is_err() && to_ansi("é").unwrap() == [0xE9]);
        assert_eq!(from_ansi(b"ok"), "ok");
    }
}
