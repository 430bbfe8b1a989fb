//! From one figure a repeat to what is shown.

use serde::Serialize;

/// The figures of all repeats and what they come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figures {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// In the order of the repeats.
    pub(crate) each: Vec<f64>,
}

impl Figures {
    /// `None` if there is not one.
    pub(crate) fn of(each: Vec<f64>) -> Option<Self> {
        let mut sorted = each.clone();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = sorted.len() / 2;
        let lower = (sorted.len() - 1) / 2;
        Some(Figures {
            median: f64::midpoint(sorted[lower], sorted[upper]),
            min,
            max,
            each,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_and_the_repeats_keep_their_order() {
        let odd = Figures::of(vec![3.0, 100.0, 1.0]).unwrap();
        assert_eq!((odd.median, odd.min, odd.max), (3.0, 1.0, 100.0));
        assert_eq!(odd.each, [3.0, 100.0, 1.0]);
        assert_eq!(Figures::of(vec![4.0, 2.0]).unwrap().median, 3.0);
        assert_eq!(Figures::of(vec![7.0]).unwrap().median, 7.0);
    }

    #[test]
    fn no_figures_come_to_nothing() {
        assert_eq!(Figures::of(Vec::new()), None);
    }
}
