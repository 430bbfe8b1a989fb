//! What the pages for people say is so: their shell commands print what they say, their links lead somewhere, their
//! translations have the same code. (Their Rust is run as doc tests of the library.)
#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;
mod links;
mod page;
mod script;
mod shell;
mod translations;
