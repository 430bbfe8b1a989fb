//! How leader and role talk: a message is one line, with everything escaped that would end a line or an environment
//! variable. The role's lines carry a mark, because the test harness and `println!` write to the same stdout.

/// Before the name of the role, once it runs.
pub(crate) const HELLO: &str = "quintet-peer hello ";
/// Before every message that the role says.
pub(crate) const SAYS: &str = "quintet-peer says ";

pub(crate) fn escape(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\0' => line.push_str("\\0"),
            other => line.push(other),
        }
    }
    line
}

/// The text that [`escape`] was given; `None` for what it never writes.
pub(crate) fn unescape(line: &str) -> Option<String> {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(match chars.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                '0' => '\0',
                _ => return None,
            }),
            '\n' | '\r' | '\0' => return None,
            other => text.push(other),
        }
    }
    Some(text)
}

/// Several texts as one, for an environment variable.
pub(crate) fn join(texts: &[&str]) -> String {
    texts
        .iter()
        .flat_map(|text| [escape(text), "\n".to_owned()])
        .collect()
}

/// What [`join`] was given.
pub(crate) fn split(joined: &str) -> Option<Vec<String>> {
    joined.split_terminator('\n').map(unescape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        for text in [
            "",
            "a",
            "\\",
            "\\n",
            "\n",
            "\r\n",
            "\0",
            "a\\\n\\\\n",
            "Grüße, 世界 🦀",
            "\u{2028}\u{85}\u{b}",
        ] {
            let line = escape(text);
            assert!(!line.contains(['\n', '\r', '\0']), "{line:?}");
            assert_eq!(unescape(&line).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_escape_never_writes_is_refused() {
        for line in ["\\", "a\\", "\\x", "a\nb"] {
            assert_eq!(unescape(line), None, "{line:?}");
        }
    }

    #[test]
    fn lists_come_back() {
        for list in [&[][..], &[""], &["", ""], &["a", "b\nc", "", "\0"]] {
            assert_eq!(split(&join(list)).unwrap(), list);
        }
    }
}
