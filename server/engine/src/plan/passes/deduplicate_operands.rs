//! `x AND x` → `x`, `x OR x` → `x`. Not in thresholds, where an operand written twice counts
//! twice.

use std::collections::HashSet;

use crate::plan::logical::Expr;

pub(super) fn rewrite(expr: Expr) -> Expr {
    match expr {
        Expr::And(of) => Expr::And(distinct(of)),
        Expr::Or(of) => Expr::Or(distinct(of)),
        Expr::All | Expr::None | Expr::Leaf(_) | Expr::Not(_) | Expr::AtLeast { .. } => expr,
    }
}

fn distinct(of: Vec<Expr>) -> Vec<Expr> {
    let mut seen = HashSet::with_capacity(of.len());
    let new: Vec<bool> = of.iter().map(|operand| seen.insert(operand)).collect();
    of.into_iter()
        .zip(new)
        .filter_map(|(operand, new)| new.then_some(operand))
        .collect()
}
