use super::payload::{self, Kind};
use crate::args::DemoWorkerArgs;
use crate::failure::Failure;
use quintet::pipe::PipeClient;

/// The other process of the demo: checks what comes, and answers it, until the main process closes the pipe.
pub(crate) fn run(args: &DemoWorkerArgs) -> Result<(), Failure> {
    let stream = PipeClient::at(&args.address)?
        .connect_timeout(super::START)
        .connect()?;
    let mut message = Vec::new();
    let mut counts = [0, 0];
    while stream.read_message_into(&mut message)? {
        // Frames come after the commands; the first is one byte long, so only its first byte is sure to be there.
        let (kind, count) = match message.first() {
            Some(b'c') => (Kind::Command, &mut counts[0]),
            _ => (Kind::Frame, &mut counts[1]),
        };
        if message != payload::make(kind, *count, message.len()) {
            return Err(Failure::Failed(format!(
                "the worker got a message {count} that is not what it should be"
            )));
        }
        stream.write_message(payload::answer(kind, *count, &message))?;
        *count += 1;
    }
    Ok(())
}
