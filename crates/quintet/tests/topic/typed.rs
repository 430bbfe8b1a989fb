//! Topics of one type, between programs that agree on it and that do not.

use super::{PATIENCE, fails};
use quintet::shm::{Plain, Topic, TypedTopic};
use quintet::{Error, ErrorKind};
use quintet_testkit::{Role, start};

/// What each process that is started here has for itself, as programs have that are built apart: types of the same name.
macro_rules! pose {
    ($module:ident, $align:literal, $of:ty) => {
        mod $module {
            #[derive(Clone, Copy, Debug, PartialEq)]
            #[repr(C, align($align))]
            pub(super) struct Pose(pub(super) $of);
            // SAFETY: numbers that fill it; any bytes are such numbers.
            unsafe impl quintet::shm::Plain for Pose {}
        }
    };
}
pose!(here, 8, [f64; 2]);
pose!(there, 8, [f64; 2]);
pose!(larger, 8, [f64; 3]);
pose!(unaligned, 1, [u8; 16]);
pose!(aligned, 4, [u8; 16]);

#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Speed([f64; 2]);
// SAFETY: two f64.
unsafe impl Plain for Speed {}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Frame([u8; 3000]);
// SAFETY: bytes.
unsafe impl Plain for Frame {}

/// Opens topic `arg(0)` as one of the type that `arg(1)` says: says what comes of it, and copies the next value if that is a
/// `Pose` of ours.
pub(crate) fn opens_typed(p: &mut Role) {
    let name = p.arg(0).to_owned();
    let name = name.as_str();
    let opened = match p.arg(1) {
        "there" => {
            let topic = TypedTopic::<there::Pose>::create_or_open(name).unwrap();
            let mut subscriber = topic.subscriber().unwrap();
            p.say("Ok");
            let sample = subscriber.receive_timeout(PATIENCE).unwrap();
            assert_eq!(sample.get(), there::Pose([1.0, 2.0]));
            p.say("got");
            p.listen();
            return;
        }
        "larger" => kind_of(TypedTopic::<larger::Pose>::open_existing(name)),
        "unaligned" => kind_of(TypedTopic::<unaligned::Pose>::open_existing(name)),
        "aligned" => kind_of(TypedTopic::<aligned::Pose>::open_existing(name)),
        "speed" => kind_of(TypedTopic::<Speed>::open_existing(name)),
        "numbers" => kind_of(TypedTopic::<[f64; 2]>::open_existing(name)),
        "bytes" => kind_of(Topic::open_existing(name)),
        other => panic!("{other}"),
    };
    p.say(&opened);
}

fn kind_of<T>(opened: Result<T, Error>) -> String {
    opened.map_or_else(|error| format!("{:?}", error.kind()), |_| "Ok".into())
}

#[test]
fn programs_that_agree_on_a_type_share_it_and_others_are_refused() {
    let t = start();
    let name = t.name("t");
    let topic = TypedTopic::<here::Pose>::create_new(&*name).unwrap();
    for (other, comes) in [
        ("larger", "Unsupported"),
        ("unaligned", "Unsupported"),
        ("speed", "Unsupported"),
        ("numbers", "Unsupported"),
        ("bytes", "Ok"),
    ] {
        let mut peer = t.spawn("opens_typed", &[&name, other]);
        peer.expect(comes);
        peer.finish();
    }
    let mut peer = t.spawn("opens_typed", &[&name, "there"]);
    peer.expect("Ok");
    let mut publisher = topic.publisher().unwrap();
    publisher.publish(&here::Pose([1.0, 2.0])).unwrap();
    peer.expect("got");
    peer.tell("end");
    peer.finish();
}

#[test]
fn types_that_differ_in_nothing_but_their_alignment_are_two() {
    let t = start();
    let name = t.name("t");
    let _topic = TypedTopic::<unaligned::Pose>::create_new(&*name).unwrap();
    for (other, comes) in [("aligned", "Unsupported"), ("unaligned", "Ok")] {
        let mut peer = t.spawn("opens_typed", &[&name, other]);
        peer.expect(comes);
        peer.finish();
    }
}

#[test]
fn who_opens_one_without_a_type_first_leaves_it_to_the_next() {
    let t = start();
    let name = t.name("t");
    let topic = Topic::create_new(&*name).unwrap();
    let mut peer = t.spawn("opens_typed", &[&name, "there"]);
    peer.expect("Ok");
    fails(TypedTopic::<Speed>::open_existing(&*name), ErrorKind::Unsupported);
    let ours = TypedTopic::<here::Pose>::open_existing(&*name).unwrap();
    // Who does not know the type may publish: bytes that are a value, or not.
    let mut subscriber = ours.subscriber().unwrap();
    let mut publisher = topic.publisher().unwrap();
    publisher.publish("no pose").unwrap();
    fails(subscriber.receive_timeout(PATIENCE), ErrorKind::Corrupt);
    ours.publisher()
        .unwrap()
        .publish(&here::Pose([1.0, 2.0]))
        .unwrap();
    assert_eq!(subscriber.copy().unwrap().0, here::Pose([1.0, 2.0]));
    peer.kill();
}

#[test]
fn one_on_which_anything_was_published_takes_no_type() {
    let t = start();
    let name = t.name("t");
    let topic = Topic::create_new(&*name).unwrap();
    topic.publisher().unwrap().publish("anything").unwrap();
    let refused = TypedTopic::<Speed>::open_existing(&*name);
    assert!(
        refused.as_ref().unwrap_err().to_string().contains("no type"),
        "{refused:?}"
    );
    fails(refused, ErrorKind::Unsupported);
}

#[test]
fn what_values_do_not_fit_into_is_not_made() {
    let t = start();
    let name = t.name("t");
    let builder = || Topic::builder(&*name).unwrap().capacity(4096);
    fails(builder().typed::<Frame>().create_new(), ErrorKind::TooLarge);
    fails(builder().typed::<Frame>().create_or_open(), ErrorKind::TooLarge);
    fails(Topic::open_existing(&*name), ErrorKind::NotFound);
    fails(builder().typed::<Frame>().open_existing(), ErrorKind::NotFound);
    // One that is there and too small is no topic of that type, and does not become one.
    let small = builder().create_new().unwrap();
    fails(builder().typed::<Frame>().create_or_open(), ErrorKind::TooLarge);
    TypedTopic::<Speed>::open_existing(&*name).unwrap();
    drop(small);
    // And one that has more is opened by who would have made it smaller.
    let _large = Topic::builder(&*name)
        .unwrap()
        .capacity(1 << 16)
        .create_new()
        .unwrap();
    builder().typed::<Frame>().create_or_open().unwrap();
}
