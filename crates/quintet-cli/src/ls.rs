//! `quintet ls`.

use crate::args::LsArgs;
use crate::failure::Failure;
use crate::note;
use crate::record;
use crate::stat;
use crate::text::visible;
use quintet::named::{self, Entry};
use quintet::{Address, Scheme};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Instant, SystemTime};
use unicode_width::UnicodeWidthStr;

const HEADINGS: [&str; 5] = ["ADDRESS", "STATE", "DETAILS", "AGE", "HOLDER"];

pub(crate) fn run(args: &LsArgs) -> Result<(), Failure> {
    if args.watch {
        return watch(args);
    }
    let entries = look(args)?;
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

fn look(args: &LsArgs) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    match args.scheme {
        Some(scheme) => entries.extend(named::kind(scheme)?.list()?),
        None => {
            for kind in named::kinds() {
                entries.extend(kind.list()?);
            }
        }
    }
    Ok(entries)
}

/// Shows what there is until interrupted: to a person the table, always the newest; to others a line for each change.
fn watch(args: &LsArgs) -> Result<(), Failure> {
    // A console of Windows may not know how a screen is cleared.
    let is_live = !args.json && !cfg!(windows) && io::stdout().is_terminal();
    let mut before: Option<BTreeMap<String, Entry>> = None;
    loop {
        let began = Instant::now();
        let entries = look(args)?;
        let text = if is_live {
            // What is too wide is cut off, as lines that were broken would push the first ones out.
            let text = match entries.is_empty() {
                true => "there is nothing\n".into(),
                false => table(&entries),
            };
            format!("\x1b[H\x1b[2J\x1b[?7l{text}\x1b[?7h")
        } else {
            changes(args, before.as_ref(), &entries)
        };
        record::print(text.as_bytes())?;
        before = Some(by_address(entries));
        thread::sleep(args.interval.saturating_sub(began.elapsed()));
    }
}

fn by_address(entries: Vec<Entry>) -> BTreeMap<String, Entry> {
    let keyed = entries
        .into_iter()
        .map(|entry| (entry.address.to_string(), entry));
    keyed.collect()
}

/// What has come, gone, or passed from one state or holder to another.
fn changes(args: &LsArgs, before: Option<&BTreeMap<String, Entry>>, entries: &[Entry]) -> String {
    let mut text = String::new();
    let mut say = |event: &str, entry: &Entry| {
        let line = if args.json {
            let mut object = json!({
                "time": humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
                "event": event,
            });
            if let (Value::Object(all), Value::Object(more)) = (&mut object, stat::object(entry)) {
                all.extend(more);
            }
            object.to_string()
        } else {
            let holders = stat::holders(entry).unwrap_or_else(|| "-".into());
            let holders = visible(&holders);
            format!("{event}  {}  {}  {holders}", entry.address, entry.liveness)
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    };
    let addresses: Vec<&Address> = entries.iter().map(|entry| &entry.address).collect();
    for (_, entry) in before.into_iter().flatten() {
        if !addresses.contains(&&entry.address) {
            say("gone", entry);
        }
    }
    for entry in entries {
        match before.map(|before| before.get(&entry.address.to_string())) {
            None => say("there", entry),
            Some(None) => say("come", entry),
            Some(Some(old)) if seen(old) != seen(entry) => say("changed", entry),
            Some(Some(_)) => {}
        }
    }
    text
}

/// What a change of is told.
fn seen(entry: &Entry) -> (String, Vec<u32>) {
    let holders = entry.holders.iter().map(quintet::PeerIdentity::pid);
    (entry.liveness.to_string(), holders.collect())
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
        .map(|cell| visible(&cell).into_owned())
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
