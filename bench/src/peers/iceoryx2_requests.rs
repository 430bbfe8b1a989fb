//! The crate `iceoryx2`: a request-response service. Both sides look again and again.

use super::iceoryx2::node;
use crate::harness::Place;
use crate::row::{Asleep, Batch, Group, Measure, Result, Row, Work};
use iceoryx2::node::Node;
use iceoryx2::prelude::ipc;
use std::time::{Duration, Instant};

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new(
            Group::Peer,
            "iceoryx2, request and response, awake",
            Measure::RoundTrip,
            Requests,
        )
        .asleep(Asleep::Nobody)
        .against("cache line, fixed, there and back"),
    ]
}

/// What a plain window message carries, and its result.
type Request = [u64; 3];
type Response = u64;

type Service =
    iceoryx2::service::port_factory::request_response::PortFactory<ipc::Service, Request, (), Response, ()>;

fn service(node: &Node<ipc::Service>, name: &str) -> Result<Service> {
    Ok(node
        .service_builder(&name.try_into()?)
        .request_response::<Request, Response>()
        .open_or_create()?)
}

struct Requests;

impl Work for Requests {
    fn near(&self, place: &mut Place) -> Result<Batch> {
        let name = place.hear()?;
        let node = node(place, &name)?;
        let client = service(&node, &name)?.client_builder().create()?;
        let ask = move |number: u64| -> Result<()> {
            let _open = &node;
            let pending = client.loan_uninit()?.write_payload([1, number, 2]).send()?;
            loop {
                if let Some(response) = pending.receive()? {
                    return match *response == number + 1 {
                        true => Ok(()),
                        false => Err(format!("{number} got {}", *response).into()),
                    };
                }
                std::hint::spin_loop();
            }
        };
        Ok(Box::new(move |count| {
            // One that is not counted: far is there then.
            ask(0)?;
            let start = Instant::now();
            for number in 0..count {
                ask(number)?;
            }
            Ok(start.elapsed())
        }))
    }

    fn far(&self, place: &mut Place) -> Result<Batch> {
        let name = place.unique_name();
        let node = node(place, &name)?;
        let server = service(&node, &name)?.server_builder().create()?;
        place.say(&name)?;
        Ok(Box::new(move |count| {
            let _open = &node;
            let mut answered = 0;
            while answered <= count {
                match server.receive()? {
                    Some(request) => {
                        let number = request[1];
                        request.loan_uninit()?.write_payload(number + 1).send()?;
                        answered += 1;
                    }
                    None => std::hint::spin_loop(),
                }
            }
            Ok(Duration::ZERO)
        }))
    }
}
