//! Over a mailbox: what is received is the newest, and what nobody had received before is gone.

use super::settings::Settings;
use super::waiting::{Finding, Presence, Sight, until_somebody};
use crate::shm::{Mailbox, MailboxBuilder, MailboxReader, MailboxWriter};
use crate::{Deadline, Result};

fn find(settings: &Settings) -> Result<impl FnMut() -> Result<Mailbox> + Send + 'static> {
    let mut builder = Mailbox::at(&settings.plain)?;
    if let Some(longest) = settings.max_message
        && settings.address.option("size").is_none()
    {
        builder = builder.size(longest);
    }
    let (make, open) = (MailboxBuilder::create_or_open, MailboxBuilder::open_existing);
    Ok(settings.finder(builder, make, open, Mailbox::size))
}

#[derive(Debug)]
struct Writing {
    writer: MailboxWriter,
    mailbox: Mailbox,
}

#[derive(Debug)]
pub(super) struct MailboxSender {
    end: Finding<Writing>,
}

impl MailboxSender {
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let mut find = find(settings)?;
        // Kept while another one is its writer, so that it does not go with that one.
        let mut kept: Option<Mailbox> = None;
        let find = move || {
            let mailbox = match kept.take() {
                Some(mailbox) => mailbox,
                None => find()?,
            };
            match mailbox.writer() {
                Ok(writer) => Ok(Writing { writer, mailbox }),
                Err(error) => {
                    kept = Some(mailbox);
                    Err(error)
                }
            }
        };
        Ok(MailboxSender {
            end: Finding::when_there(find)?,
        })
    }

    #[inline]
    pub(super) fn send(&mut self, message: &[u8], deadline: Deadline) -> Result<()> {
        self.end.get(deadline)?.writer.write(message).map(drop)
    }

    pub(super) fn wait_for_peer(&mut self, deadline: Deadline) -> Result<()> {
        let end = self.end.get(deadline)?;
        until_somebody(deadline, || end.mailbox.stats().readers > 0)
    }
}

#[derive(Debug)]
struct Reading {
    reader: MailboxReader,
    mailbox: Mailbox,
    presence: Presence,
    lost: u64,
}

#[derive(Debug)]
pub(super) struct MailboxReceiver(Finding<Reading>);

impl MailboxReceiver {
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let mut find = find(settings)?;
        let find = move || {
            let mailbox = find()?;
            Ok(Reading {
                reader: mailbox.reader()?,
                presence: Presence::new(senders(&mailbox)),
                mailbox,
                lost: 0,
            })
        };
        Finding::when_there(find).map(MailboxReceiver)
    }

    #[inline]
    pub(super) fn recv(&mut self, message: &mut Vec<u8>, deadline: Deadline) -> Result<()> {
        let end = self.0.get(deadline)?;
        let before = end.reader.sequence();
        if end.reader.try_next(message)?.is_some() {
            end.presence.saw();
        } else {
            end.presence.wait(
                deadline,
                |slice| end.reader.next_timeout(message, slice).map(drop),
                || senders(&end.mailbox),
            )?;
        }
        // What was there before the first is not missed.
        if before > 0 {
            let skipped = end.reader.sequence().saturating_sub(before).saturating_sub(1);
            end.lost = end.lost.saturating_add(skipped);
        }
        Ok(())
    }

    pub(super) fn wait_for_peer(&mut self, deadline: Deadline) -> Result<()> {
        let end = self.0.get(deadline)?;
        until_somebody(deadline, || senders(&end.mailbox).is_there)
    }

    pub(super) fn lost(&mut self) -> u64 {
        self.0.get(Deadline::now()).map_or(0, |end| end.lost)
    }
}

fn senders(mailbox: &Mailbox) -> Sight {
    let stats = mailbox.stats();
    Sight {
        is_there: stats.has_writer,
        trace: stats.sequence,
    }
}
