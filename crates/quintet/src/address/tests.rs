use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Address {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn each_form_of_the_table_parses_and_prints_as_written() {
    for text in [
        "pipe://TestPipe",
        "pipe://TestPipe?mode=message&max_instances=4",
        r"shm://Global\frame",
        "queue://jobs?capacity=64",
        "window://成功",
        "window://?class=C&process=P",
        "window://",
        "sem://s",
        "tcp://localhost:5555",
        "tcp://[::1]:0",
        "tcp://*:5555",
        "tls+tcp://example.org:443",
        "unix:///run/x.sock",
        "unix://@abstract",
        "ipc:///tmp/x",
        "ipc://name",
        "fifo:///tmp/f",
    ] {
        assert_eq!(parse(text).to_string(), text);
    }
}

#[test]
fn what_a_url_cannot_carry_is_percent_encoded() {
    let address = parse("window://My%20%E7%AA%97%3f?class=a%26b");
    assert_eq!(address.target(), &Target::Window(Some("My 窗?".into())));
    assert_eq!(address.option("class"), Some("a&b"));
    assert_eq!(address.to_string(), "window://My%20窗%3F?class=a%26b");
}

#[test]
fn bad_addresses_say_what_is_wrong() {
    for (text, says) in [
        ("TestPipe", "has no scheme"),
        ("", "has no scheme"),
        ("pip://x", "did you mean pipe://"),
        ("pipe://", "is empty"),
        ("pipe://a/b", "contains '/'"),
        ("pipe://a%2Fb", "contains '/'"),
        ("pipe://a%00", "contains '\\0'"),
        ("pipe://%zz", "hexadecimal"),
        ("pipe://%4", "middle of a %XX"),
        ("pipe://%ff", "not UTF-8"),
        ("pipe://a?mode=byte&mode=byte", "twice"),
        ("pipe://a?=1", "without a key"),
        ("tcp://localhost", "no port"),
        ("tcp://localhost:", "not a number"),
        ("tcp://localhost:+1", "not a number"),
        ("tcp://localhost:65536", "beyond 65535"),
        ("tcp://::1:80", "without brackets"),
        ("tcp://[::1:80", "bracket"),
        ("tcp://:80", "no valid host"),
        ("unix://relative", "absolute path"),
        ("unix://@", "absolute path"),
        ("fifo://", "absolute path"),
        ("ipc://", "absolute path"),
    ] {
        let error = text.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains(says), "{text:?}: {error}");
    }
}

#[test]
fn an_unknown_option_is_refused_with_the_nearest_known_one() {
    let error = parse("pipe://x?mod=message")
        .expect_options(&["mode"])
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidAddress);
    assert!(error.to_string().contains("did you mean \"mode\""), "{error}");
}

fn any_target() -> impl Strategy<Value = (Scheme, Target)> {
    let named = proptest::sample::select(
        Scheme::ALL
            .into_iter()
            .filter(|scheme| scheme.has_name())
            .collect::<Vec<_>>(),
    );
    let name = r#"(Local\\|Global\\)?[^./\\\x00][^/\\\x00]{0,40}"#
        .prop_filter_map("a valid name", |name| Name::new(name).ok());
    let path = "/[^\\x00]{0,40}";
    prop_oneof![
        (named, name).prop_map(|(scheme, name)| (scheme, Target::Name(name))),
        ".{1,40}".prop_map(|title| (Scheme::Window, Target::Window(Some(title)))),
        ("[a-z0-9.-]{1,20}|[0-9a-f:]{1,10}:[0-9a-f]{0,4}", any::<u16>())
            .prop_map(|(host, port)| (Scheme::Tcp, Target::Host { host, port })),
        path.prop_map(|path| (Scheme::Fifo, Target::Path(path))),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same(
        (scheme, target) in any_target(),
        options in proptest::collection::vec((".{1,10}", ".{0,10}"), 0..4),
    ) {
        let mut address = Address { scheme, target, options: Vec::new() };
        for (key, value) in options {
            address = address.with_option(key, value);
        }
        prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
    }

    #[test]
    fn any_text_parses_or_is_refused(text in "((pipe|window|tcp|ipc|fifo)://)?.{0,60}") {
        if let Ok(address) = text.parse::<Address>() {
            prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
    }
}
