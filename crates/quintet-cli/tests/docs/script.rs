//! A page's shell commands, made to run beside other tests: with names, ports and folders of their own, and in the order
//! in which a person would type them.

use std::net::Ipv4Addr;
use std::path::Path;

/// Schemes of which an address has a name.
const NAMED: [&str; 9] = [
    "pipe", "shm", "mailbox", "queue", "topic", "window", "sem", "mutex", "event",
];

/// The script that runs these commands. `prefix` goes before all names, `folder` is for what they have in /tmp.
///
/// Its commands have nothing on their standard input. When its own ends, it ends those that would go on, and then itself;
/// it fails if any other has failed.
pub(crate) fn script(commands: &str, prefix: &str, folder: &Path, host: Ipv4Addr) -> String {
    let mut body = String::new();
    for line in here(commands, prefix, folder, host).lines() {
        body += &format!("{line}\n");
        let command = line.split("  # ").next().unwrap_or(line).trim_end();
        let Some(background) = command.strip_suffix('&') else {
            continue;
        };
        body += match goes_on(background) {
            true => "stay=\"$stay $!\"\n",
            false => "end=\"$end $!\"\n",
        };
        if let Some(address) = makes(background) {
            // A person types more slowly than this starts.
            body += &format!("until quintet stat '{address}' >/dev/null 2>&1; do sleep 0.02; done\n");
        }
    }
    format!(
        "set -eu\n\
         stay= end=\n\
         trap 'for pid in $stay; do kill $pid 2>/dev/null || :; done; wait' EXIT\n\
         exec 3<&0 </dev/null\n\
         {body}\
         for pid in $end; do wait $pid; done\n\
         read -r _ <&3 || :\n"
    )
}

/// The commands with what is only theirs.
fn here(commands: &str, prefix: &str, folder: &Path, host: Ipv4Addr) -> String {
    let mut text = commands.replace("/tmp/", &format!("{}/", folder.display()));
    for host_in_text in ["*", "localhost", "robot"] {
        text = text.replace(&format!("tcp://{host_in_text}:"), &format!("tcp://{host}:"));
    }
    let mut names: Vec<String> = Vec::new();
    for scheme in NAMED {
        let start = format!("{scheme}://");
        for (at, _) in text.match_indices(&start) {
            let name: String = text[at + start.len()..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || "-_.".contains(*c))
                .collect();
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
        text = text.replace(&start, &format!("{start}{prefix}-"));
    }
    // Other programs' words for the same objects.
    for name in names {
        for (before, after) in [("\"", "\""), ("\"/", "\""), ("CoreFxPipe_", "")] {
            text = text.replace(
                &format!("{before}{name}{after}"),
                &format!("{before}{prefix}-{name}{after}"),
            );
        }
    }
    text
}

/// Whether this command, in the background, does not end by itself.
fn goes_on(command: &str) -> bool {
    let verb = verb(command);
    let is_endless = command.contains("--follow") || matches!(verb, "rep" | "sub" | "hz");
    verb == "hold" || (is_endless && !command.contains("--count"))
}

/// The address of what this command makes, if that can be looked at.
fn makes(command: &str) -> Option<&str> {
    let mut addresses = command.split_whitespace().filter(|word| {
        NAMED
            .iter()
            .any(|scheme| word.split_once("://").is_some_and(|(is, _)| is == *scheme))
    });
    let is_maker =
        matches!(verb(command), "hold" | "rep" | "recv" | "sub" | "pull") && !command.contains("--connect");
    addresses.next_back().filter(|_| is_maker)
}

fn verb(command: &str) -> &str {
    let mut words = command.split('|').next_back().unwrap_or("").split_whitespace();
    match words.next() {
        Some("quintet") => words.next().unwrap_or(""),
        _ => "",
    }
}
