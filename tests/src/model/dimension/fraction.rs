//! Numbers that compare without rounding.

use std::cmp::Ordering;

use tessera_query_lang::ast::AttributeType;

use crate::model::value::power;

/// A number that compares without rounding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fraction {
    numerator: i128,
    denominator: i128,
}

impl Fraction {
    /// The one over the other.
    pub(super) fn new(numerator: i128, denominator: i128) -> Self {
        Self {
            numerator,
            denominator,
        }
    }

    /// A bound as `ordered` gives it, in the smallest numbers that say the same.
    pub(super) fn bound(kind: &AttributeType, exact: i128) -> Self {
        let mut bound = match kind {
            AttributeType::Date | AttributeType::Timestamp => return Self::new(exact, 1),
            _ => Self::new(exact, power(18)),
        };
        while bound.denominator > 1 && bound.numerator % 10 == 0 {
            bound = Self::new(bound.numerator / 10, bound.denominator / 10);
        }
        bound
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        let cross = |left: i128, right: i128| {
            left.checked_mul(right)
                .expect("the generator's numbers are small enough")
        };
        cross(self.numerator, other.denominator).cmp(&cross(other.numerator, self.denominator))
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Fraction {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Fraction {}
