//! The command line of shared memory, and of the values in a mailbox.

use super::{AccessArgs, given, parse_time};
use crate::image::Image;
use crate::record::Format;
use crate::text::Encoding;
use clap::{ArgAction, ValueHint, value_parser};
use quintet::Address;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How much memory, or how much of it a value has, if this makes it.
#[derive(Debug, clap::Args)]
pub(crate) struct SizeArgs {
    /// Of shared memory: how many bytes, or with K, M, G: 64K; of a mailbox: how many the longest value has [default: 64K]; if
    /// it is there, how many at least
    #[arg(long, value_name = "N", value_parser = parse_some)]
    pub(crate) size: Option<u64>,
}

/// Print what is in shared memory, or the newest value of a mailbox
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Bytes from the offset to the end, or --len of them. They come out raw, unless standard output is a terminal: then quoted, \
all of them as one record. The memory, or the mailbox, has to be there, and is not changed.

Of shared memory what another process writes meanwhile may come out half old, half new. On Windows it is whole pages of 4096 \
bytes, whatever size was asked for: use --len.

Of a mailbox it is the newest value, always whole. If none was written yet, that is a failure (exit code 1), unless --timeout, \
--count or --follow says to wait. With the last two it goes on with each newer value as it comes; one that was \
overwritten before it was read is skipped.

With --image the bytes are pixels, row by row with nothing between them, and come out as a PNG file.

Examples:
  quintet read shm://frame --len 16 --format hex
  # All of it, into a file
  quintet read shm://frame --file frame.raw
  # A picture, behind a header of 64 bytes
  quintet read shm://frame --offset 64 --image 640x480:bgr8 -o frame.png
  # Text that a C# program wrote with Encoding.Unicode
  quintet read shm://frame --offset 8 --len 10 --encoding utf-16le
  # The newest value
  quintet read mailbox://position
  # Each on a line as it comes, until interrupted
  quintet read --follow --format lines mailbox://position
  # The newest and the next, with their number, length and age
  quintet read --count 2 --json mailbox://position
  # The newest frame of a camera; at most 5 seconds of waiting for the first
  quintet read --timeout 5 mailbox://camera --image 640x480:bgr8 -o frame.png")]
pub(crate) struct ReadArgs {
    /// Where to begin, in bytes
    #[arg(long, value_name = "N", default_value = "0", value_parser = parse_size)]
    pub(crate) offset: u64,

    /// How many bytes [default: to the end]
    #[arg(long, value_name = "N", value_parser = parse_size)]
    pub(crate) len: Option<u64>,

    /// The bytes are pixels: WIDTHxHEIGHT and gray8, rgb8 or bgr8; write them as a PNG file
    #[arg(long, value_name = "WxH:FORMAT", value_hint = ValueHint::Other)]
    #[arg(conflicts_with_all = ["len", "format", "json", "encoding"])]
    pub(crate) image: Option<Image>,

    /// Of a mailbox: how many values, each newer than the one before; waits for them [default: the newest there is]
    #[arg(long, value_name = "N", conflicts_with_all = ["follow", "image"])]
    #[arg(value_parser = value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Of a mailbox: go on with each newer value until interrupted
    #[arg(long, conflicts_with = "image")]
    pub(crate) follow: bool,

    /// Of a mailbox: wait for values, the first included, until this time has passed, in seconds (or 500ms, 2m); exit code 124
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_negative_numbers = true)]
    pub(crate) timeout: Option<Duration>,

    /// Write the data to a file; - is standard output
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// How to print it [default: raw; on a terminal quoted]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,

    /// The same as --format json
    #[arg(long, action = ArgAction::SetTrue, conflicts_with = "format")]
    pub(crate) json: bool,

    /// The data is text in this encoding, to print as UTF-8
    #[arg(long, value_enum, value_name = "ENCODING", ignore_case = true)]
    pub(crate) encoding: Option<Encoding>,

    #[command(flatten)]
    pub(crate) access: AccessArgs,

    /// Which: shm://NAME or mailbox://NAME
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,
}

impl ReadArgs {
    /// The file to write to; `None`: standard output.
    pub(crate) fn to_file(&self) -> Option<&Path> {
        self.file.as_deref().filter(|path| *path != Path::new("-"))
    }

    /// Of the flags that are for mailboxes only, one that was given.
    pub(crate) fn for_mailboxes(&self) -> Option<&'static str> {
        given(&[
            ("--count", self.count.is_some()),
            ("--follow", self.follow),
            ("--timeout", self.timeout.is_some()),
        ])
    }
}

/// Write into shared memory, or a mailbox's newest value
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Data is TEXT, or --file, or standard input, to its end. The memory, or the mailbox, has to be there (quintet create, quintet \
hold); if the data does not fit, nothing is written. In shared memory what is there behind it stays. Into a mailbox it goes \
as a whole, and nobody sees half of it. A mailbox has one writer at a time: if another does not end in a moment, \
or in the --timeout, that is a failure.

Examples:
  quintet write shm://frame hello
  # A whole file, behind a header of 64 bytes
  quintet write shm://frame --offset 64 --file frame.raw
  # The newest value, for whoever reads it
  quintet write mailbox://position 120,45
  # Each line is the newest value as soon as it comes
  tail -f positions.log | quintet write --lines mailbox://position")]
pub(crate) struct WriteArgs {
    /// In shared memory: where to begin, in bytes [default: 0]
    #[arg(long, value_name = "N", value_parser = parse_size)]
    pub(crate) offset: Option<u64>,

    /// Of a mailbox: each line of the file or standard input is a value, written as it comes
    #[arg(long, conflicts_with = "text")]
    pub(crate) lines: bool,

    /// Of a mailbox: wait for another writer to end, and for the data, until this time has passed, in seconds (or 500ms, 2m);
    /// exit code 124
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_negative_numbers = true)]
    pub(crate) timeout: Option<Duration>,

    /// Take the data from a file; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub(crate) file: Option<PathBuf>,

    /// Convert the text from UTF-8 [default: as it is]
    #[arg(long, value_enum, value_name = "ENCODING", ignore_case = true)]
    pub(crate) encoding: Option<Encoding>,

    #[command(flatten)]
    pub(crate) access: AccessArgs,

    /// Where to: shm://NAME or mailbox://NAME
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) address: Address,

    /// What to write
    #[arg(value_hint = ValueHint::Other, allow_negative_numbers = true)]
    pub(crate) text: Option<OsString>,
}

impl WriteArgs {
    /// Of the flags that are for mailboxes only, one that was given.
    pub(crate) fn for_mailboxes(&self) -> Option<&'static str> {
        given(&[("--lines", self.lines), ("--timeout", self.timeout.is_some())])
    }
}

/// A number of bytes, or one with a unit.
fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err("write a number of bytes, such as 4096, or with a unit: 64K, 50M, 1G".into());
    }
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| "so many bytes there are nowhere".into())
}

/// As `parse_size`, but not nothing.
pub(super) fn parse_some(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        0 => Err("it has to be at least 1".into()),
        size => Ok(size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_bytes_or_has_a_unit() {
        for (text, size) in [
            ("0", 0),
            ("4096", 4096),
            ("64K", 65_536),
            ("50m", 50 << 20),
            ("1G", 1 << 30),
        ] {
            assert_eq!(parse_size(text), Ok(size));
        }
        for bad in [
            "",
            "K",
            "-1",
            "+1",
            "1.5M",
            "4 K",
            "4T",
            "成",
            "18446744073709551616",
            "17179869184G",
        ] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
        assert!(parse_some("0").is_err());
        assert!(parse_some("0K").is_err());
    }
}
