/// Whether a program takes other processes at their word: a mark on the types that hand out places in shared memory.
///
/// There are two: [`Wary`], which everything is at first, and [`Trusting`].
///
/// ```
/// use quintet::shm::{Trust, Trusting, Wary};
/// fn is_a_mark<T: Trust>() {}
/// is_a_mark::<Wary>();
/// is_a_mark::<Trusting>();
/// ```
pub trait Trust: sealed::Sealed + std::fmt::Debug + Send + Sync + 'static {}

/// What other processes may write is copied, or seen through a pointer, and never lent as a slice.
///
/// ```
/// let queue = quintet::shm::Queue::create_or_open(&format!("wary-doc-{}", std::process::id()))?;
/// let producer: quintet::shm::Producer<quintet::shm::Wary> = queue.producer()?;
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub enum Wary {}

/// All processes that have the object open follow its protocol: they write only where it is theirs to write. So what is
/// held in place can be lent as a slice. Nothing makes sure of that but whoever says so, in an `unsafe` call.
///
/// ```
/// use quintet::shm::Queue;
/// # let name = format!("trusting-doc-{}", std::process::id());
/// let queue = Queue::create_or_open(&name)?;
/// // SAFETY: only programs of ours open this queue, all with this library.
/// let mut producer = unsafe { queue.producer()?.trusting() };
/// let mut place = producer.reserve(3)?;
/// place.copy_from_slice(b"abc");
/// place.commit()?;
/// # Ok::<(), quintet::Error>(())
/// ```
#[derive(Debug)]
pub enum Trusting {}

impl Trust for Wary {}
impl Trust for Trusting {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Wary {}
    impl Sealed for super::Trusting {}
}
