//! `x AND NOT x` → nobody, `x OR NOT x` → `ALL`; absorption: `x AND (x OR y)` → `x`,
//! `x OR (x AND y)` → `x`.

use std::collections::HashSet;

use crate::plan::logical::Expr;

pub(super) fn rewrite(expr: Expr) -> Expr {
    match expr {
        Expr::And(of) if contradicts(&of) => Expr::None,
        Expr::Or(of) if contradicts(&of) => Expr::All,
        Expr::And(of) => Expr::And(absorbed(of, disjuncts)),
        Expr::Or(of) => Expr::Or(absorbed(of, conjuncts)),
        Expr::All | Expr::None | Expr::Leaf(_) | Expr::Not(_) | Expr::AtLeast { .. } => expr,
    }
}

fn contradicts(of: &[Expr]) -> bool {
    if !of.iter().any(|operand| matches!(operand, Expr::Not(_))) {
        return false;
    }
    let operands: HashSet<&Expr> = of.iter().collect();
    of.iter().any(|operand| match operand {
        Expr::Not(inner) => operands.contains(&**inner),
        Expr::All
        | Expr::None
        | Expr::Leaf(_)
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::AtLeast { .. } => false,
    })
}

/// Drops operands that another operand makes superfluous.
fn absorbed(of: Vec<Expr>, parts: fn(&Expr) -> &[Expr]) -> Vec<Expr> {
    if of.iter().all(|operand| parts(operand).is_empty()) {
        return of;
    }
    let operands: HashSet<&Expr> = of.iter().collect();
    let is_absorbed = |operand| parts(operand).iter().any(|part| operands.contains(part));
    let absorbed: Vec<bool> = of.iter().map(is_absorbed).collect();
    of.into_iter()
        .zip(absorbed)
        .filter_map(|(operand, absorbed)| (!absorbed).then_some(operand))
        .collect()
}

fn disjuncts(expr: &Expr) -> &[Expr] {
    match expr {
        Expr::Or(of) => of,
        Expr::All
        | Expr::None
        | Expr::Leaf(_)
        | Expr::Not(_)
        | Expr::And(_)
        | Expr::AtLeast { .. } => &[],
    }
}

fn conjuncts(expr: &Expr) -> &[Expr] {
    match expr {
        Expr::And(of) => of,
        Expr::All
        | Expr::None
        | Expr::Leaf(_)
        | Expr::Not(_)
        | Expr::Or(_)
        | Expr::AtLeast { .. } => &[],
    }
}
