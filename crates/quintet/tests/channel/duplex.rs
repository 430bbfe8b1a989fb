use super::{PATIENCE, SHORT, fails};
use quintet::channel::{Channel, Duplex};
use quintet::{Address, ErrorKind};
use quintet_testkit::{loopback, start};

fn addresses(t: &quintet_testkit::Test) -> Vec<String> {
    vec![
        format!("pipe://{}", t.name("duplex")),
        format!("tcp://{}:0", loopback()),
        #[cfg(target_os = "linux")]
        format!("unix://{}", t.temp_dir().join("d").display()),
    ]
}

#[test]
fn two_processes_converse() {
    let t = start();
    for address in addresses(&t) {
        let mut peer = t.spawn("converses", &[&address]);
        let theirs: Address = peer.hear().parse().unwrap();
        let mut duplex = Duplex::open(theirs).unwrap();
        let mut answer = Vec::new();
        for question in ["", "one", "two", "three"] {
            duplex.send_timeout(question, PATIENCE).unwrap();
            duplex.recv_timeout(&mut answer, PATIENCE).unwrap();
            assert_eq!(answer, question.repeat(2).as_bytes());
        }
        drop(duplex);
        peer.expect("Disconnected");
        peer.finish();
    }
}

#[test]
fn two_threads_have_an_end_each() {
    let t = start();
    for address in addresses(&t) {
        let mut peer = t.spawn("converses", &[&address]);
        let theirs: Address = peer.hear().parse().unwrap();
        let duplex = Duplex::open(theirs).unwrap();
        let (mut sender, mut receiver) = duplex.split(PATIENCE).unwrap();
        let sending = std::thread::spawn(move || {
            for number in 0..100_u32 {
                sender.send_timeout(number.to_string(), PATIENCE).unwrap();
            }
            sender
        });
        let mut answer = Vec::new();
        for number in 0..100_u32 {
            receiver.recv_timeout(&mut answer, PATIENCE).unwrap();
            assert_eq!(answer, number.to_string().repeat(2).as_bytes());
        }
        drop(sending.join().unwrap());
        drop(receiver);
        peer.expect("Disconnected");
        peer.finish();
    }
}

#[test]
fn a_conversation_goes_on_with_the_next_one() {
    let t = start();
    let address = format!("pipe://{}", t.name("next"));
    let mut server = Channel::at(&address).unwrap().listen().duplex().unwrap();
    let mut message = Vec::new();
    for _ in 0..3 {
        let mut client = Duplex::open(&address).unwrap();
        client.send_timeout("hello", PATIENCE).unwrap();
        server.recv_timeout(&mut message, PATIENCE).unwrap();
        assert_eq!(message, b"hello");
        drop(client);
        fails(
            server.recv_timeout(&mut message, PATIENCE),
            ErrorKind::Disconnected,
        );
    }
}

#[test]
fn what_goes_one_way_is_no_conversation() {
    let t = start();
    for scheme in ["queue", "topic", "mailbox"] {
        fails(
            Duplex::open(format!("{scheme}://{}", t.name("way"))),
            ErrorKind::Unsupported,
        );
    }
}

#[test]
fn half_of_one_says_what_it_leaves_when_it_is_closed() {
    let _t = start();
    let theirs = Duplex::open(format!("tcp://{}:0?role=listen", loopback())).unwrap();
    let mut ours = Duplex::open(theirs.address().clone().without_options()).unwrap();
    ours.wait_for_peer(PATIENCE).unwrap();
    let (mut sender, receiver) = ours.split(PATIENCE).unwrap();
    // Nobody receives. (Of larger ones the system may have taken all, and nothing of the next.)
    let message = vec![7; 10_000];
    while sender.send_timeout(&message, SHORT).is_ok() {}
    fails(sender.close(SHORT), ErrorKind::TimedOut);
    drop((receiver, theirs));
}
