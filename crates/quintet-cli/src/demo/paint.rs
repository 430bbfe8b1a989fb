//! Colours for a terminal: who speaks, what goes wrong on purpose, and that all is well.

use console::Style;

/// The text, and if it is for a terminal, its looks.
pub(super) fn paint(text: &str, with_colours: bool) -> String {
    if !with_colours {
        return text.into();
    }
    text.split_inclusive('\n').map(line).collect()
}

fn line(line: &str) -> String {
    let style = Style::new().force_styling(true);
    let speakers = [
        ("main ", style.clone().cyan()),
        ("worker ", style.clone().yellow()),
        ("reader ", style.clone().magenta()),
    ];
    for (who, colour) in speakers {
        if let Some(rest) = line.strip_prefix(who) {
            let deadly = style.clone().red().bold().apply_to("is killed").to_string();
            return format!(
                "{}{}",
                colour.bold().apply_to(who),
                rest.replace("is killed", &deadly)
            );
        }
    }
    let whole = |style: Style| {
        let text = line.trim_end_matches('\n');
        format!("{}{}", style.apply_to(text), &line[text.len()..])
    };
    match line {
        _ if line.starts_with("all ") => whole(style.green().bold()),
        // Above the table, and below.
        _ if line.contains("median") => whole(style.dim()),
        _ => line.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "main    serves\nworker  (pid 7) is killed\nall 7 messages were right\n\n   median\npipe  4 µs\n";

    #[test]
    fn without_colours_it_is_the_text() {
        assert_eq!(paint(TEXT, false), TEXT);
    }

    #[test]
    fn colours_change_no_word() {
        let painted = paint(TEXT, true);
        assert_eq!(console::strip_ansi_codes(&painted), TEXT);
        for word in ["main ", "worker ", "is killed", "all 7 messages were right"] {
            assert!(painted.contains(&format!("m{word}\x1b[0m")), "{painted:?}");
        }
        // A look ends before its line does.
        assert!(
            painted
                .lines()
                .all(|line| line.is_empty() || !line.ends_with('m') || line.ends_with("\x1b[0m"))
        );
    }
}
