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
