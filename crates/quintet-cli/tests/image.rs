//! Pictures in shared memory, as PNG files: what is decoded is what was there.

mod common;

use common::*;
use png::{BitDepth, ColorType};
use quintet::shm::SharedMemory;
#[cfg(target_os = "linux")]
use quintet_testkit::wrapped;
use quintet_testkit::{Test, start as start_test};
use std::fs;
use std::io::Cursor;

const SIZE: u64 = 4096;

fn memory(t: &Test) -> (SharedMemory, String) {
    let memory = SharedMemory::create_new(&*t.name("shm"), SIZE).unwrap();
    let address = memory.address().unwrap().to_string();
    (memory, address)
}

/// Bytes of which each differs from its neighbours in both directions.
fn pixels(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 37 % 251) as u8).collect()
}

struct Decoded {
    width: u32,
    height: u32,
    color: ColorType,
    pixels: Vec<u8>,
}

#[track_caller]
fn decode(png: &[u8]) -> Decoded {
    let mut reader = png::Decoder::new(Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(info.bit_depth, BitDepth::Eight);
    assert_eq!(info.buffer_size(), pixels.len());
    Decoded {
        width: info.width,
        height: info.height,
        color: info.color_type,
        pixels,
    }
}

#[test]
fn each_pixel_is_what_was_in_the_memory() {
    let t = start_test();
    let (memory, address) = memory(&t);
    let file = t.temp_dir().join("f.png");
    for (image, color) in [
        ("13x7:gray8", ColorType::Grayscale),
        ("13x7:rgb8", ColorType::Rgb),
        ("13x7:bgr8", ColorType::Rgb),
    ] {
        let channels = color.samples();
        let mut expected = pixels(13 * 7 * channels);
        memory.write_at(0, &expected).unwrap();
        // Behind it comes what is none of it.
        memory.write_at(expected.len() as u64, [255; 64]).unwrap();
        if image.ends_with("bgr8") {
            expected.chunks_mut(3).for_each(<[u8]>::reverse);
        }
        run(
            &t,
            &["read", &address, "--image", image, "-o", file.to_str().unwrap()],
        )
        .succeeded_with("");
        let saved = fs::read(&file).unwrap();
        let decoded = decode(&saved);
        assert_eq!(
            (decoded.width, decoded.height, decoded.color),
            (13, 7, color),
            "{image}"
        );
        assert!(decoded.pixels == expected, "{image}");
        let printed = run(&t, &["read", &address, "--image", image]);
        assert!(printed.status.success());
        assert!(printed.stdout == saved, "{image}");
    }
}

#[test]
fn it_begins_at_the_offset_and_may_end_where_the_memory_does() {
    let t = start_test();
    let (memory, address) = memory(&t);
    let all = pixels(SIZE as usize);
    memory.write_at(0, &all).unwrap();
    let read = |offset: &str, image: &str| run(&t, &["read", &address, "--offset", offset, "--image", image]);
    let decoded = decode(&read("96", "100x40:gray8").stdout);
    assert!(decoded.pixels == all[96..]);
    assert!(decode(&read("1K", "1024x1:rgb8").stdout).pixels == all[1024..]);
    assert!(decode(&read("0", "64x64:gray8").stdout).pixels == all);
    says(
        &read("97", "100x40:gray8").failed(1),
        &[
            &address,
            "4000 bytes of 100x40:gray8 at offset 97 reach beyond its capacity of 4096",
        ],
    );
    says(
        &read("4097", "1x1:gray8").failed(1),
        &["beyond its capacity of 4096"],
    );
}

#[test]
fn a_picture_that_is_not_there_leaves_the_file_as_it_was() {
    let t = start_test();
    let (_memory, address) = memory(&t);
    let file = t.temp_dir().join("f.png");
    let path = file.to_str().unwrap();
    let read = |image: &str| run(&t, &["read", &address, "-o", path, "--image", image]);
    for old in [false, true] {
        if old {
            fs::write(&file, "an old one").unwrap();
        }
        for image in ["64x65:gray8", "64x22:rgb8", "2147483647x2147483647:bgr8"] {
            says(
                &read(image).failed(1),
                &[&address, image, "beyond its capacity of 4096"],
            );
        }
        for (image, why) in [
            ("64x64", "WIDTHxHEIGHT:FORMAT"),
            ("0x64:gray8", "at least 1"),
            ("64x4294967296:gray8", "at most"),
            ("64x64:yuv", "gray8, rgb8, bgr8"),
        ] {
            says(&read(image).failed(2), &[why]);
        }
        assert_eq!(file.exists(), old);
    }
    assert_eq!(fs::read(&file).unwrap(), b"an old one");
    says(
        &run(
            &t,
            &["read", &format!("{address}x"), "-o", path, "--image", "1x1:gray8"],
        )
        .failed(1),
        &["quintet hold"],
    );
    let nowhere = t.temp_dir().join("none").join("f.png");
    let nowhere = nowhere.to_str().unwrap();
    says(
        &run(&t, &["read", &address, "--image", "1x1:gray8", "-o", nowhere]).failed(1),
        &[nowhere],
    );
}

/// Only where limits of a process are: on a full disk it is the same.
#[cfg(target_os = "linux")]
#[test]
fn a_picture_that_there_is_no_room_for_leaves_the_file_as_it_was() {
    let t = start_test();
    let (_memory, address) = memory(&t);
    let folder = t.temp_dir().join("pictures");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("f.png");
    for old in [None, Some(b"an old one")] {
        if let Some(old) = old {
            fs::write(&file, old).unwrap();
        }
        let read = quintet(&[
            "read",
            &address,
            "--image",
            "8x8:gray8",
            "-o",
            file.to_str().unwrap(),
        ]);
        // Without the signal, the call fails.
        let script = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
        let output = t.run(&mut wrapped(&read, "sh", &["-c", script, "sh"]));
        says(&output.failed(1), &[file.to_str().unwrap(), "too large"]);
        assert_eq!(fs::read(&file).ok().as_deref(), old.map(|old| &old[..]));
        let left = fs::read_dir(&folder).unwrap().count();
        assert_eq!(left, usize::from(old.is_some()));
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_no_file_is_written_to_and_not_replaced() {
    use std::os::unix::fs::symlink;
    let t = start_test();
    let (_memory, address) = memory(&t);
    let read = |path: &str| run(&t, &["read", &address, "--image", "8x8:gray8", "-o", path]);
    let printed = read("/dev/stdout");
    assert!(printed.status.success());
    decode(&printed.stdout);
    let folder = t.temp_dir();
    let (file, link) = (folder.join("f.png"), folder.join("link.png"));
    symlink("f.png", &link).unwrap();
    read(link.to_str().unwrap()).succeeded_with("");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read(&file).unwrap() == printed.stdout);
}

#[test]
fn a_picture_has_no_length_and_no_format_of_records() {
    let t = start_test();
    let (_memory, address) = memory(&t);
    for other in [
        &["--len", "64"][..],
        &["--format", "hex"],
        &["--json"],
        &["--encoding", "gbk"],
    ] {
        let args = ["read", &address, "--image", "8x8:gray8"];
        says(
            &run(&t, &[&args, other].concat()).failed(2),
            &["--image", "cannot be used with", other[0]],
        );
    }
}
