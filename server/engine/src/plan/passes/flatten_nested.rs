//! `a AND (b AND c)` → `a AND b AND c`, and the same of `OR`.

use crate::plan::logical::Expr;

pub(super) fn rewrite(expr: Expr) -> Expr {
    match expr {
        Expr::And(of) => Expr::And(of.into_iter().flat_map(conjuncts).collect()),
        Expr::Or(of) => Expr::Or(of.into_iter().flat_map(disjuncts).collect()),
        Expr::All | Expr::None | Expr::Leaf(_) | Expr::Not(_) | Expr::AtLeast { .. } => expr,
    }
}

fn conjuncts(expr: Expr) -> Vec<Expr> {
    match expr {
        Expr::And(of) => of,
        Expr::All
        | Expr::None
        | Expr::Leaf(_)
        | Expr::Not(_)
        | Expr::Or(_)
        | Expr::AtLeast { .. } => vec![expr],
    }
}

fn disjuncts(expr: Expr) -> Vec<Expr> {
    match expr {
        Expr::Or(of) => of,
        Expr::All
        | Expr::None
        | Expr::Leaf(_)
        | Expr::Not(_)
        | Expr::And(_)
        | Expr::AtLeast { .. } => vec![expr],
    }
}
