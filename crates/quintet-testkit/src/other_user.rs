//! A peer that is another user.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use crate::os;
use crate::peer::Peer;
use crate::test::Test;

/// The user that owns nothing, on every Linux.
const NOBODY: u32 = 65534;

impl Test {
    /// As [`Test::spawn`], but the role is run by a user without any privilege, who is not the user of this test (uid
    /// and gid 65534, no other groups, in the folder `/`). Linux only.
    ///
    /// Only root can do that: `None` when this test is not run by root.
    #[track_caller]
    pub fn spawn_as_nobody(&self, role: &str, args: &[&str]) -> Option<Peer> {
        if !os::is_root() {
            return None;
        }
        let binary = self.readable_binary.get_or_init(|| self.copy_for_everybody());
        let ours = Self::peer_command(role, args);
        let mut command = std::process::Command::new(binary);
        command
            .args(ours.get_args())
            .current_dir("/")
            .uid(NOBODY)
            .gid(NOBODY);
        for (key, value) in ours.get_envs() {
            if let Some(value) = value {
                command.env(key, value);
            }
        }
        match self.try_spawn(role, command) {
            Ok(peer) => Some(peer),
            // Root in a container may not be allowed to become somebody else.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
            Err(error) => panic!("cannot start the role {role} as nobody: {error}"),
        }
    }

    /// This test binary where everybody can run it: where it is built, a folder above may be closed to others.
    fn copy_for_everybody(&self) -> PathBuf {
        let folder = self.temp_dir();
        let copy = folder.join("test");
        place(&env::current_exe().expect("a test binary knows its path"), &copy);
        for path in [&folder, &copy] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))
                .expect("root can open its own file to others");
        }
        copy
    }
}

/// A hard link takes no time; where it cannot be made, a copy does as well.
fn place(original: &Path, copy: &Path) {
    if fs::hard_link(original, copy).is_err() {
        fs::copy(original, copy).expect("room for a copy of the test binary");
    }
}
