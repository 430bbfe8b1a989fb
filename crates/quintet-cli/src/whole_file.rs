//! A file that is there whole, or as it was before.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file: beside it first, under another name, so that on a full disk there is not half of it and none of what was
/// there before.
///
/// What is no file of this name itself is written to as it is: a device, a FIFO, a link, which may lead to what is open
/// already (`/dev/stdout`). So is what may be written to in a folder that may not.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => return fs::write(path, bytes),
        Ok(there) => {
            // Who may not write to it may not replace it.
            File::options().write(true).open(path)?;
            Some(there)
        }
        Err(_) => None,
    };
    let Some((beside, mut file)) = beside(path) else {
        return fs::write(path, bytes);
    };
    let written = file.write_all(bytes).and_then(|()| match there {
        Some(there) => file.set_permissions(there.permissions()),
        None => Ok(()),
    });
    // Windows renames nothing that is open.
    drop(file);
    let done = written.and_then(|()| fs::rename(&beside, path));
    if done.is_err() {
        // What failed before is what counts.
        let _ = fs::remove_file(&beside);
    }
    done
}

/// A new file in the same folder, if there can be one.
fn beside(path: &Path) -> Option<(PathBuf, File)> {
    let mut name = OsString::from(".");
    name.push(path.file_name()?);
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let file = File::create_new(&beside).ok()?;
    Some((beside, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_is_replaced_and_nothing_is_left_beside_it() {
        let folder = std::env::temp_dir().join(format!("quintet-whole-file-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("f");
        for bytes in ["some bytes", "other"] {
            write(&path, bytes.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), bytes);
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        }
        // A folder cannot be replaced, nor written to.
        assert!(write(&folder, b"x").is_err());
        // Nor is there anything of a file in one that is not there.
        assert!(write(&folder.join("none/f"), b"x").is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
