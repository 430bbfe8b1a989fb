//! `quintet ls`.

use crate::args::LsArgs;
use crate::failure::Failure;
use crate::note;
use crate::record;
use crate::stat;
use quintet::Scheme;
use quintet::named::{self, Entry};
use serde_json::Value;
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

const HEADINGS: [&str; 5] = ["ADDRESS", "STATE", "DETAILS", "AGE", "HOLDER"];

pub(crate) fn run(args: &LsArgs) -> Result<(), Failure> {
    let mut entries = Vec::new();
    match args.scheme {
        Some(scheme) => entries.extend(named::kind(scheme)?.list()?),
        None => {
            for kind in named::kinds() {
                entries.extend(kind.list()?);
            }
        }
    }
    let text = if args.json {
        let objects: Vec<Value> = entries.iter().map(stat::object).collect();
        format!("{:#}\n", Value::from(objects))
    } else {
        table(&entries)
    };
    if entries.is_empty() {
        note::say(|| "there is nothing".into());
    }
    record::print(text.as_bytes())
}

/// Columns as wide as what is in them; nothing at all for nothing.
fn table(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let mut rows = vec![HEADINGS.map(String::from)];
    rows.extend(entries.iter().map(|entry| {
        [
            entry.address.to_string(),
            entry.liveness.to_string(),
            details(entry),
            entry.created.and_then(stat::age).unwrap_or_else(|| "-".into()),
            stat::holders(entry).unwrap_or_else(|| "-".into()),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: [usize; HEADINGS.len()] = std::array::from_fn(width);
    rows.iter().fold(String::new(), |mut text, row| {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| cell.clone() + &" ".repeat(width - cell.width()))
            .collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
        text
    })
}

/// What matters of its kind, in a few words.
fn details(entry: &Entry) -> String {
    let detail = |key| entry.detail(key);
    let some = |key, one: &str, many: &str| match detail(key)? {
        "1" => Some(format!("1 {one}")),
        number => Some(format!("{number} {many}")),
    };
    let mut words: Vec<String> = Vec::new();
    match entry.address.scheme() {
        Scheme::Pipe => {
            words.extend(detail("mode").map(String::from));
            words.extend(detail("clients").map(|clients| {
                match detail("max_instances").filter(|max| max.parse::<u32>().is_ok()) {
                    Some(max) => format!("{clients} of {max} clients"),
                    None if clients == "1" => "1 client".into(),
                    None => format!("{clients} clients"),
                }
            }));
        }
        Scheme::Sem => {
            words.extend(detail("count").map(|count| match detail("maximum") {
                Some(maximum) => format!("{count} of {maximum} free"),
                None => format!("{count} free"),
            }));
        }
        Scheme::Mutex => match entry.owners.first() {
            Some(owner) => words.push(format!("locked by {}", owner.process)),
            None => words.extend(detail("locked").map(|locked| match locked {
                "yes" => "locked".into(),
                _ => "free".into(),
            })),
        },
        Scheme::Event => {
            words.extend(detail("set").map(|set| match set {
                "yes" => "set".into(),
                _ => "not set".into(),
            }));
            words.extend(detail("reset").map(|reset| format!("{reset} reset")));
        }
        Scheme::Queue => {
            words.extend(some("messages", "message", "messages"));
            words.extend(some("producers", "producer", "producers"));
            words.extend(some("consumers", "consumer", "consumers"));
            words.extend(some("lost", "lost", "lost").filter(|_| detail("lost") != Some("0")));
        }
        Scheme::Topic => {
            words.extend(some("publishers", "publisher", "publishers"));
            words.extend(some("subscribers", "subscriber", "subscribers"));
            words.extend(some("lost", "lost", "lost").filter(|_| detail("lost") != Some("0")));
        }
        Scheme::Mailbox => {
            words.extend(detail("sequence").map(|sequence| match sequence {
                "0" => "empty".into(),
                _ => format!("value {sequence}"),
            }));
            words.extend(some("length", "byte", "bytes").filter(|_| detail("sequence") != Some("0")));
            words.extend(detail("writer").map(|writer| match writer {
                "none" => "no writer".into(),
                // Who that is the system does not tell.
                "yes" => "1 writer".into(),
                pid => format!("writer {pid}"),
            }));
            words.extend(some("readers", "reader", "readers"));
        }
        Scheme::Window => {
            words.extend(detail("hwnd").map(|handle| format!("hwnd {handle}")));
            words.extend(detail("class").map(|class| format!("class {class}")));
            words.extend(
                detail("queued")
                    .filter(|queued| *queued != "0")
                    .map(|queued| format!("{queued} queued")),
            );
            let yes = |key, word: &str| (detail(key) == Some("yes")).then(|| word.to_string());
            words.extend(yes("message_only", "message-only"));
            words.extend(yes("hung", "hung"));
        }
        Scheme::Shm => words.extend(entry.size.map(|size| format!("{size} bytes"))),
        _ => {}
    }
    match detail("waiting") {
        None | Some("0") => {}
        Some("1") => words.push("1 waits".into()),
        Some(waiting) => words.push(format!("{waiting} wait")),
    }
    if detail("persistent") == Some("yes") {
        words.push("persistent".into());
    }
    if words.is_empty() {
        "-".into()
    } else {
        words.join(", ")
    }
}
