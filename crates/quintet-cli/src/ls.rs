//! `quintet ls`.

use crate::args::LsArgs;
use crate::failure::Failure;
use crate::note;
use crate::record;
use crate::stat;
use quintet::named::{self, Entry};
use serde_json::Value;
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

const HEADINGS: [&str; 6] = ["ADDRESS", "STATE", "MODE", "CLIENTS", "AGE", "HOLDER"];

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
            entry.detail("mode").unwrap_or("-").to_string(),
            entry.detail("clients").unwrap_or("-").to_string(),
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
