//! Percent-encoding (RFC 3986, section 2.1) of what would end a part of an address or could not be read in it.

use std::fmt::{self, Write};

/// Undoes the encoding.
pub(super) fn decode(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2).ok_or("ends in the middle of a %XX")?;
        let digit = |byte: u8| (byte as char).to_digit(16);
        let (Some(high), Some(low)) = (digit(digits[0]), digit(digits[1])) else {
            return Err("has a % that two hexadecimal digits do not follow (write %25 for a % itself)");
        };
        bytes.push((high * 16 + low) as u8);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| "has %XX that are not UTF-8")
}

/// Writes `text` with what needs it encoded: `%`, `?`, white space, control characters, and the characters in `also`.
/// Everything else, letters beyond ASCII included, stays readable.
pub(super) fn encode(f: &mut fmt::Formatter<'_>, text: &str, also: &str) -> fmt::Result {
    for c in text.chars() {
        if matches!(c, '%' | '?') || c.is_whitespace() || c.is_control() || also.contains(c) {
            let mut utf8 = [0; 4];
            for byte in c.encode_utf8(&mut utf8).bytes() {
                write!(f, "%{byte:02X}")?;
            }
        } else {
            f.write_char(c)?;
        }
    }
    Ok(())
}
