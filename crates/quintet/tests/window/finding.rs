//! Finding windows.

use super::*;
use quintet::window::WindowSearch;
use quintet_testkit::start;
use std::thread;

/// Has windows of class `arg(1)` and title `arg(0)`, three of them.
pub(crate) fn has_windows(p: &mut Role) {
    let windows: Vec<_> = (0..3)
        .map(|number| {
            let builder = Window::builder(p.arg(0))
                .class(p.arg(1))
                .message_only(number == 2);
            builder.create(move |_| number).unwrap()
        })
        .collect();
    p.say("ready");
    // They can be found whether or not their thread serves.
    p.listen();
    drop(windows);
    p.say("gone");
    p.listen();
}

#[test]
fn windows_are_found_by_whatever_is_known_of_them() {
    let t = start();
    let (title, class) = (format!("{} Title 成功", t.name("w")), t.name("class"));
    let mut peer = t.spawn("has_windows", &[&title, &class]);
    peer.expect("ready");
    let one = WindowHandle::find(None, Some(&title)).unwrap();
    assert_eq!(one.title().unwrap(), title);
    assert_eq!(one.class().unwrap(), class);
    let owner = one.owner().unwrap();
    assert_eq!(owner.pid(), peer.pid());
    WindowHandle::find(Some(&class), Some(&title.to_uppercase())).unwrap();
    WindowHandle::find(Some(&class.to_uppercase()), None).unwrap();
    fails(WindowHandle::find(Some(&title), None), ErrorKind::NotFound);
    fails(
        WindowHandle::find(Some(&class), Some(&class)),
        ErrorKind::NotFound,
    );
    let all = WindowHandle::find_all(Some(&class), None).unwrap();
    assert_eq!(all.len(), 3);
    let top: Vec<_> = WindowSearch::new()
        .title(&title)
        .top_level_only()
        .find_all()
        .unwrap();
    assert_eq!(top.len(), 2);
    for window in &all {
        assert_eq!(window.info().unwrap().message_only, !top.contains(window));
    }
    assert_eq!(
        WindowSearch::new()
            .pid(peer.pid())
            .title(&title)
            .find_all()
            .unwrap()
            .len(),
        3
    );
    fails(
        WindowSearch::new().pid(std::process::id()).title(&title).find(),
        ErrorKind::NotFound,
    );
    // The test's own file, which the peer runs too.
    let exe = std::env::current_exe().unwrap();
    let name = exe.file_name().unwrap().to_str().unwrap();
    assert!(name.len() > 15 || cfg!(windows), "longer than comm: {name}");
    let of = |name: &str| {
        WindowSearch::new()
            .executable(name)
            .title(&title)
            .find_all()
            .unwrap()
    };
    assert_eq!(of(name).len(), 3);
    assert_eq!(of(name.strip_suffix(".exe").unwrap_or(name)).len(), 3);
    assert_eq!(of("another").len(), 0);
    peer.tell("drop");
    peer.expect("gone");
    assert!(WindowHandle::find_all(None, Some(&title)).unwrap().is_empty());
    assert!(all.iter().all(|window| !window.is_alive()));
    peer.tell("end");
    peer.finish();
}

/// "FindWindow … window names … must match exactly": all of it, and of one that has none.
#[test]
fn a_title_and_a_class_are_found_whole_or_not_at_all() {
    let t = start();
    let (title, class) = (
        format!("{} 成功", t.name("w")),
        format!("{} 成功", t.name("class")),
    );
    let window = Window::builder(&title).class(&class).create(|_| 0).unwrap();
    let unnamed = Window::builder("").class(&class).create(|_| 0).unwrap();
    assert_eq!(window.handle().class().unwrap(), class);
    assert_eq!(WindowHandle::find(None, Some(&title)).unwrap(), window.handle());
    assert_eq!(
        WindowHandle::find(Some(&class), Some("")).unwrap(),
        unnamed.handle()
    );
    for whole in [&title, &class] {
        let mut characters = whole.chars();
        characters.next_back();
        for near in [
            characters.as_str().to_string(),
            format!("{whole} "),
            whole[1..].to_string(),
        ] {
            fails(WindowHandle::find(None, Some(&near)), ErrorKind::NotFound);
            fails(WindowHandle::find(Some(&near), None), ErrorKind::NotFound);
        }
    }
}

/// "EnumWindows … is more reliable than calling GetWindow in a loop": windows that come and go meanwhile hide no other one.
#[test]
fn windows_that_come_and_go_hide_no_other() {
    let t = start();
    let (class, title) = (t.name("class"), t.name("w"));
    let (stays, seen) = (Window::builder("stays"), Window::builder("is seen"));
    let top = stays.class(&class).create(|_| 0).unwrap();
    let hidden = seen.class(&class).message_only(true).create(|_| 0).unwrap();
    let looking = thread::spawn({
        let (class, both) = (class.clone(), [top.handle(), hidden.handle()]);
        move || {
            for _ in 0..200 {
                let all = WindowHandle::find_all(Some(&class), None).unwrap();
                assert!(both.iter().all(|window| all.contains(window)), "{both:?} {all:?}");
            }
        }
    });
    while !looking.is_finished() {
        for message_only in [true, false] {
            let builder = Window::builder(&title).message_only(message_only);
            drop(builder.create(|_| 0).unwrap());
        }
    }
    looking.join().unwrap();
}

#[test]
fn a_new_title_is_found_and_the_old_one_is_not() {
    let t = start();
    let (old, new) = (t.name("old"), t.name("new"));
    let window = Window::create(&old, |_| 0).unwrap();
    window.set_title(&new).unwrap();
    fails(WindowHandle::find(None, Some(&old)), ErrorKind::NotFound);
    assert_eq!(WindowHandle::find(None, Some(&new)).unwrap(), window.handle());
    window.set_title("").unwrap();
    assert_eq!(window.handle().title().unwrap(), "");
    fails(window.set_title("a\0b"), ErrorKind::InvalidName);
    let class = |class: &str| Window::builder(&old).class(class).create(|_| 0);
    fails(class(""), ErrorKind::InvalidName);
    fails(class(&"x".repeat(129)), ErrorKind::TooLarge);
    assert_eq!(
        class(&"x".repeat(128)).unwrap().handle().class().unwrap().len(),
        128
    );
}

/// Whoever looks sees one title or the other.
#[test]
fn a_title_is_never_half_another_one() {
    let t = start();
    let tag = t.name("w");
    let titles = [
        format!("{tag}{}", "a".repeat(200)),
        format!("{tag}{}", "b".repeat(100)),
    ];
    let window = Window::create(&titles[0], |_| 0).unwrap();
    let handle = window.handle();
    let looking = thread::spawn({
        let titles = titles.clone();
        move || {
            for _ in 0..2000 {
                let title = handle.title().unwrap();
                assert!(titles.contains(&title), "{title}");
            }
        }
    });
    while !looking.is_finished() {
        for title in &titles {
            window.set_title(title).unwrap();
        }
    }
    looking.join().unwrap();
}
