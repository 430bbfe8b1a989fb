//! Limits that the mechanisms meet.

use crate::limits::Limit;
use crate::os::step::call;
use rustix::process::{Resource, getrlimit};
use std::path::Path;

const MIB: u64 = 1 << 20;

pub(crate) fn all() -> Vec<Limit> {
    [
        Some(open_files()),
        shared_memory(),
        Some(file_size()),
        Some(name_of_a_pipe()),
        waiting_clients(),
        packets(),
        fifos(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn open_files() -> Limit {
    let limit = getrlimit(Resource::Nofile);
    let most = limit
        .maximum
        .map_or_else(|| "as many as you like".into(), |most| format!("up to {most}"));
    Limit {
        name: "open files",
        value: limit.current,
        free: None,
        unit: "files",
        bites: "each named object takes two or three, each connection one: creating and connecting fail with Full",
        enough: 1024,
        remedy: format!(
            "ulimit -n NUMBER in the shell ({most}); for a service LimitNOFILE= in its unit, for a user nofile in \
             /etc/security/limits.conf"
        ),
    }
}

fn shared_memory() -> Option<Limit> {
    let folder = call(|| rustix::fs::statvfs("/dev/shm")).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(folder.f_frsize);
    Some(Limit {
        name: "shared memory (/dev/shm)",
        // A size of 0 is that of a file system without a limit.
        value: Some(bytes(folder.f_blocks)).filter(|size| *size > 0),
        free: Some(bytes(folder.f_bavail)).filter(|_| folder.f_blocks > 0),
        unit: "bytes",
        bites: "all that is in shared memory is reserved when it is made, a topic of the default size 8 MiB: making it fails with Full",
        // What a container has if nobody thought of it is 64 MiB, and a few frames fill that.
        enough: 64 * MIB + 1,
        remedy: "quintet ls shows what is there, quintet doctor --fix removes what nobody has any more; as root: mount -o \
                 remount,size=2G /dev/shm; for a container: --shm-size=2g"
            .into(),
    })
}

fn file_size() -> Limit {
    Limit {
        name: "size of a file",
        value: getrlimit(Resource::Fsize).current,
        free: None,
        unit: "bytes",
        bites: "shared memory is files: making larger ones fails with TooLarge or Full; long messages through a pipe go in packets",
        enough: 64 * MIB,
        remedy: "ulimit -f unlimited in the shell; for a service LimitFSIZE= in its unit".into(),
    }
}

fn name_of_a_pipe() -> Limit {
    Limit {
        name: "name of a pipe",
        value: Some(super::pipe::path::longest_name() as u64),
        free: None,
        unit: "bytes",
        bites: "on Linux the name is the end of a socket's path: a longer one fails with TooLarge",
        enough: 40,
        remedy: "set TMPDIR to a folder with a short path, the same for all who use the pipe".into(),
    }
}

fn waiting_clients() -> Option<Limit> {
    Some(Limit {
        name: "clients that wait",
        value: Some(number("/proc/sys/net/core/somaxconn")?),
        free: None,
        unit: "clients",
        bites: "more clients than this before a server has accepted them wait, or are refused over TCP",
        enough: 128,
        remedy: "as root: sysctl net.core.somaxconn=4096".into(),
    })
}

fn packets() -> Option<Limit> {
    Some(Limit {
        name: "buffer of a socket",
        value: Some(number("/proc/sys/net/core/wmem_default")?),
        free: None,
        unit: "bytes",
        bites: "a packet of a pipe in message mode has up to 64 KiB and has to fit; less of them are under way at a time",
        enough: 2 * (64 << 10),
        remedy: "as root: sysctl net.core.wmem_default=212992".into(),
    })
}

fn fifos() -> Option<Limit> {
    // In pages of 4 KiB; 0 is no limit.
    let pages = number("/proc/sys/fs/pipe-user-pages-soft")?;
    Some(Limit {
        name: "buffers of anonymous pipes and FIFOs",
        value: Some(pages.saturating_mul(4096)).filter(|bytes| *bytes > 0),
        free: None,
        unit: "bytes",
        bites: "beyond what all of a user's take together, new ones have room for 8 KiB in place of 64, and are slow",
        enough: MIB,
        remedy: "as root: sysctl fs.pipe-user-pages-soft=16384".into(),
    })
}

fn number(path: &str) -> Option<u64> {
    std::fs::read_to_string(Path::new(path)).ok()?.trim().parse().ok()
}
