//! The library as the peer of a program that makes user32's calls: `xtask/interop/win32_window.c`, of which it speaks the
//! language, in both roles.
//!
//!     window serve    has a top-level window, of which the first two lines of its standard input are the title and the class
//!     window send     finds one, and does what the lines of its standard input say

use std::error::Error;
use std::io::{BufRead, Write};

use quintet::ErrorKind;
use quintet::window::{
    self, Encoding, Message, WM_CLOSE, WM_COPYDATA, WM_USER, Window, WindowHandle, WindowSearch,
    register_message,
};

const ENCODINGS: [(&str, usize, Encoding); 3] = [
    ("ansi", 100, Encoding::Ansi),
    ("utf8", 101, Encoding::Utf8),
    ("utf16", 102, Encoding::Utf16),
];
const BROADCAST: &str = "Quintet.Interop";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve"] => serve(),
        ["send"] => send(),
        _ => Err("usage: window serve|send".into()),
    }
}

/// A line, at once.
fn write(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

fn serve() -> Result<(), Box<dyn Error>> {
    let line = || std::io::stdin().lock().lines().next().ok_or("no title and class");
    let (title, class) = (line()??, line()??);
    let broadcast = register_message(BROADCAST)?;
    let window = Window::builder(title)
        .class(class)
        .visible(true)
        .create(move |message| answer(message, broadcast))?;
    eprintln!("ready");
    window::run()?;
    drop(window);
    Ok(())
}

fn answer(message: &Message<'_>, broadcast: u32) -> isize {
    let (wparam, lparam) = (message.wparam(), message.lparam());
    match message.number() {
        WM_CLOSE => {
            window::post_quit(0);
            0
        }
        WM_COPYDATA => {
            let data = message.copy_data().expect("it has data");
            let Some((name, id, encoding)) = ENCODINGS.into_iter().find(|(_, id, _)| *id == data.id()) else {
                return -1;
            };
            write(&format!(
                "{name} {}",
                message.text(encoding).expect("it has data")
            ));
            if id == 100 { 0 } else { data.bytes().len() as isize }
        }
        number if number == broadcast => {
            write(&format!("{BROADCAST} {wparam} {lparam}"));
            0
        }
        number if (WM_USER..WM_USER + 100).contains(&number) => {
            if message.is_posted() {
                write(&format!("posted {} {wparam} {lparam}", number - WM_USER));
            }
            wparam.cast_signed() + lparam
        }
        _ => 0,
    }
}

fn send() -> Result<(), Box<dyn Error>> {
    let mut to = None;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match obey(&line, &mut to) {
            Ok(answer) => write(&answer),
            Err(error) => write(&format!("error {error}")),
        }
    }
    Ok(())
}

fn obey(line: &str, to: &mut Option<WindowHandle>) -> Result<String, Box<dyn Error>> {
    let words: Vec<&str> = line.splitn(3, ' ').collect();
    if let ["find", by, text] = words[..] {
        let found = match by {
            "title" => WindowHandle::find(None, Some(text)),
            _ => WindowHandle::find(Some(text), None),
        };
        *to = found.as_ref().ok().copied();
        return match found {
            Ok(_) => Ok("found".into()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok("none".into()),
            Err(error) => Err(error.into()),
        };
    }
    let window = to.ok_or("it has not found a window")?;
    if line == "find main" {
        let search = WindowSearch::new().pid(window.owner()?.pid()).top_level_only();
        *to = Some(search.find()?);
        return Ok("found".into());
    }
    let numbers: Vec<isize> = line
        .split(' ')
        .rev()
        .map_while(|word| word.parse().ok())
        .collect();
    let done = |()| "done".to_owned();
    match (words[0], &numbers[..]) {
        ("send", [lparam, wparam, number]) => Ok(window
            .send(WM_USER + *number as u32, wparam.cast_unsigned(), *lparam)?
            .to_string()),
        ("post", [lparam, wparam, number]) => Ok(window
            .post(WM_USER + *number as u32, wparam.cast_unsigned(), *lparam)
            .map(done)?),
        ("broadcast", [lparam, wparam]) => {
            let number = register_message(words[1])?;
            window::broadcast_post(number, wparam.cast_unsigned(), *lparam)?;
            Ok(done(()))
        }
        ("text", _) => {
            let (_, id, encoding) = ENCODINGS
                .into_iter()
                .find(|(name, ..)| *name == words[1])
                .ok_or("no such encoding")?;
            Ok(window.copy_data_text(id, words[2], encoding)?.to_string())
        }
        ("close", _) => Ok(window.post(WM_CLOSE, 0, 0).map(done)?),
        _ => Err(format!("what is {line:?}?").into()),
    }
}
