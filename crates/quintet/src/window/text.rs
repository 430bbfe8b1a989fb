use crate::os::types::words;
use crate::os::window;
use crate::{Error, ErrorKind, Result};
use std::fmt;
use std::str::FromStr;

/// How text is made of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// The code page of the machine: what C# makes of a `string` in a structure, and C of a `char *`. On Linux that is
    /// UTF-8, for .NET there as well. The default.
    #[default]
    Ansi,
    /// UTF-8 everywhere.
    Utf8,
    /// UTF-16, the low byte first: `wchar_t *` on Windows.
    Utf16,
}

words!(
    Encoding,
    "encoding",
    Ansi = "ansi",
    Utf8 = "utf8",
    Utf16 = "utf16"
);

impl Encoding {
    /// The text in bytes, with the NUL that receivers read to.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) for text with a NUL in it, or that the encoding does not have.
    ///
    /// ```
    /// use quintet::window::Encoding;
    ///
    /// assert_eq!(Encoding::Utf16.encode("ok")?, b"o\0k\0\0\0");
    /// # Ok::<(), quintet::Error>(())
    /// ```
    pub fn encode(self, text: &str) -> Result<Vec<u8>> {
        if text.contains('\0') {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the text contains a NUL, which receivers take for its end",
            )
            .hint("send it with copy_data"));
        }
        Ok(match self {
            Encoding::Ansi => with_nul(window::to_ansi(text)?),
            Encoding::Utf8 => with_nul(text.as_bytes().to_vec()),
            Encoding::Utf16 => text
                .encode_utf16()
                .chain([0])
                .flat_map(u16::to_le_bytes)
                .collect(),
        })
    }

    /// The text up to the first NUL; what is no such text becomes `�`.
    ///
    /// ```
    /// use quintet::window::Encoding;
    ///
    /// assert_eq!(Encoding::Utf8.decode(b"success\0rest"), "success");
    /// ```
    pub fn decode(self, bytes: &[u8]) -> String {
        let to_nul = || bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        match self {
            Encoding::Ansi => window::from_ansi(to_nul()),
            Encoding::Utf8 => String::from_utf8_lossy(to_nul()).into_owned(),
            Encoding::Utf16 => {
                let units = bytes
                    .chunks_exact(2)
                    .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
                char::decode_utf16(units.take_while(|unit| *unit != 0))
                    .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect()
            }
        }
    }
}

fn with_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_what_c_programs_read() {
        assert_eq!(Encoding::Utf8.encode("成功").unwrap(), "成功\0".as_bytes());
        assert_eq!(
            Encoding::Utf16.encode("成功").unwrap(),
            [0x10, 0x62, 0x9F, 0x52, 0, 0]
        );
        assert_eq!(
            Encoding::Utf16.decode(&[0x10, 0x62, 0x9F, 0x52, 0, 0, 1, 1]),
            "成功"
        );
        // No NUL, and half a character at the end.
        assert_eq!(Encoding::Utf16.decode(&[0x10, 0x62, 0x9F]), "成");
        assert_eq!(Encoding::Ansi.decode(b"ok\0rest"), "ok");
        assert_eq!(
            Encoding::Utf8.encode("a\0b").unwrap_err().kind(),
            ErrorKind::Unsupported
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_some_text(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            for encoding in [Encoding::Ansi, Encoding::Utf8, Encoding::Utf16] {
                prop_assert!(!encoding.decode(&bytes).contains('\0'));
            }
        }

        #[test]
        fn text_comes_back(text in "[^\0]{0,40}") {
            for encoding in [Encoding::Utf8, Encoding::Utf16] {
                prop_assert_eq!(encoding.decode(&encoding.encode(&text).unwrap()), text.clone());
            }
        }
    }
}
