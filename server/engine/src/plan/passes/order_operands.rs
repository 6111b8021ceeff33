//! Puts the operands of `AND` in the order of their estimated size, least first, so that a block
//! is empty as early as possible, and those of `OR` and thresholds greatest first. Ties are
//! ordered by structure, so that the plan does not depend on how the query was written.

use crate::plan::{
    estimate::{Estimates, estimate},
    logical::Expr,
};

pub(super) fn rewrite(expr: Expr, sizes: &dyn Estimates) -> Expr {
    in_order(expr, sizes)
}

/// The operands of one node in their order.
pub(crate) fn in_order(expr: Expr, sizes: &dyn Estimates) -> Expr {
    match expr {
        Expr::And(of) => Expr::And(ordered(of, |operand| estimate(operand, sizes))),
        Expr::Or(of) => Expr::Or(ordered(of, |operand| u64::MAX - estimate(operand, sizes))),
        Expr::AtLeast { threshold, of } => Expr::AtLeast {
            threshold,
            of: ordered(of, |operand| u64::MAX - estimate(operand, sizes)),
        },
        Expr::All | Expr::None | Expr::Leaf(_) | Expr::Not(_) => expr,
    }
}

fn ordered(of: Vec<Expr>, key: impl Fn(&Expr) -> u64) -> Vec<Expr> {
    let mut keyed: Vec<(u64, Expr)> = of
        .into_iter()
        .map(|operand| (key(&operand), operand))
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, operand)| operand).collect()
}
