use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::stage::Stage;
use super::suite::Suite;
use crate::apt::Apt;
use crate::run::run as run_command;
use crate::workspace::Workspace;

/// C# programs on Linux, compiled by mono's compiler and run by its runtime.
#[derive(Debug)]
struct CSharp {
    programs: PathBuf,
}

impl CSharp {
    /// Compiles every program under xtask/interop.
    fn build(workspace: &Workspace) -> Result<Self> {
        Apt::read()?.require(&["mono-mcs", "mono-runtime"], &[])?;
        let programs = workspace.target("interop");
        fs::create_dir_all(&programs)?;
        let sources = workspace.path("xtask/interop");
        for entry in fs::read_dir(&sources)? {
            let source = entry?.path();
            if source.extension().is_some_and(|extension| extension == "cs") {
                let name = source.file_stem().context("a source without a name")?;
                let program = programs.join(name).with_extension("exe");
                if !is_newer(&program, &source) {
                    run_command(
                        Command::new("mcs")
                            .args(["-warnaserror", "-reference:System.Core.dll"])
                            .arg(format!("-out:{}", program.display()))
                            .arg(&source),
                    )?;
                }
            }
        }
        Ok(Self { programs })
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("mono");
        command
            .arg(self.programs.join(name).with_extension("exe"))
            // Encoding.Default follows it; every distribution has this one.
            .env("LC_ALL", "C.UTF-8")
            // A killed mono would leave a file in /dev/shm.
            .env("MONO_DISABLE_SHARED_AREA", "1");
        command
    }
}

fn is_newer(this: &Path, than: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    modified(this).is_some_and(|this| Some(this) > modified(than))
}

/// What is sent, and how each side gets it: a text on its command line, anything longer on its stdin.
struct Payload {
    name: &'static str,
    bytes: Vec<u8>,
    on_command_line: bool,
}

impl Payload {
    fn all() -> [Self; 3] {
        let text = |name: &'static str| Self {
            name,
            bytes: name.as_bytes().to_owned(),
            on_command_line: true,
        };
        let long = Self {
            name: "1 MiB from stdin",
            bytes: noise(1 << 20),
            on_command_line: false,
        };
        [text("hello"), text("成功"), long]
    }

    /// Gives the payload to `command`; what its stdin is to be.
    fn give(&self, command: &mut Command) -> &[u8] {
        if self.on_command_line {
            command.arg(self.name);
            &[]
        } else {
            &self.bytes
        }
    }
}

/// Bytes of every value, in which no part looks like another: what is lost, doubled or swapped shows.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// Every direction, with either side as the server.
pub(super) fn run(workspace: &Workspace, suite: &mut Suite) -> Result<()> {
    let csharp = CSharp::build(workspace)?;
    let quintet = workspace.build(&["-p", "quintet-cli"], "quintet")?;
    let quintet = || Command::new(&quintet);
    let echo = workspace.build(&["-p", "xtask", "--example", "pipe_echo"], "examples/pipe_echo")?;
    let echo = || Command::new(&echo);

    suite.case("a C# client's message comes back from a C# server", |stage| {
        // No quintet here: when this fails, the C# side is to blame.
        let server = stage.start(csharp.program("PipeEchoServer").arg(stage.name()), &[])?;
        stage.wait_ready(server)?;
        let client = stage.start(csharp.program("PipeEchoClient").args([stage.name(), "成功"]), &[])?;
        stage.finish_with(client, "成功".as_bytes())?;
        stage.finish_with(server, &[])
    });

    suite.case("a C# client's message comes back from a PipeServer", |stage| {
        let server = stage.start(echo().args(["server", stage.name(), "byte"]), &[])?;
        let client = stage.start(csharp.program("PipeEchoClient").args([stage.name(), "成功"]), &[])?;
        stage.finish_with(client, "成功".as_bytes())?;
        stage.finish_with(server, &[])?;
        nothing_left(stage)
    });
    suite.case("a PipeClient's messages come back from a C# server", |stage| {
        let server = stage.start(csharp.program("PipeEchoServer").arg(stage.name()), &[])?;
        stage.wait_ready(server)?;
        let client = stage.start(
            echo().args(["client", stage.name(), "byte", "hello", "成功"]),
            &[],
        )?;
        stage.finish_with(client, "hello\n成功\n".as_bytes())?;
        stage.finish_with(server, &[])?;
        nothing_left(stage)
    });

    for payload in Payload::all() {
        let what = payload.name;
        let (csharp, quintet, payload) = (&csharp, &quintet, &payload);
        suite.case(
            &format!("a C# server sends, `recv --connect` reads: {what}"),
            |stage| {
                let mut server = csharp.program("PipeSend");
                let input = payload.give(server.arg(stage.name()));
                let server = stage.start(&mut server, input)?;
                stage.wait_ready(server)?;
                let client = stage.start(quintet().args(["recv", "--connect"]).arg(stage.address()), &[])?;
                stage.finish_with(client, &payload.bytes)?;
                stage.finish_with(server, &[])?;
                nothing_left(stage)
            },
        );
        suite.case(
            &format!("`send --listen` sends, a C# client reads: {what}"),
            |stage| {
                let mut server = quintet();
                let input = payload.give(server.args(["send", "--listen"]).arg(stage.address()));
                let server = stage.start(&mut server, input)?;
                // A .NET client waits until its server is there.
                let client = stage.start(csharp.program("PipeReceive").arg(stage.name()), &[])?;
                stage.finish_with(client, &payload.bytes)?;
                stage.finish_with(server, &[])?;
                nothing_left(stage)
            },
        );
        suite.case(
            &format!("a C# client sends, `recv` listens and reads: {what}"),
            |stage| {
                let server = stage.start(quintet().arg("recv").arg(stage.address()), &[])?;
                let mut client = csharp.program("PipeClientSend");
                let input = payload.give(client.arg(stage.name()));
                let client = stage.start(&mut client, input)?;
                stage.finish_with(server, &payload.bytes)?;
                stage.finish_with(client, &[])?;
                nothing_left(stage)
            },
        );
        suite.case(
            &format!("`send` connects and sends, a C# server reads: {what}"),
            |stage| {
                let server = stage.start(csharp.program("PipeServerReceive").arg(stage.name()), &[])?;
                stage.wait_ready(server)?;
                let mut client = quintet();
                let input = payload.give(client.arg("send").arg(stage.address()));
                let client = stage.start(&mut client, input)?;
                stage.finish_with(server, &payload.bytes)?;
                stage.finish_with(client, &[])?;
                nothing_left(stage)
            },
        );
    }

    suite.case("both sides look for the pipe in TMPDIR", |stage| {
        stage.set_tmpdir()?;
        let server = stage.start(csharp.program("PipeSend").args([stage.name(), "hello"]), &[])?;
        stage.wait_ready(server)?;
        ensure!(
            stage.socket().exists(),
            "{} is not there",
            stage.socket().display()
        );
        let client = stage.start(quintet().args(["recv", "--connect"]).arg(stage.address()), &[])?;
        stage.finish_with(client, b"hello")?;
        stage.finish_with(server, &[])?;
        nothing_left(stage)
    });
    Ok(())
}

/// The pipe's socket goes with its server.
fn nothing_left(stage: &Stage) -> Result<()> {
    let socket = stage.socket();
    ensure!(!socket.exists(), "{} was left behind", socket.display());
    Ok(())
}
