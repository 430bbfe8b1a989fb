//! Text in other encodings: what .NET's `Encoding.Default`, `Unicode` and a Chinese Windows write.

use encoding_rs::{Decoder, Encoding as Table};
use std::borrow::Cow;

/// The most bytes in UTF-8 of which another encoding makes one.
pub(crate) const WIDEST: u64 = 4;

/// Text for people as it is, but for what would do something to their terminal or begin a line: programs, also of other users, call
/// things as they like.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let shown = text.chars().map(|one| match one {
        one if one.is_control() => one.escape_default().to_string(),
        one => one.into(),
    });
    shown.collect::<String>().into()
}

/// An encoding of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Encoding {
    #[value(name = "utf-8", alias = "utf8")]
    Utf8,
    /// What Windows calls ANSI: the code page of the system's language
    Ansi,
    /// Chinese; GBK and GB2312 are parts of it
    #[value(aliases = ["gbk", "gb2312"])]
    Gb18030,
    /// What C# calls Unicode
    #[value(name = "utf-16le", aliases = ["utf16le", "utf-16", "utf16"])]
    Utf16Le,
}

impl Encoding {
    fn table(self) -> &'static Table {
        match self {
            Encoding::Utf8 => encoding_rs::UTF_8,
            Encoding::Ansi => code_page(ansi_code_page()),
            Encoding::Gb18030 => encoding_rs::GB18030,
            Encoding::Utf16Le => encoding_rs::UTF_16LE,
        }
    }

    /// How many bytes the shortest character has.
    pub(crate) fn width(self) -> usize {
        if self == Encoding::Utf16Le { 2 } else { 1 }
    }

    /// Converts from UTF-8; an error names a character that the encoding does not have.
    pub(crate) fn encode(self, text: &str) -> Result<Cow<'_, [u8]>, String> {
        if self == Encoding::Utf16Le {
            // encoding_rs, made for the web, does not write UTF-16.
            return Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        }
        let table = self.table();
        let (bytes, _, replaced) = table.encode(text);
        if !replaced {
            return Ok(bytes);
        }
        let missing = text.chars().find(|c| table.encode(c.encode_utf8(&mut [0; 4])).2);
        Err(format!(
            "{} has no character {:?}",
            table.name(),
            missing.unwrap_or(char::REPLACEMENT_CHARACTER)
        ))
    }

    /// A converter from UTF-8 for text that comes in pieces.
    pub(crate) fn encoder(self) -> TextEncoder {
        TextEncoder {
            encoding: self,
            partial: Vec::new(),
            done: 0,
        }
    }

    /// A converter to UTF-8 for bytes that come in pieces. A byte order mark at the beginning, as .NET's `StreamWriter`
    /// writes it, is no text.
    pub(crate) fn decoder(self) -> TextDecoder {
        TextDecoder(self.table().new_decoder_with_bom_removal())
    }
}

/// Converts from UTF-8; keeps what a piece has of a character whose rest is in the next.
#[derive(Debug)]
pub(crate) struct TextEncoder {
    encoding: Encoding,
    partial: Vec<u8>,
    /// How many bytes were converted.
    done: u64,
}

impl TextEncoder {
    /// What the piece adds to the text. `last`: nothing follows. An error says what cannot be converted.
    pub(crate) fn encode(&mut self, piece: &[u8], last: bool) -> Result<Vec<u8>, String> {
        self.partial.extend_from_slice(piece);
        let whole = match std::str::from_utf8(&self.partial) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() && !last => error.valid_up_to(),
            Err(error) => {
                return Err(format!(
                    "--encoding converts from UTF-8, which the data is not at byte {}",
                    self.done + error.valid_up_to() as u64
                ));
            }
        };
        let text = std::str::from_utf8(&self.partial[..whole]).map_err(|error| error.to_string())?;
        let bytes = self.encoding.encode(text)?.into_owned();
        self.partial.drain(..whole);
        self.done += whole as u64;
        Ok(bytes)
    }
}

/// Converts to UTF-8; keeps what a piece has of a character whose rest is in the next.
pub(crate) struct TextDecoder(Decoder);

impl TextDecoder {
    /// What the bytes add to the text; malformed ones as U+FFFD. `last`: nothing follows, so nothing is kept.
    pub(crate) fn decode(&mut self, mut bytes: &[u8], last: bool) -> String {
        let mut text = String::new();
        loop {
            let room = self.0.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len());
            text.reserve(room.max(16));
            let (result, read, _) = self.0.decode_to_string(bytes, &mut text, last);
            bytes = &bytes[read..];
            if result == encoding_rs::CoderResult::InputEmpty {
                return text;
            }
        }
    }
}

impl std::fmt::Debug for TextDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TextDecoder")
            .field(&self.0.encoding().name())
            .finish()
    }
}

/// A Windows code page by its number.
fn code_page(number: u32) -> &'static Table {
    match number {
        874 => encoding_rs::WINDOWS_874,
        932 => encoding_rs::SHIFT_JIS,
        936 => encoding_rs::GBK,
        949 => encoding_rs::EUC_KR,
        950 => encoding_rs::BIG5,
        1250 => encoding_rs::WINDOWS_1250,
        1251 => encoding_rs::WINDOWS_1251,
        1253 => encoding_rs::WINDOWS_1253,
        1254 => encoding_rs::WINDOWS_1254,
        1255 => encoding_rs::WINDOWS_1255,
        1256 => encoding_rs::WINDOWS_1256,
        1257 => encoding_rs::WINDOWS_1257,
        1258 => encoding_rs::WINDOWS_1258,
        65001 => encoding_rs::UTF_8,
        _ => encoding_rs::WINDOWS_1252,
    }
}

/// What Windows calls ANSI here.
#[cfg(windows)]
fn ansi_code_page() -> u32 {
    // SAFETY: takes nothing and only returns a number.
    unsafe { windows_sys::Win32::Globalization::GetACP() }
}

/// What a Windows of the locale's language would call ANSI.
#[cfg(not(windows))]
fn ansi_code_page() -> u32 {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|key| std::env::var(key).ok().filter(|locale| !locale.is_empty()))
        .unwrap_or_default();
    ansi_code_page_of(&locale)
}

#[cfg(not(windows))]
fn ansi_code_page_of(locale: &str) -> u32 {
    match locale.split(['.', '@']).next().unwrap_or_default() {
        "zh_TW" | "zh_HK" | "zh_MO" => return 950,
        _ => {}
    }
    match locale.get(..2).unwrap_or_default() {
        "zh" => 936,
        "ja" => 932,
        "ko" => 949,
        "th" => 874,
        "cs" | "hr" | "hu" | "pl" | "ro" | "sk" | "sl" | "sq" => 1250,
        "be" | "bg" | "mk" | "ru" | "sr" | "uk" => 1251,
        "el" => 1253,
        "az" | "tr" => 1254,
        "he" => 1255,
        "ar" | "fa" | "ur" => 1256,
        "et" | "lt" | "lv" => 1257,
        "vi" => 1258,
        _ => 1252,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Encoding; 3] = [Encoding::Utf8, Encoding::Gb18030, Encoding::Utf16Le];

    #[test]
    fn the_bytes_are_those_that_windows_writes() {
        assert_eq!(
            *Encoding::Gb18030.encode("成功").unwrap(),
            [0xb3, 0xc9, 0xb9, 0xa6]
        );
        assert_eq!(*Encoding::Utf16Le.encode("成a").unwrap(), [0x10, 0x62, 0x61, 0]);
        assert_eq!(code_page(1252).encode("é").0.as_ref(), [0xe9]);
    }

    #[test]
    fn a_character_that_is_not_there_is_named() {
        // ISO-2022-KR has no table here; of the four only the code pages lack anything.
        let table = code_page(1252);
        assert!(table.encode("成").2);
        #[cfg(not(windows))]
        assert_eq!(ansi_code_page_of("zh_CN.UTF-8"), 936);
        #[cfg(not(windows))]
        assert_eq!(ansi_code_page_of("C"), 1252);
    }

    #[test]
    fn what_is_malformed_is_replaced_and_nothing_is_dropped() {
        let mut decoder = Encoding::Utf8.decoder();
        let text = decoder.decode(b"a\xffb\xe6\x88", false) + &decoder.decode(b"", true);
        assert_eq!(text, "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn a_byte_order_mark_is_no_text() {
        assert_eq!(Encoding::Utf16Le.decoder().decode(b"\xff\xfea\0", true), "a");
        assert_eq!(Encoding::Utf8.decoder().decode(b"\xef\xbb\xbfa", true), "a");
    }

    #[test]
    fn what_is_not_utf_8_is_found_by_its_place() {
        let mut encoder = Encoding::Gb18030.encoder();
        assert_eq!(encoder.encode(b"abc\xe6\x88", false).unwrap(), b"abc");
        assert!(encoder.encode(b"x", false).unwrap_err().ends_with("at byte 3"));
        let mut encoder = Encoding::Gb18030.encoder();
        assert!(encoder.encode(b"\xe6", true).unwrap_err().ends_with("at byte 0"));
    }

    proptest! {
        #[test]
        fn a_character_split_between_pieces_is_not_garbled(
            text in "\\PC{0,40}",
            cuts in proptest::collection::vec(0usize..200, 0..6),
        ) {
            let pieces = |bytes: &[u8]| {
                let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
                cuts.extend([0, bytes.len()]);
                cuts.sort_unstable();
                cuts.windows(2).map(|cut| bytes[cut[0]..cut[1]].to_vec()).collect::<Vec<_>>()
            };
            for encoding in ALL {
                let mut encoder = encoding.encoder();
                let mut encoded = Vec::new();
                for piece in pieces(text.as_bytes()) {
                    encoded.extend(encoder.encode(&piece, false).unwrap());
                }
                encoded.extend(encoder.encode(&[], true).unwrap());
                prop_assert_eq!(&*encoding.encode(&text).unwrap(), &encoded);

                let mut decoder = encoding.decoder();
                let mut decoded = String::new();
                for piece in pieces(&encoded) {
                    decoded += &decoder.decode(&piece, false);
                }
                decoded += &decoder.decode(&[], true);
                prop_assert_eq!(&decoded, &text);
            }
        }
    }
}
