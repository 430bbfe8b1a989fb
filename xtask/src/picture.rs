//! The picture in the README: what `quintet demo --kill` prints at a terminal, drawn as SVG.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::output;
use crate::workspace::Workspace;

const FILE: &str = "docs/demo.svg";
const COMMAND: &str = "quintet demo --kill";

/// Pixels of a character's cell, of the margin, and of the letters.
const CELL: (f64, f64) = (7.8, 18.0);
const MARGIN: f64 = 16.0;
const LETTERS: f64 = 13.0;

/// Runs the demo as a release and draws what it prints into the documentation.
pub(crate) fn draw(workspace: &Workspace) -> Result<()> {
    let program = workspace.build(&["--release", "--package", "quintet-cli"], "quintet")?;
    let words: Vec<&str> = COMMAND.split(' ').skip(1).collect();
    // Colours as at a terminal, of which nothing else makes a difference to what it prints.
    let printed = output(
        Command::new(program)
            .args(words)
            .env("CLICOLOR_FORCE", "1")
            .env_remove("NO_COLOR"),
    )?;
    let path = workspace.path(FILE);
    fs::write(&path, svg(&format!("$ {COMMAND}\n{printed}"))?).with_context(|| path.display().to_string())?;
    eprintln!("{} is drawn: look at it before you commit it", path.display());
    Ok(())
}

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    /// 30 to 37, as terminals number colours.
    colour: Option<u8>,
    bold: bool,
    dim: bool,
}

impl Look {
    /// As one of the numbers of an escape sequence says.
    fn change(&mut self, number: &str) -> Result<()> {
        match number.parse().ok() {
            None | Some(0) => *self = Look::default(),
            Some(1) => self.bold = true,
            Some(2) => self.dim = true,
            Some(colour @ 30..=37) => self.colour = Some(colour),
            _ => ensure!(false, "there is no way to draw the look {number} here"),
        }
        Ok(())
    }

    fn class(self) -> Option<String> {
        let colour = self.colour.map(|colour| format!("c{colour}"));
        let mut names: Vec<&str> = colour.as_deref().into_iter().collect();
        names.extend(self.bold.then_some("b"));
        names.extend(self.dim.then_some("d"));
        (!names.is_empty()).then(|| names.join(" "))
    }
}

/// A line's pieces, each with its look. Nothing but looks may be in it: no cursor is moved.
fn pieces(line: &str, look: &mut Look) -> Result<Vec<(Look, String)>> {
    let mut parts = line.split("\x1b[");
    let mut pieces = vec![(*look, parts.next().unwrap_or_default().to_owned())];
    for part in parts {
        let (numbers, text) = part
            .split_once('m')
            .with_context(|| format!("an escape sequence that is no look: {line:?}"))?;
        for number in numbers.split(';') {
            look.change(number)?;
        }
        pieces.push((*look, text.to_owned()));
    }
    pieces.retain(|(_, text)| !text.is_empty());
    Ok(pieces)
}

fn svg(printed: &str) -> Result<String> {
    let mut text = String::new();
    let mut look = Look::default();
    let (mut width, mut height) = (0, 0);
    for line in printed.lines() {
        height += 1;
        let pieces = pieces(line, &mut look)?;
        let cells: usize = pieces.iter().map(|(_, text)| text.chars().count()).sum();
        width = width.max(cells);
        if cells == 0 {
            continue;
        }
        // Whatever font there is, columns stay columns.
        write!(
            text,
            r#"<text x="{MARGIN}" y="{:.1}" textLength="{:.1}">"#,
            MARGIN + CELL.1 * f64::from(height) - 5.0,
            CELL.0 * cells as f64
        )?;
        for (look, piece) in pieces {
            let piece = escaped(&piece);
            match look.class() {
                Some(class) => write!(text, r#"<tspan class="{class}">{piece}</tspan>"#)?,
                None => text += &piece,
            }
        }
        text += "</text>\n";
    }
    let size = (
        2.0 * MARGIN + CELL.0 * width as f64,
        2.0 * MARGIN + CELL.1 * f64::from(height),
    );
    Ok(format!(
        r##"<!-- Drawn by `cargo xtask picture`. -->
<svg xmlns="http://www.w3.org/2000/svg" width="{0:.0}" height="{1:.0}" viewBox="0 0 {0:.0} {1:.0}">
<style>
text {{ font: {LETTERS}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d8dee9; white-space: pre }}
.b {{ font-weight: bold }} .d {{ opacity: .65 }}
.c31 {{ fill: #ff7b72 }} .c32 {{ fill: #7ee787 }} .c33 {{ fill: #f2cc60 }} .c34 {{ fill: #79c0ff }} .c35 {{ fill: #d2a8ff }} .c36 {{ fill: #76e3ea }}
</style>
<rect width="100%" height="100%" rx="8" fill="#161b22"/>
{text}</svg>
"##,
        size.0, size.1
    ))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_has_its_look() {
        let mut look = Look::default();
        let pieces = pieces("a\x1b[36m\x1b[1mb\x1b[0m<c>", &mut look).unwrap();
        let texts: Vec<_> = pieces
            .iter()
            .map(|(look, text)| (look.class(), text.as_str()))
            .collect();
        assert_eq!(texts, [(None, "a"), (Some("c36 b".into()), "b"), (None, "<c>")]);
    }

    #[test]
    fn text_is_text_whatever_is_in_it() {
        let drawn = svg("a < b & c\n\nd").unwrap();
        assert!(drawn.contains(">a &lt; b &amp; c</text>"), "{drawn}");
        assert_eq!(drawn.matches("<text ").count(), 2);
    }

    #[test]
    fn what_moves_the_cursor_is_refused() {
        assert!(svg("a\x1b[2K").is_err());
        assert!(svg("a\x1b[99m").is_err());
    }
}
