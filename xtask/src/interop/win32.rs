use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::nng;
use super::stage::{Role, Stage};
use super::suite::Suite;
use super::win32_window::CHINESE;
use crate::run::run as run_command;
use crate::windows::{self, DebianCargo, Wine};
use crate::workspace::Workspace;

/// quintet.exe, and the programs that make .NET's Win32 calls, under Wine.
#[derive(Debug)]
pub(super) struct Win32 {
    pub(super) wine: Wine,
    pub(super) quintet: PathBuf,
    echo: PathBuf,
    peer: PathBuf,
    /// The one for semaphores, mutexes and events.
    pub(super) sync: PathBuf,
    /// The one for windows, and the library's counterpart.
    pub(super) window: PathBuf,
    pub(super) quintet_window: PathBuf,
    /// The library's sockets, and nng's.
    pub(super) sockets: PathBuf,
    pub(super) nng: PathBuf,
    /// Where the locales are that the machine itself need not have.
    pub(super) locales: PathBuf,
}

impl Win32 {
    pub(super) fn build(workspace: &Workspace) -> Result<Self> {
        let wine = windows::prepare(workspace)?;
        let cargo = DebianCargo::new(workspace)?;
        let quintet = cargo.build_quintet()?;
        let echo = cargo.build(
            &["-p", "xtask", "--example", "pipe_echo"],
            "examples/pipe_echo.exe",
        )?;
        let quintet_window = cargo.build(&["-p", "xtask", "--example", "window"], "examples/window.exe")?;
        let sockets = cargo.build(&["-p", "xtask", "--example", "sockets"], "examples/sockets.exe")?;
        let folder = workspace.target("interop");
        std::fs::create_dir_all(&folder)?;
        let compile = |source: &str, program: &str| {
            let program = folder.join(program);
            run_command(
                Command::new("x86_64-w64-mingw32-gcc")
                    .args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"])
                    .arg(&program)
                    .arg(workspace.path(source)),
            )?;
            anyhow::Ok(program)
        };
        let locales = folder.join("locales");
        std::fs::create_dir_all(&locales)?;
        let chinese = locales.join(CHINESE);
        if !chinese.is_dir() {
            // Whole, or not there.
            let new = locales.join("new");
            run_command(
                Command::new("localedef")
                    .args(["-i", "zh_CN", "-f", "UTF-8"])
                    .arg(&new),
            )?;
            std::fs::rename(&new, &chinese)?;
        }
        Ok(Self {
            wine,
            quintet,
            echo,
            peer: compile("xtask/interop/win32_pipe.c", "win32_pipe.exe")?,
            sync: compile("xtask/interop/win32_sync.c", "win32_sync.exe")?,
            window: compile("xtask/interop/win32_window.c", "win32_window.exe")?,
            quintet_window,
            sockets,
            nng: nng::build(workspace).context("nng for Windows")?,
            locales,
        })
    }

    /// Starts the Win32 program; returns when a server is ready.
    fn peer(&self, stage: &mut Stage, role: &str, mode: Mode, lengths: &[usize]) -> Result<Role> {
        let mut command = self.wine.command(&self.peer);
        command.args([role, stage.name(), mode.word()]);
        command.args(lengths.iter().map(usize::to_string));
        let started = stage.start(&mut command, &[])?;
        if role.starts_with("server") {
            stage.wait_ready(started)?;
        }
        Ok(started)
    }

    /// Starts the program that uses the library in both directions.
    fn echo(&self, stage: &mut Stage, role: &str, texts: &[String]) -> Result<Role> {
        let mut command = self.wine.command(&self.echo);
        command
            .args([role, stage.name(), Mode::Message.word()])
            .args(texts);
        stage.start(&mut command, &[])
    }

    fn quintet(&self, stage: &mut Stage, words: &[&str], mode: Mode, text: Option<&str>) -> Result<Role> {
        let mut command = self.wine.command(&self.quintet);
        command
            .args(words)
            .args(["--mode", mode.word()])
            .arg(stage.address())
            .args(text);
        stage.start(&mut command, &[])
    }
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    Byte,
    Message,
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Self::Byte => "byte",
            Self::Message => "message",
        }
    }
}

/// What the Win32 program sends.
fn letters(length: usize) -> String {
    ('a'..='z').cycle().take(length).collect()
}

/// What the Win32 program prints when it receives that: a message of 250 bytes takes three reads into 100.
fn report(length: usize, mode: Mode) -> String {
    let text = letters(length);
    match mode {
        Mode::Byte => text,
        Mode::Message => format!("{length} in {}: {text}\n", length.div_ceil(100).max(1)),
    }
}

/// Every direction, with either side as the server, in message mode and in byte mode.
pub(super) fn run(win32: &Win32, suite: &mut Suite) {
    suite.case(
        "a Win32 client's messages come back from a Win32 server",
        |stage| {
            // No quintet here: when this fails, the Win32 side is to blame.
            let lengths = [5, 250, 0];
            let server = win32.peer(stage, "server-echo", Mode::Message, &[])?;
            let client = win32.peer(stage, "client-echo", Mode::Message, &lengths)?;
            let expected: String = lengths
                .iter()
                .map(|length| report(*length, Mode::Message))
                .collect();
            stage.finish_with(client, expected.as_bytes())?;
            stage.finish_with(server, &[])
        },
    );

    suite.case("a Win32 client's messages come back from a PipeServer", |stage| {
        let lengths = [5, 250, 0];
        let server = win32.echo(stage, "server", &[])?;
        let client = win32.peer(stage, "client-echo", Mode::Message, &lengths)?;
        let expected: String = lengths
            .iter()
            .map(|length| report(*length, Mode::Message))
            .collect();
        stage.finish_with(client, expected.as_bytes())?;
        stage.finish_with(server, &[])
    });
    suite.case("a PipeClient's messages come back from a Win32 server", |stage| {
        let texts = [5, 250, 0].map(letters);
        let server = win32.peer(stage, "server-echo", Mode::Message, &[])?;
        let client = win32.echo(stage, "client", &texts)?;
        let expected = texts.map(|text| text + "\n").concat();
        stage.finish_with(client, expected.as_bytes())?;
        stage.finish_with(server, &[])
    });

    for (mode, length) in [
        (Mode::Message, 5),
        (Mode::Message, 250),
        (Mode::Message, 0),
        (Mode::Byte, 250),
    ] {
        directions(win32, suite, mode, length);
    }

    suite.case(
        "a Win32 server sends four messages, `recv` keeps them apart",
        |stage| {
            let lengths = [5, 250, 0, 7];
            let server = win32.peer(stage, "server-send", Mode::Message, &lengths)?;
            let words = ["recv", "--connect", "--format", "lines", "--count", "4"];
            let client = win32.quintet(stage, &words, Mode::Message, None)?;
            let expected: String = lengths.iter().map(|length| letters(*length) + "\n").collect();
            stage.finish_with(client, expected.as_bytes())?;
            stage.finish_with(server, &[])
        },
    );
}

fn directions(win32: &Win32, suite: &mut Suite, mode: Mode, length: usize) {
    let text = letters(length);
    let text = text.as_str();
    // With a line a message, one of no bytes shows.
    let (format, received) = match mode {
        Mode::Byte => ("raw", text.to_owned()),
        Mode::Message => ("lines", format!("{text}\n")),
    };
    let (received, reported) = (received.as_bytes(), report(length, mode));
    let what = match mode {
        Mode::Byte => format!("{length} bytes in byte mode"),
        Mode::Message => format!("a message of {length} bytes"),
    };

    suite.case(
        &format!("a Win32 server sends, `recv --connect` reads: {what}"),
        |stage| {
            let server = win32.peer(stage, "server-send", mode, &[length])?;
            let client = win32.quintet(stage, &["recv", "--connect", "--format", format], mode, None)?;
            stage.finish_with(client, received)?;
            stage.finish_with(server, &[])
        },
    );
    suite.case(
        &format!("`send --listen` sends, a Win32 client reads: {what}"),
        |stage| {
            let server = win32.quintet(stage, &["send", "--listen"], mode, Some(text))?;
            let client = win32.peer(stage, "client-receive", mode, &[])?;
            stage.finish_with(client, reported.as_bytes())?;
            stage.finish_with(server, &[])
        },
    );
    suite.case(
        &format!("a Win32 client sends, `recv` listens and reads: {what}"),
        |stage| {
            let server = win32.quintet(stage, &["recv", "--format", format], mode, None)?;
            let client = win32.peer(stage, "client-send", mode, &[length])?;
            stage.finish_with(server, received)?;
            stage.finish_with(client, &[])
        },
    );
    suite.case(
        &format!("`send` connects and sends, a Win32 server reads: {what}"),
        |stage| {
            let server = win32.peer(stage, "server-receive", mode, &[])?;
            let client = win32.quintet(stage, &["send"], mode, Some(text))?;
            stage.finish_with(server, reported.as_bytes())?;
            stage.finish_with(client, &[])
        },
    );
}
