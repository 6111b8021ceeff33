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
    of.into_iter()
        .filter(|operand| seen.insert(operand.clone()))
        .collect()
}
