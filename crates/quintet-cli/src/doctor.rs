//! `quintet doctor`.

use crate::args::DoctorArgs;
use crate::failure::Failure;
use crate::note;
use crate::record;
use crate::stat;
use crate::verbs;
use indicatif::BinaryBytes;
use quintet::limits::{self, Limit};
use quintet::named::{self, Entry, Liveness};
use quintet::{Address, ErrorKind};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(crate) fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let (stale, mut troubles) = find(&args.addresses)?;
    let findings: Vec<Finding> = stale
        .into_iter()
        .map(|entry| Finding::of(entry, args.fix))
        .collect();
    let limits = match args.addresses.is_empty() {
        true => limits::all(),
        false => Vec::new(),
    };
    let text = if args.json {
        format!("{:#}\n", in_json(&findings, &limits))
    } else {
        in_words(&findings, &limits, args)
    };
    record::print(text.as_bytes())?;
    let left = findings.iter().filter(|finding| finding.is_left()).count();
    let some = |one: &str, many: &str| match left {
        1 => format!("1 object {one}"),
        left => format!("{left} objects {many}"),
    };
    if left > 0 {
        troubles.push(match args.fix {
            true => some(
                "is stale and cannot be removed",
                "are stale and cannot be removed",
            ),
            false => format!("{}; add --fix to remove", some("is stale", "are stale")),
        });
    }
    match troubles.is_empty() {
        true => Ok(()),
        false => Err(Failure::Failed(troubles.join("\nquintet: "))),
    }
}

/// What is stale, and what could not be looked at.
fn find(addresses: &[Address]) -> Result<(Vec<Entry>, Vec<String>), Failure> {
    let mut entries = Vec::new();
    let mut troubles = Vec::new();
    for address in addresses {
        verbs::check("doctor", address)?;
        entries.push(named::kind(address.scheme())?.stat_at(address)?);
    }
    if addresses.is_empty() {
        for kind in named::kinds() {
            match kind.list() {
                Ok(list) => entries.extend(list),
                // The others can be looked at nevertheless.
                Err(error) => troubles.push(format!("{}: {error}", kind.scheme())),
            }
        }
    }
    entries.retain(|entry| matches!(entry.liveness, Liveness::Stale | Liveness::Unknown));
    Ok((entries, troubles))
}

/// Something stale, or unknown, and what became of it.
struct Finding {
    entry: Entry,
    fate: Fate,
}

enum Fate {
    /// It was only looked at.
    Left,
    /// Nobody can say whether somebody has it.
    LeftAlone,
    Removed,
    /// Somebody has opened it, or removed it, since it was looked at.
    OvertakenBy(&'static str),
    Failed(String),
}

impl Finding {
    fn of(entry: Entry, fix: bool) -> Self {
        let fate = match fix {
            _ if entry.liveness == Liveness::Unknown => Fate::LeftAlone,
            true => remove(&entry),
            false => Fate::Left,
        };
        Finding { entry, fate }
    }

    fn is_left(&self) -> bool {
        matches!(self.fate, Fate::Left | Fate::Failed(_))
    }

    fn fate(&self) -> String {
        match &self.fate {
            Fate::Left => "would be removed".into(),
            Fate::LeftAlone => "left alone; if nobody has it, quintet rm removes it".into(),
            Fate::Removed => "removed".into(),
            Fate::OvertakenBy(what) => (*what).into(),
            Fate::Failed(why) => format!("cannot be removed: {why}"),
        }
    }
}

fn remove(entry: &Entry) -> Fate {
    // Meanwhile somebody may have made another one in its place, which may be there to stay.
    let look = || named::kind(entry.address.scheme())?.stat_at(&entry.address);
    match look() {
        Ok(now) if now.liveness == Liveness::Stale && now.created == entry.created => {}
        Ok(_) => return Fate::OvertakenBy("in use again by now"),
        Err(error) if error.kind() == ErrorKind::NotFound => return Fate::OvertakenBy("gone by now"),
        Err(error) => return Fate::Failed(error.to_string()),
    }
    let removed = named::kind(entry.address.scheme()).and_then(|kind| kind.remove_at(&entry.address));
    match removed {
        Ok(()) => Fate::Removed,
        Err(error) => match error.kind() {
            ErrorKind::Busy => Fate::OvertakenBy("in use again by now"),
            ErrorKind::NotFound => Fate::OvertakenBy("gone by now"),
            _ => Fate::Failed(error.to_string()),
        },
    }
}

fn in_json(findings: &[Finding], limits: &[Limit]) -> Value {
    let stale: Vec<Value> = findings
        .iter()
        .map(|finding| {
            let mut object = stat::object(&finding.entry);
            object["removed"] = matches!(finding.fate, Fate::Removed).into();
            object["fate"] = finding.fate().into();
            object
        })
        .collect();
    let limits: Vec<Value> = limits
        .iter()
        .map(|limit| {
            json!({
                "name": limit.name,
                "value": limit.value,
                "free": limit.free,
                "enough": limit.enough,
                "unit": limit.unit,
                "low": limit.is_low(),
                "bites": limit.bites,
                "remedy": limit.remedy,
            })
        })
        .collect();
    json!({ "stale": stale, "limits": limits })
}

fn in_words(findings: &[Finding], limits: &[Limit], args: &DoctorArgs) -> String {
    let mut text = String::new();
    for finding in findings {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}: {}: {}",
            finding.entry.address, finding.entry.liveness, finding.entry.evidence
        );
        if let Some(path) = finding.entry.detail("path") {
            let _ = writeln!(text, "    is {path}");
        }
        if let Some(size) = finding.entry.size {
            let _ = writeln!(text, "    has {}", BinaryBytes(size));
        }
        if let Some(age) = finding.entry.created.and_then(stat::age) {
            let _ = writeln!(text, "    made {age} ago");
        }
        let _ = writeln!(text, "    {}", finding.fate());
    }
    if findings.is_empty() {
        note::say(|| match args.addresses.is_empty() {
            true => "nothing is stale".into(),
            false => "none of these is stale".into(),
        });
    }
    let width = limits.iter().map(|limit| limit.name.len()).max().unwrap_or(0);
    for limit in limits {
        let word = if limit.is_low() { "low" } else { "ok " };
        let _ = writeln!(text, "{word}  {:width$}  {}", limit.name, amount(limit));
        if limit.is_low() {
            let _ = writeln!(text, "     {}\n     {}", limit.bites, limit.remedy);
        }
    }
    text
}

fn amount(limit: &Limit) -> String {
    let of = |number: u64| match limit.unit {
        "bytes" if number >= 1 << 10 => BinaryBytes(number).to_string(),
        unit => format!("{number} {unit}"),
    };
    let value = limit.value.map_or_else(|| "no limit".into(), of);
    match limit.free {
        Some(free) => format!("{value}, {} free", of(free)),
        None => value,
    }
}
