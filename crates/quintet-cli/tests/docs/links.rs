//! Links lead to what is there; a cell of the README's table that names a test, to that test.

use crate::page::{Page, root};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// A link of a page.
struct Link {
    text: String,
    to: String,
}

/// All links, and pictures, in what is not code.
fn links(page: &Page) -> Vec<Link> {
    let mut links = Vec::new();
    let prose = page.prose();
    for (at, _) in prose.match_indices("](") {
        let to = prose[at + 2..].split(')').next().unwrap();
        let text = prose[..at].rsplit('[').next().unwrap();
        links.push(Link {
            text: text.replace('\n', " "),
            to: to.into(),
        });
    }
    links
}

/// What a heading is called in a link, as GitHub has it.
fn anchor(heading: &str) -> String {
    let mut text = String::new();
    for c in heading.trim().to_lowercase().chars() {
        match c {
            ' ' => text.push('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => text.push(c),
            _ => {}
        }
    }
    text
}

fn anchors(page: &Page) -> Vec<String> {
    let prose = page.prose();
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#')))
        .collect()
}

#[test]
fn they_lead_to_what_is_there() {
    let pages: HashMap<_, _> = Page::all()
        .into_iter()
        .map(|page| (page.path.clone(), page))
        .collect();
    let mut count = 0;
    for page in pages.values() {
        for link in links(page) {
            if link.to.contains("://") {
                continue;
            }
            count += 1;
            let (file, part) = link.to.split_once('#').unwrap_or((&link.to, ""));
            let path = match file {
                "" => page.path.clone(),
                file => page.path.parent().unwrap().join(file),
            };
            let path = fs::canonicalize(&path)
                .unwrap_or_else(|error| panic!("{}: [{}]({}): {error}", page.name, link.text, link.to));
            if !part.is_empty() {
                let there = anchors(pages.get(&path).expect("a page"));
                assert!(
                    there.iter().any(|anchor| anchor == part),
                    "{}: {} has none of {there:?}",
                    page.name,
                    link.to
                );
            }
        }
    }
    assert!(count > 50, "{count}");
}

/// All test functions below this file or folder.
fn tests_in(path: &Path) -> Vec<String> {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        return entries
            .flat_map(|entry| tests_in(&entry.unwrap().path()))
            .collect();
    }
    let text = fs::read_to_string(path).unwrap();
    let mut tests = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        let word = line.split(['(', ' ']).next().unwrap();
        match (word, line.strip_prefix("fn ")) {
            ("#[test]", _) => is_test = true,
            (_, Some(rest)) if is_test => {
                tests.push(rest.split('(').next().unwrap().into());
                is_test = false;
            }
            _ => {}
        }
    }
    tests
}

#[test]
fn the_table_of_what_is_tested_names_tests_that_are_there() {
    for readme in ["README.md", "README.zh-CN.md"] {
        let page = Page::read(readme);
        let cells = links(&page);
        let named = cells.iter().filter(|link| {
            link.to.starts_with("crates/") && link.to.contains("test") && link.text.starts_with('`')
        });
        let mut count = 0;
        for link in named {
            count += 1;
            let test = link.text.trim_matches('`');
            let tests = tests_in(&root().join(&link.to));
            assert!(
                tests.iter().any(|there| there == test),
                "{readme}: no {test} in {}: {tests:?}",
                link.to
            );
        }
        assert!(count >= 20, "{readme} names {count} tests");
    }
}
