//! Waiting for descriptors together with semaphores, mutexes and events.

use crate::help::{
    LONG, SHORT, assert_fails, semaphore, wait_until_asleep, wait_until_lock_wanted, wait_until_permit_wanted,
};
use quintet::sync::{Event, Events, Mutex, Process, Reset, Waitable, wait_all, wait_any};
use quintet::{Deadline, ErrorKind};
use quintet_testkit::start;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Barrier;
use std::thread;

fn pipes(number: usize) -> Vec<(PipeReader, PipeWriter)> {
    (0..number).map(|_| pipe().unwrap()).collect()
}

#[test]
fn what_can_be_read_is_there_and_stays_there() {
    let t = start();
    let _ = &t;
    let (mut reader, mut writer) = pipe().unwrap();
    assert_fails(
        wait_any(&[Waitable::readable(&reader)], SHORT),
        ErrorKind::TimedOut,
    );
    assert_eq!(
        wait_any(&[Waitable::writable(&writer)], Deadline::now())
            .unwrap()
            .index,
        0
    );
    writer.write_all(b"x").unwrap();
    for _ in 0..3 {
        assert_eq!(
            wait_any(&[Waitable::readable(&reader)], Deadline::NEVER)
                .unwrap()
                .index,
            0
        );
        assert_eq!(
            wait_all(&[Waitable::readable(&reader)], Deadline::now())
                .unwrap()
                .len(),
            1
        );
    }
    reader.read_exact(&mut [0]).unwrap();
    assert_fails(
        wait_any(&[Waitable::readable(&reader)], Deadline::now()),
        ErrorKind::TimedOut,
    );
    // The end counts, and a file is always there.
    drop(writer);
    assert_eq!(wait_any(&[Waitable::readable(&reader)], LONG).unwrap().index, 0);
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    assert_eq!(
        wait_any(&[Waitable::readable(&file)], Deadline::now())
            .unwrap()
            .index,
        0
    );
}

#[test]
fn what_can_be_written_to_is_there_when_there_is_room() {
    let t = start();
    let name = t.name("never");
    let never = semaphore(&name, 0, 1);
    let (mut reader, writer) = pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let mut full = 0;
    while let Ok(len) = rustix::io::write(&writer, &[0; 4096]) {
        full += len;
    }
    let items = [Waitable::from(&never), Waitable::writable(&writer)];
    assert_fails(wait_any(&items, SHORT), ErrorKind::TimedOut);
    thread::scope(|scope| {
        let waits = scope.spawn(|| wait_any(&items, LONG).map(|ready| ready.index));
        wait_until_permit_wanted(&name, 1);
        reader.read_exact(&mut vec![0; full]).unwrap();
        assert_eq!(waits.join().unwrap().unwrap(), 1);
    });
}

#[test]
fn one_asleep_on_everything_is_woken_by_each_again_and_again() {
    let t = start();
    let names = ["sem", "lock", "event"].map(|name| t.name(name));
    let work = semaphore(&names[0], 0, 1);
    let mutex = Mutex::create_new(&names[1]).unwrap();
    let event = Event::create_new(&names[2], Reset::Auto).unwrap();
    let (mut reader, mut writer) = pipe().unwrap();
    let mut peer = t.spawn("bystander", &[]);
    let process = Process::open(peer.pid()).unwrap();
    let mut guard = Some(mutex.lock().unwrap());
    let heard = reader.try_clone().unwrap();
    let items = [
        Waitable::readable(&heard),
        (&work).into(),
        (&process).into(),
        (&event).into(),
        (&mutex).into(),
    ];
    let (ask, asked) = std::sync::mpsc::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        // The same thread each time, with the same helper.
        scope.spawn(move || {
            while asked.recv().is_ok() {
                let ready = wait_any(&items, LONG);
                let index = ready
                    .as_ref()
                    .map(|ready| ready.index)
                    .map_err(|error| error.to_string());
                drop(ready);
                tell.send(index).unwrap();
            }
        });
        for round in 0..24 {
            ask.send(()).unwrap();
            wait_until_asleep(&Events, &names[2], 1);
            match round % 4 {
                0 => {
                    writer.write_all(b"x").unwrap();
                    assert_eq!(told.recv().unwrap(), Ok(0));
                    reader.read_exact(&mut [0]).unwrap();
                }
                1 => {
                    work.release(1).unwrap();
                    assert_eq!(told.recv().unwrap(), Ok(1));
                }
                2 => {
                    event.set().unwrap();
                    assert_eq!(told.recv().unwrap(), Ok(3));
                }
                _ => {
                    drop(guard.take());
                    assert_eq!(told.recv().unwrap(), Ok(4));
                    guard = Some(mutex.lock_timeout(LONG).unwrap());
                }
            }
        }
        ask.send(()).unwrap();
        wait_until_asleep(&Events, &names[2], 1);
        peer.kill();
        assert_eq!(told.recv().unwrap(), Ok(2));
        drop(ask);
    });
}

#[test]
fn a_descriptor_that_another_thread_empties_first_does_not_end_the_wait() {
    let t = start();
    let name = t.name("work");
    let work = semaphore(&name, 0, 1);
    let (reader, mut writer) = pipe().unwrap();
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            // Until it is the semaphore, and not the pipe that somebody else reads from.
            let items = [Waitable::readable(&reader), (&work).into()];
            let mut rings = 0;
            while wait_any(&items, LONG).unwrap().index == 0 {
                rings += 1;
                let _ = rustix::io::read(&reader, &mut [0; 8]);
            }
            rings
        });
        for _ in 0..50 {
            writer.write_all(b"x").unwrap();
            let _ = rustix::io::read(&reader, &mut [0; 8]);
        }
        work.release(1).unwrap();
        waits.join().unwrap();
    });
    // Whatever it heard, it hears the next one too.
    let items = [Waitable::from(&work), Waitable::readable(&reader)];
    thread::scope(|scope| {
        let waits = scope.spawn(|| wait_any(&items, LONG).map(|ready| ready.index));
        wait_until_permit_wanted(&name, 1);
        writer.write_all(b"x").unwrap();
        assert_eq!(waits.join().unwrap().unwrap(), 1);
    });
}

#[test]
fn many_threads_wait_for_descriptors_and_semaphores_at_once() {
    const THREADS: usize = 8;
    let t = start();
    let all_asleep = Barrier::new(THREADS + 1);
    let name = t.name("never");
    let never = semaphore(&name, 0, 1);
    let mut pipes = pipes(THREADS);
    let (readers, mut writers): (Vec<_>, Vec<_>) = pipes.drain(..).unzip();
    thread::scope(|scope| {
        for mut reader in readers {
            let (never, all_asleep) = (&never, &all_asleep);
            scope.spawn(move || {
                for _ in 0..5 {
                    all_asleep.wait();
                    let items = [never.into(), Waitable::readable(&reader)];
                    let index = wait_any(&items, LONG).map(|ready| ready.index).unwrap();
                    assert_eq!(index, 1);
                    reader.read_exact(&mut [0]).unwrap();
                }
            });
        }
        for _ in 0..5 {
            all_asleep.wait();
            wait_until_permit_wanted(&name, THREADS);
            for writer in &mut writers {
                writer.write_all(b"x").unwrap();
            }
        }
    });
    assert_eq!(never.count().unwrap(), 0);
}

#[test]
fn of_sixty_four_half_may_be_descriptors() {
    let t = start();
    let pipes = pipes(32);
    let semaphores: Vec<_> = (0..32).map(|_| semaphore(&t.name("many"), 0, 1)).collect();
    let mut items = Vec::new();
    for ((reader, _), semaphore) in pipes.iter().zip(&semaphores) {
        items.push(Waitable::readable(reader));
        items.push(semaphore.into());
    }
    let last = semaphores[31].address().name().unwrap().to_string();
    for (wakes, index) in [(false, 62), (true, 63)] {
        thread::scope(|scope| {
            let waits = scope.spawn(|| wait_any(&items, LONG).map(|ready| ready.index));
            wait_until_permit_wanted(&last, 1);
            if wakes {
                semaphores[31].release(1).unwrap();
            } else {
                (&pipes[31].1).write_all(b"x").unwrap();
            }
            assert_eq!(waits.join().unwrap().unwrap(), index);
        });
        if !wakes {
            (&pipes[31].0).read_exact(&mut [0]).unwrap();
        }
    }
}

#[test]
fn all_of_a_descriptor_and_a_mutex_and_a_permit() {
    let t = start();
    let (name, lock) = (t.name("sem"), t.name("lock"));
    let slots = semaphore(&name, 1, 1);
    let mutex = Mutex::create_new(&lock).unwrap();
    let (mut reader, mut writer) = pipe().unwrap();
    let heard = reader.try_clone().unwrap();
    let items = [
        (&mutex).into(),
        Waitable::permit(&slots),
        Waitable::readable(&heard),
    ];
    for round in 0..6 {
        assert_fails(wait_all(&items, SHORT), ErrorKind::TimedOut);
        assert!(!mutex.is_locked().unwrap());
        assert_eq!(slots.count().unwrap(), 1);
        let held = (round % 2 == 0).then(|| slots.acquire().unwrap());
        let guard = (round % 3 == 0).then(|| mutex.lock().unwrap());
        thread::scope(|scope| {
            let waits = scope.spawn(|| wait_all(&items, LONG).map(|taken| taken.len()));
            writer.write_all(b"x").unwrap();
            // It sleeps on whichever is missing.
            if let Some(held) = held {
                if guard.is_none() {
                    wait_until_permit_wanted(&name, 1);
                }
                drop(held);
            }
            if let Some(guard) = guard {
                wait_until_lock_wanted(&lock, 1);
                drop(guard);
            }
            assert_eq!(waits.join().unwrap().unwrap(), 3);
        });
        reader.read_exact(&mut [0]).unwrap();
    }
}

#[test]
fn a_process_is_a_descriptor_that_others_can_poll() {
    let t = start();
    let mut peer = t.spawn("bystander", &[]);
    let process = Process::open(peer.pid()).unwrap();
    let copy: OwnedFd = process.as_fd().try_clone_to_owned().unwrap();
    assert_fails(wait_any(&[Waitable::readable(&copy)], SHORT), ErrorKind::TimedOut);
    peer.kill();
    assert_eq!(wait_any(&[Waitable::readable(&copy)], LONG).unwrap().index, 0);
}

#[test]
fn a_thread_s_number_is_no_process() {
    let t = start();
    let _ = &t;
    let (say, heard) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        // SAFETY: it takes no arguments and cannot fail.
        say.send(unsafe { libc::gettid() }).unwrap();
        let _ = ended.recv();
    });
    let number = heard.recv().unwrap().unsigned_abs();
    assert_fails(Process::open(number), ErrorKind::NotFound);
    drop(end);
    thread.join().unwrap();
}
