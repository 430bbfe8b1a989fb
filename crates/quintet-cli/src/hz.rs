//! `quintet hz`.

use crate::args::HzArgs;
use crate::failure::Failure;
use crate::record;
use crate::verbs;
use quintet::named::{self, Entry, NamedKind};
use quintet::{Name, Scheme};
use serde_json::json;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// What there is to see of a kind, by the keys of its details.
struct Gauges {
    /// What only grows, and what that is called: it is shown how much a second.
    rates: &'static [(&'static str, &'static str)],
    /// What goes up and down, and what that means in a line of text.
    levels: &'static [(&'static str, &'static str)],
}

fn gauges(scheme: Scheme) -> Option<Gauges> {
    match scheme {
        Scheme::Queue => Some(Gauges {
            rates: &[("pushed", "pushed"), ("taken", "taken")],
            levels: &[("messages", "in it")],
        }),
        Scheme::Mailbox => Some(Gauges {
            rates: &[("sequence", "written")],
            levels: &[("readers", "reading")],
        }),
        _ => None,
    }
}

/// Looks as `stat` does, so that an object is not kept open by who only looks.
pub(crate) fn run(args: &HzArgs) -> Result<(), Failure> {
    let address = &args.address;
    verbs::check("hz", address)?;
    let Some(gauges) = gauges(address.scheme()) else {
        return Ok(());
    };
    let (kind, name) = (named::kind(address.scheme())?, address.name()?);
    let mut before = Look::at(kind, name)?;
    for _ in 0..args.count.unwrap_or(u64::MAX) {
        thread::sleep(args.interval.saturating_sub(before.at.elapsed()));
        let now = Look::at(kind, name)?;
        let line = if args.json {
            now.json(&before, &gauges)
        } else {
            now.text(&before, &gauges)
        };
        record::print((line + "\n").as_bytes())?;
        before = now;
    }
    Ok(())
}

/// What there was to see at a moment.
struct Look {
    at: Instant,
    entry: Entry,
}

impl Look {
    fn at(kind: &dyn NamedKind, name: &Name) -> Result<Self, Failure> {
        let entry = kind.stat(name)?;
        Ok(Look {
            at: Instant::now(),
            entry,
        })
    }

    fn number(&self, key: &str) -> u64 {
        self.entry
            .detail(key)
            .and_then(|value| value.parse().ok())
            .unwrap_or(0)
    }

    /// How much more than before, a second. Of an object that was made anew meanwhile it is what it has.
    fn rate(&self, before: &Look, key: &str) -> f64 {
        let (now, then) = (self.number(key), before.number(key));
        let more = now.checked_sub(then).unwrap_or(now);
        #[expect(clippy::cast_precision_loss, reason = "it is shown with few digits")]
        let more = more as f64;
        more / self.seconds(before)
    }

    fn seconds(&self, before: &Look) -> f64 {
        self.at
            .duration_since(before.at)
            .max(Duration::from_nanos(1))
            .as_secs_f64()
    }

    fn text(&self, before: &Look, gauges: &Gauges) -> String {
        let rates = gauges.rates.iter().map(|(key, meaning)| {
            let rate = self.rate(before, key);
            // What is slow is of interest as well.
            let digits = if rate < 10.0 { 2 } else { 0 };
            format!("{rate:.digits$} {meaning}/s")
        });
        let levels = gauges
            .levels
            .iter()
            .map(|(key, meaning)| format!("{} {meaning}", self.number(key)));
        rates.chain(levels).collect::<Vec<_>>().join(", ")
    }

    fn json(&self, before: &Look, gauges: &Gauges) -> String {
        let mut line = json!({
            "time": humantime::format_rfc3339_micros(SystemTime::now()).to_string(),
            "seconds": self.seconds(before),
        });
        for (key, meaning) in gauges.rates {
            line[format!("{meaning}_per_second")] = self.rate(before, key).into();
        }
        for (key, _) in gauges.levels {
            line[*key] = self.number(key).into();
        }
        line.to_string()
    }
}
