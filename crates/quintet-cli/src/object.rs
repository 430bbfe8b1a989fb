//! A semaphore, a mutex or an event, by its address and the flags.

use crate::args::{AccessArgs, EventArgs, MakeArgs};
use crate::failure::Failure;
use quintet::sync::{Event, Mutex, Semaphore};
use quintet::{Address, Error, ErrorKind, Result as Quintet, Scheme, named};

/// One of the three, open.
#[derive(Debug)]
pub(crate) enum Object {
    Semaphore(Semaphore),
    Mutex(Mutex),
    Event(Event),
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
            // Refuses an address of anything else.
            _ => open!(Semaphore::at(address)?, opening).map(Object::Semaphore),
        }
    }

    /// Opens the one that has to be there.
    pub(crate) fn existing(address: &Address, access: &AccessArgs) -> Result<Self, Failure> {
        let mut address = address.clone();
        if let Some(access) = access.option() {
            address = address.with_option("access", access);
        }
        Object::open(&address, Opening::OpenExisting).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::Failed(missing(&error, address.clone().without_options())),
            _ => error.into(),
        })
    }

    /// Makes it or opens the one that is there, which has to be what was asked for.
    pub(crate) fn made(address: &Address) -> Result<Self, Failure> {
        let object = Object::open(address, Opening::CreateOrOpen)?;
        let (is, key) = match &object {
            Object::Semaphore(semaphore) => (semaphore.maximum().to_string(), "max"),
            Object::Mutex(_) => return Ok(object),
            Object::Event(event) => (event.reset_kind().to_string(), "reset"),
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

/// Whether an option says what is.
fn same(asked: &str, is: &str) -> bool {
    asked == is || asked.parse::<u32>().is_ok_and(|asked| Ok(asked) == is.parse())
}

fn missing(error: &Error, address: Address) -> String {
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
        const ALL: &[Scheme] = &[Scheme::Sem, Scheme::Mutex, Scheme::Event];
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

    /// Puts those that were given into the addresses whose kind has them; there has to be one.
    pub(crate) fn put_into(&self, addresses: &[Address]) -> Result<Vec<Address>, Failure> {
        for address in addresses {
            // Finds what is wrong with the address as it was given; with the flags in it, it would not be recognised.
            match address.scheme() {
                Scheme::Mutex => drop(Mutex::at(address)?),
                Scheme::Event => drop(Event::at(address)?),
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
                return Err(Failure::Usage(format!("--{key} is for {}", schemes.join(", "))));
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
