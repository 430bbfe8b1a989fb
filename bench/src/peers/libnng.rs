//! nng, as Debian has it: push and pull.

use super::shared_library::{function, is_missing, load};
use crate::harness::Place;
use crate::row::{Result, Row};
use crate::work::{End, Link, Transport};
use std::ffi::{CString, c_char, c_int, c_void};

const NAME: &str = "nng";

const FILE: &str = "libnng.so.1";

pub(super) fn rows() -> Vec<Row> {
    super::socket_rows(NAME, is_missing(FILE), |transport| Nng { transport })
}

struct Nng {
    transport: Transport,
}

/// `nng_socket`: a structure of one number.
#[repr(C)]
#[derive(Clone, Copy)]
struct Socket {
    id: u32,
}

/// The functions, each as the manual has it.
#[derive(Clone, Copy)]
struct Api {
    push_open: unsafe extern "C" fn(*mut Socket) -> c_int,
    pull_open: unsafe extern "C" fn(*mut Socket) -> c_int,
    setopt_size: unsafe extern "C" fn(Socket, *const c_char, usize) -> c_int,
    listen: unsafe extern "C" fn(Socket, *const c_char, *mut c_void, c_int) -> c_int,
    dial: unsafe extern "C" fn(Socket, *const c_char, *mut c_void, c_int) -> c_int,
    send: unsafe extern "C" fn(Socket, *const c_void, usize, c_int) -> c_int,
    recv: unsafe extern "C" fn(Socket, *mut c_void, *mut usize, c_int) -> c_int,
}

impl Api {
    fn load() -> Result<Self> {
        let library = std::mem::ManuallyDrop::new(load(FILE)?);
        // SAFETY: the types are those of the header nng.h.
        unsafe {
            Ok(Api {
                push_open: function(&library, "nng_push0_open")?,
                pull_open: function(&library, "nng_pull0_open")?,
                setopt_size: function(&library, "nng_socket_set_size")?,
                listen: function(&library, "nng_listen")?,
                dial: function(&library, "nng_dial")?,
                send: function(&library, "nng_send")?,
                recv: function(&library, "nng_recv")?,
            })
        }
    }

    fn ends(self) -> Result<NngEnd> {
        let (mut to, mut from) = (Socket { id: 0 }, Socket { id: 0 });
        // SAFETY: the new sockets are put where we say.
        done("nng_push0_open", unsafe { (self.push_open)(&mut to) })?;
        // SAFETY: as above.
        done("nng_pull0_open", unsafe { (self.pull_open)(&mut from) })?;
        // Without a limit, as there is none to a large message in this library's benchmarks either.
        // SAFETY: a living socket, and a text that ends with NUL.
        done("nng_socket_set_size", unsafe {
            (self.setopt_size)(from, c"recv-size-max".as_ptr(), 0)
        })?;
        Ok(NngEnd { api: self, to, from })
    }
}

fn done(what: &str, code: c_int) -> Result<()> {
    match code {
        0 => Ok(()),
        _ => Err(format!("{what}: error {code}").into()),
    }
}

/// The sockets go with their process.
struct NngEnd {
    api: Api,
    to: Socket,
    from: Socket,
}

impl Link for Nng {
    type End = NngEnd;

    fn near(&self, place: &mut Place) -> Result<NngEnd> {
        let end = Api::load()?.ends()?;
        for socket in [end.to, end.from] {
            let address = CString::new(place.hear()?)?;
            // SAFETY: a living socket, and a text that ends with NUL; the dialer is not asked for.
            done("nng_dial", unsafe {
                (end.api.dial)(socket, address.as_ptr(), std::ptr::null_mut(), 0)
            })?;
        }
        Ok(end)
    }

    fn far(&self, place: &mut Place) -> Result<NngEnd> {
        let end = Api::load()?.ends()?;
        for (socket, name) in [(end.from, "to-far"), (end.to, "to-near")] {
            let text = self.transport.free_address(place, name)?;
            let address = CString::new(&*text)?;
            // SAFETY: a living socket, and a text that ends with NUL; the listener is not asked for.
            done("nng_listen", unsafe {
                (end.api.listen)(socket, address.as_ptr(), std::ptr::null_mut(), 0)
            })?;
            place.say(&text)?;
        }
        Ok(end)
    }
}

impl End for NngEnd {
    fn send(&mut self, data: &[u8]) -> Result<()> {
        // SAFETY: a living socket; the bytes are copied during the call.
        done("nng_send", unsafe {
            (self.api.send)(self.to, data.as_ptr().cast(), data.len(), 0)
        })
    }

    fn receive(&mut self, buf: &mut Vec<u8>, len: usize) -> Result<()> {
        buf.resize(len, 0);
        let mut got = len;
        // SAFETY: a living socket; at most so many bytes are written to the buffer.
        done("nng_recv", unsafe {
            (self.api.recv)(self.from, buf.as_mut_ptr().cast(), &mut got, 0)
        })?;
        buf.resize(got, 0);
        Ok(())
    }
}
