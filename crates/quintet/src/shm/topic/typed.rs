//! Topics of one type.

use super::{Delivered, Publisher, Sample, Subscriber, Topic, TopicBuilder};
use crate::shm::plain::{bytes_of, value_of};
use crate::shm::{Plain, Trust, Trusting, Wary};
use crate::sync::Waitable;
use crate::{Deadline, Error, ErrorKind, Name, Result};
use std::marker::PhantomData;
use std::ops::Deref;

/// What two programs have to agree on: the type's name without the modules it is in, its size and its alignment.
pub(super) fn fingerprint<V: Plain>() -> u32 {
    let whole = std::any::type_name::<V>();
    let end = whole.find(['<', '[', '(']).unwrap_or(whole.len());
    let begin = whole[..end].rfind("::").map_or(0, |at| at + 2);
    let numbers = [size_of::<V>() as u64, align_of::<V>() as u64].map(u64::to_le_bytes);
    let text = whole.as_bytes()[begin..].iter().chain(numbers.as_flattened());
    let hash = text.fold(0x811c_9dc5u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    // 0 is for any bytes.
    hash.max(1)
}

/// The error of values that are longer than the longest message.
pub(super) fn too_long(size: usize, longest: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("values have {size} bytes, and it is for messages of up to {longest}"),
    )
    .hint("create it with a larger capacity")
}

/// A [`Topic`] whose messages are all values of one type.
///
/// The type is written into the topic when it is made, by its name (without the modules that it is in), its size and its
/// alignment: a program that opens it for another type gets an error. Whoever changes what the bytes mean gives the type another
/// name. Programs that do not know the type, as `quintet sub`, can open it as a [`Topic`] of bytes, and be the first who do:
/// a topic that was made without a type takes the type of the first who opens it with one, unless something was published on it before.
///
/// ```
/// use quintet::shm::{Plain, TypedTopic};
///
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// #[repr(C)]
/// struct Pose {
///     x: f64,
///     y: f64,
/// }
/// // SAFETY: two f64, with no gap between them; any bytes are two f64.
/// unsafe impl Plain for Pose {}
///
/// # let name = format!("typed-doc-{}", std::process::id());
/// let poses = TypedTopic::<Pose>::create_or_open(&name)?;
/// let mut subscriber = poses.subscriber()?;
/// poses.publisher()?.publish(&Pose { x: 1.0, y: 2.0 })?;
/// assert_eq!(subscriber.copy()?.0, Pose { x: 1.0, y: 2.0 });
/// assert!(TypedTopic::<[f64; 2]>::open_existing(&name).is_err());
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct TypedTopic<V: Plain> {
    topic: Topic,
    value: PhantomData<fn(V) -> V>,
}

impl<V: Plain> TypedTopic<V> {
    /// Messages begin at multiples of 8.
    const FITS: () = assert!(
        align_of::<V>() <= 8,
        "values of a topic have an alignment of at most 8"
    );

    fn of(topic: Topic) -> Result<Self> {
        let () = Self::FITS;
        let about = |error: Error| Err(error.about(topic.address()));
        if topic.max_message() < size_of::<V>() {
            return about(too_long(size_of::<V>(), topic.max_message()));
        }
        let ours = fingerprint::<V>();
        match topic.claim_type(ours) {
            of_type if of_type == ours => {}
            0 => {
                let what = "it has no type, and messages that may be anything were published on it";
                return about(
                    Error::new(ErrorKind::Unsupported, what)
                        .hint("open it with its type before anything is published, or as a topic of bytes"),
                );
            }
            _ => {
                let what = format!(
                    "it is a topic of another type than {}",
                    std::any::type_name::<V>()
                );
                return about(Error::new(ErrorKind::Unsupported, what));
            }
        }
        Ok(TypedTopic {
            topic,
            value: PhantomData,
        })
    }

    /// Creates it; there must be none of that name.
    ///
    /// # Errors
    /// Those of [`Topic::create_new`]; [`ErrorKind::TooLarge`] if a value does not fit, and then nothing is created: see
    /// [`TopicBuilder::typed`].
    pub fn create_new<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Topic::builder(name)?.typed().create_new()
    }

    /// Creates it, or opens the one that is there.
    ///
    /// # Errors
    /// Those of [`Topic::create_or_open`]; [`ErrorKind::Unsupported`] if it is there and of another type.
    pub fn create_or_open<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Topic::builder(name)?.typed().create_or_open()
    }

    /// Opens the one that is there.
    ///
    /// # Errors
    /// Those of [`Topic::open_existing`]; [`ErrorKind::Unsupported`] if it is of another type.
    pub fn open_existing<N>(name: N) -> Result<Self>
    where
        N: TryInto<Name>,
        Error: From<N::Error>,
    {
        Topic::builder(name)?.typed().open_existing()
    }

    /// Becomes a publisher on it.
    ///
    /// # Errors
    /// Those of [`Topic::publisher`].
    pub fn publisher(&self) -> Result<TypedPublisher<V>> {
        self.topic.publisher().map(|publisher| TypedPublisher {
            publisher,
            value: PhantomData,
        })
    }

    /// Becomes a subscriber of it.
    ///
    /// # Errors
    /// Those of [`Topic::subscriber`].
    pub fn subscriber(&self) -> Result<TypedSubscriber<V>> {
        self.subscriber_with(u64::MAX)
    }

    /// As [`Topic::subscriber_with`].
    ///
    /// # Errors
    /// Those of [`Topic::subscriber`].
    pub fn subscriber_with(&self, depth: u64) -> Result<TypedSubscriber<V>> {
        self.topic
            .subscriber_with(depth)
            .map(|subscriber| TypedSubscriber {
                subscriber,
                value: PhantomData,
            })
    }

    /// It as a topic of bytes.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }
}

/// How a [`TypedTopic`] is to be: see [`TopicBuilder::typed`].
///
/// ```
/// use quintet::shm::Topic;
/// # let name = format!("typed-builder-doc-{}", std::process::id());
/// let ranges = Topic::builder(&name)?.publishers(1).capacity(1 << 16).typed::<[f32; 360]>().create_new()?;
/// ranges.publisher()?.publish(&[0.5; 360])?;
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it creates or opens"]
pub struct TypedTopicBuilder<V: Plain> {
    builder: TopicBuilder,
    value: PhantomData<fn(V) -> V>,
}

impl<V: Plain> TypedTopicBuilder<V> {
    pub(super) fn new(builder: TopicBuilder) -> Self {
        TypedTopicBuilder {
            builder,
            value: PhantomData,
        }
    }

    /// Creates it; there must be none of that name.
    ///
    /// # Errors
    /// Those of [`TopicBuilder::create_new`]; [`ErrorKind::TooLarge`] if its capacity is too small for one value: then
    /// nothing is created.
    pub fn create_new(self) -> Result<TypedTopic<V>> {
        TypedTopic::of(self.builder.create_new()?)
    }

    /// Creates it, or opens the one that is there.
    ///
    /// # Errors
    /// Those of [`TopicBuilder::create_or_open`]; [`ErrorKind::Unsupported`] if it is there and of another type.
    pub fn create_or_open(self) -> Result<TypedTopic<V>> {
        TypedTopic::of(self.builder.create_or_open()?)
    }

    /// Opens the one that is there.
    ///
    /// # Errors
    /// Those of [`TopicBuilder::open_existing`]; [`ErrorKind::Unsupported`] if it is of another type.
    pub fn open_existing(self) -> Result<TypedTopic<V>> {
        TypedTopic::of(self.builder.open_existing()?)
    }
}

/// One who publishes on a [`TypedTopic`].
///
/// ```
/// # let name = format!("typed-publisher-doc-{}", std::process::id());
/// let mut publisher = quintet::shm::TypedTopic::<u64>::create_or_open(&name)?.publisher()?;
/// assert_eq!(publisher.publish(&7)?, 0);
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct TypedPublisher<V: Plain> {
    publisher: Publisher,
    value: PhantomData<fn(V)>,
}

impl<V: Plain> TypedPublisher<V> {
    /// Publishes a copy of the value: its sequence number.
    ///
    /// # Errors
    /// Those of [`Publisher::publish`].
    pub fn publish(&mut self, value: &V) -> Result<u64> {
        self.publisher.publish(bytes_of(value))
    }

    /// What can be asked of it, and waited for.
    pub fn publisher(&mut self) -> &mut Publisher {
        &mut self.publisher
    }
}

/// One who receives what is published on a [`TypedTopic`].
///
/// ```
/// # let name = format!("typed-subscriber-doc-{}", std::process::id());
/// let topic = quintet::shm::TypedTopic::<u64>::create_or_open(&name)?;
/// let mut subscriber = topic.subscriber()?;
/// topic.publisher()?.publish(&7)?;
/// let (value, delivered) = subscriber.copy()?;
/// assert_eq!((value, delivered.sequence), (7, 0));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct TypedSubscriber<V: Plain, T: Trust = Wary> {
    subscriber: Subscriber<T>,
    value: PhantomData<fn() -> V>,
}

impl<V: Plain> TypedSubscriber<V> {
    /// Takes the other processes at their word, so that what it receives in place can be read as a `&V`.
    ///
    /// # Safety
    /// As of [`Subscriber::trusting`]; and all of them publish values of that type.
    pub unsafe fn trusting(self) -> TypedSubscriber<V, Trusting> {
        TypedSubscriber {
            // SAFETY: the caller says so.
            subscriber: unsafe { self.subscriber.trusting() },
            value: PhantomData,
        }
    }
}

impl<V: Plain, T: Trust> TypedSubscriber<V, T> {
    /// The next value where it is, as soon as there is one.
    ///
    /// # Errors
    /// Those of [`Subscriber::receive`]; [`ErrorKind::Corrupt`] if something of another length was published.
    pub fn receive(&mut self) -> Result<TypedSample<V, T>> {
        self.receive_timeout(Deadline::NEVER)
    }

    /// As [`receive`](Self::receive), until a deadline.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] besides those of `receive`.
    pub fn receive_timeout(&mut self, deadline: impl Into<Deadline>) -> Result<TypedSample<V, T>> {
        TypedSample::of(self.subscriber.receive_timeout(deadline)?)
    }

    /// As [`receive`](Self::receive), if there is one now.
    ///
    /// # Errors
    /// Those of `receive`.
    pub fn try_receive(&mut self) -> Result<Option<TypedSample<V, T>>> {
        self.subscriber.try_receive()?.map(TypedSample::of).transpose()
    }

    /// A copy of the next value, as soon as there is one.
    ///
    /// # Errors
    /// Those of [`receive`](Self::receive).
    pub fn copy(&mut self) -> Result<(V, Delivered)> {
        let sample = self.receive()?;
        Ok((sample.get(), sample.delivered()))
    }

    /// What can be asked of it, and waited for.
    pub fn subscriber(&mut self) -> &mut Subscriber<T> {
        &mut self.subscriber
    }
}

/// Until there is a value: see [`Subscriber`].
impl<'a, V: Plain, T: Trust> From<&'a TypedSubscriber<V, T>> for Waitable<'a> {
    fn from(subscriber: &'a TypedSubscriber<V, T>) -> Self {
        (&subscriber.subscriber).into()
    }
}

/// A value of a [`TypedTopic`], where it is. A [trusting](TypedSubscriber::trusting) subscriber's derefs to it.
///
/// ```
/// # let name = format!("typed-sample-doc-{}", std::process::id());
/// let topic = quintet::shm::TypedTopic::<[f32; 3]>::create_or_open(&name)?;
/// // SAFETY: only programs of ours open this topic, all with this library.
/// let mut subscriber = unsafe { topic.subscriber()?.trusting() };
/// topic.publisher()?.publish(&[1.0, 2.0, 3.0])?;
/// let sample = subscriber.receive()?;
/// assert_eq!((sample[1], sample.get()), (2.0, [1.0, 2.0, 3.0]));
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub struct TypedSample<V: Plain, T: Trust> {
    sample: Sample<T>,
    value: PhantomData<fn() -> V>,
}

impl<V: Plain, T: Trust> TypedSample<V, T> {
    fn of(sample: Sample<T>) -> Result<Self> {
        if sample.len() != size_of::<V>() {
            return Err(Error::new(
                ErrorKind::Corrupt,
                format!(
                    "a message of {} bytes was published where values have {}",
                    sample.len(),
                    size_of::<V>()
                ),
            ));
        }
        Ok(TypedSample {
            sample,
            value: PhantomData,
        })
    }

    /// A copy of it.
    pub fn get(&self) -> V {
        // It has as many bytes, so it can be read; else it would be zeros.
        value_of(|bytes| self.sample.read_at(0, bytes)).unwrap_or_else(|_| unreachable!("it is that long"))
    }

    /// What is known of it.
    pub fn delivered(&self) -> Delivered {
        self.sample.delivered()
    }
}

impl<V: Plain> Deref for TypedSample<V, Trusting> {
    type Target = V;

    fn deref(&self) -> &V {
        // SAFETY: it is as long as a value, begins at a multiple of 8, which is enough for its type, any bytes are a value, and
        // nobody writes them as long as `self` lives, as `trusting` was told.
        unsafe { self.sample.as_ptr().cast::<V>().as_ref() }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    mod elsewhere {
        #[derive(Clone, Copy)]
        #[repr(C)]
        pub(super) struct Pose([f64; 2]);
        // SAFETY: two f64.
        unsafe impl crate::shm::Plain for Pose {}
    }

    #[derive(Clone, Copy)]
    #[repr(C)]
    struct Pose([f64; 2]);
    // SAFETY: two f64.
    unsafe impl Plain for Pose {}

    #[test]
    fn a_type_is_known_by_its_name_and_size_wherever_it_is_from() {
        assert_eq!(fingerprint::<Pose>(), fingerprint::<elsewhere::Pose>());
        let others = [
            fingerprint::<Pose>(),
            fingerprint::<[f64; 2]>(),
            fingerprint::<[f64; 3]>(),
            fingerprint::<u64>(),
            fingerprint::<i64>(),
        ];
        for (at, one) in others.iter().enumerate() {
            assert!(*one != 0 && !others[..at].contains(one));
        }
    }
}
