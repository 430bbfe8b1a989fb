//! What Quintet's integration tests share.
//!
//! Inter-process communication is tested with real processes here, and the tests run in parallel under the ordinary
//! test harness. The kit gives each of them what that takes:
//!
//! - [`Test`]: names that nobody else has, a watchdog that ends a hang and tells what everybody was doing, and at the
//!   end the certainty that no process and no file is left;
//! - [`Peer`]: another process, which runs a function of the same test file, its [`Role`];
//! - [`Process`]: any other program, such as the `quintet` command;
//! - [`eventually`]: waiting for what will come, without a guess how long that takes.
//!
//! ```no_run
//! use quintet_testkit::Role;
//!
//! quintet_testkit::peers!(echo);
//!
//! fn echo(p: &mut Role) {
//!     p.say("ready");
//!     let text = p.listen();
//!     p.say(format!("{} from {}", text, p.arg(0)));
//! }
//!
//! #[test]
//! fn a_peer_answers() {
//!     let t = quintet_testkit::start();
//!     let mut peer = t.spawn("echo", &["afar"]);
//!     peer.expect("ready");
//!     peer.tell("hello");
//!     peer.expect("hello from afar");
//!     peer.finish();
//! }
//! # fn main() {}
//! ```
//!
//! Two environment variables change how the tests run: `QUINTET_TEST_SLOW=4` makes every deadline four times as long
//! (sanitizers, emulators, a loaded machine), and `QUINTET_TEST_KEEP=1` keeps the files of a test that failed.

mod captured;
mod eventually;
mod leaks;
mod loopback;
mod os;
#[cfg(target_os = "linux")]
mod other_user;
mod peer;
mod peer_process;
mod process;
mod role;
mod settings;
mod started;
mod tag;
mod test;
mod watch_list;
mod watchdog;
mod watched;
mod wire;

pub use eventually::{eventually, eventually_some};
pub use loopback::loopback;
pub use peer::Peer;
#[doc(hidden)]
pub use peer_process::peer_process;
pub use process::Process;
pub use role::Role;
pub use settings::scaled;
pub use started::started;
pub use test::{Test, start, start_with_deadline, wrapped};

/// Makes this test binary able to run as a peer: `peers!(echo, dying_writer);` at the root of the test file, where
/// `echo` and `dying_writer` are functions `fn(&mut Role)`.
///
/// It becomes the test `peer_process`. In a process that [`Test::spawn`] started, that test is the role; in an
/// ordinary run it checks that this binary can be started as a peer at all.
#[macro_export]
macro_rules! peers {
    ($($role:ident),* $(,)?) => {
        #[test]
        fn peer_process() {
            $crate::peer_process(&[$((stringify!($role), $role as fn(&mut $crate::Role))),*]);
        }
    };
}
