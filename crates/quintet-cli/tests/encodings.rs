//! Text that is not UTF-8 on the way.

mod common;

use common::*;
use quintet::pipe::PipeClient;
use quintet_testkit::{Test, start as start_test};

const GB18030: &[u8] = &[0xb3, 0xc9, 0xb9, 0xa6];
const UTF_16: &[u8] = &[0x10, 0x62, 0x9f, 0x52];

/// The bytes that arrive when `send` is run with these arguments and this input.
fn sent(t: &Test, args: &[&str], input: &str) -> Vec<u8> {
    let address = pipe(t);
    let server = start(t, &["recv", "--format", "raw", &address]);
    run_with_input(t, &[&["send", &address], args].concat(), input).succeeded();
    let output = server.wait_output();
    assert!(output.status.success());
    output.stdout
}

/// What `recv` makes of bytes, of which it sees each piece by itself: before the next piece is sent, it has printed what
/// is given with the piece.
fn received(t: &Test, args: &[&str], pieces: &[(&[u8], &str)]) -> String {
    let name = t.name("pipe");
    let server = start(t, &[&["recv", &format!("pipe://{name}")], args].concat());
    let client = PipeClient::connect(&*name).unwrap();
    for (piece, printed) in pieces {
        client.write_all(piece).unwrap();
        server.wait_for_stdout(printed);
    }
    drop(client);
    server.wait_output().succeeded()
}

#[test]
fn text_is_sent_in_the_encoding() {
    let t = start_test();
    assert_eq!(sent(&t, &["--encoding", "gb18030", "成功"], ""), GB18030);
    assert_eq!(sent(&t, &["--encoding", "GBK"], "成功"), GB18030);
    assert_eq!(sent(&t, &["--encoding", "utf-16le", "成功"], ""), UTF_16);
    assert_eq!(sent(&t, &["--encoding", "utf-8"], "成功"), "成功".as_bytes());
    assert_eq!(
        sent(&t, &["--encoding", "utf-16le", "--lines"], "成功\n\r\nਊ"),
        [UTF_16, b"\n\0\n\0\x0a\x0a\n\0"].concat()
    );
}

#[test]
fn text_is_received_from_the_encoding() {
    let t = start_test();
    for (encoding, bytes) in [
        ("gb18030", GB18030),
        ("utf-16le", UTF_16),
        ("utf-8", "成功".as_bytes()),
    ] {
        for cut in 1..bytes.len() {
            let first = if cut >= bytes.len() / 2 { "成" } else { "" };
            let pieces = [(&bytes[..cut], first), (&bytes[cut..], "成功")];
            assert_eq!(
                received(&t, &["--encoding", encoding], &pieces),
                "成功",
                "{encoding}, {cut}"
            );
        }
    }
}

#[test]
fn a_character_is_not_garbled_in_any_format() {
    let t = start_test();
    let pieces: [(&[u8], &str); 2] = [(&GB18030[..3], "成"), (&GB18030[3..], "功")];
    let quoted = received(&t, &["--encoding", "gb18030", "--format", "quoted"], &pieces);
    assert_eq!(quoted, "\"成\"\n\"功\"\n");
    let json = received(&t, &["--encoding", "gb18030", "--json"], &pieces);
    says(
        &json,
        &[
            "\"length\":3,",
            "\"text\":\"成\"",
            "\"length\":1,",
            "\"text\":\"功\"",
        ],
    );
    // The digits of what was sent.
    let hex = received(
        &t,
        &["--encoding", "gb18030", "--format", "hex"],
        &[(GB18030, "")],
    );
    assert_eq!(hex, "b3c9b9a6\n");
}

#[test]
fn lines_end_where_the_encoding_says() {
    let t = start_test();
    let text: Vec<u8> = "ਊ成\r\n\n功".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for cut in 1..text.len() {
        let pieces = [(&text[..cut], ""), (&text[cut..], "ਊ成\n\n")];
        let lines = received(&t, &["--lines", "--encoding", "utf-16le"], &pieces);
        assert_eq!(lines, "ਊ成\n\n功\n", "{cut}");
    }
}

#[test]
fn each_message_is_a_text_by_itself() {
    let t = start_test();
    let name = t.name("pipe");
    let server = start(
        &t,
        &[
            "recv",
            "--mode",
            "message",
            "--count",
            "2",
            "--encoding",
            "utf-8",
            &format!("pipe://{name}"),
        ],
    );
    let client = PipeClient::connect(&*name).unwrap();
    // Half a character at the end of one does not go on in the next. A byte order mark is no text.
    client.write_message(b"\xef\xbb\xbfa\xe6\x88").unwrap();
    client.write_message(b"\x90b").unwrap();
    assert_eq!(server.wait_output().succeeded(), "a\u{fffd}\u{fffd}b");
}

#[test]
fn what_is_malformed_is_replaced() {
    let t = start_test();
    let pieces: [(&[u8], &str); 1] = [(b"a\xffb\xe6\x88", "a\u{fffd}b")];
    assert_eq!(
        received(&t, &["--encoding", "utf-8"], &pieces),
        "a\u{fffd}b\u{fffd}"
    );
    let json = received(&t, &["--encoding", "utf-8", "--json"], &pieces);
    says(
        &json,
        &[
            "\"length\":5,",
            "\"text\":\"a\u{fffd}b\"",
            "\"length\":0,",
            "\"text\":\"\u{fffd}\"",
        ],
    );
    // And without an encoding it stays what it is.
    let quoted = received(&t, &["--format", "quoted"], &[(b"a\xffb", "")]);
    assert_eq!(quoted, "\"a\\xffb\"\n");
}

#[test]
fn what_cannot_be_converted_is_said() {
    let t = start_test();
    let address = pipe(&t);
    let server = start(&t, &["recv", "--lines", &address]);
    let send = ["send", "--lines", "--encoding", "gb18030", &address];
    let output = run_with_input(&t, &send, b"good\nbad \xff\nnever\n");
    says(&output.failed(1), &["not", "UTF-8", "byte 4"]);
    // What came before it was sent.
    assert_eq!(server.wait_output().succeeded(), "good\n");
}
