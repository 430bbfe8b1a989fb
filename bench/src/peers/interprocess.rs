//! The crate `interprocess`: its local sockets, which are Unix sockets on Linux and named pipes on Windows.
//!
//! They carry bytes; a "message" is so many of them, of a length that both sides know.

use crate::harness::Place;
use crate::row::{Result, Row};
use crate::work::{End, Link};
use interprocess::local_socket::prelude::*;
use interprocess::local_socket::{GenericNamespaced, ListenerOptions, Stream};
use std::io::{Read, Write};

pub(super) fn rows() -> Vec<Row> {
    super::rows_of("interprocess local socket", || LocalSocket)
}

struct LocalSocket;

struct LocalEnd(Stream);

impl Link for LocalSocket {
    type End = LocalEnd;

    fn near(&self, place: &mut Place) -> Result<LocalEnd> {
        let name = place.hear()?.to_ns_name::<GenericNamespaced>()?;
        Ok(LocalEnd(Stream::connect(name)?))
    }

    fn far(&self, place: &mut Place) -> Result<LocalEnd> {
        let name = place.unique_name();
        let listener = ListenerOptions::new()
            .name(name.as_str().to_ns_name::<GenericNamespaced>()?)
            .create_sync()?;
        place.say(&name)?;
        Ok(LocalEnd(listener.accept()?))
    }
}

impl End for LocalEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        Ok(self.0.write_all(data)?)
    }

    fn receive(&mut self, buf: &mut Vec<u8>, len: usize) -> Result<()> {
        buf.resize(len, 0);
        Ok(self.0.read_exact(buf)?)
    }
}
