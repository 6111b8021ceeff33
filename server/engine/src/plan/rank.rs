//! Where users stand among all who have a measure.
//!
//! Users who have the measure are put in its order. A user's percentile is the share of them
//! whose measure is less: from 0 to below 100, and the same for all with the same measure. Of
//! ten users with ten measures the greatest has 90 and the least 0, so that `90..100` is the
//! first tenth; of ten with one and the same, all have 0.
//!
//! Knows which places in the order the borders of a band are. Does not know any user: the
//! measures at these places are found through a trait.

use crate::{
    behaviour::{Figure, Filter, Window},
    ids::{AttributeId, EventId},
};

use super::{ResolveError, logical::DayUnit};

/// What users are put in order by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ranked {
    /// A numeric attribute.
    Attribute(AttributeId),
    /// Whole years from the day of an attribute.
    Years {
        /// The attribute.
        base: AttributeId,
        /// What its numbers are.
        unit: DayUnit,
        /// To which day, since 1970-01-01.
        today: i32,
    },
    /// A figure of what they did; of those who did such a thing, and if it is about a property,
    /// of events that have it.
    Events {
        /// The kind of event.
        event: EventId,
        /// Which of them count.
        filter: Filter,
        /// When.
        window: Window,
        /// What of them.
        figure: Figure,
    },
}

/// A part of a whole, from none to all, as an exact quotient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    numerator: i128,
    denominator: i128,
}

impl Share {
    /// So many percent, as `units` / 10^`scale`; `None` below 0, above 100, or with more digits
    /// than a number in the language has.
    pub fn percent(units: i128, scale: u8) -> Option<Self> {
        let denominator = (scale <= 18).then(|| 100 * 10_i128.pow(scale.into()))?;
        (0..=denominator).contains(&units).then_some(Self {
            numerator: units,
            denominator,
        })
    }

    /// Of so many, rounded up.
    fn up(self, count: u64) -> u64 {
        let product = self.numerator * i128::from(count);
        let whole = product / self.denominator + i128::from(product % self.denominator > 0);
        u64::try_from(whole).unwrap_or(u64::MAX)
    }

    /// Of so many, rounded down.
    fn down(self, count: u64) -> u64 {
        let whole = self.numerator * i128::from(count) / self.denominator;
        u64::try_from(whole).unwrap_or(u64::MAX)
    }
}

/// The percentiles of a band, its ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// The least; none for all from the lowest on.
    pub low: Option<Share>,
    /// The greatest; none for all up to the highest.
    pub high: Option<Share>,
}

/// Where the users of a band stand in the order, counted from the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Places {
    /// Nobody stands there.
    Nobody,
    /// Those with a greater measure than who stands at the first place, if there is one, and not
    /// a greater one than who stands at the second.
    Between(Option<u64>, Option<u64>),
}

impl Shares {
    /// Where the band's users stand among so many.
    ///
    /// A user's percentile times their number is 100 times the place at which the user's measure
    /// first stands. That place is at least `first` exactly if the measure is greater than what
    /// stands before `first`, and at most `last` exactly if it is not greater than what stands
    /// there.
    pub fn places(self, count: u64) -> Places {
        let first = self.low.map_or(0, |low| low.up(count));
        let last = self.high.map_or(count, |high| high.down(count));
        if first >= count || last < first {
            return Places::Nobody;
        }
        Places::Between(
            first.checked_sub(1),
            Some(last).filter(|last| last + 1 < count),
        )
    }
}

/// A measure, as a quotient: means are not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Border {
    /// In the units in which the attribute or property is kept.
    pub numerator: i128,
    /// Above 0; 1 for everything but means.
    pub denominator: u32,
}

/// The measures of a band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    /// None.
    Nobody,
    /// Those above the first, if there is one, and not above the second.
    Between(Option<Border>, Option<Border>),
}

/// Who knows where users stand.
pub trait Ranks {
    /// The measures of each of some bands.
    ///
    /// # Errors
    /// [`ResolveError::Unranked`] when that could not be found out; whoever asks knows why.
    fn stretches(&self, of: &Ranked, bands: &[Shares]) -> Result<Vec<Stretch>, ResolveError>;
}

/// Takes everybody who has a measure for a user of every band: enough to see whether a rule
/// means something.
#[derive(Debug, Clone, Copy)]
pub struct Unranked;

impl Ranks for Unranked {
    fn stretches(&self, _: &Ranked, bands: &[Shares]) -> Result<Vec<Stretch>, ResolveError> {
        Ok(bands.iter().map(|_| Stretch::Between(None, None)).collect())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests stop at the first surprise")]

    use super::*;

    fn percent(units: i128, scale: u8) -> Share {
        Share::percent(units, scale).expect("a share")
    }

    #[test]
    fn percentages_are_between_none_and_all() {
        assert_eq!(Share::percent(-1, 0), None);
        assert_eq!(Share::percent(101, 0), None);
        assert_eq!(Share::percent(1001, 1), None);
        assert_eq!(Share::percent(1, 19), None);
        assert_eq!(percent(100, 0).up(u64::MAX), u64::MAX);
        assert_eq!((percent(5, 1).up(199), percent(5, 1).down(199)), (1, 0));
    }

    /// The users of a band are those whose percentile, as it is defined, lies in it.
    #[test]
    fn places_are_those_of_the_percentiles() {
        let orders: [&[i64]; 7] = [
            &[],
            &[7],
            &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
            &[1, 1, 1, 1, 1, 1, 1],
            &[1, 1, 2, 2, 2, 3, 9, 9, 9, 9],
            &[-5, 0, 0, 0, 1],
            &[1, 2, 2],
        ];
        for order in orders {
            for low in (0..=100).step_by(5) {
                for high in (low..=100).step_by(5) {
                    let shares = Shares {
                        low: (low > 0).then(|| percent(low, 0)),
                        high: (high < 100).then(|| percent(high, 0)),
                    };
                    let count = order.len() as u64;
                    let at = |place: u64| order[place as usize];
                    let found = |measure: i64| match shares.places(count) {
                        Places::Nobody => false,
                        Places::Between(above, up_to) => {
                            above.is_none_or(|above| measure > at(above))
                                && up_to.is_none_or(|up_to| measure <= at(up_to))
                        }
                    };
                    for measure in order {
                        let less = order.iter().filter(|other| *other < measure).count() as i128;
                        let is_in =
                            low * count as i128 <= 100 * less && 100 * less <= high * count as i128;
                        assert_eq!(
                            found(*measure),
                            is_in,
                            "{measure} of {order:?} in {low}..{high}"
                        );
                    }
                }
            }
        }
    }
}
