//! The packets of a message-mode pipe (SEQPACKET keeps their boundaries).
//!
//! Every packet is a header of 16 bytes and up to 65,536 bytes of a message; an empty packet could not be told from the
//! end of the connection, so even an empty message has a header. Integers are little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 0–1 | `QP` |
//! | 2 | version of this format: 1 |
//! | 3 | kind: 1 the first part of a message, 2 a later one; 3, 4 the same, in the pool; 5 offer of a pool |
//! | 4–7 | bytes of this part; 5: bytes of a slot |
//! | 8–15 | 1, 3: bytes of the whole message; 2, 4: bytes of it before this part; 5: number of slots |
//!
//! A message of up to 65,536 bytes is one packet and so arrives whole or not at all. A longer one is a first packet and
//! later ones in order, with nothing of another message between them; each carries at least one byte. A connection that
//! ends before the last has lost its writer in the middle of the message.
//!
//! Descriptors, which an offer carries, are looked for in the first packet of a connection and in the middle of a message,
//! so that the ordinary small message costs no more than a plain call. Elsewhere an offer counts as not accepted.
//!
//! Kinds 3 to 5 are a header alone: `pool.rs` says what they mean. A reader takes parts of a message in packets and in the
//! pool in any mixture.
//!
//! 64 KiB with its header is the most that the kernel takes without needing more than 32 KiB of contiguous memory.

/// Bytes of the header.
pub(super) const HEADER: usize = 16;

/// Most bytes of a message that one packet carries.
pub(super) const MAX_PAYLOAD: usize = 65_536;

const MAGIC: [u8; 2] = *b"QP";
const VERSION: u8 = 1;

/// What a packet says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// The first part of a message of `total` bytes.
    First { payload: u32, total: u64, pooled: bool },
    /// A later part, after `before` bytes of the message.
    Later { payload: u32, before: u64, pooled: bool },
    /// Here is memory for large messages.
    Pool { slot: u32, slots: u32 },
}

impl Packet {
    /// The packet for `len` bytes of a message, after `before` ones.
    pub(super) fn part(len: usize, before: u64, total: u64, pooled: bool) -> Self {
        // Parts are cut to fit packets and slots, which are smaller.
        let payload = len as u32;
        match before {
            0 => Packet::First {
                payload,
                total,
                pooled,
            },
            before => Packet::Later {
                payload,
                before,
                pooled,
            },
        }
    }

    pub(super) fn encode(self) -> [u8; HEADER] {
        let (kind, payload, number) = match self {
            Packet::First {
                payload,
                total,
                pooled,
            } => (if pooled { 3 } else { 1 }, payload, total),
            Packet::Later {
                payload,
                before,
                pooled,
            } => (if pooled { 4 } else { 2 }, payload, before),
            Packet::Pool { slot, slots } => (5, slot, slots.into()),
        };
        let mut header = [0; HEADER];
        header[..2].copy_from_slice(&MAGIC);
        header[2] = VERSION;
        header[3] = kind;
        header[4..8].copy_from_slice(&payload.to_le_bytes());
        header[8..].copy_from_slice(&number.to_le_bytes());
        header
    }

    /// Reads a header of a packet with `carried` bytes after it; says what is wrong with it otherwise.
    pub(super) fn decode(header: &[u8; HEADER], carried: usize) -> Result<Packet, String> {
        let [q, p, version, kind, numbers @ ..] = *header;
        if [q, p] != MAGIC {
            return Err("a packet that is not of Quintet's message mode".into());
        }
        if version != VERSION {
            return Err(format!(
                "a packet of format version {version}; this is version {VERSION}"
            ));
        }
        let [a, b, c, d, number @ ..] = numbers;
        let (payload, number) = (u32::from_le_bytes([a, b, c, d]), u64::from_le_bytes(number));
        let pooled = matches!(kind, 3 | 4);
        let expected = if matches!(kind, 1 | 2) {
            payload as usize
        } else {
            0
        };
        if carried != expected || carried > MAX_PAYLOAD {
            return Err(format!(
                "a packet with {carried} bytes that says it has {expected}"
            ));
        }
        match kind {
            1 | 3 if number < u64::from(payload) || (payload == 0 && (pooled || number > 0)) => {
                Err(format!("a packet with {payload} bytes of a message of {number}"))
            }
            1 | 3 => Ok(Packet::First {
                payload,
                total: number,
                pooled,
            }),
            // A first part of no bytes is a whole message, so nothing can come before byte 0.
            2 | 4 if payload == 0 || number == 0 => Err("a packet that carries nothing on".into()),
            2 | 4 => Ok(Packet::Later {
                payload,
                before: number,
                pooled,
            }),
            5 => match u32::try_from(number) {
                Ok(slots) => Ok(Packet::Pool { slot: payload, slots }),
                Err(_) => Err(format!("an offer of {number} slots")),
            },
            _ => Err(format!("a packet of unknown kind {kind}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_packet() -> impl Strategy<Value = Packet> {
        let payload = 1..=MAX_PAYLOAD as u32;
        prop_oneof![
            (payload.clone(), any::<u32>(), any::<bool>()).prop_map(|(payload, more, pooled)| {
                Packet::First {
                    payload,
                    total: u64::from(payload) + u64::from(more),
                    pooled,
                }
            }),
            (payload, 1..u64::MAX, any::<bool>()).prop_map(|(payload, before, pooled)| Packet::Later {
                payload,
                before,
                pooled
            }),
            Just(Packet::First {
                payload: 0,
                total: 0,
                pooled: false
            }),
            (any::<u32>(), any::<u32>()).prop_map(|(slot, slots)| Packet::Pool { slot, slots }),
        ]
    }

    /// How many bytes follow the header of such a packet.
    fn carried(packet: Packet) -> usize {
        match packet {
            Packet::First {
                payload,
                pooled: false,
                ..
            }
            | Packet::Later {
                payload,
                pooled: false,
                ..
            } => payload as usize,
            _ => 0,
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same(packet in any_packet()) {
            let carried = carried(packet);
            prop_assert_eq!(Packet::decode(&packet.encode(), carried), Ok(packet));
            prop_assert!(Packet::decode(&packet.encode(), carried + 1).is_err());
        }

        #[test]
        fn any_bytes_decode_to_something_valid_or_are_refused(
            header in any::<[u8; HEADER]>(),
            tidy in any::<bool>(),
            payload in 0..=MAX_PAYLOAD + 10,
        ) {
            let mut header = header;
            if tidy {
                header[..3].copy_from_slice(b"QP\x01");
                header[3] %= 7;
                header[4..8].copy_from_slice(&(payload as u32).to_le_bytes());
            }
            if let Ok(packet) = Packet::decode(&header, payload) {
                prop_assert!(payload <= MAX_PAYLOAD);
                prop_assert_eq!(packet.encode(), header);
            }
        }
    }

    #[test]
    fn the_format_is_what_the_documentation_says() {
        let header = Packet::First {
            payload: 5,
            total: 5,
            pooled: false,
        }
        .encode();
        assert_eq!(header, *b"QP\x01\x01\x05\0\0\0\x05\0\0\0\0\0\0\0");
    }
}
