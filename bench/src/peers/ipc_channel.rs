//! The crate `ipc-channel`: its channels of bytes, one a direction.

use crate::harness::Place;
use crate::row::{Result, Row};
use crate::work::{End, Link, MESSAGE, Messages};
use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcSender};

pub(super) fn rows() -> Vec<Row> {
    let messages = Messages {
        link: Channels,
        bytes: MESSAGE,
    };
    let mut rows = super::rows_of("ipc-channel", || Channels);
    rows.push(super::small_messages("ipc-channel", messages));
    rows
}

struct Channels;

struct ChannelsEnd {
    from: IpcBytesReceiver,
    to: IpcBytesSender,
}

impl Link for Channels {
    type End = ChannelsEnd;

    fn near(&self, place: &mut Place) -> Result<ChannelsEnd> {
        let far = IpcSender::<(IpcBytesReceiver, IpcBytesSender)>::connect(place.hear()?)?;
        let (to, far_from) = ipc::bytes_channel()?;
        let (far_to, from) = ipc::bytes_channel()?;
        far.send((far_from, far_to))?;
        Ok(ChannelsEnd { from, to })
    }

    fn far(&self, place: &mut Place) -> Result<ChannelsEnd> {
        let (server, name) = IpcOneShotServer::<(IpcBytesReceiver, IpcBytesSender)>::new()?;
        place.say(&name)?;
        let (_, (from, to)) = server.accept()?;
        Ok(ChannelsEnd { from, to })
    }
}

impl End for ChannelsEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        Ok(self.to.send(data)?)
    }

    /// It always gives a new buffer.
    fn receive(&mut self, buf: &mut Vec<u8>, _: usize) -> Result<()> {
        *buf = self.from.recv()?;
        Ok(())
    }
}
