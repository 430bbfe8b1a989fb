//! To read the newest value by copying it.

use super::newest::Newest;
use super::room::{Boxes, Head};
use crate::os::atomic::{Ordering, fence};
use crate::os::copy;
use crate::{Error, ErrorKind, Result};

/// What was found of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) newest: Newest,
    pub(super) len: usize,
    pub(super) written: u64,
}

/// The error of a value that is not what it should be while nobody writes it.
#[cold]
pub(super) fn overtaken(newest: Newest) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        format!(
            "value {} is said to be in buffer {}, and is not",
            newest.number(),
            newest.buffer()
        ),
    )
}

/// From here on a pin costs less than a copy that was made in vain.
pub(super) const LONG: usize = 32 << 10;

impl Boxes<'_> {
    /// Whether that value is a long one, most probably.
    #[inline(always)]
    pub(super) fn is_long(&self, newest: Newest) -> bool {
        let head = self.heads.get(newest.buffer());
        head.is_some_and(|head| head.len.load(Ordering::Relaxed) >= LONG as u64)
    }

    /// Whether there is such a buffer.
    #[inline(always)]
    pub(super) fn check(&self, newest: Newest) -> Result<()> {
        if newest.buffer() < self.heads.len() {
            Ok(())
        } else {
            Err(overtaken(newest))
        }
    }

    /// What a head says, if it can be.
    #[inline(always)]
    pub(super) fn value(&self, head: &Head, newest: Newest) -> Result<Value> {
        let len = head.len.load(Ordering::Relaxed);
        if len > self.longest as u64 {
            return Err(Error::new(
                ErrorKind::Corrupt,
                format!(
                    "a value says that it has {len} bytes, of at most {}",
                    self.longest
                ),
            ));
        }
        Ok(Value {
            newest,
            len: len as usize,
            written: head.written.load(Ordering::Relaxed),
        })
    }

    /// Copies that value, which was the newest, into `to`, which is empty: `None` if it was overwritten meanwhile.
    #[inline(always)]
    pub(super) fn try_copy(&self, newest: Newest, to: &mut Vec<u8>) -> Result<Option<Value>> {
        self.check(newest)?;
        let head = &self.heads[newest.buffer()];
        if head.number.load(Ordering::Acquire) != newest.number() {
            // Who overwrites it has published another before.
            return match self.newest() == newest {
                true => Err(overtaken(newest)),
                false => Ok(None),
            };
        }
        let value = self.value(head, newest);
        if let Ok(value) = &value {
            copy::append(self.body(newest.buffer()), value.len, to);
        }
        // Whatever we have read of what was written later, we see then that its head was taken back before.
        fence(Ordering::Acquire);
        if head.number.load(Ordering::Relaxed) != newest.number() {
            to.clear();
            return Ok(None);
        }
        value.map(Some)
    }
}
