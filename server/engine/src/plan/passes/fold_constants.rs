//! Takes everybody and nobody out of `AND` and `OR`, and both away where one operand is left.

use crate::plan::logical::Expr;

pub(super) fn rewrite(expr: Expr) -> Expr {
    match expr {
        Expr::And(of) if of.contains(&Expr::None) => Expr::None,
        Expr::Or(of) if of.contains(&Expr::All) => Expr::All,
        Expr::And(of) => unwrapped(without(of, &Expr::All), Expr::And, Expr::All),
        Expr::Or(of) => unwrapped(without(of, &Expr::None), Expr::Or, Expr::None),
        Expr::All | Expr::None | Expr::Leaf(_) | Expr::Not(_) | Expr::AtLeast { .. } => expr,
    }
}

fn without(of: Vec<Expr>, neutral: &Expr) -> Vec<Expr> {
    of.into_iter()
        .filter(|operand| operand != neutral)
        .collect()
}

fn unwrapped(mut of: Vec<Expr>, node: fn(Vec<Expr>) -> Expr, neutral: Expr) -> Expr {
    match (of.pop(), of.is_empty()) {
        (None, _) => neutral,
        (Some(only), true) => only,
        (Some(last), false) => {
            of.push(last);
            node(of)
        }
    }
}
