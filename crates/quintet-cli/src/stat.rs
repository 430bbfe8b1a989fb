//! `quintet stat`, and what an object looks like.

use crate::args::StatArgs;
use crate::failure::Failure;
use crate::record;
use quintet::named::{self, Entry};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

pub(crate) fn run(args: &StatArgs) -> Result<(), Failure> {
    let entry = named::kind(args.address.scheme())?.stat(args.address.name()?)?;
    let text = if args.json {
        format!("{:#}\n", object(&entry))
    } else {
        lines(&entry)
    };
    record::print(text.as_bytes())
}

/// One object in JSON.
pub(crate) fn object(entry: &Entry) -> Value {
    let mut object = json!({
        "address": entry.address.to_string(),
        "state": entry.liveness.to_string(),
        "evidence": entry.evidence,
        "holders": entry.holders.iter().map(record::person).collect::<Vec<_>>(),
    });
    if let Some(size) = entry.size {
        object["size"] = size.into();
    }
    if let Some(created) = entry.created {
        object["created"] = humantime::format_rfc3339_millis(created).to_string().into();
    }
    for (key, value) in &entry.details {
        object[*key] = match *key {
            // What is not a number ("unlimited") is no limit, and null.
            "clients" | "max_instances" => value.parse::<u64>().ok().into(),
            _ => value.as_str().into(),
        };
    }
    object
}

fn lines(entry: &Entry) -> String {
    let mut fields = vec![
        ("address", entry.address.to_string()),
        ("state", format!("{} ({})", entry.liveness, entry.evidence)),
    ];
    fields.extend(holders(entry).map(|holders| ("held by", holders)));
    fields.extend(entry.size.map(|size| ("size", size.to_string())));
    fields.extend(entry.created.and_then(age).map(|age| ("age", age)));
    fields.extend(entry.details.iter().map(|(key, value)| (*key, value.clone())));
    let width = fields.iter().map(|(key, _)| key.len()).max().unwrap_or(0) + 2;
    fields
        .iter()
        .map(|(key, value)| format!("{:width$}{value}\n", format!("{}:", key.replace('_', " "))))
        .collect()
}

/// Who holds it.
pub(crate) fn holders(entry: &Entry) -> Option<String> {
    let holders: Vec<String> = entry.holders.iter().map(ToString::to_string).collect();
    (!holders.is_empty()).then(|| holders.join(", "))
}

/// How long ago, in the two largest units.
pub(crate) fn age(created: SystemTime) -> Option<String> {
    let seconds = created.elapsed().ok()?.as_secs();
    let age = humantime::format_duration(Duration::from_secs(seconds)).to_string();
    Some(age.split(' ').take(2).collect::<Vec<_>>().join(" "))
}
