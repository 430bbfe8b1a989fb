//! The operations that are tried, what is there before, and what must hold after.

use quintet::named::{Liveness, NamedKind};
use quintet::shm::{Access, SharedMemories, SharedMemory, SharedMemoryBuilder};
use quintet::{Error, ErrorKind, Name, Result};
use quintet_testkit::{Role, Test};
use std::fs;
use std::path::PathBuf;

const SIZE: u64 = 5000;
/// Where `Write` writes, and what.
const PLACE: u64 = 3000;
const WRITTEN: [u8; 8] = *b"written!";

macro_rules! operations {
    ($($operation:ident: $what:literal,)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Operation {
            $(#[doc = $what] $operation,)+
        }

        impl Operation {
            const EVERY: &[Operation] = &[$(Operation::$operation,)+];
        }
    };
}

operations! {
    Create: "Creates one that nobody else has, and closes it.",
    CreateForEveryone: "The same, for the processes of other users too.",
    CreatePersistent: "Creates one that stays.",
    Open: "Opens one that somebody else has, and closes it.",
    Close: "Closes one that nobody else has.",
    CloseBeside: "Closes one that somebody else has.",
    Write: "Writes into one that somebody else has.",
    Foreign: "Opens and changes what another program made, and closes it.",
    Reclaim: "Creates one where a dead process left one, and closes it.",
    Remove: "Removes one that stays.",
    RemoveStale: "Removes what a dead process left.",
    ReleaseNames: "Creates one, and takes its name back.",
    Look: "Looks at one that somebody else has.",
    Anonymous: "Makes one without a name, for a child.",
}

/// Makes memory `arg(0)`, writes to it, and has it until it is killed.
pub(crate) fn holds(p: &mut Role) {
    let memory = SharedMemory::create_new(p.arg(0), SIZE).unwrap();
    memory.write_at(0, [9]).unwrap();
    p.say("made");
    p.listen();
}

fn path(name: &str) -> PathBuf {
    PathBuf::from("/dev/shm").join(name)
}

fn persistent(name: &str) -> Result<SharedMemoryBuilder> {
    Ok(SharedMemory::builder(name)?.size(SIZE).persistent(true))
}

impl Operation {
    pub(crate) fn named(name: &str) -> Self {
        *Operation::EVERY
            .iter()
            .find(|operation| format!("{operation:?}") == name)
            .unwrap()
    }

    /// Makes what it needs; what somebody else keeps while it runs.
    pub(crate) fn prepare(self, t: &Test, name: &str) -> Option<SharedMemory> {
        match self {
            Operation::Open | Operation::CloseBeside | Operation::Write | Operation::Look => {
                return Some(SharedMemory::create_new(name, SIZE).unwrap());
            }
            Operation::Foreign => fs::write(path(name), b"made by another").unwrap(),
            Operation::Reclaim | Operation::RemoveStale => {
                let mut dead = t.spawn("holds", &[name]);
                dead.expect("made");
                dead.kill();
                dead.wait_exit();
                assert!(path(name).exists());
            }
            Operation::Remove => drop(persistent(name).unwrap().create_new().unwrap()),
            _ => {}
        }
        None
    }

    /// Does it. `arm` is called when it begins.
    pub(crate) fn run(self, name: &str, arm: impl FnOnce()) -> Result<()> {
        // What is there before it begins.
        let memory = match self {
            Operation::Close => Some(SharedMemory::create_new(name, SIZE)?),
            Operation::CloseBeside => Some(SharedMemory::open_existing(name)?),
            _ => None,
        };
        arm();
        match self {
            Operation::Create => SharedMemory::create_new(name, SIZE).map(drop),
            Operation::CreateForEveryone => {
                let builder = SharedMemory::builder(name)?.size(SIZE);
                builder.access(Access::Everyone).create_new().map(drop)
            }
            Operation::CreatePersistent => persistent(name)?.create_or_open().map(drop),
            Operation::Open => SharedMemory::open_existing(name).map(drop),
            Operation::Close | Operation::CloseBeside => {
                drop(memory);
                Ok(())
            }
            Operation::Write => {
                let memory = SharedMemory::open_existing(name)?;
                memory.write_at(PLACE, WRITTEN)?;
                memory.flush()
            }
            Operation::Foreign => {
                let memory = SharedMemory::create_or_open(name, 10)?;
                assert!(!memory.was_created());
                memory.write_at(0, b"used")
            }
            Operation::Reclaim => {
                let memory = SharedMemory::create_or_open(name, SIZE)?;
                assert!(memory.was_created());
                assert_eq!(memory.read::<u8>(0)?, 0);
                Ok(())
            }
            Operation::Remove | Operation::RemoveStale => SharedMemories.remove(&Name::new(name)?),
            Operation::ReleaseNames => {
                let memory = SharedMemory::create_new(name, SIZE)?;
                quintet::cleanup::release_names();
                drop(memory);
                Ok(())
            }
            Operation::Look => {
                let entry = SharedMemories.stat(&Name::new(name)?)?;
                assert_eq!((entry.liveness, entry.size), (Liveness::Live, Some(SIZE)));
                Ok(())
            }
            Operation::Anonymous => {
                let memory = SharedMemory::anonymous(SIZE)?;
                memory.write_at(0, [1])?;
                memory.for_child().map(drop)
            }
        }
    }

    /// What must hold after it, whether it passed or not.
    pub(crate) fn check(self, kept: Option<SharedMemory>, name: &str, passed: bool) {
        if let Some(kept) = kept {
            self.check_kept(&kept, name, passed);
        }
        match self {
            Operation::Foreign => {
                let bytes = fs::read(path(name)).unwrap();
                let used = bytes == b"used by another";
                assert!(used || (!passed && bytes == b"made by another"));
                let entry = SharedMemories.stat(&Name::new(name).unwrap()).unwrap();
                assert_eq!(entry.liveness, Liveness::Foreign);
                SharedMemories.remove(&Name::new(name).unwrap()).unwrap();
            }
            Operation::CreatePersistent => {
                let again = persistent(name).unwrap().create_or_open().unwrap();
                assert!(!(passed && again.was_created()));
                assert_eq!(again.capacity() as u64, SIZE);
                drop(again);
                SharedMemories.remove(&Name::new(name).unwrap()).unwrap();
            }
            // One that stays is removed, or there as it was.
            Operation::Remove if !passed && path(name).exists() => {
                assert!(!persistent(name).unwrap().create_or_open().unwrap().was_created());
                SharedMemories.remove(&Name::new(name).unwrap()).unwrap();
            }
            Operation::Remove | Operation::RemoveStale if passed => assert!(!path(name).exists()),
            _ => {}
        }
        // The name is free, and nobody sees what was there.
        let fresh = SharedMemory::create_new(name, SIZE).unwrap();
        let mut bytes = [0; SIZE as usize];
        fresh.read_at(0, &mut bytes).unwrap();
        assert_eq!(bytes, [0; SIZE as usize]);
        drop(fresh);
        assert!(!path(name).exists());
        let error = SharedMemory::open_existing(name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    /// Who had it has it still, together with those who open it now.
    fn check_kept(self, kept: &SharedMemory, name: &str, passed: bool) {
        assert!(kept.has_name());
        let written = kept.read::<[u8; 8]>(PLACE).unwrap();
        if self == Operation::Write {
            assert!(
                written == WRITTEN || (!passed && written == [0; 8]),
                "{written:?}"
            );
        }
        let other = SharedMemory::open_existing(name).unwrap();
        kept.write_at(8, [7]).unwrap();
        assert_eq!(other.read::<u8>(8).unwrap(), 7);
    }
}

/// Whether it says what the system said, and not something else.
pub(crate) fn is_honest(error: &Error, errno: i32) -> bool {
    match error.kind() {
        ErrorKind::Os | ErrorKind::Full | ErrorKind::PermissionDenied => true,
        // What cannot be mapped for want of addresses.
        ErrorKind::TooLarge => errno == libc::ENOMEM,
        _ => false,
    }
}
