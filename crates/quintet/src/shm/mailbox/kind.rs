use super::room::{FIRST_READER, LAYOUT, Room, Shape, WRITER};
use super::stats::MailboxStats;
use crate::named::{Entry, NamedKind};
use crate::os::look;
use crate::os::segment::Look;
use crate::participants;
use crate::{Address, Name, Result, Scheme};

/// Mailboxes as a kind of named object, for [`named::kinds`](crate::named::kinds).
///
/// ```
/// use quintet::named::{Liveness, NamedKind};
/// use quintet::shm::{Mailbox, Mailboxes};
///
/// # let name = format!("mailbox-kind-doc-{}", std::process::id());
/// let mailbox = Mailbox::create_new(&name)?;
/// mailbox.writer()?.write(b"x")?;
/// let entry = Mailboxes.stat(&name.parse()?)?;
/// assert_eq!((entry.liveness, entry.detail("sequence")), (Liveness::Live, Some("1")));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Mailboxes;

impl NamedKind for Mailboxes {
    fn scheme(&self) -> Scheme {
        Scheme::Mailbox
    }

    fn list(&self) -> Result<Vec<Entry>> {
        look::list(&LAYOUT, |name| look::stat(&LAYOUT, name, see))?
            .into_iter()
            .map(|found| Entry::found(Scheme::Mailbox, found))
            .collect()
    }

    fn stat(&self, name: &Name) -> Result<Entry> {
        let address = Address::named(Scheme::Mailbox, name.clone())?;
        look::stat(&LAYOUT, name, see)
            .and_then(|found| Entry::found(Scheme::Mailbox, found))
            .map_err(|error| error.about(address))
    }

    fn remove(&self, name: &Name) -> Result<()> {
        let address = Address::named(Scheme::Mailbox, name.clone())?;
        look::remove(&LAYOUT, name).map_err(|error| error.about(address))
    }
}

fn see(look: &Look) -> Result<(look::Seen, look::Details)> {
    let room = Room::of(look);
    let shape = Shape::of(&room.header, look.size)?;
    let stats = MailboxStats::of(room, shape, |slot| look.is_participant(slot));
    let nothing = |_, _: &_| (0, None);
    let (mut holders, owners, _) =
        participants::see(look, &room.header.high_water, &room.writer, WRITER, nothing);
    let writer = holders.first().map(|writer| writer.pid);
    let (readers, _, waiting) = participants::see(
        look,
        &room.state.readers_high,
        &room.readers,
        FIRST_READER,
        nothing,
    );
    for process in readers {
        if !holders.iter().any(|known| known.pid == process.pid) {
            holders.push(process);
        }
    }
    let age = stats.age.map(|age| format!("{:.3}", age.as_secs_f64()));
    let writer = match (stats.has_writer, writer) {
        (true, Some(pid)) if pid != 0 => pid.to_string(),
        (true, _) => "yes".into(),
        (false, _) => "none".into(),
    };
    let details = vec![
        ("sequence", stats.sequence.to_string()),
        ("length", stats.len.to_string()),
        ("age_s", age.unwrap_or_else(|| "never written".into())),
        ("writer", writer),
        ("readers", stats.readers.to_string()),
        ("read_in_place", stats.in_place.to_string()),
        ("max_in_place", shape.pins.to_string()),
        ("max_value", shape.size.to_string()),
    ];
    Ok(((holders, owners, waiting), details))
}
