//! Exact quotients, in which measures are compared.

use std::cmp::Ordering;

/// A numerator over a positive denominator. Compared exactly, without overflow.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    numerator: i128,
    denominator: i128,
}

impl Quantity {
    /// A whole number.
    pub fn whole(number: impl Into<i128>) -> Self {
        Self {
            numerator: number.into(),
            denominator: 1,
        }
    }

    /// A quotient; `None` unless the denominator is positive.
    pub fn quotient(numerator: i128, denominator: i128) -> Option<Self> {
        (denominator > 0).then_some(Self {
            numerator,
            denominator,
        })
    }

    /// `units` / 10^`scale`; `None` for scales above 38.
    pub fn decimal(units: i128, scale: u8) -> Option<Self> {
        Self::quotient(units, 10_i128.checked_pow(scale.into())?)
    }

    /// The nearest floating-point number, or one beside it.
    pub fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

/// Compares whole parts, then the reciprocals of the rests, as Euclid's algorithm goes.
fn compare((a, b): (i128, i128), (c, d): (i128, i128)) -> Ordering {
    if b == d {
        return a.cmp(&c);
    }
    let by_whole = a.div_euclid(b).cmp(&c.div_euclid(d));
    let (left_rest, right_rest) = (a.rem_euclid(b), c.rem_euclid(d));
    match (by_whole, left_rest, right_rest) {
        (Ordering::Less | Ordering::Greater, _, _) => by_whole,
        (Ordering::Equal, 0, _) | (Ordering::Equal, _, 0) => left_rest.cmp(&right_rest),
        (Ordering::Equal, _, _) => compare((d, right_rest), (b, left_rest)),
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(
            (self.numerator, self.denominator),
            (other.numerator, other.denominator),
        )
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_compared_exactly() {
        let check = |left: (i128, i128), right: (i128, i128), expected: Ordering| {
            assert_eq!(compare(left, right), expected, "{left:?} {right:?}");
            assert_eq!(
                compare(right, left),
                expected.reverse(),
                "{right:?} {left:?}"
            );
        };
        check((1, 2), (2, 4), Ordering::Equal);
        check((1, 3), (1, 2), Ordering::Less);
        check((-1, 3), (-1, 2), Ordering::Greater);
        check((-1, 2), (0, 1), Ordering::Less);
        check((i128::MAX, 3), (i128::MAX - 1, 3), Ordering::Greater);
        check((i128::MAX, i128::MAX - 1), (1, 1), Ordering::Greater);
        check((i128::MIN, 1), (i128::MAX, 1), Ordering::Less);
        check((0, 5), (0, 7), Ordering::Equal);
    }

    #[test]
    fn denominators_are_positive() {
        assert_eq!(Quantity::quotient(1, 0), None);
        assert_eq!(Quantity::decimal(150, 2), Quantity::quotient(3, 2));
        assert_eq!(Quantity::decimal(1, 39), None);
    }
}
