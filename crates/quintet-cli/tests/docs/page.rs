//! A page, as far as tests look into it.

use std::fs;
use std::path::{Path, PathBuf};

/// The project's top folder.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this package is two folders down").to_owned()
}

/// A page in Markdown.
pub(crate) struct Page {
    /// From the top folder.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Code between fences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Its language, and what else stands behind the fence.
    pub(crate) info: String,
    pub(crate) text: String,
    /// The line of its first fence, from 1.
    pub(crate) line: usize,
}

impl Page {
    pub(crate) fn read(name: &str) -> Self {
        let path = root().join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        Page {
            name: name.into(),
            path,
            text,
        }
    }

    /// All pages: those at the top, and those in `docs`.
    pub(crate) fn all() -> Vec<Page> {
        let mut names = Vec::new();
        for folder in ["", "docs"] {
            for entry in fs::read_dir(root().join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if name.ends_with(".md") {
                    names.push(Path::new(folder).join(name).to_str().unwrap().to_owned());
                }
            }
        }
        names.sort();
        names.iter().map(|name| Page::read(name)).collect()
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (at, line) in self.text.lines().enumerate() {
            match (&mut open, line.strip_prefix("```")) {
                (None, Some(info)) => {
                    open = Some(Block {
                        info: info.into(),
                        text: String::new(),
                        line: at + 1,
                    });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(block), None) => block.text += &format!("{line}\n"),
                (None, None) => {}
            }
        }
        assert_eq!(open, None, "{}: a block without an end", self.name);
        blocks
    }

    /// What is not code.
    pub(crate) fn prose(&self) -> String {
        let mut is_code = false;
        let mut prose = String::new();
        for line in self.text.lines() {
            if line.starts_with("```") {
                is_code = !is_code;
            } else if !is_code {
                prose += &format!("{line}\n");
            }
        }
        prose
    }
}
