//! How what was received is printed.

use crate::failure::Failure;
use crate::text::{Encoding, TextDecoder};
use quintet::PeerIdentity;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

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
    /// A JSON object on a line: time, sequence, length, sender (or a value's age), and text, or hex where it is no text
    Json,
}

impl Format {
    /// The one that was asked for; or else, for a person, quoted, and for others `otherwise`.
    pub(crate) fn chosen(asked: Option<Self>, json: bool, to_file: bool, otherwise: Self) -> Self {
        match asked {
            Some(format) => format,
            None if json => Format::Json,
            None if !to_file && io::stdout().is_terminal() => Format::Quoted,
            None => otherwise,
        }
    }
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
    /// As JSON has it.
    sender: Option<Value>,
    /// What it says itself of the number of a record.
    number: Option<u64>,
    /// How long ago a record was written, where that is known.
    age: Option<Duration>,
    /// How many were lost before a record, where some can be.
    lost: Option<u64>,
    /// What kind of data it is, where there are kinds.
    id: Option<usize>,
    decoder: Option<TextDecoder>,
}

impl Source {
    /// The next record has this number.
    pub(crate) fn number(&mut self, number: u64) {
        self.number = Some(number);
    }

    /// The next record was written so long ago.
    pub(crate) fn age(&mut self, age: Duration) {
        self.age = Some(age);
    }

    /// So many were lost before the next record.
    pub(crate) fn lost(&mut self, lost: u64) {
        self.lost = Some(lost);
    }

    /// The next record is data of this kind.
    pub(crate) fn id(&mut self, id: usize) {
        self.id = Some(id);
    }

    /// The next record comes from this lane of a queue or a topic.
    pub(crate) fn lane(&mut self, lane: usize) {
        self.sender = Some(json!({ "lane": lane }));
    }
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
            sender: sender.as_ref().map(person),
            number: None,
            age: None,
            lost: None,
            id: None,
            decoder: self.encoding.map(Encoding::decoder),
        }
    }

    /// Prints one record. `whole`: it is one by itself, so a character does not go on in the next.
    pub(crate) fn print(&mut self, source: &mut Source, bytes: &[u8], whole: bool) -> Result<(), Failure> {
        let text = source
            .decoder
            .as_mut()
            .map(|decoder| decoder.decode(bytes, whole));
        if whole {
            source.decoder = self.encoding.map(Encoding::decoder);
        }
        self.show(source, bytes, text)
    }

    /// Ends a source whose records were pieces: prints what it has sent of a last, incomplete character.
    pub(crate) fn end(&mut self, mut source: Source) -> Result<(), Failure> {
        let text = source.decoder.take().map(|mut decoder| decoder.decode(&[], true));
        // Its bytes were in records already.
        if self.format != Format::Hex && text.as_ref().is_some_and(|text| !text.is_empty()) {
            self.show(&source, &[], text)?;
        }
        self.flush()
    }

    /// Prints what is no data, but a few words, or fields of JSON.
    pub(crate) fn print_fields<const N: usize>(
        &mut self,
        source: &Source,
        words: &str,
        fields: [(&str, Value); N],
    ) -> Result<(), Failure> {
        self.sequence += 1;
        if self.format != Format::Json {
            return self.write((words.to_string() + "\n").as_bytes());
        }
        let mut record = self.head(source);
        if let Some(sender) = &source.sender {
            record["sender"] = sender.clone();
        }
        for (key, value) in fields {
            record[key] = value;
        }
        self.write((record.to_string() + "\n").as_bytes())
    }

    /// Prints a record of which the text is known, or is what the bytes are.
    pub(crate) fn show(
        &mut self,
        source: &Source,
        bytes: &[u8],
        text: Option<String>,
    ) -> Result<(), Failure> {
        self.sequence += 1;
        let shown = text.as_deref().map_or(bytes, str::as_bytes);
        let line = match self.format {
            Format::Raw => return self.write(shown),
            Format::Lines => return self.write(shown).and_then(|()| self.write(b"\n")),
            Format::Quoted => quote(shown),
            // What was sent, whatever it means.
            Format::Hex => hex(bytes),
            Format::Json => self.json(source, bytes, text).to_string(),
        };
        self.write((line + "\n").as_bytes())
    }

    /// Hands on what was printed, so that whoever reads along sees it now.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::output)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).map_err(Failure::output)
    }

    fn head(&self, source: &Source) -> Value {
        json!({
            "time": humantime::format_rfc3339_micros(SystemTime::now()).to_string(),
            "sequence": source.number.unwrap_or(self.sequence),
        })
    }

    fn json(&self, source: &Source, bytes: &[u8], text: Option<String>) -> Value {
        let mut record = self.head(source);
        record["length"] = bytes.len().into();
        if let Some(age) = source.age {
            record["age_s"] = age.as_secs_f64().into();
        }
        if let Some(sender) = &source.sender {
            record["sender"] = sender.clone();
        }
        if let Some(lost) = source.lost {
            record["lost"] = lost.into();
        }
        if let Some(id) = source.id {
            record["id"] = id.into();
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

/// Where records go: a file, or standard output.
pub(crate) fn output(path: Option<&Path>) -> Result<Box<dyn Write + Send>, Failure> {
    Ok(match path {
        Some(path) => {
            let file = File::create(path).map_err(|error| Failure::file(path, error))?;
            Box::new(BufWriter::new(file))
        }
        // The standard library's own buffer would write each line by itself.
        None => Box::new(BufWriter::with_capacity(64 * 1024, io::stdout())),
    })
}

/// Prints what is no record to standard output.
pub(crate) fn print(text: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text)
        .and_then(|()| out.flush())
        .map_err(Failure::output)
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
