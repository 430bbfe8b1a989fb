//! `quintet hz`.

use crate::args::HzArgs;
use crate::failure::Failure;
use crate::record;
use crate::verbs;
use indicatif::DecimalBytes;
use quintet::named::{self, Entry, NamedKind};
use quintet::{Name, Scheme};
use serde_json::json;
use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// What there is to see of a kind, by the keys of its details.
struct Gauges {
    /// What only grows, and what that is called: it is shown how much a second.
    rates: &'static [(&'static str, &'static str)],
    /// What grows by the bytes of what the first of the rates counts, if that is known: they are shown a second, and each.
    bytes: Option<&'static str>,
    /// What goes up and down, and what that means in a line of text.
    levels: &'static [(&'static str, &'static str)],
}

fn gauges(scheme: Scheme) -> Option<Gauges> {
    match scheme {
        Scheme::Queue => Some(Gauges {
            rates: &[("pushed", "pushed"), ("taken", "taken")],
            bytes: None,
            levels: &[("messages", "in it")],
        }),
        Scheme::Mailbox => Some(Gauges {
            rates: &[("sequence", "written")],
            bytes: None,
            levels: &[("readers", "reading"), ("length", "bytes long")],
        }),
        Scheme::Topic => Some(Gauges {
            rates: &[
                ("published", "published"),
                ("received", "received"),
                ("lost", "lost"),
            ],
            bytes: Some("bytes"),
            levels: &[("publishers", "publishing"), ("subscribers", "subscribing")],
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
    let mut screen = Screen {
        // A console of Windows may not know what that is.
        is_live: !args.json && !cfg!(windows) && io::stdout().is_terminal(),
        has_line: false,
    };
    for _ in 0..args.count.unwrap_or(u64::MAX) {
        thread::sleep(args.interval.saturating_sub(before.at.elapsed()));
        let now = Look::at(kind, name)?;
        let line = if args.json {
            now.json(&before, &gauges)
        } else {
            now.text(&before, &gauges)
        };
        record::print(screen.show(line).as_bytes())?;
        before = now;
    }
    Ok(())
}

/// Where lines are shown.
struct Screen {
    /// Whether each takes the place of the one before: for a person, at a terminal.
    is_live: bool,
    has_line: bool,
}

impl Screen {
    /// What to print so that this line is there.
    fn show(&mut self, line: String) -> String {
        if !self.is_live {
            return line + "\n";
        }
        // One line up, which is wiped; and what is too long is cut off, as two lines would not be replaced by one.
        let up = if self.has_line { "\x1b[1A\x1b[2K" } else { "" };
        self.has_line = true;
        format!("{up}\x1b[?7l{line}\x1b[?7h\n")
    }
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

    /// How much more than before. Of an object that was made anew meanwhile it is what it has.
    fn more(&self, before: &Look, key: &str) -> u64 {
        let (now, then) = (self.number(key), before.number(key));
        now.checked_sub(then).unwrap_or(now)
    }

    /// The same, a second.
    fn rate(&self, before: &Look, key: &str) -> f64 {
        self.a_second(before, self.more(before, key))
    }

    /// The bytes a second, and how many each had; of nothing there is no mean.
    fn bytes(&self, before: &Look, gauges: &Gauges) -> Option<(f64, Option<u64>)> {
        let more = self.more(before, gauges.bytes?);
        let count = gauges.rates.first().map(|(key, _)| self.more(before, key))?;
        // To the nearest: a message that is just being published may have its bytes counted already.
        let each = more.saturating_add(count / 2).checked_div(count);
        Some((self.a_second(before, more), each))
    }

    fn a_second(&self, before: &Look, more: u64) -> f64 {
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
        let mut parts = Vec::new();
        for (key, meaning) in gauges.rates {
            let rate = self.rate(before, key);
            // What is slow is of interest as well.
            let digits = if rate < 10.0 { 2 } else { 0 };
            parts.push(format!("{rate:.digits$} {meaning}/s"));
            if parts.len() > 1 {
                continue;
            }
            if let Some((a_second, each)) = self.bytes(before, gauges) {
                #[expect(clippy::cast_possible_truncation, reason = "it is shown with few digits")]
                #[expect(clippy::cast_sign_loss, reason = "it is not less than nothing")]
                let a_second = a_second as u64;
                parts.push(format!("{}/s", DecimalBytes(a_second)));
                parts.extend(each.map(|each| format!("{} each", DecimalBytes(each))));
            }
        }
        let levels = gauges.levels.iter();
        parts.extend(levels.map(|(key, meaning)| format!("{} {meaning}", self.number(key))));
        parts.join(", ")
    }

    fn json(&self, before: &Look, gauges: &Gauges) -> String {
        let mut line = json!({
            "time": humantime::format_rfc3339_micros(SystemTime::now()).to_string(),
            "seconds": self.seconds(before),
        });
        for (key, meaning) in gauges.rates {
            line[format!("{meaning}_per_second")] = self.rate(before, key).into();
        }
        if let Some((a_second, each)) = self.bytes(before, gauges) {
            line["bytes_per_second"] = a_second.into();
            line["mean_bytes"] = each.into();
        }
        for (key, _) in gauges.levels {
            line[*key] = self.number(key).into();
        }
        line.to_string()
    }
}
