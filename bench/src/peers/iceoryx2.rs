//! The crate `iceoryx2`: two of its publish-subscribe services, one a direction, used by copying in and out, and in place. A subscriber looks again and again; to
//! sleep, there is an event beside each of them.

use crate::floors::{LINE_THERE, NAP};
use crate::harness::Place;
use crate::row::{Asleep, Group, Measure, Result, Row};
use crate::work::{End, Exchange, Idle, InPlace, Link, MESSAGE, Messages, RoundTrip};
use iceoryx2::node::{Node, NodeBuilder};
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{
    BackpressureStrategy, Config, FileName, LogLevel, Path, SemanticString, SignalHandlingMode, ipc,
    set_log_level,
};

pub(super) fn rows() -> Vec<Row> {
    let small = |events| Services {
        bytes: MESSAGE,
        buffer: 512,
        events,
    };
    let one_way = RoundTrip {
        link: small(false),
        bytes: MESSAGE,
        idle: None,
    };
    let asleep = RoundTrip {
        link: small(true),
        bytes: MESSAGE,
        idle: Some(Idle::Both(NAP)),
    };
    let messages = Messages {
        link: small(false),
        bytes: MESSAGE,
    };
    let bytes = 1 << 20;
    let megabytes = Messages {
        link: Services {
            bytes,
            buffer: 4,
            events: false,
        },
        bytes,
    };
    let row = |what, measure, work| Row::new(Group::Peer, format!("iceoryx2, {what}"), measure, work);
    let in_place = |bytes, size, touched: bool| {
        let link = Services {
            bytes,
            buffer: 2,
            events: false,
        };
        let how = if touched { "touched" } else { "untouched" };
        let work = Exchange { link, bytes, touched };
        let name = format!("iceoryx2, one way {size}, in place, {how}");
        Row::new(Group::Peer, name, Measure::OneWay, work).against(LINE_THERE)
    };
    let sizes = [(MESSAGE, "64 B"), (1 << 20, "1 MiB"), (64 << 20, "64 MiB")];
    let in_place = sizes
        .into_iter()
        .flat_map(|(bytes, size)| [false, true].map(|touched| in_place(bytes, size, touched)));
    let copied = [
        row("one way 64 B, awake", Measure::OneWay, one_way)
            .asleep(Asleep::Nobody)
            .against(LINE_THERE),
        Row::new(
            Group::Peer,
            "iceoryx2 and its events, round trip 64 B, asleep",
            Measure::RoundTrip,
            asleep,
        )
        .asleep(Asleep::Both)
        .against("futex round trip, both 120 µs idle"),
        super::small_messages("iceoryx2", messages),
        Row::new(
            Group::Peer,
            "iceoryx2, messages of 1 MiB",
            Measure::Throughput { bytes: bytes as u64 },
            megabytes,
        )
        .against("memcpy 1 MiB, two processes"),
    ];
    copied.into_iter().chain(in_place).collect()
}

struct Services {
    /// The longest message.
    bytes: usize,
    /// How many of them there may be that were not received yet.
    buffer: usize,
    events: bool,
}

pub(super) fn node(place: &Place, name: &str) -> Result<Node<ipc::Service>> {
    let mut config = Config::default();
    // Its files are in our folder, but for the memory itself, some of which it never removes.
    let folder = place.folder().as_os_str().as_encoded_bytes();
    config.global.set_root_path(&Path::new(folder)?);
    config.global.prefix = FileName::new(format!("{name}-iceoryx2-").as_bytes())?;
    // It warns of the files that are gone if the other side has ended first; and what fails it says besides.
    set_log_level(LogLevel::Fatal);
    Ok(NodeBuilder::new()
        .config(&config)
        .signal_handling_mode(SignalHandlingMode::Disabled)
        .create::<ipc::Service>()?)
}

impl Services {
    fn open(&self, place: &Place, name: &str, far: bool) -> Result<ServicesEnd> {
        let node = node(place, name)?;
        let (to, from) = match far {
            true => ("near", "far"),
            false => ("far", "near"),
        };
        let service = |direction: &str| {
            let name = format!("{name}-to-{direction}");
            let messages = node
                .service_builder(&name.as_str().try_into()?)
                .publish_subscribe::<[u8]>()
                .enable_safe_overflow(false)
                .history_size(0)
                .subscriber_max_buffer_size(self.buffer)
                .subscriber_max_borrowed_samples(1)
                .max_publishers(1)
                .max_subscribers(1)
                .open_or_create()?;
            let events = match self.events {
                true => Some(
                    node.service_builder(&name.as_str().try_into()?)
                        .event()
                        .open_or_create()?,
                ),
                false => None,
            };
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((messages, events))
        };
        let ((to, to_wake), (from, from_wake)) = (service(to)?, service(from)?);
        let wake = match to_wake.zip(from_wake) {
            Some((to, from)) => Some(Wake {
                to: to.notifier_builder().create()?,
                from: from.listener_builder().create()?,
            }),
            None => None,
        };
        Ok(ServicesEnd {
            to: to
                .publisher_builder()
                .initial_max_slice_len(self.bytes)
                .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
                .create()?,
            from: from.subscriber_builder().create()?,
            wake,
            _node: node,
        })
    }
}

impl Link for Services {
    type End = ServicesEnd;

    fn near(&self, place: &mut Place) -> Result<ServicesEnd> {
        let name = place.hear()?;
        self.open(place, &name, false)
    }

    fn far(&self, place: &mut Place) -> Result<ServicesEnd> {
        let name = place.unique_name();
        let end = self.open(place, &name, true)?;
        place.say(&name)?;
        Ok(end)
    }
}

struct ServicesEnd {
    to: Publisher<ipc::Service, [u8], ()>,
    from: Subscriber<ipc::Service, [u8], ()>,
    wake: Option<Wake>,
    _node: Node<ipc::Service>,
}

struct Wake {
    to: Notifier<ipc::Service>,
    from: Listener<ipc::Service>,
}

impl InPlace for ServicesEnd {
    fn send_in_place(&mut self, len: usize, write: impl FnOnce(&mut [u8])) -> Result<()> {
        let loan = self.to.loan_slice_uninit(len)?;
        // SAFETY: any bytes are bytes, and there are some: the memory was given by the system, which clears it.
        let mut loan = unsafe { loan.assume_init() };
        write(loan.payload_mut());
        loan.send()?;
        Ok(())
    }

    fn receive_in_place(&mut self, mut read: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        loop {
            if let Some(sample) = self.from.receive()? {
                return read(sample.payload());
            }
            std::hint::spin_loop();
        }
    }
}

impl End for ServicesEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        self.to
            .loan_slice_uninit(data.len())?
            .write_from_slice(data)
            .send()?;
        if let Some(wake) = &self.wake {
            wake.to.notify()?;
        }
        Ok(())
    }

    fn receive(&mut self, buf: &mut Vec<u8>, _: usize) -> Result<()> {
        loop {
            if let Some(sample) = self.from.receive()? {
                buf.clear();
                buf.extend_from_slice(sample.payload());
                return Ok(());
            }
            match &self.wake {
                Some(wake) => {
                    wake.from.blocking_wait(|_| {})?;
                }
                None => std::hint::spin_loop(),
            }
        }
    }
}
