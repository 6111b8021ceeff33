//! How much a resolved expression counts for the limits of a statement that uses it once more.

use super::expr::text_nodes;
use crate::plan::logical::{Expr, Leaf};

/// How much an expression counts.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) nodes: usize,
    pub(super) leaves: usize,
    /// Questions about inviters in each other.
    pub(super) referrals: usize,
}

impl Counted {
    /// An expression, and what it asks of others.
    pub(super) fn of(expr: &Expr) -> Self {
        let mut counted = Self::default();
        counted.add(expr, 0);
        counted
    }

    /// Adds an expression inside of so many questions about inviters.
    fn add(&mut self, expr: &Expr, referrals: usize) {
        self.nodes += 1;
        self.referrals = self.referrals.max(referrals);
        match expr {
            Expr::All | Expr::None => {}
            Expr::Leaf(leaf) => {
                self.leaves += 1;
                self.nodes += text_nodes(leaf);
                if let Leaf::Referral(of) = leaf
                    && let Some(asked) = of.question.asked_of()
                {
                    self.add(asked, referrals + 1);
                }
            }
            Expr::Not(inner) => self.add(inner, referrals),
            Expr::And(of) | Expr::Or(of) | Expr::AtLeast { of, .. } => {
                of.iter().for_each(|operand| self.add(operand, referrals));
            }
        }
    }
}
