use crate::Result;
use std::mem::MaybeUninit;
use std::slice;

/// Types whose values are nothing but their bytes: every pattern of bytes is a value, and there are no others in between.
///
/// Implemented for integers, floating-point numbers and arrays of such.
///
/// # Safety
/// The type has no padding, no pointers, no references, and every pattern of its bytes is a valid value of it.
///
/// ```
/// use quintet::shm::Plain;
///
/// #[derive(Clone, Copy)]
/// #[repr(C)]
/// struct Point {
///     x: f64,
///     y: f64,
/// }
///
/// // SAFETY: two f64, with no gap between them; any bytes are two f64.
/// unsafe impl Plain for Point {}
/// ```
pub unsafe trait Plain: Copy + 'static {}

macro_rules! plain {
    ($($type:ty),+) => {
        // SAFETY: numbers have no padding, and all bytes are numbers.
        $(unsafe impl Plain for $type {})+
    };
}

plain!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64
);

// SAFETY: elements lie one behind the other.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// The bytes of a value.
pub(super) fn bytes_of<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: a `Plain` value is as many bytes, with none of them undefined, and does not change while it is borrowed.
    unsafe { slice::from_raw_parts(std::ptr::from_ref(value).cast::<u8>(), size_of::<T>()) }
}

/// The value of the bytes that `read` writes.
pub(super) fn value_of<T: Plain>(read: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: a `Plain` value is as many bytes, all of which may be written and, since they are zero, read.
    let bytes = unsafe { slice::from_raw_parts_mut(value.as_mut_ptr().cast::<u8>(), size_of::<T>()) };
    read(bytes)?;
    // SAFETY: all its bytes were written, with zeros at least, and any bytes are a `Plain` value.
    Ok(unsafe { value.assume_init() })
}
