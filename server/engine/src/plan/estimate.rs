//! How many users an expression is thought to find.
//!
//! Knows rules of thumb: operands are taken to be independent, an interval of numbers to hold a
//! part of the present values. Every estimate of an expression is the same for any order of its
//! operands. Does not know the data: sizes of leaves come through [`Estimates`].

use super::logical::{Expr, Leaf};

/// Estimated sizes of what an expression is made of.
pub trait Estimates {
    /// How many users there are.
    fn users(&self) -> u64;
    /// How many users a leaf is thought to find, at most [`Estimates::users`].
    fn leaf(&self, leaf: &Leaf) -> u64;
}

/// How many users an expression is thought to find.
pub fn estimate(expr: &Expr, sizes: &dyn Estimates) -> u64 {
    let users = sizes.users();
    let estimated = match expr {
        Expr::All => users,
        Expr::None => 0,
        Expr::Leaf(leaf) => sizes.leaf(leaf),
        Expr::Not(inner) => users.saturating_sub(estimate(inner, sizes)),
        Expr::And(of) => conjunction(users, &sorted(of, sizes)),
        Expr::Or(of) => {
            users.saturating_sub(conjunction(users, &complements(users, &sorted(of, sizes))))
        }
        Expr::AtLeast { threshold, of } => at_least(*threshold, &sorted(of, sizes)),
    };
    estimated.min(users)
}

/// Sorted, so that rounding does not depend on the order of operands.
fn sorted(of: &[Expr], sizes: &dyn Estimates) -> Vec<u64> {
    let mut estimates: Vec<u64> = of.iter().map(|operand| estimate(operand, sizes)).collect();
    estimates.sort_unstable();
    estimates
}

fn complements(users: u64, estimates: &[u64]) -> Vec<u64> {
    estimates
        .iter()
        .rev()
        .map(|estimate| users.saturating_sub(*estimate))
        .collect()
}

/// The product of the operands' shares.
fn conjunction(users: u64, estimates: &[u64]) -> u64 {
    if users == 0 {
        return 0;
    }
    let share: f64 = estimates
        .iter()
        .map(|estimate| *estimate as f64 / users as f64)
        .product();
    (share * users as f64).round() as u64
}

/// Every user found needs so many operands that hold.
fn at_least(threshold: u32, estimates: &[u64]) -> u64 {
    let sum = estimates
        .iter()
        .fold(0_u64, |sum, estimate| sum.saturating_add(*estimate));
    match threshold {
        0 => u64::MAX,
        threshold => sum / u64::from(threshold),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ids::TagId;

    /// A hundred users; tag `n` has `n` holders, every other leaf ten.
    pub(crate) struct ByTag;

    impl Estimates for ByTag {
        fn users(&self) -> u64 {
            100
        }

        fn leaf(&self, leaf: &Leaf) -> u64 {
            match leaf {
                Leaf::Tag(tag) => u64::from(tag.0).min(100),
                Leaf::Present(_)
                | Leaf::Value(..)
                | Leaf::Range(..)
                | Leaf::Text(..)
                | Leaf::Keys(_)
                | Leaf::Held(..)
                | Leaf::Recorded(..)
                | Leaf::Blocked(_)
                | Leaf::Behaviour(_)
                | Leaf::Referral(_)
                | Leaf::Anniversary(..) => 10,
            }
        }
    }

    fn tag(id: u32) -> Expr {
        Leaf::Tag(TagId(id)).into()
    }

    #[test]
    fn estimates_follow_independence() {
        let check =
            |expr: Expr, expected: u64| assert_eq!(estimate(&expr, &ByTag), expected, "{expr:?}");
        check(Expr::All, 100);
        check(Expr::None, 0);
        check(tag(30), 30);
        check(tag(30).negated(), 70);
        check(Expr::And(vec![tag(50), tag(20)]), 10);
        check(Expr::Or(vec![tag(50), tag(20)]), 60);
        check(
            Expr::AtLeast {
                threshold: 2,
                of: vec![tag(50), tag(20), tag(30)],
            },
            50,
        );
        check(
            Expr::AtLeast {
                threshold: 0,
                of: vec![],
            },
            100,
        );
    }
}
