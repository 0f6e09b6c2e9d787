//! A figure that was measured several times.

use serde::{Serialize, Serializer};

/// What was measured, in the order in which it was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spread(pub(crate) Vec<f64>);

impl Spread {
    /// The one in the middle; the mean of the two there if there are two.
    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        match sorted.as_slice() {
            [] => f64::NAN,
            all if all.len() % 2 == 1 => all[middle],
            all => f64::midpoint(all[middle - 1], all[middle]),
        }
    }

    /// The least and the most.
    pub(crate) fn ends(&self) -> (f64, f64) {
        let sorted = self.sorted();
        let at = |it: Option<&f64>| it.copied().unwrap_or(f64::NAN);
        (at(sorted.first()), at(sorted.last()))
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl Serialize for Spread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            median: f64,
            least: f64,
            most: f64,
            each: &'a [f64],
        }
        let (least, most) = self.ends();
        let told = Told {
            median: self.median(),
            least,
            most,
            each: &self.0,
        };
        told.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(Spread(vec![9.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(Spread(vec![4.0, 1.0, 2.0, 9.0]).median(), 3.0);
        assert_eq!(Spread(vec![9.0, 1.0, 2.0]).ends(), (1.0, 9.0));
    }
}
