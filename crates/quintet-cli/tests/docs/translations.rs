//! A translation has the code of the original, block for block, and each leads to the other.

use crate::page::Page;
use std::path::Path;

#[test]
fn they_have_the_same_code_as_the_original() {
    let pages = Page::all();
    let translations = pages.iter().filter(|page| page.name.ends_with(".zh-CN.md"));
    let mut count = 0;
    for translation in translations {
        count += 1;
        let original = Page::read(&translation.name.replace(".zh-CN.md", ".md"));
        let of = |page: &Page| page.blocks().into_iter().map(|block| (block.info, block.text));
        for (at, (theirs, ours)) in of(translation).zip(of(&original)).enumerate() {
            assert_eq!(theirs, ours, "{}: block {at}", translation.name);
        }
        assert_eq!(
            translation.blocks().len(),
            original.blocks().len(),
            "{}",
            translation.name
        );
        let sections = |page: &Page| page.prose().lines().filter(|line| line.starts_with('#')).count();
        assert_eq!(sections(translation), sections(&original), "{}", translation.name);
        for (from, to) in [(translation, &original), (&original, translation)] {
            let file = Path::new(&to.name).file_name().unwrap().to_str().unwrap();
            let top: String = from.text.lines().take(5).collect();
            assert!(
                top.contains(&format!("]({file})")),
                "{} does not lead to {file}",
                from.name
            );
        }
    }
    assert_eq!(count, 2);
}
