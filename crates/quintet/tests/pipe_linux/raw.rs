//! Sockets as a program has them that is not Quintet, and the packets of message mode as the documentation says.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType,
};
use std::env;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

/// Where .NET and Quintet have the pipe of this name.
pub(crate) fn path_of(name: &str) -> PathBuf {
    let folder = env::var_os("TMPDIR").filter(|folder| !folder.is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    folder.join(format!("CoreFxPipe_{name}"))
}

fn socket(kind: SocketType) -> OwnedFd {
    rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap()
}

pub(crate) fn connect(kind: SocketType, name: &str) -> rustix::io::Result<OwnedFd> {
    let socket = socket(kind);
    rustix::net::connect(&socket, &SocketAddrUnix::new(path_of(name).as_path())?)?;
    Ok(socket)
}

/// A bound socket, which does not listen yet.
pub(crate) fn bind(kind: SocketType, path: &Path) -> OwnedFd {
    let socket = socket(kind);
    rustix::net::bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    socket
}

pub(crate) fn listen(kind: SocketType, path: &Path) -> OwnedFd {
    let socket = bind(kind, path);
    rustix::net::listen(&socket, 16).unwrap();
    socket
}

pub(crate) fn accept(listener: &OwnedFd) -> OwnedFd {
    rustix::net::accept_with(listener, SocketFlags::CLOEXEC).unwrap()
}

pub(crate) fn send(socket: impl AsFd, data: &[u8]) -> rustix::io::Result<()> {
    rustix::net::send(socket, data, SendFlags::NOSIGNAL).map(|len| assert_eq!(len, data.len()))
}

/// Sends data with descriptors.
pub(crate) fn send_with(socket: impl AsFd, data: &[u8], fds: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
    rustix::net::sendmsg(socket, &[IoSlice::new(data)], &mut control, SendFlags::NOSIGNAL).unwrap();
}

/// The kinds of packets.
pub(crate) const FIRST: u8 = 1;
pub(crate) const LATER: u8 = 2;
pub(crate) const POOLED_FIRST: u8 = 3;
pub(crate) const POOLED_LATER: u8 = 4;
pub(crate) const POOL: u8 = 5;

/// Where the first slot of a pool begins.
pub(crate) const POOL_BASE: u64 = 2048;

pub(crate) fn header(kind: u8, len: u32, number: u64) -> Vec<u8> {
    let mut header = b"QP\x01".to_vec();
    header.push(kind);
    header.extend(len.to_le_bytes());
    header.extend(number.to_le_bytes());
    header
}

pub(crate) fn packet(kind: u8, part: &[u8], number: u64) -> Vec<u8> {
    let mut packet = header(kind, part.len() as u32, number);
    packet.extend_from_slice(part);
    packet
}

/// A message that is one packet.
pub(crate) fn whole(message: &[u8]) -> Vec<u8> {
    packet(FIRST, message, message.len() as u64)
}
