//! Windows: what `send`, `req`, `recv`, `rep`, `post`, `broadcast` and `find` do with them.

mod ask;
mod broadcast;
mod find;
mod post;
mod serve;

pub(crate) use ask::{req, send};
pub(crate) use broadcast::broadcast;
pub(crate) use find::find;
pub(crate) use post::post;
pub(crate) use serve::{recv, rep};

use crate::args::{MessageArgs, PeerArgs};
use crate::failure::Failure;
use crate::object;
use crate::patience;
use crate::send::convert;
use crate::text::Encoding;
use crate::verbs;
use quintet::window::{self, Access, WindowHandle, WindowSearch};
use quintet::{Address, Deadline};
use std::time::Duration;

/// A window of another process, about to be found.
#[derive(Debug)]
struct Peer {
    /// With all options that it has, by flag or not.
    address: Address,
    deadline: Deadline,
    search: WindowSearch,
}

impl Peer {
    fn at(
        verb: &str,
        address: &Address,
        args: &PeerArgs,
        access: Option<Access>,
        timeout: Option<Duration>,
    ) -> Result<Self, Failure> {
        verbs::check(verb, address)?;
        let address = object::with_flags(address, args.options());
        let address = with_access(&address, access);
        Ok(Peer {
            search: WindowSearch::at(&address)?,
            deadline: timeout.into(),
            address,
        })
    }

    /// One of those that are meant; waits for one if there is a time to wait.
    fn find(&self) -> Result<WindowHandle, Failure> {
        if self.deadline.is_never() {
            return Ok(self.search.find()?);
        }
        let what = || format!("a window as {}", self.address);
        Ok(patience::wait_until_there(
            self.deadline.remaining(),
            what,
            |_| self.search.find(),
        )?)
    }
}

fn with_access(address: &Address, access: Option<Access>) -> Address {
    object::with_flags(address, [("access", access.map(|access| access.to_string()))])
}

/// Which message; `None`: one with data.
fn number(args: &MessageArgs) -> Result<Option<u32>, Failure> {
    Ok(match &args.registered {
        Some(name) => Some(window::register_message(name)?),
        None => args.msg,
    })
}

/// What the library calls it, if it has it.
fn of_library(encoding: Encoding) -> Option<window::Encoding> {
    match encoding {
        Encoding::Utf8 => Some(window::Encoding::Utf8),
        Encoding::Ansi => Some(window::Encoding::Ansi),
        Encoding::Utf16Le => Some(window::Encoding::Utf16),
        Encoding::Gb18030 => None,
    }
}

/// The bytes as they are, or in an encoding and with the NUL that receivers read to.
fn to_data(encoding: Option<Encoding>, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let Some(encoding) = encoding else {
        return Ok(bytes.to_vec());
    };
    let Some(of_library) = of_library(encoding) else {
        let mut data = convert(Some(encoding), bytes)?.into_owned();
        data.push(0);
        return Ok(data);
    };
    // Finds what is no text.
    let text = convert(Some(Encoding::Utf8), bytes)?;
    Ok(of_library.encode(&String::from_utf8_lossy(&text))?)
}

/// The text in the data, up to the first NUL.
fn to_text(encoding: Encoding, data: &[u8]) -> String {
    match of_library(encoding) {
        Some(encoding) => encoding.decode(data),
        None => {
            let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
            encoding.decoder().decode(text, true)
        }
    }
}
