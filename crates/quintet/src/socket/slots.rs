//! Where a socket's connections are, so that each has a name that is never another's.

use mio::Token;
use std::io;

/// The bits of a token that say which slot; the others say which of its users, as far as there is room for that.
const SLOT: u32 = 24;

/// A connection's name in its socket: its slot, and the how manyeth user of the slot it is. Never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id {
    slot: usize,
    user: u64,
}

impl Id {
    /// What the poll calls it. Where a `usize` has 32 bits, the same comes again with the slot's 256th next user; all that an
    /// event does is to have somebody look.
    fn token(self) -> Token {
        Token(((self.user as usize) << SLOT) | self.slot)
    }
}

#[derive(Debug)]
struct Slot<T> {
    connection: Option<Box<T>>,
    user: u64,
}

/// Connections, by their names.
#[derive(Debug)]
pub(super) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<usize>,
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Slots {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn get(&mut self, id: Id) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.slot).filter(|slot| slot.user == id.user)?;
        slot.connection.as_deref_mut()
    }

    /// Whom the poll means.
    pub(super) fn told(&self, token: Token) -> Option<Id> {
        let slot = token.0 & ((1 << SLOT) - 1);
        let user = self.slots.get(slot)?.user;
        Some(Id { slot, user }).filter(|id| id.token() == token)
    }

    /// Puts in what is made for a token.
    pub(super) fn insert(&mut self, make: impl FnOnce(Token) -> io::Result<T>) -> io::Result<Id> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() >= 1 << SLOT => return Err(io::ErrorKind::OutOfMemory.into()),
            None => {
                self.slots.push(Slot {
                    connection: None,
                    user: 0,
                });
                self.slots.len() - 1
            }
        };
        let id = Id {
            slot,
            user: self.slots[slot].user,
        };
        match make(id.token()) {
            Ok(connection) => self.slots[slot].connection = Some(Box::new(connection)),
            Err(error) => {
                self.free.push(slot);
                return Err(error);
            }
        }
        Ok(id)
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<Box<T>> {
        self.get(id)?;
        let slot = &mut self.slots[id.slot];
        slot.user += 1;
        self.free.push(id.slot);
        slot.connection.take()
    }

    /// All of them. No name that was given means anything any more.
    pub(super) fn remove_all(&mut self) -> Vec<Box<T>> {
        let all = (0..self.slots.len()).filter_map(|slot| {
            let user = self.slots[slot].user;
            self.remove(Id { slot, user })
        });
        all.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_connections_alone_however_often_the_slot_is_used_again() {
        let mut slots = Slots::new();
        let mut earlier = Vec::new();
        for number in 0..1000 {
            let mut token = None;
            let id = slots.insert(|given| {
                token = Some(given);
                Ok(number)
            });
            let (id, token) = (id.unwrap(), token.unwrap());
            assert_eq!(slots.get(id), Some(&mut number.clone()));
            assert_eq!(slots.told(token), Some(id));
            assert!(!earlier.contains(&id));
            for old in &earlier {
                assert_eq!(slots.get(*old), None);
            }
            assert_eq!(slots.remove(id).as_deref(), Some(&number));
            assert_eq!(slots.remove(id), None);
            earlier.push(id);
        }
        // All that in one slot.
        assert_eq!(slots.slots.len(), 1);
    }

    /// More users than the bits of a token count, on any machine.
    #[test]
    fn a_token_may_come_again_and_the_name_does_not() {
        let mut slots = Slots::new();
        let first = slots.insert(|_| Ok(1)).unwrap();
        slots.remove(first);
        slots.slots[0].user = 1 << (usize::BITS - SLOT);
        let later = slots.insert(|_| Ok(2)).unwrap();
        assert_eq!(first.token(), later.token());
        assert_eq!(slots.told(first.token()), Some(later));
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.get(later), Some(&mut 2));
    }

    #[test]
    fn what_could_not_be_made_takes_no_place() {
        let mut slots = Slots::new();
        let failed = slots.insert(|_| Err::<u8, _>(io::ErrorKind::Other.into()));
        assert!(failed.is_err());
        let (one, other) = (slots.insert(|_| Ok(1)).unwrap(), slots.insert(|_| Ok(2)).unwrap());
        assert_eq!(slots.slots.len(), 2);
        assert_eq!(slots.remove_all(), [Box::new(1), Box::new(2)]);
        assert!(slots.get(one).is_none() && slots.get(other).is_none());
    }
}
