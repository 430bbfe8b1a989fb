//! A queue beside a model of one.

use proptest::prelude::*;
use quintet::shm::{Batch, Queue};
use quintet_testkit::start;
use std::collections::VecDeque;

#[derive(Clone, Debug)]
enum Act {
    Push(usize),
    PushAll(Vec<usize>),
    Reserve(usize, Option<usize>),
    Pop,
    PopBatch(usize),
    Peek(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let len = 0..1500usize;
    prop_oneof![
        len.clone().prop_map(Act::Push),
        prop::collection::vec(0..300usize, 0..8).prop_map(Act::PushAll),
        (len.clone(), prop::option::of(0..1500usize)).prop_map(|(len, keep)| Act::Reserve(len, keep)),
        Just(Act::Pop),
        (0..6usize).prop_map(Act::PopBatch),
        any::<bool>().prop_map(Act::Peek),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn it_gives_what_was_put_in(acts in prop::collection::vec(act(), 1..120)) {
        let t = start();
        let queue = Queue::builder(t.name("q")).unwrap().capacity(4096).create_new().unwrap();
        let (mut producer, mut consumer) = (queue.producer().unwrap(), queue.consumer().unwrap());
        let mut model: VecDeque<Vec<u8>> = VecDeque::new();
        let mut next = 0u8;
        let mut fresh = |len: usize| {
            next = next.wrapping_add(1);
            vec![next; len]
        };
        let mut message = Vec::new();
        let mut batch = Batch::new();
        for act in acts {
            match act {
                Act::Push(len) => {
                    let sent = fresh(len);
                    let pushed = producer.try_push(&sent).unwrap();
                    prop_assert!(pushed || !model.is_empty(), "no room in an empty queue");
                    if pushed {
                        model.push_back(sent);
                    }
                }
                Act::PushAll(lens) => {
                    let sent: Vec<_> = lens.into_iter().map(&mut fresh).collect();
                    let count = producer.try_push_all(&sent).unwrap();
                    model.extend(sent.into_iter().take(count));
                }
                Act::Reserve(len, keep) => {
                    if let Some(mut place) = producer.try_reserve(len).unwrap()
                        && let Some(keep) = keep
                    {
                        let sent = fresh(keep.min(len));
                        place.write_at(0, &sent).unwrap();
                        place.commit_len(sent.len()).unwrap();
                        model.push_back(sent);
                    }
                }
                Act::Pop => {
                    let popped = consumer.try_pop(&mut message).unwrap();
                    prop_assert_eq!(popped.map(|_| message.clone()), model.pop_front());
                }
                Act::PopBatch(most) => {
                    batch.clear();
                    let count = consumer.try_pop_batch(&mut batch, most).unwrap();
                    prop_assert_eq!(count, most.min(model.len()));
                    for (_, message) in batch.iter() {
                        prop_assert_eq!(Some(message.to_vec()), model.pop_front());
                    }
                }
                Act::Peek(take) => {
                    let peeked = consumer.try_peek().unwrap();
                    prop_assert_eq!(peeked.as_ref().map(|peeked| peeked.to_vec()), model.front().cloned());
                    if take && let Some(peeked) = peeked {
                        prop_assert!(peeked.take());
                        model.pop_front();
                    }
                }
            }
            prop_assert_eq!(queue.stats().waiting, model.len() as u64);
        }
    }
}
