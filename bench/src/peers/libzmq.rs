//! libzmq, as Debian has it: push and pull.

use super::shared_library::{function, is_missing, load};
use crate::harness::Place;
use crate::row::{Result, Row};
use crate::work::{End, Link, Transport};
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::NonNull;

const NAME: &str = "libzmq";

const FILE: &str = "libzmq.so.5";
const PULL: c_int = 7;
const PUSH: c_int = 8;
/// An option: milliseconds that the end waits for what was sent.
const LINGER: c_int = 17;

pub(super) fn rows() -> Vec<Row> {
    super::socket_rows(NAME, is_missing(FILE), |transport| Zmq { transport })
}

struct Zmq {
    transport: Transport,
}

/// The functions, each as the manual has it.
#[derive(Clone, Copy)]
struct Api {
    ctx_new: unsafe extern "C" fn() -> *mut c_void,
    socket: unsafe extern "C" fn(*mut c_void, c_int) -> *mut c_void,
    setsockopt: unsafe extern "C" fn(*mut c_void, c_int, *const c_void, usize) -> c_int,
    bind: unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int,
    connect: unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int,
    send: unsafe extern "C" fn(*mut c_void, *const c_void, usize, c_int) -> c_int,
    recv: unsafe extern "C" fn(*mut c_void, *mut c_void, usize, c_int) -> c_int,
}

impl Api {
    fn load() -> Result<Self> {
        let library = std::mem::ManuallyDrop::new(load(FILE)?);
        // SAFETY: the types are those of the header zmq.h.
        unsafe {
            Ok(Api {
                ctx_new: function(&library, "zmq_ctx_new")?,
                socket: function(&library, "zmq_socket")?,
                setsockopt: function(&library, "zmq_setsockopt")?,
                bind: function(&library, "zmq_bind")?,
                connect: function(&library, "zmq_connect")?,
                send: function(&library, "zmq_send")?,
                recv: function(&library, "zmq_recv")?,
            })
        }
    }

    fn ends(self) -> Result<ZmqEnd> {
        let none: c_int = 0;
        let make = |context: *mut c_void, kind| -> Result<NonNull<c_void>> {
            // SAFETY: the context is a living one or null, which is refused.
            let socket = unsafe { (self.socket)(context, kind) };
            let socket = NonNull::new(socket).ok_or("zmq_socket failed")?;
            // SAFETY: a living socket; the option is a number of that size, and is read during the call.
            done("zmq_setsockopt", unsafe {
                (self.setsockopt)(
                    socket.as_ptr(),
                    LINGER,
                    (&raw const none).cast(),
                    size_of_val(&none),
                )
            })?;
            Ok(socket)
        };
        // SAFETY: it takes nothing.
        let context = unsafe { (self.ctx_new)() };
        Ok(ZmqEnd {
            api: self,
            to: make(context, PUSH)?,
            from: make(context, PULL)?,
        })
    }
}

fn done(what: &str, code: c_int) -> Result<c_int> {
    match code {
        0.. => Ok(code),
        _ => Err(format!("{what}: {}", std::io::Error::last_os_error()).into()),
    }
}

/// The sockets go with their process.
struct ZmqEnd {
    api: Api,
    to: NonNull<c_void>,
    from: NonNull<c_void>,
}

impl Link for Zmq {
    type End = ZmqEnd;

    fn near(&self, place: &mut Place) -> Result<ZmqEnd> {
        let end = Api::load()?.ends()?;
        for socket in [end.to, end.from] {
            let address = CString::new(place.hear()?)?;
            // SAFETY: a living socket, and a text that ends with NUL.
            done("zmq_connect", unsafe {
                (end.api.connect)(socket.as_ptr(), address.as_ptr())
            })?;
        }
        Ok(end)
    }

    fn far(&self, place: &mut Place) -> Result<ZmqEnd> {
        let end = Api::load()?.ends()?;
        for (socket, name) in [(end.from, "to-far"), (end.to, "to-near")] {
            let text = self.transport.free_address(place, name)?;
            let address = CString::new(&*text)?;
            // SAFETY: a living socket, and a text that ends with NUL.
            done("zmq_bind", unsafe {
                (end.api.bind)(socket.as_ptr(), address.as_ptr())
            })?;
            place.say(&text)?;
        }
        Ok(end)
    }
}

impl End for ZmqEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        // SAFETY: a living socket, used by this thread alone; the bytes are read during the call.
        let sent = unsafe { (self.api.send)(self.to.as_ptr(), data.as_ptr().cast(), data.len(), 0) };
        done("zmq_send", sent).map(drop)
    }

    fn receive(&mut self, buf: &mut Vec<u8>, len: usize) -> Result<()> {
        buf.resize(len, 0);
        // SAFETY: a living socket, used by this thread alone; at most so many bytes are written to the buffer.
        let got = unsafe { (self.api.recv)(self.from.as_ptr(), buf.as_mut_ptr().cast(), len, 0) };
        // What is cut off is counted.
        buf.resize(done("zmq_recv", got)? as usize, 0);
        Ok(())
    }
}
