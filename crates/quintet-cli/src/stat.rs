//! `quintet stat`, and what an object looks like.

use crate::args::StatArgs;
use crate::endpoint;
use crate::failure::Failure;
use crate::object;
use crate::record;
use crate::text::visible;
use crate::verbs;
use quintet::Scheme;
use quintet::named::{self, Entry, Owner};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

pub(crate) fn run(args: &StatArgs) -> Result<(), Failure> {
    endpoint::for_windows(&args.address, args.window.given())?;
    verbs::check("stat", &args.address)?;
    let address = object::with_flags(&args.address, args.window.options());
    let entry = named::kind(address.scheme())?.stat_at(&address)?;
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
    if matches!(entry.address.scheme(), Scheme::Sem | Scheme::Mutex) {
        object["owners"] = entry.owners.iter().map(owner).collect();
    }
    if let Some(size) = entry.size {
        object["size"] = size.into();
    }
    if let Some(created) = entry.created {
        object["created"] = time(created);
    }
    for (key, value) in &entry.details {
        object[*key] = match *key {
            // What is not a number ("unlimited") is no limit, and null.
            "clients" | "max_instances" | "count" | "maximum" | "waiting" | "messages" | "pushed"
            | "taken" | "in_hand" | "lost" | "producers" | "consumers" | "capacity" | "max_producers"
            | "published" | "bytes" | "received" | "publishers" | "subscribers" | "max_publishers"
            | "sequence" | "length" | "readers" | "read_in_place" | "max_in_place" | "max_value" | "hwnd"
            | "queued" => value.parse::<u64>().ok().into(),
            "age_s" => value.parse::<f64>().ok().into(),
            "writer" => match value.as_str() {
                "none" => Value::Null,
                // Who that is the system does not tell.
                "yes" => true.into(),
                pid => pid.parse::<u64>().ok().into(),
            },
            "locked" | "set" | "persistent" | "hung" | "message_only" => (value == "yes").into(),
            _ => value.as_str().into(),
        };
    }
    object
}

/// Who has taken something of it, in JSON.
fn owner(owner: &Owner) -> Value {
    let mut value = record::person(&owner.process);
    value["count"] = owner.count.into();
    value["since"] = owner.since.map(time).into();
    value
}

fn time(time: SystemTime) -> Value {
    humantime::format_rfc3339_millis(time).to_string().into()
}

fn lines(entry: &Entry) -> String {
    let mut fields = vec![
        ("address", entry.address.to_string()),
        ("state", format!("{} ({})", entry.liveness, entry.evidence)),
    ];
    fields.extend(holders(entry).map(|holders| ("held by", holders)));
    fields.extend(entry.owners.iter().map(|owner| ("taken by", taken(entry, owner))));
    fields.extend(entry.size.map(|size| ("size", size.to_string())));
    fields.extend(entry.created.and_then(age).map(|age| ("age", age)));
    fields.extend(entry.details.iter().map(|(key, value)| match *key {
        "age_s" if value.parse::<f64>().is_ok() => ("written", format!("{value} s ago")),
        "age_s" => ("written", "never".into()),
        _ => (*key, value.clone()),
    }));
    let width = fields.iter().map(|(key, _)| key.len()).max().unwrap_or(0) + 2;
    fields
        .iter()
        .map(|(key, value)| {
            let key = format!("{}:", key.replace('_', " "));
            format!("{key:width$}{}\n", visible(value))
        })
        .collect()
}

/// Who has taken something of it, how much, and for how long.
fn taken(entry: &Entry, owner: &Owner) -> String {
    let mut text = format!("pid {}", owner.process.pid());
    if let Some(path) = owner.process.executable() {
        text += &format!(" ({})", path.display());
    }
    if entry.address.scheme() == Scheme::Sem {
        let permits = if owner.count == 1 { "permit" } else { "permits" };
        text += &format!(", {} {permits}", owner.count);
    }
    if let Some(age) = owner.since.and_then(age) {
        text += &format!(" for {age}");
    }
    text
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
