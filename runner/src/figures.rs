//! Counts, sums, extremes and distributions of what happened. All are whole numbers; fractions exist
//! only in texts.

use hdrhistogram::Histogram;
use zabrus_core::Duration;

/// The longest time that a distribution tells from others, in microseconds.
const LONGEST: u64 = 600_000_000;

/// What a value shows of itself: microseconds, or bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) sum: u64,
    pub(crate) last: u64,
    /// 0 if there was no value.
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl Tally {
    pub(crate) fn record(&mut self, value: u64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.last = value;
        self.sum = self.sum.saturating_add(value);
        self.count += 1;
    }

    /// Of microseconds the average in milliseconds.
    pub(crate) fn average_millis(&self) -> String {
        self.average(1_000)
    }

    /// The average, in a unit of so many, as ZooKeeper writes it: at most four decimals.
    pub(crate) fn average(&self, unit: u64) -> String {
        let (sum, parts) = (u128::from(self.sum) * 10_000, u128::from(self.count.max(1)) * u128::from(unit));
        let ten_thousandths = (sum + parts / 2) / parts;
        let text = format!("{}.{:04}", ten_thousandths / 10_000, ten_thousandths % 10_000);
        let trimmed = text.trim_end_matches('0');
        if trimmed.ends_with('.') { format!("{trimmed}0") } else { trimmed.to_owned() }
    }

    /// Last, smallest and largest; -1 if there was none.
    pub(crate) fn sizes(&self) -> [i64; 3] {
        match self.count {
            0 => [-1; 3],
            _ => [self.last, self.min, self.max].map(|size| i64::try_from(size).unwrap_or(i64::MAX)),
        }
    }
}

/// Durations and how they are distributed.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    /// In microseconds.
    pub(crate) tally: Tally,
    distribution: Histogram<u64>,
}

impl Default for Summary {
    fn default() -> Self {
        let distribution = Histogram::new_with_bounds(1, LONGEST, 2);
        Self { tally: Tally::default(), distribution: distribution.expect("the bounds are in order") }
    }
}

impl Summary {
    pub(crate) fn record(&mut self, span: Duration) {
        self.tally.record(span.0);
        self.distribution.saturating_record(span.0);
    }

    /// What so many of a hundred thousand values do not exceed, in microseconds.
    pub(crate) fn percentile(&self, hundred_thousandths: u64) -> u64 {
        let rank = u128::from(self.tally.count) * u128::from(hundred_thousandths);
        let rank = u64::try_from(rank.div_ceil(100_000)).unwrap_or(u64::MAX).max(1);
        let mut seen = 0;
        let mut reaches = |count: u64| {
            seen += count;
            seen >= rank
        };
        let found = self.distribution.iter_recorded().find(|step| reaches(step.count_at_value()));
        found.map_or(0, |step| step.value_iterated_to().min(self.tally.max))
    }

    /// How many values are at most as large as each of `bounds`, which are in order, in microseconds.
    /// One that exceeds a bound by less than a hundredth may count as equal to it.
    pub(crate) fn up_to(&self, bounds: &[u64]) -> Vec<u64> {
        let mut counts = vec![0; bounds.len()];
        for step in self.distribution.iter_recorded() {
            let value = self.distribution.lowest_equivalent(step.value_iterated_to());
            let first = bounds.partition_point(|bound| *bound < value);
            counts[first..].iter_mut().for_each(|count| *count += step.count_at_value());
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_have_at_most_four_decimals_and_at_least_one() {
        let average = |values: &[u64]| {
            let mut tally = Tally::default();
            values.iter().for_each(|value| tally.record(*value));
            tally.average_millis()
        };
        assert_eq!(average(&[]), "0.0");
        assert_eq!(average(&[2_000]), "2.0");
        assert_eq!(average(&[1_500]), "1.5");
        assert_eq!(average(&[1, 1, 0]), "0.0007");
        assert_eq!(average(&[10_000, 10_000, 0]), "6.6667");
    }

    #[test]
    fn a_tally_without_values_has_no_sizes() {
        let mut tally = Tally::default();
        assert_eq!(tally.sizes(), [-1, -1, -1]);
        [7, 3, 5].into_iter().for_each(|value| tally.record(value));
        assert_eq!((tally.sizes(), tally.sum, tally.count), ([5, 3, 7], 15, 3));
    }

    #[test]
    fn percentiles_and_bounds_are_those_of_the_values() {
        let mut summary = Summary::default();
        assert_eq!(summary.percentile(99_000), 0);
        (1..=100).for_each(|millis| summary.record(Duration::from_millis(millis)));
        for (hundred_thousandths, millis) in [(50_000, 50), (99_000, 99), (99_900, 100)] {
            let (found, exact) = (summary.percentile(hundred_thousandths), millis * 1_000);
            assert!(found >= exact && found <= exact + exact / 100, "{found} {exact}");
        }
        assert_eq!(summary.up_to(&[500, 1_000, 20_000, 1_000_000]), [0, 1, 20, 100]);
        summary.record(Duration(u64::MAX));
        assert!(summary.percentile(100_000) >= LONGEST, "it saturates");
    }
}
