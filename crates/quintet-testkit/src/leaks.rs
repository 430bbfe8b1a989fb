//! What a test left on the machine.

use std::fs;
use std::path::{Path, PathBuf};

use crate::os;

/// Only small files are searched for the tag: registrations are small, and segments are found by their names.
const MAX_SEARCHED: u64 = 64 * 1024;

/// Everything with this text in its name where Quintet and its tests put files, and files in a runtime folder with
/// this text in their contents.
pub(crate) fn find(tag: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for place in os::shared_places() {
        for entry in entries(&place) {
            if has_tag_in_name(&entry, tag) {
                found.push(entry);
            }
        }
    }
    for folder in os::runtime_folders() {
        for entry in entries(&folder) {
            if has_tag_in_name(&entry, tag) || has_tag_inside(&entry, tag) {
                found.push(entry);
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Removes what carries the tag in its name. A file that has it only inside may be other tests' too.
pub(crate) fn remove(paths: &[PathBuf], tag: &str) {
    for path in paths.iter().filter(|path| has_tag_in_name(path, tag)) {
        // What cannot be removed has been reported already.
        let _ = remove_any(path);
    }
}

/// Removes a file or a folder with all that is in it.
pub(crate) fn remove_any(path: &Path) -> std::io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

fn has_tag_in_name(path: &Path, tag: &str) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().contains(tag))
}

fn has_tag_inside(path: &Path, tag: &str) -> bool {
    let is_searched =
        fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() <= MAX_SEARCHED);
    is_searched
        && fs::read(path).is_ok_and(|bytes| bytes.windows(tag.len()).any(|window| window == tag.as_bytes()))
}

/// What a folder holds. Tests run in parallel, so it may be gone already: then it holds nothing.
fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect()
}
