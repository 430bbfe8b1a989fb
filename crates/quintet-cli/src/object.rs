//! A semaphore, a mutex, an event, shared memory or what stands on it, by its address and the flags.

use crate::args::{AccessArgs, EventArgs, MailboxArgs, MakeArgs, QueueArgs, SizeArgs, TopicArgs};
use crate::endpoint;
use crate::failure::Failure;
use quintet::shm::{Mailbox, Queue, SharedMemory, Topic};
use quintet::sync::{Event, Mutex, Semaphore};
use quintet::{Address, Error, ErrorKind, Result as Quintet, Scheme, named};
use std::fmt;

/// One of them, open.
#[derive(Debug)]
pub(crate) enum Object {
    Semaphore(Semaphore),
    Mutex(Mutex),
    Event(Event),
    Memory(#[expect(dead_code, reason = "open, for others to use")] SharedMemory),
    Mailbox(Mailbox),
    Queue(Queue),
    Topic(Topic),
}

/// What to do about one that is there already, or not yet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Opening {
    CreateNew,
    CreateOrOpen,
    OpenExisting,
}

macro_rules! open {
    ($builder:expr, $opening:expr) => {
        match $opening {
            Opening::CreateNew => $builder.create_new(),
            Opening::CreateOrOpen => $builder.create_or_open(),
            Opening::OpenExisting => $builder.open_existing(),
        }
    };
}

impl Object {
    pub(crate) fn open(address: &Address, opening: Opening) -> Quintet<Self> {
        match address.scheme() {
            Scheme::Mutex => open!(Mutex::at(address)?, opening).map(Object::Mutex),
            Scheme::Event => open!(Event::at(address)?, opening).map(Object::Event),
            Scheme::Shm => open!(SharedMemory::at(address)?, opening).map(Object::Memory),
            Scheme::Mailbox => open!(Mailbox::at(address)?, opening).map(Object::Mailbox),
            Scheme::Queue => open!(Queue::at(address)?, opening).map(Object::Queue),
            Scheme::Topic => open!(Topic::at(address)?, opening).map(Object::Topic),
            // Refuses an address of anything else.
            _ => open!(Semaphore::at(address)?, opening).map(Object::Semaphore),
        }
    }

    /// Opens the one that has to be there.
    pub(crate) fn existing(address: &Address, access: &AccessArgs) -> Result<Self, Failure> {
        existing(address, access, |address| {
            Object::open(address, Opening::OpenExisting)
        })
    }

    /// Makes it or opens the one that is there, which has to be what was asked for.
    pub(crate) fn made(address: &Address) -> Result<Self, Failure> {
        let object = Object::open(address, Opening::CreateOrOpen)?;
        let (is, key) = match &object {
            Object::Semaphore(semaphore) => (semaphore.maximum().to_string(), "max"),
            // Memory that is there is as much as was asked for, or was not opened.
            Object::Mutex(_) | Object::Memory(_) => return Ok(object),
            Object::Event(event) => (event.reset_kind().to_string(), "reset"),
            Object::Mailbox(mailbox) => return check_mailbox(mailbox, address).map(|()| object),
            Object::Queue(queue) => return check_queue(queue, address).map(|()| object),
            Object::Topic(topic) => return check_topic(topic, address).map(|()| object),
        };
        match address.option(key) {
            // To go on would be to promise what is not so: at most 3 at a time, say, where there are 5.
            Some(asked) if !same(asked, &is) => Err(Failure::Failed(format!(
                "{}: it is there already, with {key} {is} and not {asked}",
                address.clone().without_options()
            ))),
            _ => Ok(object),
        }
    }
}

/// Refuses a queue that was there with less than an address asks for.
pub(crate) fn check_queue(queue: &Queue, address: &Address) -> Result<(), Failure> {
    let is = [
        ("capacity", queue.capacity()),
        ("producers", queue.max_producers()),
    ];
    check_least(address, &is)
}

/// Refuses a topic that was there with less than an address asks for.
pub(crate) fn check_topic(topic: &Topic, address: &Address) -> Result<(), Failure> {
    let is = [
        ("capacity", topic.capacity()),
        ("publishers", topic.max_publishers()),
    ];
    check_least(address, &is)
}

/// Refuses a mailbox that was there with less than an address asks for.
pub(crate) fn check_mailbox(mailbox: &Mailbox, address: &Address) -> Result<(), Failure> {
    let is = [("size", mailbox.size()), ("in_place", mailbox.max_in_place())];
    check_least(address, &is)
}

/// Refuses what is there with less of something than an address asks for.
fn check_least(address: &Address, is: &[(&str, usize)]) -> Result<(), Failure> {
    for (key, is) in is {
        if let Some(asked) = endpoint::option::<u64>(address, key)
            && asked > *is as u64
        {
            return Err(Failure::Failed(format!(
                "{}: it is there already, with {key} {is} and not {asked}",
                address.clone().without_options()
            )));
        }
    }
    Ok(())
}

/// Whether an option says what is.
fn same(asked: &str, is: &str) -> bool {
    asked == is || asked.parse::<u32>().is_ok_and(|asked| Ok(asked) == is.parse())
}

/// Opens the shared memory that has to be there.
pub(crate) fn memory(address: &Address, access: &AccessArgs) -> Result<SharedMemory, Failure> {
    existing(address, access, |address| {
        SharedMemory::at(address)?.open_existing()
    })
}

/// How many bytes there are from an offset on.
pub(crate) fn room(memory: &SharedMemory, address: &Address, offset: u64) -> Result<u64, Failure> {
    (memory.capacity() as u64)
        .checked_sub(offset)
        .ok_or_else(|| too_long(memory, address, format_args!("bytes"), offset))
}

/// What reaches beyond the end of the memory.
pub(crate) fn too_long(
    memory: &SharedMemory,
    address: &Address,
    what: fmt::Arguments<'_>,
    offset: u64,
) -> Failure {
    Failure::Failed(format!(
        "{}: {what} at offset {offset} reach beyond its capacity of {}",
        address.clone().without_options(),
        memory.capacity()
    ))
}

/// Opens what has to be there.
pub(crate) fn existing<T>(
    address: &Address,
    access: &AccessArgs,
    open: impl FnOnce(&Address) -> Quintet<T>,
) -> Result<T, Failure> {
    let mut address = address.clone();
    if let Some(access) = access.option() {
        address = address.with_option("access", access);
    }
    open(&address).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::Failed(missing(&error, address.clone().without_options())),
        _ => error.into(),
    })
}

fn missing(error: &Error, address: Address) -> String {
    let address = match address.scheme() {
        Scheme::Shm => format!("{address} --size N"),
        _ => address.to_string(),
    };
    let hold = format!("`quintet hold {address}` keeps one while it runs");
    if cfg!(windows) {
        format!("{error}; {hold}")
    } else {
        format!("{error}; `quintet create {address}` makes one that stays, {hold}")
    }
}

/// "taken by" and who that is; `None` if nobody has, or the system does not tell.
pub(crate) fn taken_by(address: &Address) -> Option<String> {
    let entry = named::kind(address.scheme())
        .ok()?
        .stat(address.name().ok()?)
        .ok()?;
    let owners: Vec<String> = entry
        .owners
        .iter()
        .map(|owner| owner.process.to_string())
        .collect();
    (!owners.is_empty()).then(|| format!("taken by {}", owners.join(", ")))
}

/// An option of an address that is also a flag.
struct Flag {
    key: &'static str,
    value: Option<String>,
    schemes: &'static [Scheme],
}

/// How objects are to be made, as flags say it.
pub(crate) struct Flags(Vec<Flag>);

impl Flags {
    pub(crate) fn new(make: &MakeArgs, event: Option<&EventArgs>, persistent: bool) -> Self {
        const SEM: &[Scheme] = &[Scheme::Sem];
        const EVENT: &[Scheme] = &[Scheme::Event];
        const ALL: &[Scheme] = &[
            Scheme::Sem,
            Scheme::Mutex,
            Scheme::Event,
            Scheme::Shm,
            Scheme::Mailbox,
            Scheme::Queue,
            Scheme::Topic,
        ];
        let flag = |key, value, schemes| Flag { key, value, schemes };
        let yes = |given: bool| given.then(|| "true".to_string());
        let reset = event.and_then(|event| event.reset);
        Flags(vec![
            flag("max", make.max.map(|n| n.to_string()), SEM),
            flag("count", make.count.map(|n| n.to_string()), SEM),
            flag("access", make.access.option(), ALL),
            flag("reset", reset.map(|reset| reset.to_string()), EVENT),
            flag("set", yes(event.is_some_and(|event| event.set)), EVENT),
            flag("persistent", yes(persistent), ALL),
        ])
    }

    /// And how large shared memory, or a mailbox's values, are to be.
    pub(crate) fn with_size(mut self, size: &SizeArgs) -> Self {
        self.0.push(Flag {
            key: "size",
            value: size.size.map(|size| size.to_string()),
            schemes: &[Scheme::Shm, Scheme::Mailbox],
        });
        self
    }

    /// And a mailbox.
    pub(crate) fn with_mailbox(mut self, mailbox: &MailboxArgs) -> Self {
        self.0.push(Flag {
            key: "in_place",
            value: mailbox.in_place.map(|n| n.to_string()),
            schemes: &[Scheme::Mailbox],
        });
        self
    }

    /// And a queue; and how much a topic's publishers have.
    pub(crate) fn with_queue(mut self, queue: &QueueArgs) -> Self {
        self.0.push(Flag {
            key: "capacity",
            value: queue.capacity.map(|bytes| bytes.to_string()),
            schemes: &[Scheme::Queue, Scheme::Topic],
        });
        self.0.push(Flag {
            key: "producers",
            value: queue.producers.map(|n| n.to_string()),
            schemes: &[Scheme::Queue],
        });
        self
    }

    /// And a topic.
    pub(crate) fn with_topic(mut self, topic: &TopicArgs) -> Self {
        self.0.push(Flag {
            key: "publishers",
            value: topic.publishers.map(|n| n.to_string()),
            schemes: &[Scheme::Topic],
        });
        self.0.push(Flag {
            key: "subscribe",
            value: topic.subscribe.map(|who| who.to_string()),
            schemes: &[Scheme::Topic],
        });
        self
    }

    /// Puts those that were given into the addresses whose kind has them; there has to be one.
    pub(crate) fn put_into(&self, addresses: &[Address]) -> Result<Vec<Address>, Failure> {
        for address in addresses {
            // Finds what is wrong with the address as it was given; with the flags in it, it would not be recognised.
            match address.scheme() {
                Scheme::Mutex => drop(Mutex::at(address)?),
                Scheme::Event => drop(Event::at(address)?),
                Scheme::Shm => drop(SharedMemory::at(address)?),
                Scheme::Mailbox => drop(Mailbox::at(address)?),
                Scheme::Queue => drop(Queue::at(address)?),
                Scheme::Topic => drop(Topic::at(address)?),
                _ => drop(Semaphore::at(address)?),
            }
        }
        let mut addresses = addresses.to_vec();
        for Flag { key, value, schemes } in &self.0 {
            let Some(value) = value else {
                continue;
            };
            let mut used = false;
            for address in &mut addresses {
                if schemes.contains(&address.scheme()) {
                    *address = address.clone().with_option(*key, value.as_str());
                    used = true;
                }
            }
            if !used {
                let schemes: Vec<String> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
                let flag = key.replace('_', "-");
                return Err(Failure::Usage(format!("--{flag} is for {}", schemes.join(", "))));
            }
        }
        for address in &addresses {
            if address.scheme() == Scheme::Shm && matches!(address.option("size"), None | Some("0")) {
                return Err(Failure::Usage(format!(
                    "{}: it needs a size, of at least 1: --size N",
                    address.clone().without_options()
                )));
            }
        }
        Ok(addresses)
    }

    /// As [`put_into`](Self::put_into), for one.
    pub(crate) fn put_into_one(&self, address: &Address) -> Result<Address, Failure> {
        let mut addresses = self.put_into(std::slice::from_ref(address))?;
        Ok(addresses.remove(0))
    }
}

/// The address with what flags say as its options: those that were given.
pub(crate) fn with_flags<const N: usize>(address: &Address, flags: [(&str, Option<String>); N]) -> Address {
    let given = flags.into_iter().filter_map(|(key, value)| Some((key, value?)));
    given.fold(address.clone(), |address, (key, value)| {
        address.with_option(key, value)
    })
}
