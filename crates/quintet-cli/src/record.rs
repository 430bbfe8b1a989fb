//! How what was received is printed.

use crate::failure::Failure;
use crate::text::{Encoding, TextDecoder};
use quintet::PeerIdentity;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::SystemTime;

/// How one record (a message, a line, or what one read gave) is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// The bytes and nothing else
    Raw,
    /// The bytes and a newline
    Lines,
    /// In quotes, with what cannot be read escaped, and a newline
    Quoted,
    /// Hexadecimal digits and a newline
    Hex,
    /// A JSON object a line: time, sequence, length, sender, text or hex
    Json,
}

/// Prints records.
pub(crate) struct Printer {
    out: Box<dyn Write + Send>,
    format: Format,
    encoding: Option<Encoding>,
    sequence: u64,
}

/// One source's part of the printing: its sender, and what it has sent of a character so far.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) sender: Option<PeerIdentity>,
    decoder: Option<TextDecoder>,
}

impl Printer {
    pub(crate) fn new(out: Box<dyn Write + Send>, format: Format, encoding: Option<Encoding>) -> Self {
        Printer {
            out,
            format,
            encoding,
            sequence: 0,
        }
    }

    /// A source to print records of.
    pub(crate) fn source(&self, sender: Option<PeerIdentity>) -> Source {
        Source {
            sender,
            decoder: self.encoding.map(Encoding::decoder),
        }
    }

    /// Prints one record. `whole`: it is one by itself, so a character does not go on in the next.
    pub(crate) fn print(&mut self, source: &mut Source, bytes: &[u8], whole: bool) -> Result<(), Failure> {
        self.sequence += 1;
        // Hexadecimal shows what was sent, whatever it means.
        let text = match &mut source.decoder {
            Some(decoder) if self.format != Format::Hex => {
                let text = decoder.decode(bytes, whole);
                if whole {
                    source.decoder = self.encoding.map(Encoding::decoder);
                }
                Some(text)
            }
            _ => None,
        };
        let shown = text.as_deref().map_or(bytes, str::as_bytes);
        let line = match self.format {
            Format::Raw => return self.write(shown, b""),
            Format::Lines => return self.write(shown, b"\n"),
            Format::Quoted => quote(shown),
            Format::Hex => hex(bytes),
            Format::Json => self.json(source, bytes, text).to_string(),
        };
        self.write(line.as_bytes(), b"\n")
    }

    /// Ends a source whose records were pieces: prints what it has sent of a last, incomplete character.
    pub(crate) fn end(&mut self, source: &mut Source) -> Result<(), Failure> {
        let rest = source
            .decoder
            .take()
            .map(|mut decoder| decoder.decode(&[], true))
            .unwrap_or_default();
        match self.format {
            _ if rest.is_empty() => Ok(()),
            Format::Quoted => self.write(quote(rest.as_bytes()).as_bytes(), b"\n"),
            Format::Hex | Format::Json => Ok(()),
            Format::Raw | Format::Lines => self.write(rest.as_bytes(), b""),
        }
    }

    fn write(&mut self, bytes: &[u8], end: &[u8]) -> Result<(), Failure> {
        // Flushed each time: whoever reads along sees a record when it comes.
        self.out
            .write_all(bytes)
            .and_then(|()| self.out.write_all(end))
            .and_then(|()| self.out.flush())
            .map_err(Failure::output)
    }

    fn json(&self, source: &Source, bytes: &[u8], text: Option<String>) -> Value {
        let mut record = json!({
            "time": humantime::format_rfc3339_micros(SystemTime::now()).to_string(),
            "sequence": self.sequence,
            "length": bytes.len(),
        });
        if let Some(sender) = &source.sender {
            record["sender"] = person(sender);
        }
        match text.or_else(|| String::from_utf8(bytes.to_vec()).ok()) {
            Some(text) => record["text"] = text.into(),
            None => record["hex"] = hex(bytes).into(),
        }
        record
    }
}

impl std::fmt::Debug for Printer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Printer")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// Standard output without a buffer that waits for a newline: each record is written at once anyway.
pub(crate) fn stdout() -> Box<dyn Write + Send> {
    Box::new(io::BufWriter::with_capacity(64 * 1024, io::stdout()))
}

/// A process, in JSON.
pub(crate) fn person(peer: &PeerIdentity) -> Value {
    json!({
        "pid": peer.pid(),
        "user": peer.user().map(ToString::to_string),
        "executable": peer.executable().map(|path| path.to_string_lossy()),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// In double quotes as in Rust: letters of any language as they are, escapes for the rest, `\xNN` for what is no UTF-8.
fn quote(bytes: &[u8]) -> String {
    let mut quoted = String::with_capacity(bytes.len() + 2);
    quoted.push('"');
    for chunk in bytes.utf8_chunks() {
        let text = format!("{:?}", chunk.valid());
        quoted.push_str(&text[1..text.len() - 1]);
        for byte in chunk.invalid() {
            let _ = write!(quoted, "\\x{byte:02x}");
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_shows_every_byte() {
        assert_eq!(quote("成功\n\"\u{1b}".as_bytes()), "\"成功\\n\\\"\\u{1b}\"");
        assert_eq!(quote(b"a\xff\0"), "\"a\\xff\\0\"");
        assert_eq!(quote(b""), "\"\"");
    }

    #[test]
    fn hex_has_two_digits_a_byte() {
        assert_eq!(hex(b"\x00\xab"), "00ab");
    }
}
