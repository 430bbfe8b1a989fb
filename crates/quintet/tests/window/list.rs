//! The list of rules in `RULES.md`: its tests are there, and those of the rules are in it.

use std::collections::BTreeSet;

const LIST: &str = include_str!("RULES.md");

/// The files that the list names, and how.
const FILES: [(&str, &str); 13] = [
    ("circles", include_str!("circles.rs")),
    ("crowd", include_str!("crowd.rs")),
    ("death", include_str!("death.rs")),
    ("finding", include_str!("finding.rs")),
    ("names", include_str!("names.rs")),
    ("order", include_str!("order.rs")),
    ("rules", include_str!("rules.rs")),
    ("stopped", include_str!("stopped.rs")),
    ("user32", include_str!("user32.rs")),
    (
        "windows/class",
        include_str!("../../src/os/windows/window/class.rs"),
    ),
    (
        "windows/doing",
        include_str!("../../src/os/windows/window/doing.rs"),
    ),
    (
        "windows/sending",
        include_str!("../../src/os/windows/window/sending.rs"),
    ),
    (
        "windows/tests",
        include_str!("../../src/os/windows/window/tests.rs"),
    ),
];

/// The names of the tests in a file.
fn tests(file: &str) -> BTreeSet<&str> {
    file.split("#[test]\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("fn ")?.1.split_once('('))
        .map(|(name, _)| name)
        .collect()
}

/// The tests that the list names: in which file, and which.
fn listed() -> BTreeSet<(&'static str, &'static str)> {
    let code = LIST.split('`').skip(1).step_by(2);
    code.filter_map(|code| code.split_once("::"))
        .filter(|(file, _)| *file != "FILE")
        .collect()
}

#[test]
fn each_test_that_the_list_names_is_there() {
    let listed = listed();
    assert!(listed.len() > 50, "{listed:?}");
    for (file, test) in listed {
        let (_, text) = FILES
            .iter()
            .find(|(name, _)| *name == file)
            .unwrap_or_else(|| panic!("there is no file {file}"));
        assert!(tests(text).contains(test), "there is no test {test} in {file}");
    }
}

#[test]
fn each_test_of_a_rule_is_in_the_list() {
    let listed = listed();
    for (file, text) in FILES {
        if matches!(file, "rules" | "order" | "user32") {
            let missing: Vec<_> = tests(text)
                .into_iter()
                .filter(|test| !listed.contains(&(file, *test)))
                .collect();
            assert!(missing.is_empty(), "of {file}: {missing:?}");
        }
    }
}
