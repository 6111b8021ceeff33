//! De Morgan, where it helps: `NOT (a OR b)` → `NOT a AND NOT b`, which an enclosing `AND` turns
//! into differences; `NOT (NOT a AND NOT b)` → `a OR b`; `NOT a OR NOT b` → `NOT (a AND b)`,
//! which needs one complement instead of two.

use crate::plan::logical::Expr;

pub(super) fn rewrite(expr: Expr) -> Expr {
    match expr {
        Expr::Not(inner) => negated(*inner),
        Expr::Or(of) if of.len() > 1 && of.iter().all(is_negation) => {
            Expr::And(complements(of)).negated()
        }
        Expr::Or(_)
        | Expr::All
        | Expr::None
        | Expr::Leaf(_)
        | Expr::And(_)
        | Expr::AtLeast { .. } => expr,
    }
}

fn negated(inner: Expr) -> Expr {
    match inner {
        Expr::Or(of) => Expr::And(complements(of)),
        Expr::And(of) if !of.is_empty() && of.iter().all(is_negation) => Expr::Or(complements(of)),
        Expr::And(_)
        | Expr::All
        | Expr::None
        | Expr::Leaf(_)
        | Expr::Not(_)
        | Expr::AtLeast { .. } => inner.negated(),
    }
}

fn is_negation(expr: &Expr) -> bool {
    matches!(expr, Expr::Not(_))
}

fn complements(of: Vec<Expr>) -> Vec<Expr> {
    of.into_iter()
        .map(|operand| match operand {
            Expr::Not(inner) => *inner,
            Expr::All
            | Expr::None
            | Expr::Leaf(_)
            | Expr::And(_)
            | Expr::Or(_)
            | Expr::AtLeast { .. } => operand.negated(),
        })
        .collect()
}
