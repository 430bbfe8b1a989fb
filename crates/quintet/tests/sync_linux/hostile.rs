//! Shared memory is untrusted: whatever stands there, an operation ends, with an error at worst.

use crate::help::{Random, SHORT, semaphore};
use crate::raw::{Memory, SIZE, SLOT, SLOTS, WORD};
use quintet::named::NamedKind;
use quintet::sync::{
    Event, Events, Mutex, Mutexes, Reset, Semaphore, Semaphores, Waitable, wait_all, wait_any,
};
use quintet::{Deadline, Error, ErrorKind, Name};
use quintet_testkit::{Role, start, start_with_deadline};
use std::fmt::Debug;
use std::time::Duration;

/// A wait that ends soon.
const SOON: Duration = Duration::from_millis(2);

/// It ended; if in an error, in one that says what is the matter.
#[track_caller]
fn ends<T: Debug>(result: Result<T, Error>) {
    if let Err(error) = result {
        use ErrorKind::{Corrupt, Full, TimedOut};
        assert!([Corrupt, Full, TimedOut].contains(&error.kind()), "{error:?}");
    }
}

fn use_semaphore(semaphore: &Semaphore) {
    ends(semaphore.count());
    ends(semaphore.try_wait());
    ends(semaphore.release(1));
    match semaphore.try_acquire() {
        Ok(Some(permit)) => ends(permit.release()),
        other => ends(other),
    }
    match semaphore.try_acquire() {
        Ok(Some(permit)) => ends(permit.forget()),
        other => ends(other),
    }
    ends(semaphore.wait_timeout(SOON));
    ends(semaphore.acquire_timeout(SOON));
    ends(wait_any(&[Waitable::permit(semaphore)], SOON));
    ends(wait_all(&[Waitable::from(semaphore)], SOON));
}

fn use_mutex(mutex: &Mutex) {
    ends(mutex.is_locked());
    match mutex.try_lock() {
        Ok(Some(guard)) => ends(guard.unlock()),
        other => ends(other),
    }
    ends(mutex.lock_timeout(SOON));
    ends(wait_any(&[mutex.into()], SOON));
    ends(wait_all(&[mutex.into()], SOON));
}

fn use_event(event: &Event) {
    ends(event.is_set());
    ends(event.try_wait());
    ends(event.set());
    ends(event.wait_timeout(SOON));
    ends(event.reset());
    ends(event.wait_timeout(SOON));
    ends(wait_any(&[event.into()], SOON));
    ends(wait_all(&[event.into()], SOON));
}

fn look(kind: &dyn NamedKind, name: &str) {
    if let Ok(entry) = kind.stat(&Name::new(name).unwrap()) {
        let _ = format!("{entry:?}");
    }
}

/// A number of which all sorts of parts are likely: nothing, everything, few bits, any.
fn number(random: &mut Random) -> u64 {
    match random.below(5) {
        0 => 0,
        1 => u64::MAX,
        2 => 1 << random.below(64),
        3 => random.next() & random.next() & random.next(),
        _ => random.next(),
    }
}

/// Fills the state and some of the places with such numbers.
fn fill(memory: &Memory, random: &mut Random) {
    memory.write(WORD, number(random));
    memory.write(WORD + 8, number(random));
    memory.write(56, number(random));
    for slot in (0..6).chain([1021]) {
        for word in 0..5 {
            memory.write(SLOTS + slot * SLOT + word * 8, number(random));
        }
    }
}

#[test]
fn a_semaphore_of_any_contents_comes_to_an_end() {
    let t = start();
    let name = t.name("semaphore");
    let mut random = Random::new(1);
    let semaphore = semaphore(&name, 1, 3);
    let memory = Memory::of("sem", &name);
    for _ in 0..150 {
        fill(&memory, &mut random);
        use_semaphore(&semaphore);
        look(&Semaphores, &name);
    }
}

#[test]
fn a_semaphore_whose_every_change_is_said_to_be_pending_comes_to_an_end() {
    let t = start();
    let name = t.name("pending");
    let semaphore = semaphore(&name, 1, 3);
    let memory = Memory::of("sem", &name);
    for change in 0..8_u64 {
        for slot in [0_u64, 1, 5, 1021, 1022, 1023] {
            for (aux, held) in [(0, 0), (1, 1), (1021, 5), (5000, 0xffff), (u64::MAX, u64::MAX)] {
                memory.write(WORD, 1 | slot << 32 | change << 42 | (held >> 16) << 46);
                for place in [0, 1, 5, 1021] {
                    memory.write(SLOTS + place * SLOT, held);
                    memory.write(SLOTS + place * SLOT + 8, aux);
                }
                ends(semaphore.try_acquire());
                ends(semaphore.try_wait());
                ends(semaphore.release(1));
                look(&Semaphores, &name);
            }
        }
    }
}

#[test]
fn a_mutex_of_any_contents_comes_to_an_end() {
    let t = start();
    let name = t.name("mutex");
    let mut random = Random::new(2);
    let mutex = Mutex::create_new(&name).unwrap();
    let memory = Memory::of("mutex", &name);
    for _ in 0..150 {
        fill(&memory, &mut random);
        use_mutex(&mutex);
        look(&Mutexes, &name);
    }
}

#[test]
fn a_mutex_taken_away_while_it_is_locked_is_an_error_and_can_be_locked_again() {
    let t = start();
    let name = t.name("taken");
    let mutex = Mutex::create_new(&name).unwrap();
    let memory = Memory::of("mutex", &name);
    for owner in [0, 2, 500, 0x7ff] {
        let guard = mutex.lock().unwrap();
        memory.write(WORD, owner);
        let error = guard.unlock().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        memory.write(WORD, 0);
        drop(mutex.try_lock().unwrap().unwrap());
    }
}

#[test]
fn an_event_of_any_contents_comes_to_an_end() {
    let t = start();
    for reset in [Reset::Auto, Reset::Manual] {
        let name = t.name("event");
        let mut random = Random::new(3);
        let event = Event::create_new(&name, reset).unwrap();
        let memory = Memory::of("event", &name);
        for _ in 0..60 {
            fill(&memory, &mut random);
            use_event(&event);
            look(&Events, &name);
        }
    }
}

#[test]
fn opening_what_has_any_contents_behind_its_header_comes_to_an_end() {
    let t = start();
    let name = t.name("opening");
    let mut random = Random::new(4);
    let mut peer = t.spawn("player", &[]);
    crate::help::order(&mut peer, &format!("sem-new {name} 2 2"), "created");
    crate::help::order(&mut peer, &format!("mutex-make {name}"), "created");
    let memories = [Memory::of("sem", &name), Memory::of("mutex", &name)];
    for _ in 0..100 {
        for memory in &memories {
            fill(memory, &mut random);
        }
        match Semaphore::open_existing(&name) {
            Ok(semaphore) => use_semaphore(&semaphore),
            error => ends(error),
        }
        match Mutex::open_existing(&name) {
            Ok(mutex) => ends(mutex.try_lock()),
            error => ends(error),
        }
    }
    drop(memories);
    // Even so the name goes with the last user.
    crate::help::end(peer);
    crate::help::assert_gone(&name);
}

/// Writes anything anywhere into the memory of `arg(1)`, a `arg(0)`, from the byte `arg(2)` on, until it is killed.
pub(crate) fn scribbles(p: &mut Role) {
    let memory = Memory::of(p.arg(0), p.arg(1));
    let from: usize = p.arg(2).parse().unwrap();
    let near = p.arg(3) == "near";
    let mut random = Random::new(5);
    let end = if near { SLOTS + 8 * SLOT } else { SIZE };
    p.say("begins");
    loop {
        let offset = from + 8 * random.below(((end - from) / 8) as u64) as usize;
        memory.write(offset, number(&mut random));
    }
}

#[test]
fn while_another_process_scribbles_all_operations_come_to_an_end() {
    let t = start_with_deadline(Duration::from_secs(120));
    for (from, near) in [("0", "far"), ("64", "near")] {
        let name = t.name("scribbled");
        let semaphore = semaphore(&name, 2, 2);
        let mutex = Mutex::create_new(&name).unwrap();
        let event = Event::create_new(&name, Reset::Auto).unwrap();
        let mut scribblers: Vec<_> = ["sem", "mutex", "event"]
            .iter()
            .map(|kind| t.spawn("scribbles", &[kind, &name, from, near]))
            .collect();
        for scribbler in &mut scribblers {
            scribbler.expect("begins");
        }
        for _ in 0..25 {
            use_semaphore(&semaphore);
            use_mutex(&mutex);
            use_event(&event);
            let items = [Waitable::permit(&semaphore), (&mutex).into(), (&event).into()];
            ends(wait_any(&items, SOON));
            ends(wait_all(&items, SOON));
            ends(wait_all(&items, Deadline::now()));
            look(&Semaphores, &name);
            look(&Mutexes, &name);
            look(&Events, &name);
            // Its header may be anything.
            let _ = Semaphore::open_existing(&name);
            let _ = Event::create_or_open(&name, Reset::Manual);
        }
        for scribbler in &mut scribblers {
            scribbler.kill();
        }
    }
}

#[test]
fn a_semaphore_is_as_good_as_before_when_its_words_are_put_right_again() {
    let t = start();
    let name = t.name("right");
    let semaphore = semaphore(&name, 1, 1);
    let memory = Memory::of("sem", &name);
    memory.write(WORD, 5);
    for result in [
        semaphore.try_wait().map(|_| 0),
        semaphore.count(),
        semaphore.release(1),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(&name), "{error}");
    }
    memory.write(WORD, 1);
    drop(semaphore.acquire_timeout(SHORT).unwrap());
    assert_eq!(semaphore.count().unwrap(), 1);
}
