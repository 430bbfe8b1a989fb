//! What only Windows has, or can get wrong in a way of its own.

use super::*;
use crate::named::Liveness;
use crate::os::copy;
use crate::os::step::hooks;
use crate::os::windows::sync::event::Event;
use crate::os::windows::sync::mutex::Mutex;
use crate::os::windows::sync::semaphore::Semaphore;
use quintet_testkit::{Test, start};
use std::fs::File;
use std::process::Stdio;
use std::sync::Arc;
use windows_sys::Win32::System::Memory::{MEMORY_BASIC_INFORMATION, SEC_RESERVE, VirtualQuery};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// How large pages are.
const PAGE: usize = 4096;

const PRIVATE: ObjectOptions = ObjectOptions {
    access: Access::CurrentUser,
    persistent: false,
};

/// What a child of these tests is told to do, and with what.
const ACT: &str = "QUINTET_TEST_SHM_ACT";
const WITH: &str = "QUINTET_TEST_SHM_WITH";

fn name(t: &Test, what: &str) -> Name {
    Name::new(t.name(what)).unwrap()
}

fn open(name: &Name, opening: Opening, size: u64, mode: MapMode) -> Result<(Memory, bool)> {
    Memory::open(name, opening, Some(size), mode, &PRIVATE)
}

fn make(name: &Name, size: u64) -> Memory {
    let (memory, made) = open(name, Opening::CreateNew, size, MapMode::ReadWrite).unwrap();
    assert!(made);
    memory
}

fn join(name: &Name) -> Memory {
    let joined = Memory::open(name, Opening::OpenExisting, None, MapMode::ReadWrite, &PRIVATE);
    joined.unwrap().0
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn write(memory: &Memory, at: usize, bytes: &[u8]) {
    assert!(memory.mode().writes() && at + bytes.len() <= memory.len());
    // SAFETY: there are as many bytes, and they can be written.
    unsafe { copy::into(bytes, memory.start().add(at)) };
}

fn read<const N: usize>(memory: &Memory, at: usize) -> [u8; N] {
    assert!(at + N <= memory.len());
    let mut bytes = [0; N];
    // SAFETY: there are as many bytes.
    unsafe { copy::out(memory.start().add(at), &mut bytes) };
    bytes
}

/// As another program makes one.
fn foreign(name: &Name, flags: u32, size: u32) -> OwnedHandle {
    let text = wide(&object::itself(name));
    // SAFETY: the name ends with NUL; no security attributes are allowed; the handle is a new one.
    unsafe {
        call::handle(|| CreateFileMappingW(INVALID_HANDLE_VALUE, ptr::null(), flags, 0, size, text.as_ptr()))
    }
    .unwrap()
}

fn done(name: &Name) -> Arc<Event> {
    let name = Name::new(format!("{name}.done")).unwrap();
    Event::open(&name, Opening::CreateOrOpen, true, false, &PRIVATE)
        .unwrap()
        .0
}

/// This test program, to do `act`.
fn command(act: &str, with: impl fmt::Display) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "os::windows::shm::tests::child", "--nocapture"])
        .env(ACT, act)
        .env(WITH, with.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// What the children do.
#[test]
fn child() {
    let (Ok(act), Ok(with)) = (std::env::var(ACT), std::env::var(WITH)) else {
        return;
    };
    match act.as_str() {
        "answer" => {
            // SAFETY: the parent passed it to us, and it is taken here only.
            let memory = unsafe { Memory::inherited(&with) }.unwrap();
            assert_eq!(&read::<5>(&memory, 0), b"hello");
            write(&memory, PAGE, b"yes");
            // Not for children of its own ...
            let mut other = command("have-it-not", &with).spawn().unwrap();
            assert!(other.wait().unwrap().success());
            // ... unless it passes it on.
            let theirs = memory.for_child().unwrap();
            let mut command = command("have-it", &theirs);
            let mut child = spawn(&mut command, vec![theirs]).unwrap();
            assert!(child.wait().unwrap().success());
        }
        "have-it" => {
            // SAFETY: as above.
            let memory = unsafe { Memory::inherited(&with) }.unwrap();
            assert_eq!(&read::<3>(&memory, PAGE), b"yes");
        }
        "have-it-not" => {
            // SAFETY: it is refused, so nothing is taken from whoever owns it.
            let refused = unsafe { Memory::inherited(&with) };
            assert_eq!(kind(refused), Some(ErrorKind::NotFound));
        }
        "hold" => {
            let name = Name::new(with).unwrap();
            let memory = join(&name);
            write(&memory, 0, b"held");
            done(&name).set().unwrap();
            loop {
                std::thread::park();
            }
        }
        act => panic!("no child can {act}"),
    }
}

#[test]
fn creating_and_opening_are_told_apart() {
    let t = start();
    let name = name(&t, "opening");
    let open = |opening, size| open(&name, opening, size, MapMode::ReadWrite);
    assert_eq!(kind(open(Opening::OpenExisting, 1)), Some(ErrorKind::NotFound));
    let first = make(&name, 5000);
    assert_eq!(first.len(), 2 * PAGE);
    assert_eq!(read(&first, 0), [0; 2 * PAGE]);
    write(&first, 4999, b"x");
    assert_eq!(kind(open(Opening::CreateNew, 1)), Some(ErrorKind::AlreadyExists));
    for opening in [Opening::CreateOrOpen, Opening::OpenExisting] {
        let (again, made) = open(opening, 8192).unwrap();
        assert!(!made && again.has_the_name());
        assert_eq!((again.len(), &read(&again, 4999)), (2 * PAGE, b"x"));
        assert!(again.flush().is_ok());
        let error = open(opening, 8193).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        let text = error.to_string();
        assert!(
            text.contains("it has 8192 bytes, and 8193 were asked for"),
            "{text}"
        );
    }
    drop(first);
    assert_eq!(kind(open(Opening::OpenExisting, 1)), Some(ErrorKind::NotFound));
    assert_eq!(&read(&make(&name, 5000), 4999), &[0]);
    let persistent = ObjectOptions {
        persistent: true,
        ..PRIVATE
    };
    let refused = Memory::open(
        &name,
        Opening::CreateOrOpen,
        Some(1),
        MapMode::ReadWrite,
        &persistent,
    );
    assert_eq!(kind(refused), Some(ErrorKind::Unsupported));
}

#[test]
fn it_ends_with_its_last_holder_however_that_ends() {
    let t = start();
    let name = name(&t, "killed");
    let done = done(&name);
    let first = make(&name, 100);
    let mut child = command("hold", &name).spawn().unwrap();
    done.wait(LONG.into()).unwrap();
    drop(first);
    let there = join(&name);
    assert_eq!(&read(&there, 0), b"held");
    drop(there);
    assert_eq!(stat(&name).unwrap().liveness, Liveness::Live);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(kind(stat(&name)), Some(ErrorKind::NotFound));
    assert_eq!(read(&make(&name, 100), 0), [0; 4]);
}

#[test]
fn a_program_that_is_not_quintet_shares_it() {
    let t = start();
    let name = name(&t, "foreign");
    let theirs = foreign(&name, PAGE_READWRITE, 6000);
    assert_eq!(
        kind(open(&name, Opening::CreateNew, 1, MapMode::ReadWrite)),
        Some(ErrorKind::AlreadyExists)
    );
    let found = stat(&name).unwrap();
    assert_eq!((found.liveness, found.size), (Liveness::Foreign, Some(8192)));
    let ours = join(&name);
    assert_eq!(stat(&name).unwrap().liveness, Liveness::Live);
    let view = View::whole(theirs.as_handle(), MapMode::ReadWrite).unwrap();
    write(&ours, 0, b"to them");
    let mut bytes = [0; 7];
    // SAFETY: there are as many bytes in both.
    unsafe {
        copy::out(view.start(), &mut bytes);
        copy::into(b"to us", view.start());
    }
    assert_eq!((&bytes, &read(&ours, 0)), (b"to them", b"to us"));
    // It is theirs as long as they have it.
    drop(ours);
    assert_eq!(stat(&name).unwrap().liveness, Liveness::Foreign);
    assert_eq!(&read(&join(&name), 0), b"to us");
    drop(theirs);
    assert_eq!(kind(stat(&name)), Some(ErrorKind::NotFound));
    // And the other way round.
    let _ours = make(&name, 6000);
    let text = wide(&object::itself(&name));
    let map = FILE_MAP_READ | FILE_MAP_WRITE;
    // SAFETY: the name ends with NUL; the handle is a new one.
    assert!(unsafe { call::handle(|| OpenFileMappingW(map, 0, text.as_ptr())) }.is_ok());
}

#[test]
fn bytes_that_are_only_reserved_are_not_there_yet() {
    let t = start();
    let name = name(&t, "reserved");
    let _theirs = foreign(&name, PAGE_READWRITE | SEC_RESERVE, 8192);
    for mode in [MapMode::ReadWrite, MapMode::ReadOnly] {
        let refused = open(&name, Opening::CreateOrOpen, 1, mode);
        assert_eq!(kind(refused), Some(ErrorKind::Busy));
    }
}

#[test]
fn another_kind_of_object_has_the_name() {
    let t = start();
    let name = name(&t, "kinds");
    let mutex = Mutex::open(&name, Opening::CreateNew, &PRIVATE).unwrap();
    for opening in [Opening::CreateNew, Opening::CreateOrOpen, Opening::OpenExisting] {
        let refused = open(&name, opening, 1, MapMode::ReadWrite);
        assert_eq!(kind(refused), Some(ErrorKind::AlreadyExists));
    }
    assert_eq!(kind(stat(&name)), Some(ErrorKind::Corrupt));
    drop(mutex);
    let _memory = make(&name, 1);
    let refused = Mutex::open(&name, Opening::CreateOrOpen, &PRIVATE);
    assert_eq!(kind(refused), Some(ErrorKind::AlreadyExists));
}

#[test]
fn more_than_there_is() {
    let t = start();
    let name = name(&t, "more");
    let open = |size| open(&name, Opening::CreateOrOpen, size, MapMode::ReadWrite);
    for size in [u64::MAX, 1 << 63, i64::MAX as u64] {
        assert_eq!(kind(open(size)), Some(ErrorKind::TooLarge));
        assert_eq!(kind(Memory::anonymous(size)), Some(ErrorKind::TooLarge));
    }
    // More than any machine has, and than the files that Wine makes of it can be.
    for size in [1 << 62, 1 << 50] {
        for error in [open(size).err(), Memory::anonymous(size).err()] {
            let error = error.unwrap();
            assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        }
    }
    // What is there is shorter, whatever it is that was asked for.
    let _memory = make(&name, 1);
    let error = open(u64::MAX).unwrap_err();
    assert!(error.to_string().contains("it has 4096 bytes"), "{error}");
}

/// How the system has mapped it.
fn protection(memory: &Memory) -> u32 {
    let mut info = MEMORY_BASIC_INFORMATION::default();
    // SAFETY: it is only asked about the address; at most the size that is told is written to `info`.
    unsafe { VirtualQuery(memory.start().as_ptr().cast(), &mut info, size_of_val(&info)) };
    info.Protect
}

#[test]
fn the_mode_is_the_hardwares_too() {
    let t = start();
    let name = name(&t, "mode");
    let (reader, _) = open(&name, Opening::CreateNew, 100, MapMode::ReadOnly).unwrap();
    assert_eq!(protection(&reader), PAGE_READONLY);
    let writer = join(&name);
    assert_eq!(protection(&writer), PAGE_READWRITE);
    let (copy, _) = open(&name, Opening::OpenExisting, 1, MapMode::CopyOnWrite).unwrap();
    write(&writer, 0, b"shared");
    assert_eq!((&read(&reader, 0), &read(&copy, 0)), (b"shared", b"shared"));
    write(&copy, 0, b"mine  ");
    assert_eq!((&read(&reader, 0), &read(&copy, 0)), (b"shared", b"mine  "));
    assert_eq!(
        (copy.mode(), reader.mode()),
        (MapMode::CopyOnWrite, MapMode::ReadOnly)
    );
}

#[test]
fn a_file_is_mapped_as_long_as_it_is() {
    let t = start();
    let folder = t.temp_dir();
    let path = folder.join("file");
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    let refused = Memory::of_file(&file, MapMode::ReadWrite).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(refused.to_string().contains("the file is empty"), "{refused}");
    file.set_len(5000).unwrap();
    let memory = Memory::of_file(&file, MapMode::ReadWrite).unwrap();
    let copy = Memory::of_file(&file, MapMode::CopyOnWrite).unwrap();
    assert_eq!((memory.len(), copy.len()), (5000, 5000));
    assert_eq!(kind(memory.for_child()), Some(ErrorKind::Unsupported));
    write(&copy, 0, b"mine");
    write(&memory, 4996, b"last");
    drop(file);
    memory.flush().unwrap();
    copy.flush().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(
        (bytes.len(), &bytes[4996..], &bytes[..4]),
        (5000, &b"last"[..], &[0; 4][..])
    );
    drop((memory, copy));

    let file = File::open(&path).unwrap();
    let refused = Memory::of_file(&file, MapMode::ReadWrite);
    assert_eq!(kind(refused), Some(ErrorKind::PermissionDenied));
    for mode in [MapMode::ReadOnly, MapMode::CopyOnWrite] {
        let memory = Memory::of_file(&file, mode).unwrap();
        assert_eq!((memory.len(), &read(&memory, 4996)), (5000, b"last"));
        memory.flush().unwrap();
    }
}

#[test]
fn what_is_no_file_is_not_mapped() {
    use std::os::windows::fs::OpenOptionsExt;
    use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_BACKUP_SEMANTICS;
    let t = start();
    let (pipe, _writer) = std::io::pipe().unwrap();
    let folder = File::options()
        .read(true)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(t.temp_dir())
        .unwrap();
    for file in [File::from(OwnedHandle::from(pipe)), folder] {
        let refused = Memory::of_file(&file, MapMode::ReadOnly).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
    }
}

#[test]
fn a_child_has_what_it_is_given_and_no_other_has() {
    let _t = start();
    let memory = Memory::anonymous(2 * PAGE as u64).unwrap();
    assert_eq!((memory.len(), read(&memory, 0)), (2 * PAGE, [0; 2 * PAGE]));
    write(&memory, 0, b"hello");
    let theirs = memory.for_child().unwrap();
    let number = theirs.to_string();
    let mut other = command("have-it-not", &number).spawn().unwrap();
    let mut child = spawn(&mut command("answer", &number), vec![theirs]).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(other.wait().unwrap().success());
    assert_eq!(&read(&memory, PAGE), b"yes");
    let theirs = memory.for_child().unwrap();
    let failed = spawn(&mut Command::new("quintet-no-such-program"), vec![theirs]);
    assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_handle_that_is_no_such_memory_is_refused() {
    let t = start();
    let path = t.temp_dir().join("file");
    std::fs::write(&path, "bytes").unwrap();
    let file = File::open(&path).unwrap();
    // SAFETY: the file is open; no security attributes and no name are allowed; the handle is a new one.
    let section: OwnedHandle = unsafe {
        call::handle(|| {
            CreateFileMappingW(
                file.as_raw_handle(),
                ptr::null(),
                PAGE_READONLY,
                0,
                0,
                ptr::null(),
            )
        })
    }
    .unwrap();
    let number = |handle: RawHandle| handle.expose_provenance().to_string();
    for number in [
        number(file.as_raw_handle()),
        number(section.as_raw_handle()),
        number(io::stdin().as_raw_handle()),
        // What stands for this process.
        usize::MAX.to_string(),
        // No process has so many.
        "1073741824".into(),
        "0".into(),
        "-1".into(),
        "memory".into(),
        String::new(),
    ] {
        // SAFETY: it is refused, so nothing is taken from whoever owns it.
        let refused = unsafe { Memory::inherited(&number) };
        assert_eq!(kind(refused), Some(ErrorKind::NotFound), "{number}");
    }
}

#[test]
fn what_is_seen_from_outside() {
    let t = start();
    let (ours, theirs, sem) = (name(&t, "ours"), name(&t, "theirs"), name(&t, "sem"));
    assert_eq!(kind(stat(&ours)), Some(ErrorKind::NotFound));
    assert_eq!(kind(remove(&ours)), Some(ErrorKind::NotFound));
    let _memory = make(&ours, 5000);
    let _foreign = foreign(&theirs, PAGE_READWRITE, 1);
    let _semaphore = Semaphore::open(&sem, Opening::CreateNew, 1, 1, &PRIVATE).unwrap();
    let found = stat(&ours).unwrap();
    assert_eq!((found.liveness, found.size), (Liveness::Live, Some(8192)));
    assert_eq!((found.name.as_str(), found.created), (ours.as_str(), None));
    assert_eq!(kind(remove(&ours)), Some(ErrorKind::Unsupported));
    let listed = list().unwrap();
    let find = |name: &Name| listed.iter().find(|found| found.name == name.as_str());
    assert_eq!(find(&ours).unwrap().size, Some(8192));
    assert_eq!(find(&theirs).unwrap().liveness, Liveness::Foreign);
    assert!(find(&sem).is_none());
    // The section that goes with the semaphore is not one for the user.
    assert_eq!(
        listed.iter().filter(|found| found.name.contains(t.tag())).count(),
        2
    );
}

#[test]
fn a_call_that_fails_leaves_nothing() {
    let t = start();
    let name = name(&t, "failing");
    let path = t.temp_dir().join("file");
    std::fs::write(&path, "bytes").unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    // Anything that nothing expects.
    const ERROR_GEN_FAILURE: i32 = 31;
    let operations: [&dyn Fn() -> Result<()>; 4] = [
        &|| open(&name, Opening::CreateNew, 100, MapMode::ReadWrite).map(drop),
        &|| Memory::of_file(&file, MapMode::ReadWrite)?.flush(),
        &|| Memory::anonymous(100)?.for_child().map(drop),
        &|| stat(&name).map(drop),
    ];
    for operation in operations {
        for at in 0.. {
            hooks::fail_at(at, ERROR_GEN_FAILURE);
            let _ = operation();
            let passed = hooks::disarm();
            // Nothing has its name, nor its file, which nobody could empty otherwise.
            assert_eq!(kind(stat(&name)), Some(ErrorKind::NotFound), "{at}");
            file.set_len(0).unwrap();
            file.set_len(5).unwrap();
            if passed <= at {
                break;
            }
        }
    }
}

#[test]
fn the_global_namespace_is_another_one() {
    let t = start();
    let local = name(&t, "scope");
    let _memory = make(&local, 1);
    let global = Name::new(format!(r"Global\{local}")).unwrap();
    match open(&global, Opening::CreateNew, 1, MapMode::ReadWrite) {
        Ok((memory, made)) => {
            assert!(made);
            assert_eq!(stat(&global).unwrap().name, global.as_str());
            drop(memory);
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
    }
}
