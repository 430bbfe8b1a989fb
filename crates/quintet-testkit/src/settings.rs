//! What the environment can change about a test run.

use std::env;
use std::time::Duration;

/// The deadline `normal` as this run wants it: multiplied by `QUINTET_TEST_SLOW` when that is set.
pub fn scaled(normal: Duration) -> Duration {
    let factor = env::var("QUINTET_TEST_SLOW").ok().and_then(|text| factor(&text));
    normal.mul_f64(factor.unwrap_or(1.0))
}

/// Whether the files of a failed test should be left where they are: `QUINTET_TEST_KEEP`.
pub(crate) fn keep_files() -> bool {
    env::var_os("QUINTET_TEST_KEEP").is_some_and(|value| !value.is_empty() && value != "0")
}

fn factor(text: &str) -> Option<f64> {
    text.trim()
        .parse()
        .ok()
        .filter(|factor| (0.01..=10_000.0).contains(factor))
}

#[cfg(test)]
mod tests {
    use super::factor;

    #[test]
    fn only_sensible_factors_count() {
        assert_eq!(factor("4"), Some(4.0));
        assert_eq!(factor(" 0.5 "), Some(0.5));
        for nonsense in ["", "fast", "0", "-1", "NaN", "inf"] {
            assert_eq!(factor(nonsense), None, "{nonsense:?}");
        }
    }
}
