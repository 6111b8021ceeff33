//! A figure of each user's events, as a number instead of a test of it.

use tessera_query_lang::ast::Comparison;

use super::{
    notes::{Counts, Notes},
    question::{Bound, Filter, Question},
    scan::Scan,
};
use crate::ids::{AttributeId, BLOCK_BITS};

/// A number that follows from a user's events of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Figure {
    /// How many there are.
    Count,
    /// On how many days, in UTC, there is one.
    Days,
    /// The sum of a property.
    Sum(AttributeId),
    /// The mean of a property.
    Average(AttributeId),
    /// The least value of a property.
    Least(AttributeId),
    /// The greatest value of a property.
    Greatest(AttributeId),
    /// The moment of the first.
    First,
    /// The moment of the last.
    Last,
}

/// A quotient: means are not whole, and all else has the denominator 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figured {
    /// In the units in which the property is kept.
    pub numerator: i128,
    /// Above 0.
    pub denominator: u32,
}

impl Figure {
    /// The property that it is about.
    pub fn property(self) -> Option<AttributeId> {
        match self {
            Self::Count | Self::Days | Self::First | Self::Last => None,
            Self::Sum(property)
            | Self::Average(property)
            | Self::Least(property)
            | Self::Greatest(property) => Some(property),
        }
    }

    /// A question of which a [`Scan`] notes what the figure follows from.
    pub fn question(self) -> Question {
        // A bound above all small counts, for which these are not cut off.
        let exact = Bound::Within(1, i128::from(u32::MAX) - 1);
        match self {
            Self::Count => Question::Count(exact),
            Self::Days => Question::Days(exact),
            Self::Sum(property) | Self::Average(property) => {
                Question::Average(property, Comparison::NotEqual.into(), (0, 1))
            }
            Self::Least(property) | Self::Greatest(property) => Question::Top(property, Vec::new()),
            Self::First => Question::First(Filter::All),
            Self::Last => Question::Last(Filter::All),
        }
    }
}

impl Scan<'_> {
    /// The figures of the users of a shard, by their offsets in it, of those who have one. The
    /// scan is one of the figure's question.
    pub fn figures(self, figure: Figure, mut visit: impl FnMut(u32, Figured)) {
        for (block, notes) in (0_u32..).zip(self.into_notes()) {
            let base = block << BLOCK_BITS;
            if let Some(notes) = notes {
                figures(notes, figure, |place, figured| {
                    visit(base | u32::from(place), figured);
                });
            }
        }
    }
}

fn figures(notes: Notes, figure: Figure, mut visit: impl FnMut(u16, Figured)) {
    let whole = |number: i64| Figured {
        numerator: number.into(),
        denominator: 1,
    };
    match notes {
        Notes::Counts(Counts::Large(counts)) => {
            let counts = places(counts.as_slice());
            for (place, count) in counts.filter(|(_, count)| **count > 0) {
                visit(place, whole((*count).into()));
            }
        }
        Notes::Days { counts, .. } => {
            for (place, count) in places(&counts).filter(|(_, count)| **count > 0) {
                visit(place, whole((*count).into()));
            }
        }
        Notes::Means { sums, counts } => {
            for (place, count) in places(&counts).filter(|(_, count)| **count > 0) {
                let numerator = sums.total(place);
                let denominator = match figure {
                    Figure::Average(_) => *count,
                    Figure::Count
                    | Figure::Days
                    | Figure::Sum(_)
                    | Figure::Least(_)
                    | Figure::Greatest(_)
                    | Figure::First
                    | Figure::Last => 1,
                };
                let figured = Figured {
                    numerator,
                    denominator,
                };
                visit(place, figured);
            }
        }
        Notes::Edge { times, .. } => {
            // What the notes begin with: no event is at these moments.
            let is_known = |(_, time): &(u16, &i64)| ![i64::MIN, i64::MAX].contains(*time);
            for (place, time) in places(&times).filter(is_known) {
                visit(place, whole(*time));
            }
        }
        Notes::Pairs(mut pairs) => {
            pairs.sort_unstable();
            for of_user in pairs.chunk_by(|(left, _), (right, _)| left == right) {
                let chosen = match figure {
                    Figure::Least(_) => of_user.first(),
                    Figure::Greatest(_)
                    | Figure::Count
                    | Figure::Days
                    | Figure::Sum(_)
                    | Figure::Average(_)
                    | Figure::First
                    | Figure::Last => of_user.last(),
                };
                if let Some((place, value)) = chosen {
                    visit(*place, whole(*value));
                }
            }
        }
        // No figure's question has such notes.
        Notes::Did(_) | Notes::Sums(_) | Notes::Counts(Counts::Small(_)) => {}
    }
}

/// Everything by place.
fn places<T>(of: &[T]) -> impl Iterator<Item = (u16, &T)> {
    (0..=u16::MAX).zip(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_not_cut_off() {
        let notes = Notes::new(&Figure::Count.question());
        assert!(matches!(notes, Notes::Counts(Counts::Large(_))));
    }
}
