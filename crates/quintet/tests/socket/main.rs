//! Sockets, between processes.

#[cfg(target_os = "linux")]
mod crowd;
mod death;
mod endpoints;
mod hostile;
#[cfg(target_os = "linux")]
mod local;
mod many;
mod marks;
mod patterns;
#[cfg(target_os = "linux")]
mod steps;
mod streams;

use quintet::{Address, Error, ErrorKind};
use quintet_testkit::{Test, loopback};
use std::fmt::Debug;
use std::time::Duration;

use death::{answers_half, sends_half};
#[cfg(target_os = "linux")]
use death::{dies_answering, dies_sending, is_server};
use patterns::talks;

#[cfg(target_os = "linux")]
use crowd::{asks_many, is_server_of_many, is_short_of_files};
#[cfg(target_os = "linux")]
use local::{dies_listening, is_peer};
#[cfg(target_os = "linux")]
use steps::dies_at_any_step;
#[cfg(target_os = "linux")]
quintet_testkit::peers!(
    answers_half,
    asks_many,
    dies_answering,
    dies_at_any_step,
    dies_listening,
    dies_sending,
    is_peer,
    is_server,
    is_server_of_many,
    is_short_of_files,
    sends_half,
    talks,
);
#[cfg(windows)]
quintet_testkit::peers!(answers_half, sends_half, talks);

const PATIENCE: Duration = Duration::from_secs(60);

/// A port that the system chooses, at an address that is this call's alone.
fn any_port() -> String {
    format!("tcp://{}:0", loopback())
}

#[track_caller]
fn fails<T: Debug>(result: Result<T, Error>, kind: ErrorKind) -> Error {
    match result {
        Err(error) if error.kind() == kind => error,
        other => panic!("{kind:?} expected, got {other:?}"),
    }
}

/// Where to listen: one address of each kind that there is here.
fn places(t: &Test) -> Vec<Address> {
    let mut places = vec![any_port().parse().unwrap()];
    if cfg!(target_os = "linux") {
        let folder = t.temp_dir();
        let folder = folder.to_str().unwrap();
        for text in [
            format!("unix://{folder}/unix"),
            format!("ipc://{folder}/ipc"),
            format!("unix://@{}", t.name("abstract")),
        ] {
            places.push(text.parse().unwrap());
        }
    } else {
        places.push(format!("ipc://{}/ipc", t.name("folder")).parse().unwrap());
    }
    places
}

/// A message that tells which it is.
fn numbered(number: usize, len: usize) -> Vec<u8> {
    let mut message = number.to_le_bytes().to_vec();
    message.extend((0..len).map(|at| (at * 31 + number) as u8));
    message
}

#[track_caller]
fn number_of(message: &[u8], len: usize) -> usize {
    let number = usize::from_le_bytes(*message.first_chunk().expect("a number"));
    assert!(message == numbered(number, len), "message {number} is damaged");
    number
}
