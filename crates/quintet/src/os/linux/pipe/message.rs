//! recvmsg(2) as message mode needs it: into parts, with room for two descriptors, and without the sender's address, which
//! costs more than all the rest.

use rustix::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use rustix::io::{Errno, IoSliceMut};
use rustix::net::RecvFlags;
use std::mem::MaybeUninit;

/// A packet as it came.
#[derive(Debug, Default)]
pub(in crate::os::linux) struct Received {
    pub(in crate::os::linux) len: usize,
    /// It was longer than the parts.
    pub(in crate::os::linux) cut: bool,
    /// There were more descriptors than there was room for, here or in this process's table.
    pub(in crate::os::linux) lost: bool,
    pub(in crate::os::linux) fds: Vec<OwnedFd>,
}

/// Room for the offer of a pool: two descriptors and their header. The kernel closes what does not fit.
const CONTROL: usize = 24;

/// Aligned as the kernel lays out what it puts there.
#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; CONTROL]);

pub(in crate::os::linux) fn receive(
    socket: impl AsFd,
    parts: &mut [IoSliceMut<'_>],
    flags: RecvFlags,
) -> rustix::io::Result<Received> {
    let mut control = Control([MaybeUninit::uninit(); CONTROL]);
    // SAFETY: a `msghdr` is plain integers and pointers, for which zeros are valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    // The standard library guarantees that an `IoSliceMut` has the layout of an `iovec`, and rustix's is that type.
    message.msg_iov = parts.as_mut_ptr().cast();
    message.msg_iovlen = parts.len();
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = CONTROL;
    let flags = flags.bits().cast_signed() | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the descriptor is open because it is borrowed. The parts are exclusively borrowed slices and the kernel writes
    // at most their lengths; to the control buffer it writes at most `CONTROL` bytes; no address is asked for. All of
    // them live across the call.
    let len = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &mut message, flags) };
    let Ok(len) = usize::try_from(len) else {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO));
    };
    let mut fds = Vec::new();
    if message.msg_controllen > 0 {
        // SAFETY: `message` is as the call above left it.
        unsafe { take_descriptors(&message, &mut fds) };
    }
    Ok(Received {
        len,
        cut: message.msg_flags & libc::MSG_TRUNC != 0,
        lost: message.msg_flags & libc::MSG_CTRUNC != 0,
        fds,
    })
}

/// # Safety
/// `message` is as recvmsg(2) left it, with its control buffer still there, and its descriptors have not been taken.
unsafe fn take_descriptors(message: &libc::msghdr, fds: &mut Vec<OwnedFd>) {
    // SAFETY: the control buffer is one that the kernel has filled; CMSG_FIRSTHDR and CMSG_NXTHDR give pointers to whole
    // headers in it, or null. It is aligned for them.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            if ((*header).cmsg_level, (*header).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let bytes = ((*header).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                let data: *const libc::c_int = libc::CMSG_DATA(header).cast();
                for index in 0..bytes / size_of::<libc::c_int>() {
                    // The kernel has put `bytes` bytes of descriptors here, installed for us alone.
                    fds.push(OwnedFd::from_raw_fd(data.add(index).read_unaligned()));
                }
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
}
