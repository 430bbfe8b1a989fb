//! The packets of a message-mode pipe (SEQPACKET keeps their boundaries).
//!
//! Every packet is a header of 16 bytes and up to 65,536 bytes of a message; an empty packet could not be told from the
//! end of the connection, so even an empty message has a header. Integers are little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 0–1 | `QP` |
//! | 2 | version of this format: 1 |
//! | 3 | kind: 1 the first packet of a message, 2 a later one |
//! | 4–7 | bytes of the message in this packet |
//! | 8–15 | first: bytes of the whole message; later: bytes of it that came before this packet |
//!
//! A message of up to 65,536 bytes is one packet and so arrives whole or not at all. A longer one is a first packet and
//! later ones in order, with nothing of another message between them; each but the last carries at least one byte.
//! A connection that ends before the last has lost its writer in the middle of the message.
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
    /// The first of a message of `total` bytes.
    First { payload: u32, total: u64 },
    /// A later one, after `before` bytes of the message.
    Later { payload: u32, before: u64 },
}

impl Packet {
    pub(super) fn encode(self) -> [u8; HEADER] {
        let (kind, payload, number) = match self {
            Packet::First { payload, total } => (1, payload, total),
            Packet::Later { payload, before } => (2, payload, before),
        };
        let mut header = [0; HEADER];
        header[..2].copy_from_slice(&MAGIC);
        header[2] = VERSION;
        header[3] = kind;
        header[4..8].copy_from_slice(&payload.to_le_bytes());
        header[8..].copy_from_slice(&number.to_le_bytes());
        header
    }

    /// Reads a header of a packet whose payload was `payload` bytes long; says what is wrong with it otherwise.
    pub(super) fn decode(header: &[u8; HEADER], payload: usize) -> Result<Packet, String> {
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
        let (said, number) = (u32::from_le_bytes([a, b, c, d]), u64::from_le_bytes(number));
        if said as usize != payload || payload > MAX_PAYLOAD {
            return Err(format!("a packet of {payload} bytes that says it has {said}"));
        }
        match kind {
            1 if number < u64::from(said) || (said == 0 && number > 0) => {
                Err(format!("a packet with {said} bytes of a message of {number}"))
            }
            1 => Ok(Packet::First {
                payload: said,
                total: number,
            }),
            2 if said == 0 => Err("a packet that carries nothing on".into()),
            2 => Ok(Packet::Later {
                payload: said,
                before: number,
            }),
            _ => Err(format!("a packet of unknown kind {kind}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_packet() -> impl Strategy<Value = Packet> {
        prop_oneof![
            (1..=MAX_PAYLOAD as u32, any::<u32>()).prop_map(|(payload, more)| Packet::First {
                payload,
                total: u64::from(payload) + u64::from(more),
            }),
            (1..=MAX_PAYLOAD as u32, any::<u64>())
                .prop_map(|(payload, before)| Packet::Later { payload, before }),
            Just(Packet::First { payload: 0, total: 0 }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same(packet in any_packet()) {
            let (Packet::First { payload, .. } | Packet::Later { payload, .. }) = packet;
            prop_assert_eq!(Packet::decode(&packet.encode(), payload as usize), Ok(packet));
            prop_assert!(Packet::decode(&packet.encode(), payload as usize + 1).is_err());
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
                header[3] %= 4;
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
        let header = Packet::First { payload: 5, total: 5 }.encode();
        assert_eq!(header, *b"QP\x01\x01\x05\0\0\0\x05\0\0\0\0\0\0\0");
    }
}
