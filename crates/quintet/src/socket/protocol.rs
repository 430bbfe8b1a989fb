//! What the two ends say to each other before the first message: which pattern each of them speaks.

/// Bytes of a handshake, the same in both directions.
pub(super) const HANDSHAKE: usize = 8;

/// One end of a pattern, by its number in the registry of scalability protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Protocol {
    Pair0,
    Pair1,
    Pub,
    Sub,
    Req,
    Rep,
    Push,
    Pull,
}

impl Protocol {
    const ALL: [Protocol; 8] = [
        Protocol::Pair0,
        Protocol::Pair1,
        Protocol::Pub,
        Protocol::Sub,
        Protocol::Req,
        Protocol::Rep,
        Protocol::Push,
        Protocol::Pull,
    ];

    fn number(self) -> u16 {
        match self {
            Protocol::Pair0 => 0x10,
            Protocol::Pair1 => 0x11,
            Protocol::Pub => 0x20,
            Protocol::Sub => 0x21,
            Protocol::Req => 0x30,
            Protocol::Rep => 0x31,
            Protocol::Push => 0x50,
            Protocol::Pull => 0x51,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Protocol::Pair0 => "pair",
            Protocol::Pair1 => "pair (version 1)",
            Protocol::Pub => "pub",
            Protocol::Sub => "sub",
            Protocol::Req => "req",
            Protocol::Rep => "rep",
            Protocol::Push => "push",
            Protocol::Pull => "pull",
        }
    }

    /// Who has to be at the other end.
    pub(super) fn other_end(self) -> Protocol {
        match self {
            Protocol::Pub => Protocol::Sub,
            Protocol::Sub => Protocol::Pub,
            Protocol::Req => Protocol::Rep,
            Protocol::Rep => Protocol::Req,
            Protocol::Push => Protocol::Pull,
            Protocol::Pull => Protocol::Push,
            pair => pair,
        }
    }

    /// Whether messages come to this end at all.
    pub(super) fn receives(self) -> bool {
        !matches!(self, Protocol::Pub | Protocol::Push)
    }

    /// What this end says first.
    pub(super) fn handshake(self) -> [u8; HANDSHAKE] {
        let [high, low] = self.number().to_be_bytes();
        [0, b'S', b'P', 0, high, low, 0, 0]
    }

    /// Reads what the other end said first; what is wrong with it otherwise.
    pub(super) fn check(self, said: &[u8; HANDSHAKE]) -> Result<(), String> {
        let [0, b'S', b'P', 0, high, low, 0, 0] = *said else {
            return Err(format!("it began with {said:02x?}, which is no handshake"));
        };
        let number = u16::from_be_bytes([high, low]);
        if number == self.other_end().number() {
            return Ok(());
        }
        let speaks = Protocol::ALL
            .iter()
            .find(|protocol| protocol.number() == number)
            .map_or_else(
                || format!("protocol {number:#06x}"),
                |protocol| protocol.name().into(),
            );
        Err(format!(
            "it speaks {speaks}, and to {} only {} can",
            self.name(),
            self.other_end().name()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bytes_are_those_of_the_published_mapping() {
        assert_eq!(Protocol::Req.handshake(), [0, 0x53, 0x50, 0, 0, 0x30, 0, 0]);
        assert_eq!(Protocol::Pull.handshake(), [0, 0x53, 0x50, 0, 0, 0x51, 0, 0]);
    }

    #[test]
    fn each_end_accepts_its_other_end_and_nobody_else() {
        for ours in Protocol::ALL {
            for theirs in Protocol::ALL {
                let accepted = ours.check(&theirs.handshake()).is_ok();
                assert_eq!(accepted, theirs == ours.other_end(), "{ours:?} {theirs:?}");
            }
        }
    }

    proptest! {
        /// Any eight bytes, and those that differ from the right ones in a few bits.
        #[test]
        fn only_the_other_ends_handshake_is_one(
            ours in prop::sample::select(Protocol::ALL.to_vec()),
            theirs in prop::sample::select(Protocol::ALL.to_vec()),
            any in any::<[u8; HANDSHAKE]>(),
            flips in prop::collection::vec(0..8 * HANDSHAKE, 0..3),
            is_near in any::<bool>(),
        ) {
            let mut said = if is_near { theirs.handshake() } else { any };
            for bit in flips {
                said[bit / 8] ^= 1 << (bit % 8);
            }
            let is_right = said == ours.other_end().handshake();
            prop_assert_eq!(ours.check(&said).is_ok(), is_right, "{:02x?}", said);
        }
    }

    #[test]
    fn what_is_no_handshake_is_refused_with_a_reason() {
        for (said, why) in [
            (*b"GET / HT", "no handshake"),
            ([0, 0x53, 0x50, 1, 0, 0x30, 0, 0], "no handshake"),
            ([0, 0x53, 0x50, 0, 0, 0x30, 0, 1], "no handshake"),
            (Protocol::Pull.handshake(), "speaks pull"),
            ([0, 0x53, 0x50, 0, 0x12, 0x34, 0, 0], "0x1234"),
        ] {
            let refused = Protocol::Rep.check(&said).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
