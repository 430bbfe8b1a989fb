//! The library as the peer of nng's sockets: the orders and answers are those of `xtask/interop/sockets.py`.

use std::error::Error;
use std::io::BufRead;

use quintet::Deadline;
use quintet::socket::{Options, Pair, Pub, Pull, Push, Rep, Req, Sub};

enum Socket {
    Pair(Pair),
    Pub(Pub),
    Sub(Sub),
    Req(Req),
    Rep(Rep),
    Push(Push),
    Pull(Pull),
}

/// What all patterns can do, of whichever it is.
macro_rules! any {
    ($socket:expr, $one:ident => $call:expr) => {
        match $socket {
            Socket::Pair($one) => $call,
            Socket::Pub($one) => $call,
            Socket::Sub($one) => $call,
            Socket::Req($one) => $call,
            Socket::Rep($one) => $call,
            Socket::Push($one) => $call,
            Socket::Pull($one) => $call,
        }
    };
}

fn main() -> Result<(), Box<dyn Error>> {
    let pattern = std::env::args().nth(1).ok_or("usage: sockets PATTERN")?;
    let mut socket = Some(match pattern.as_str() {
        "pair" => Socket::Pair(Pair::new()?),
        "pair1" => Socket::Pair(Pair::with(&Options::new().pair_version1())?),
        "pub" => Socket::Pub(Pub::with(&Options::new().send_mark(64 << 20))?),
        "sub" => Socket::Sub(Sub::new()?),
        "req" => Socket::Req(Req::new()?),
        "rep" => Socket::Rep(Rep::new()?),
        "push" => Socket::Push(Push::new()?),
        "pull" => Socket::Pull(Pull::new()?),
        other => return Err(format!("there is no pattern {other}").into()),
    });
    for order in std::io::stdin().lock().lines() {
        let order = order?;
        let words: Vec<&str> = order.split(' ').collect();
        if words == ["close"] {
            if let Some(socket) = socket.take() {
                any!(socket, one => one.close())?;
            }
            println!("closed");
            continue;
        }
        let socket = socket.as_ref().ok_or("it is closed")?;
        println!("{}", obey(socket, &words)?);
    }
    Ok(())
}

fn obey(socket: &Socket, words: &[&str]) -> Result<String, Box<dyn Error>> {
    Ok(match (words, socket) {
        (["listen", address], _) => {
            any!(socket, one => one.listen(*address))?;
            "listening".into()
        }
        (["dial", address], _) => {
            any!(socket, one => one.dial(*address))?;
            any!(socket, one => one.wait_for_peers(1, Deadline::NEVER))?;
            "dialed".into()
        }
        (["peers", count], _) => {
            any!(socket, one => one.wait_for_peers(count.parse()?, Deadline::NEVER))?;
            "there".into()
        }
        (["subscribe", topic], Socket::Sub(sub)) => {
            sub.subscribe(topic);
            "subscribed".into()
        }
        (["send", message @ ..], Socket::Pub(publisher)) => {
            publisher.send(bytes(message)?)?;
            "sent".into()
        }
        (["send", message @ ..], Socket::Push(push)) => {
            push.send(bytes(message)?)?;
            "sent".into()
        }
        (["send", message @ ..], Socket::Pair(pair)) => {
            pair.send(bytes(message)?)?;
            "sent".into()
        }
        (["recv"], Socket::Sub(sub)) => described(&sub.recv()?),
        (["recv"], Socket::Pull(pull)) => described(&pull.recv()?),
        (["recv"], Socket::Pair(pair)) => described(&pair.recv()?),
        (["request", message @ ..], Socket::Req(req)) => described(&req.request(bytes(message)?)?),
        (["reply"], Socket::Rep(rep)) => {
            let request = rep.recv()?;
            let body = request.body().to_vec();
            request.reply(&body)?;
            described(&body)
        }
        _ => return Err(format!("unknown order {words:?}").into()),
    })
}

fn bytes(words: &[&str]) -> Result<Vec<u8>, Box<dyn Error>> {
    let (count, topic) = match words {
        [count] => (count, ""),
        [count, topic] => (count, *topic),
        _ => return Err("a message is N or N TOPIC".into()),
    };
    let count: usize = count.parse()?;
    let mut message = topic.as_bytes().to_vec();
    message.extend((0..count).map(|at| (at * 31 + count) as u8));
    Ok(message)
}

fn described(message: &[u8]) -> String {
    let sum: u64 = message.iter().map(|byte| u64::from(*byte)).sum();
    format!("{} {sum}", message.len())
}
