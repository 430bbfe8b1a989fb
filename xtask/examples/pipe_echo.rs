//! The library as the peer of a foreign program, where the command has no verb for it: a pipe used in both directions.
//!
//!     pipe_echo server NAME byte|message             sends back what its one client sends, until that client goes
//!     pipe_echo client NAME byte|message TEXT…       sends each TEXT, waits for its echo and prints that as a line

use std::error::Error;
use std::io::{Read, Write};

use quintet::pipe::{PipeClient, PipeMode, PipeServer, PipeStream};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [role, name, mode, texts @ ..] = args.as_slice() else {
        return Err("usage: pipe_echo server|client NAME byte|message [TEXT…]".into());
    };
    let mode: PipeMode = mode.parse()?;
    match role.as_str() {
        "server" => serve(name, mode),
        "client" => ask(name, mode, texts),
        _ => Err(format!("unknown role {role}").into()),
    }
}

fn serve(name: &str, mode: PipeMode) -> Result<(), Box<dyn Error>> {
    let server = PipeServer::builder(name)?.mode(mode).create()?;
    eprintln!("ready");
    let client = server.accept()?;
    if mode == PipeMode::Byte {
        std::io::copy(&mut &client, &mut &client)?;
        return Ok(());
    }
    while let Some(message) = client.read_message()? {
        client.write_message(message)?;
    }
    Ok(())
}

fn ask(name: &str, mode: PipeMode, texts: &[String]) -> Result<(), Box<dyn Error>> {
    let server = PipeClient::builder(name)?.mode(mode).connect()?;
    for text in texts {
        server.write_all(text)?;
        let echo = answer(&server, mode, text.len())?;
        std::io::stdout().write_all(&echo)?;
        println!();
    }
    Ok(())
}

/// In byte mode only the length tells where an answer ends.
fn answer(server: &PipeStream, mode: PipeMode, length: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    if mode == PipeMode::Byte {
        let mut bytes = vec![0; length];
        let mut server = server;
        server.read_exact(&mut bytes)?;
        return Ok(bytes);
    }
    let message = server.read_message()?;
    message.ok_or_else(|| "the server is gone".into())
}
