//! Where windows are not there yet.

use crate::args::{BroadcastArgs, EndpointArgs, FindArgs, PostArgs, RecvArgs, RepArgs, ReqArgs, SendArgs};
use crate::failure::Failure;

fn absent() -> Result<(), Failure> {
    Err(Failure::Usage(format!(
        "version {} has window:// on Linux only",
        env!("CARGO_PKG_VERSION")
    )))
}

pub(crate) fn send(_: &SendArgs) -> Result<(), Failure> {
    absent()
}

pub(crate) fn req(_: &ReqArgs, _: &EndpointArgs) -> Result<(), Failure> {
    absent()
}

pub(crate) fn recv(_: &RecvArgs) -> Result<(), Failure> {
    absent()
}

pub(crate) fn rep(_: &RepArgs, _: &EndpointArgs) -> Result<(), Failure> {
    absent()
}

pub(crate) fn post(_: &PostArgs) -> Result<(), Failure> {
    absent()
}

pub(crate) fn broadcast(_: &BroadcastArgs) -> Result<(), Failure> {
    absent()
}

pub(crate) fn find(_: &FindArgs) -> Result<(), Failure> {
    absent()
}
