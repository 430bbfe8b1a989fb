//! Names that no other test has.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The longest name that [`Tag::name`] gives.
const MAX_NAME: usize = 40;
/// How much of the label is kept in the name.
const MAX_LABEL: usize = 12;
const RANDOM_DIGITS: u32 = 8;

/// What marks everything that one test makes: `qt`, the process, which of its tests, and randomness.
///
/// The process id makes a leftover traceable; the randomness makes the tag unique, for process ids are used again, and
/// containers that share a file system count them each for itself. The tag keeps to `[a-z0-9-]`, so it stays readable
/// in any encoding, and a search for it finds nothing else.
#[derive(Debug)]
pub(crate) struct Tag {
    text: String,
    given: Mutex<HashSet<String>>,
}

impl Tag {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let random = RandomState::new().hash_one((process::id(), count)) % 36u64.pow(RANDOM_DIGITS);
        let text = format!(
            "qt{}-{}-{:0>width$}",
            base36(process::id().into()),
            base36(count),
            base36(random),
            width = RANDOM_DIGITS as usize
        );
        Self {
            text,
            given: Mutex::default(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// A name that was never given before; `label` is for the reader.
    pub(crate) fn name(&self, label: &str) -> String {
        let label: String = label
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_lowercase()
                } else {
                    '-'
                }
            })
            .take(MAX_LABEL)
            .collect();
        let mut given = self.given.lock().unwrap();
        let mut name = format!("{}-{label}", self.text);
        let mut number = 1u32;
        while given.contains(&name) {
            number += 1;
            name = format!("{}-{label}-{number}", self.text);
        }
        assert!(
            name.len() <= MAX_NAME,
            "{name} is too long: too many names, or too many tests in one process"
        );
        given.insert(name.clone());
        name
    }
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits.iter().rev().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_keep_to_the_alphabet() {
        let tag = Tag::new();
        let mut seen = HashSet::new();
        for label in ["x", "x", "x-2", "A much longer label, with ünïcode", "", ""] {
            let name = tag.name(label);
            assert!(name.contains(tag.as_str()), "{name}");
            assert!(name.len() <= MAX_NAME, "{name}");
            assert!(
                name.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-')),
                "{name}"
            );
            assert!(seen.insert(name));
        }
    }

    #[test]
    fn the_longest_process_id_leaves_room_for_a_thousand_names() {
        let longest = "qt".len() + base36(u32::MAX.into()).len() + "-".len() + base36(46_655).len();
        assert!(longest + 1 + RANDOM_DIGITS as usize + 1 + MAX_LABEL + "-999".len() <= MAX_NAME);
    }

    #[test]
    fn base36_counts() {
        assert_eq!(base36(0), "0");
        assert_eq!(base36(35), "z");
        assert_eq!(base36(36 * 36), "100");
    }
}
