//! A process that does what it is told, one call after the other, and says how each went.

use crate::help::LONG;
use quintet::sync::{Event, Mutex, MutexGuard, Permit, Reset, Semaphore, Waitable, wait_all};
use quintet::{Deadline, Error, Result};
use quintet_testkit::{Role, Test, started};
use std::mem;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[derive(Default)]
struct Player {
    semaphore: Option<Semaphore>,
    permits: Vec<Permit<'static>>,
    guards: Vec<MutexGuard<'static>>,
    /// It stays for good, so that guards can be kept.
    mutex: Option<&'static Mutex>,
    event: Option<Event>,
    children: Vec<Child>,
}

/// Answers `ok`, or what the call gave, or the kind of its error.
pub(crate) fn player(p: &mut Role) {
    let mut player = Player::default();
    loop {
        let order = p.listen();
        if order == "end" {
            break;
        }
        let words: Vec<&str> = order.split(' ').collect();
        let answer = match player.does(&words) {
            Ok(answer) => answer,
            Err(error) => format!("{:?}", error.kind()),
        };
        p.say(answer);
    }
    drop(player);
    // A mutex stays for good, as far as this process is concerned.
    quintet::cleanup::release_names();
}

/// Does nothing, until its stdin ends.
pub(crate) fn bystander(p: &mut Role) {
    p.listen();
}

/// The word that stands for milliseconds, or nothing for a long time.
fn time(words: &[&str]) -> Deadline {
    match words.get(1) {
        Some(ms) => Duration::from_millis(ms.parse().unwrap()).into(),
        None => LONG.into(),
    }
}

fn or_abandoned(abandoned: bool) -> Result<String> {
    Ok(if abandoned { "abandoned" } else { "ok" }.into())
}

fn made(created: bool) -> Result<String> {
    Ok(if created { "created" } else { "opened" }.into())
}

impl Player {
    fn semaphore(&self) -> &Semaphore {
        self.semaphore.as_ref().unwrap()
    }

    fn event(&self) -> &Event {
        self.event.as_ref().unwrap()
    }

    fn does(&mut self, words: &[&str]) -> Result<String> {
        let ok = Ok("ok".to_string());
        let number = |n: usize| words[n].parse::<u32>().unwrap();
        match words[0] {
            "sem-new" | "sem-make" => {
                let builder = Semaphore::builder(words[1])?
                    .initial(number(2))
                    .maximum(number(3));
                let semaphore = if words[0] == "sem-new" {
                    builder.create_new()?
                } else {
                    builder.create_or_open()?
                };
                made(self.semaphore.insert(semaphore).was_created())
            }
            "sem-open" => made(
                self.semaphore
                    .insert(Semaphore::open_existing(words[1])?)
                    .was_created(),
            ),
            "sem-at" => {
                let semaphore = Semaphore::at(&words[1].parse()?)?.create_or_open()?;
                made(self.semaphore.insert(semaphore).was_created())
            }
            "sem-close" => {
                self.semaphore = None;
                ok
            }
            "count" => self.semaphore().count().map(|count| count.to_string()),
            "maximum" => Ok(self.semaphore().maximum().to_string()),
            "wait" => self.semaphore().wait_timeout(time(words)).and(ok),
            "release" => self
                .semaphore()
                .release(number(1))
                .map(|before| before.to_string()),
            "acquire" => {
                let permit = self.semaphore().acquire_timeout(time(words))?.into_owned();
                let abandoned = permit.was_abandoned();
                self.permits.push(permit);
                or_abandoned(abandoned)
            }
            "give" => self.permits.pop().unwrap().release().and(ok),
            "forget" => self.permits.pop().unwrap().forget().and(ok),
            "leak" => {
                mem::forget(self.semaphore().acquire_timeout(time(words))?);
                ok
            }
            "permit-spawn" => {
                let permit = self.permits.last_mut().unwrap();
                let child = started(|| permit.spawn(&mut child_command()), Error::raw_os_error)?;
                self.children.push(child);
                ok
            }
            "mutex-make" => {
                let mutex = &*Box::leak(Box::new(Mutex::create_or_open(words[1])?));
                made(self.mutex.insert(mutex).was_created())
            }
            "mutex-open" => {
                let mutex = &*Box::leak(Box::new(Mutex::open_existing(words[1])?));
                made(self.mutex.insert(mutex).was_created())
            }
            "lock" => {
                let guard = self.mutex.unwrap().lock_timeout(time(words))?;
                let abandoned = guard.was_abandoned();
                self.guards.push(guard);
                or_abandoned(abandoned)
            }
            "unlock" => self.guards.pop().unwrap().unlock().and(ok),
            "is-locked" => self.mutex.unwrap().is_locked().map(|locked| locked.to_string()),
            "guard-spawn" => {
                let guard = self.guards.last().unwrap();
                let child = started(|| guard.spawn(&mut child_command()), Error::raw_os_error)?;
                self.children.push(child);
                ok
            }
            "event-make" => {
                let event = Event::create_or_open(words[1], words[2].parse::<Reset>()?)?;
                made(self.event.insert(event).was_created())
            }
            "event-open" => made(self.event.insert(Event::open_existing(words[1])?).was_created()),
            "event-close" => {
                self.event = None;
                ok
            }
            "event-wait" => self.event().wait_timeout(time(words)).and(ok),
            "set" => self.event().set().and(ok),
            "reset" => self.event().reset().and(ok),
            "is-set" => self.event().is_set().map(|set| set.to_string()),
            "all" => self.all(words, &number),
            "end-children" => {
                for mut child in self.children.drain(..) {
                    child.kill().unwrap();
                    child.wait().unwrap();
                }
                ok
            }
            unknown => panic!("a player does not know {unknown:?}"),
        }
    }

    /// Takes the mutex and a permit at once, so often; in this order or the other one.
    fn all(&self, words: &[&str], number: &impl Fn(usize) -> u32) -> Result<String> {
        let mutex = Waitable::from(self.mutex.unwrap());
        let permit = Waitable::permit(self.semaphore());
        let items = if words[2] == "forth" {
            [mutex, permit]
        } else {
            [permit, mutex]
        };
        for _ in 0..number(1) {
            drop(wait_all(&items, LONG)?);
        }
        Ok("ok".into())
    }
}

/// A child that lives as long as our stdin has another end, whatever becomes of us; or until it is killed.
fn child_command() -> Command {
    let mut command = Test::deaf_peer_command("bystander");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}
