use std::process::Command;

use anyhow::{Result, ensure};

use super::stage::Stage;
use super::suite::Suite;
use super::win32::Win32;

/// A locale whose code page is 936.
pub(super) const CHINESE: &str = "zh_CN.UTF-8";

/// Who makes user32's calls: a C program, or the library in a program that does the same.
#[derive(Clone, Copy, Debug)]
enum Side {
    C,
    Quintet,
}

impl Side {
    fn command(self, win32: &Win32) -> Command {
        let program = match self {
            Side::C => &win32.window,
            Side::Quintet => &win32.quintet_window,
        };
        let mut command = win32.wine.command(program);
        // Wine takes the code page from this.
        command.env("LOCPATH", &win32.locales).env("LC_ALL", CHINESE);
        command
    }
}

/// Each way round; the first without the library: when that fails, the C side is to blame.
pub(super) fn run(win32: &Win32, suite: &mut Suite) {
    for (title, from, to) in [
        ("a C program's messages to a C program's window", Side::C, Side::C),
        ("a C program's messages to a `Window`", Side::C, Side::Quintet),
        (
            "a `WindowHandle`'s messages to a C program's window",
            Side::Quintet,
            Side::C,
        ),
    ] {
        suite.case(title, |stage| talk(win32, stage, from, to));
    }
}

fn talk(win32: &Win32, stage: &mut Stage, from: Side, to: Side) -> Result<()> {
    // As C# programs are found, and as only UTF-16 says it.
    let title = format!("{} 成功", stage.name());
    let class = format!("{}-class", stage.name());
    let receiver = stage.start_for_orders(to.command(win32).arg("serve"))?;
    stage.tell(receiver, &format!("{title}\n{class}"))?;
    stage.wait_ready(receiver)?;
    let sender = stage.start_for_orders(from.command(win32).arg("send"))?;

    stage.ask(sender, "find title no window has this", "none")?;
    stage.ask(sender, &format!("find class {class}"), "found")?;
    stage.ask(sender, "send 1 40 2", "42")?;
    stage.ask(sender, &format!("find title {title}"), "found")?;
    stage.ask(sender, "send 2 -1 -1", "-2")?;
    stage.ask(sender, "find main", "found")?;

    // The notes' call: the result of 0 is success.
    stage.ask(sender, "text ansi success", "0")?;
    stage.answer(receiver, "ansi success")?;
    stage.ask(sender, "text utf8 成功", "7")?;
    stage.answer(receiver, "utf8 成功")?;
    stage.ask(sender, "text utf16 成功", "6")?;
    stage.answer(receiver, "utf16 成功")?;
    // In the code page, as in the notes on a Chinese Windows.
    stage.ask(sender, "text ansi 成功", "0")?;
    stage.answer(receiver, "ansi 成功")?;

    stage.ask(sender, "post 3 7 -8", "done")?;
    stage.answer(receiver, "posted 3 7 -8")?;
    stage.ask(sender, "broadcast Quintet.Interop 5 -6", "done")?;
    stage.answer(receiver, "Quintet.Interop 5 -6")?;
    stage.ask(sender, "close", "done")?;
    stage.dismiss(sender)?;
    let written = String::from_utf8(stage.finish(receiver)?)?;
    ensure!(written.lines().count() == 6, "it has served more: {written}");
    Ok(())
}
